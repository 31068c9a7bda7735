"""A network's search at one moment, and its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..report.units import cost_text, objective_label, plain_number
from ..run.log import EventLog
from ..run.snapshot import Row, Snapshot, duration
from ..run.tensorboard import TensorBoard
from .course import Course
from .result import NetworkResult
from .rounds import NetworkProgress

_TOTALS = ("edp", "energy", "delay")
_COLUMNS = ("layer", "×", "samples", "wanted", "valid", "best", "gain")


def network_snapshot(progress: NetworkProgress, counts: tuple[int, ...], objective: str) -> Snapshot:
    """All layers: samples, best so far, what was gained on the first valid mapping; totals and time left on top.

    Args:
        counts: how often each layer occurs.
        objective: of the network.
    """
    samples = progress.samples
    rate = samples / progress.seconds if progress.seconds > 0 else 0.0
    share = None if progress.budget is None else min(1.0, samples / progress.budget)
    facts = [
        f"round {progress.round}",
        f"{samples:,} samples",
        f"{rate:,.0f}/s",
        _total(progress, counts, objective),
    ]
    if share:
        facts.append(f"{duration(progress.seconds * (1 - share) / share)} left")
    rows = tuple(_row(progress, i, counts[i], objective) for i in range(len(progress.courses)))
    label = objective_label(objective)
    columns = (*_COLUMNS[:-2], f"{label.name} [{label.unit}]" if label.unit else label.name, _COLUMNS[-1])
    return Snapshot("network", share, tuple(facts), columns, rows)


def _row(progress: NetworkProgress, index: int, count: int, objective: str) -> Row:
    course, wanted = progress.courses[index], progress.targets[index]
    cells = (
        progress.names[index],
        str(count),
        f"{course.samples:,}",
        f"{wanted:,}",
        f"{course.valid / course.samples:.0%}" if course.samples else "",
        _best(course, objective),
        _gain(course),
    )
    return Row(cells, course.samples / wanted if wanted else 0.0, index == progress.layer)


def _best(course: Course, objective: str) -> str:
    if course.best is None:
        return "none yet" if course.samples else ""
    label = objective_label(objective)
    return plain_number(label.scale * course.best.cost)


def _gain(course: Course) -> str:
    if course.best is None or not course.best.cost:
        return ""
    return f"{course.steps[0].cost / course.best.cost:.3g}×"


def _total(progress: NetworkProgress, counts: tuple[int, ...], objective: str) -> str:
    lacking = sum(course.best is None for course in progress.courses)
    figures = _totals(progress, counts)
    if figures is None:
        return f"{lacking} of {len(progress.courses)} layers without a mapping yet"
    name = objective if objective in _TOTALS else "edp"
    return f"total {cost_text(name, figures[name])}"


def _totals(progress: NetworkProgress, counts: tuple[int, ...]) -> dict[str, float] | None:
    """At the layers' bests so far, in pJ·cycles, pJ and cycles; ``None`` as long as a layer has none."""
    bests = [course.best for course in progress.courses]
    if any(best is None for best in bests):
        return None
    cycles = sum(n * best.cycles for n, best in zip(counts, bests) if best)
    energy = sum(n * best.energy_pj for n, best in zip(counts, bests) if best)
    return {"edp": energy * cycles, "energy": energy, "delay": float(cycles)}


class NetworkLog:
    """The entries of a network: start, compile, layer (whenever one comes back), best (if it improved), end."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._best: dict[str, float] = {}

    def start(self, figures: Mapping[str, Any]) -> None:
        """What is searched."""
        self._log.write("start", **figures)

    def update(self, progress: NetworkProgress) -> None:
        """A layer came back."""
        name, course = progress.names[progress.layer], progress.courses[progress.layer]
        figures: dict[str, Any] = {
            "layer": name, "round": progress.round, "samples": course.samples, "valid": course.valid,
            "cost": course.best.cost if course.best else None,
            "total_samples": progress.samples,
        }  # fmt: skip
        if progress.entropy is not None:
            figures["entropy"] = progress.entropy
        improved = course.best is not None and course.best.cost < self._best.get(name, float("inf"))
        if course.best is not None:
            self._best[name] = course.best.cost
        self._log.write("best" if improved else "layer", **figures)

    def end(self, result: NetworkResult) -> None:
        """Why and with what it ended."""
        totals = result.totals
        self._log.write(
            "interruption" if result.stopped == "interrupted" else "end",
            reason=result.stopped,
            samples=result.samples,
            valid=result.valid,
            edp=totals.edp if totals else None,
            cycles=totals.cycles if totals else None,
            energy_pj=totals.energy_pj if totals else None,
        )
        self._log.close()


class NetworkBoard:
    """``update`` is a network's ``on_progress``: scalars of the layer that came back, and totals, for TensorBoard.

    Args:
        counts: how often each layer occurs.
    """

    def __init__(self, board: TensorBoard, counts: tuple[int, ...]) -> None:
        self._board, self._counts = board, counts

    def update(self, progress: NetworkProgress) -> None:
        """A layer came back: its figures against its own samples, the network's against all."""
        name, course = progress.names[progress.layer], progress.courses[progress.layer]
        figures = {"valid_share": course.valid / course.samples} if course.samples else {}
        if course.best is not None:
            best = course.best
            figures |= {"cost": best.cost, "cycles": float(best.cycles), "energy_pj": best.energy_pj}
        if progress.entropy is not None:
            figures["entropy"] = progress.entropy
        self._board.add({f"{name}/{key}": value for key, value in figures.items()}, course.samples)
        whole = {f"network/{key}": value for key, value in (_totals(progress, self._counts) or {}).items()}
        if progress.seconds > 0:
            whole["network/samples_per_second"] = progress.samples / progress.seconds
        self._board.add(whole, progress.samples)

"""A network's search at one moment, and its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..cost.objective import cost_of, powers
from ..run.log import EventLog, TensorBoard
from ..run.units import cost_text, edp_text, energy_text, objective_label, plain_number
from ..run.view import Row, Snapshot, duration
from .budget import Course
from .rounds import NetworkProgress
from .sweep_result import DONE, FAILED, PENDING, SweepPoint

_NETWORK_COLUMNS = ("layer", "×", "samples", "wanted", "valid", "best", "gain")


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
    rows = tuple(_layer_row(progress, i, counts[i], objective) for i in range(len(progress.courses)))
    label = objective_label(objective)
    columns = (
        *_NETWORK_COLUMNS[:-2],
        f"{label.name} [{label.unit}]" if label.unit else label.name,
        _NETWORK_COLUMNS[-1],
    )
    return Snapshot("network", share, tuple(facts), columns, rows)


def _layer_row(progress: NetworkProgress, index: int, count: int, objective: str) -> Row:
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
    name = objective if powers(objective) else "edp"
    return f"total {cost_text(name, cost_of(name, figures['energy'], figures['delay']))}"


def _totals(progress: NetworkProgress, counts: tuple[int, ...]) -> dict[str, float] | None:
    """At the layers' bests so far, in pJ·cycles, pJ and cycles; ``None`` as long as a layer has none."""
    bests = [course.best for course in progress.courses]
    if any(best is None for best in bests):
        return None
    cycles = sum(n * best.cycles for n, best in zip(counts, bests) if best)
    energy = sum(n * best.energy_pj for n, best in zip(counts, bests) if best)
    return {"edp": energy * cycles, "energy": energy, "delay": float(cycles)}


class NetworkLog:
    """``update`` is a network's ``on_progress``: entries layer (whenever one comes back), or best (if it improved)."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._best: dict[str, float] = {}

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


_SWEEP_COLUMNS = ("point", "area [mm²]", "samples", "cycles", "energy", "EDP [J·cycle]", "")


@dataclass(frozen=True)
class Within:
    """How far point number ``point`` is that is searched in this process: samples, and its budget if it has one."""

    point: int
    samples: int
    budget: int | None

    @property
    def share(self) -> float:
        """Of its budget, 0 to 1."""
        return min(1.0, self.samples / self.budget) if self.budget else 0.0


@dataclass(frozen=True)
class SweepProgress:
    """A snapshot: ``point`` is the one that has just come back, or in which something has moved (``within``)."""

    point: SweepPoint
    points: tuple[SweepPoint, ...]
    seconds: float
    within: Within | None = None

    @property
    def done(self) -> int:
        """Points that are finished, failed ones included."""
        return sum(point.status in (DONE, FAILED) for point in self.points)

    @property
    def total(self) -> int:
        """All points."""
        return len(self.points)


def sweep_snapshot(progress: SweepProgress) -> Snapshot:
    """All points with their figures; points done, the best so far, time left and samples/s on top."""
    within = progress.within
    share = (progress.done + (within.share if within else 0.0)) / max(1, progress.total)
    samples = sum(point.samples for point in progress.points) + (within.samples if within else 0)
    best = next((point for point in progress.points if point.best and point.edp is not None), None)
    facts = [f"{progress.done} of {progress.total} points", f"{samples:,} samples"]
    if best is not None and best.edp is not None:
        facts.append(f"best {best.name}: EDP {edp_text(best.edp)} J·cycle")
    if 0 < share < 1:
        facts.append(f"{duration(progress.seconds * (1 - share) / share)} left")
    if progress.seconds > 0:
        facts.append(f"{samples / progress.seconds:,.0f}/s")
    rows = tuple(_point_row(progress, point, i) for i, point in enumerate(progress.points))
    return Snapshot("sweep", share, tuple(facts), _SWEEP_COLUMNS, rows)


def _point_row(progress: SweepProgress, point: SweepPoint, index: int) -> Row:
    within = progress.within if progress.within and progress.within.point == index else None
    samples = within.samples if within else point.samples
    known = point.status == DONE
    cells = (
        point.name,
        f"{point.area_um2 * 1e-6:.4g}" if point.area_um2 is not None else "",
        f"{samples:,}" if samples else "",
        f"{point.cycles:,}" if known and point.cycles is not None else "",
        energy_text(point.energy_pj) if known and point.energy_pj is not None else "",
        edp_text(point.edp) if known and point.edp is not None else "",
        _said(point),
    )
    share = within.share if within else float(point.status in (DONE, FAILED))
    return Row(cells, share, within is not None or point.name == progress.point.name)


def _said(point: SweepPoint) -> str:
    if point.status == DONE:
        return "best" if point.best else "front" if point.front else ""
    return "" if point.status == PENDING else point.status


def logged(progress: SweepProgress) -> dict[str, Any]:
    """The entry of the log for a point that came back."""
    point = progress.point
    names = ("status", "samples", "cycles", "energy_pj", "edp", "area_um2")
    figures = {name: getattr(point, name) for name in names}
    return {"point": point.name, **figures, "done": progress.done, "total": progress.total}

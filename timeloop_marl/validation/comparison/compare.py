"""The comparison itself: all runs, the winners, and what is said about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...cost.objective import Objective, powers
from ...cost.outcome import LevelStatistics, Statistics
from ...evaluators.native import NativeEvaluator
from ...evaluators.timeloop.program import Program
from ...run.tables import Tabular, columns_of
from ...run.units import energy_text, short_count
from ...searchers.timeloop.searcher import ALGORITHMS
from ...specs.spec import Spec
from .runs import OURS, Course, Limit, run_mapper_program, run_ours, run_timeloop

_LEAST = 0.02  # of the difference in energy: smaller contributions are not told
_MOST = 6


def differences_in_words(spec: Spec, ours: Statistics, theirs: Statistics, name: str = "theirs") -> list[str]:
    """Sentences, the largest savings of energy first; then cycles.

    Args:
        ours: of the mapping that the sentences are about.
        theirs: of the mapping that it is compared with, called ``name``.
    """
    gap = theirs.energy_pj - ours.energy_pj
    parts = sorted(_parts(spec, ours, theirs, name), key=lambda part: -abs(part[0]))
    told = [text for saved, text in parts if abs(saved) >= _LEAST * max(abs(gap), 1e-12)][:_MOST]
    return [*told, *_cycles(spec, ours, theirs, name)]


def _parts(spec: Spec, ours: Statistics, theirs: Statistics, name: str) -> Iterator[tuple[float, str]]:
    """Saved energy (pJ) and sentence, for every level and data space and every network."""
    for s, (a, b) in enumerate(zip(ours.levels, theirs.levels, strict=True)):
        for p, space in enumerate(spec.problem.data_spaces):
            saved = b.tensors[p].energy_total - a.tensors[p].energy_total
            if saved:
                yield saved, _level_sentence(spec, ours, theirs, s, p, space.name, saved, name)
    for mine, other in zip(ours.networks, theirs.networks, strict=True):
        saved = other.energy - mine.energy
        if saved:
            yield (
                saved,
                (
                    f"network {mine.name}: {energy_text(mine.energy)} instead of {energy_text(other.energy)} ({name})"
                ),
            )


def _level_sentence(
    spec: Spec, ours: Statistics, theirs: Statistics, s: int, p: int, space: str, saved: float, name: str
) -> str:
    a, b = ours.levels[s], theirs.levels[s]
    level = spec.architecture.storage[s].name
    word = f"saves {energy_text(saved)}" if saved > 0 else f"costs {energy_text(-saved)} more"
    if not (a.tensors[p].kept and b.tensors[p].kept):
        verb = "keeps" if a.tensors[p].kept else "does not keep"
        return f"{level} {verb} {space}, unlike in {name}: {word}"
    mine, other = _moved(a, p), _moved(b, p)
    text = f"{space} at {level}: {short_count(mine)} accesses instead of {short_count(other)}"
    times = _times(spec, ours, s, p), _times(spec, theirs, s, p)
    if all(times):
        text += f", every word read {short_count(times[0])} times instead of {short_count(times[1])}"
    return f"{text}: {word}{_reason(ours, theirs, s, p)}"


def _moved(level: LevelStatistics, p: int) -> int:
    tensor = level.tensors[p]
    return (tensor.reads + tensor.fills + tensor.updates) * tensor.instances


def _times(spec: Spec, statistics: Statistics, s: int, p: int) -> float:
    """How often a word of the tensor is read from the level; 0 if it is unknown."""
    size = max(level.tensors[p].partition for level in statistics.levels if level.tensors[p].kept)
    tensor = statistics.levels[s].tensors[p]
    return tensor.reads * tensor.instances / size if size else 0.0


def _reason(ours: Statistics, theirs: Statistics, s: int, p: int) -> str:
    """The multicast of the network below explains it, or the tile that the next level in holds for longer."""
    a, b = (_multicast(statistics, s, p) for statistics in (ours, theirs))
    if a > b * 1.01:
        return f" (spatial reuse: each read feeds {short_count(a)} children instead of {short_count(b)})"
    inner = [_inner_tile(statistics, s, p) for statistics in (ours, theirs)]
    if inner[0] and inner[1] and inner[0] != inner[1]:
        return f" (tile held below: {short_count(inner[0])} words instead of {short_count(inner[1])})"
    return ""


def _multicast(statistics: Statistics, s: int, p: int) -> float:
    """Average children fed by a word that the level sends down."""
    for network in statistics.networks:
        entries = network.tensors[p].entries
        total = sum(entry.accesses for entry in entries)
        if network.outer_level == s and total:
            return sum(entry.multicast * entry.accesses for entry in entries) / total
    return 1.0


def _inner_tile(statistics: Statistics, s: int, p: int) -> int:
    """Words of the data space in all instances of the next level in that keeps it; 0 if none does."""
    for level in reversed(statistics.levels[:s]):
        if level.tensors[p].kept:
            return level.tensors[p].tile_shape * level.tensors[p].instances
    return 0


def _cycles(spec: Spec, ours: Statistics, theirs: Statistics, name: str) -> Iterator[str]:
    if ours.cycles == theirs.cycles:
        return
    units = spec.architecture.compute.instances
    yield (
        f"cycles: {ours.cycles:,} instead of {theirs.cycles:,} ({name}); "
        f"{ours.compute.utilized_instances} of {units} units busy instead of {theirs.compute.utilized_instances}, "
        + (_bound(ours) if _bound(ours) == _bound(theirs) else f"{_bound(ours)} instead of {_bound(theirs)}")
    )


def _bound(statistics: Statistics) -> str:
    """What sets the cycles."""
    slowest = min(statistics.levels, key=lambda level: level.throttle)
    return (
        f"bound by the bandwidth of {slowest.name}" if slowest.throttle < 1 else "bound by the compute units"
    )


@dataclass(frozen=True)
class Row:
    """The runs of one searcher under one budget. Quartiles of the final cost; infinite where nothing was found."""

    searcher: str
    kind: str
    runs: int
    quartiles: tuple[float, float, float]
    samples: float  # medians
    valid_share: float
    seconds: float
    rate: float
    judged: float


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """All courses: ``by_samples`` under the sample budget, ``by_seconds`` under the time budget."""

    spec: Spec
    objective: Objective
    samples: int
    seconds: float
    by_samples: tuple[Course, ...]
    by_seconds: tuple[Course, ...]
    notices: tuple[str, ...]

    def headline(self) -> str:
        """Under which budgets."""
        return f"{self.objective.name}, {self.samples:,} samples each, {self.seconds:g} s each"

    def columns(self) -> dict[str, list[Any]]:
        """At equal samples and in equal time: a row for every searcher, quartiles of the final cost."""
        rows = []
        for budget, courses in (("samples", self.by_samples), ("seconds", self.by_seconds)):
            for row in self.table(courses):
                low, middle, high = row.quartiles
                shown = {"cost": middle, "cost_q1": low, "cost_q3": high, **asdict(row)}
                del shown["quartiles"]
                rows.append({"budget": budget, **shown})
        return columns_of(rows)

    def table(self, courses: Sequence[Course]) -> list[Row]:
        """One row per searcher, in the order of the runs."""
        groups: dict[tuple[str, str], list[Course]] = {}
        for course in courses:
            groups.setdefault((course.searcher, course.kind), []).append(course)
        return [_row(name, kind, group) for (name, kind), group in groups.items()]

    def winner(self, *, ours: bool) -> Course | None:
        """The best course at equal samples, of ours or of Timeloop's; ``None`` if none found anything."""
        chosen = [course for course in self.by_samples if (course.kind == OURS) == ours and course.mapping]
        return min(chosen, key=lambda course: course.cost, default=None)

    def statistics(self, course: Course) -> Statistics:
        """Every figure of the winner of a course that found something."""
        assert course.mapping is not None
        result = NativeEvaluator(self.spec).statistics(course.mapping)
        assert isinstance(result, Statistics)
        return result

    def words(self) -> list[str]:
        """What differs between the two winners."""
        mine, other = self.winner(ours=True), self.winner(ours=False)
        if mine is None or other is None:
            return []
        name = f"Timeloop's {other.searcher}"
        return differences_in_words(self.spec, self.statistics(mine), self.statistics(other), name)


def compare_searchers(
    spec: Spec,
    searchers: Sequence[str],
    objective: Objective,
    *,
    samples: int,
    seconds: float,
    seeds: int,
    mapper: Program | None = None,
    device: str = "cpu",
    on_run: Callable[[str], None] | None = None,
) -> Comparison:
    """Run everything, one after the other, each on one thread.

    Args:
        searchers: ours.
        samples: budget of the comparison at equal samples.
        seconds: budget of the comparison in equal time.
        seeds: runs of each of ours; Timeloop's mappers always do the same.
        mapper: the real timeloop-mapper. It runs for ``seconds``; its first ``samples`` samples, if it came so far, are
            compared at equal samples, too.
        device: where mappings are evaluated, as in ``EvaluatorChoice``.
        on_run: told in one line what begins.

    Raises:
        BackendError: timeloop-mapper crashed.
    """
    say = on_run or (lambda text: None)
    notices = [] if mapper else ["timeloop-mapper is not on the path: its mappers are reproduced natively"]
    by_samples: list[Course] = []
    by_seconds: list[Course] = []
    for limit, courses in ((Limit(samples=samples), by_samples), (Limit(seconds=seconds), by_seconds)):
        words = f"{samples:,} samples" if limit.samples else f"{seconds:g} s"
        for name in searchers:
            say(f"{name}, {seeds} seeds, {words}")
            courses += [run_ours(spec, name, seed, objective, limit, device) for seed in range(1, seeds + 1)]
        for algorithm in ALGORITHMS:
            say(f"Timeloop's {algorithm}, {words}")
            courses.append(run_timeloop(spec, algorithm, objective, limit, device))
    if mapper and powers(objective.metrics[0]):
        for algorithm in ALGORITHMS:
            say(f"timeloop-mapper with {algorithm}, {seconds:g} s")
            whole, first = run_mapper_program(mapper, spec, algorithm, objective, seconds, samples)
            by_seconds.append(whole)
            if first is None:
                notices.append(_too_few(whole, samples))
            else:
                by_samples.append(first)
    return Comparison(spec, objective, samples, seconds, tuple(by_samples), tuple(by_seconds), tuple(notices))


def _too_few(course: Course, samples: int) -> str:
    """What is said where the program's log ends before the sample budget."""
    return (
        f"timeloop-mapper with {course.searcher} has logged {course.samples:,} samples in {course.seconds:.3g} s, not "
        f"{samples:,}: at equal samples there is only its reproduction"
    )


def _row(name: str, kind: str, courses: Sequence[Course]) -> Row:
    low, middle, high = (quartile([c.cost for c in courses], q) for q in (0.25, 0.5, 0.75))
    return Row(
        searcher=name,
        kind=kind,
        runs=len(courses),
        quartiles=(low, middle, high),
        samples=float(np.median([c.samples for c in courses])),
        valid_share=float(np.median([c.valid / c.samples if c.samples else 0.0 for c in courses])),
        seconds=float(np.median([c.seconds for c in courses])),
        rate=float(np.median([c.rate for c in courses])),
        judged=float(np.median([c.judged for c in courses])),
    )


def quartile(values: Sequence[float], share: float) -> float:
    """The value that at least this share of the runs is not above: one that occurred, infinity included."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]

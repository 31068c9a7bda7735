"""The comparison itself: all runs, the winners, and what is said about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..cost.outcome import Statistics
from ..evaluators.native import NativeEvaluator
from ..evaluators.timeloop.program import Program
from ..objective import Objective
from ..searchers.timeloop.searcher import ALGORITHMS
from ..specs.spec import Spec
from .course import OURS, Course
from .mapper_program import run_mapper_program
from .runs import Limit, run_ours, run_timeloop
from .words import differences_in_words


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


@dataclass(frozen=True)
class Comparison:
    """All courses: ``by_samples`` under the sample budget, ``by_seconds`` under the time budget."""

    spec: Spec
    objective: Objective
    samples: int
    seconds: float
    by_samples: tuple[Course, ...]
    by_seconds: tuple[Course, ...]
    notices: tuple[str, ...]

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
    if mapper and objective.metrics[0] in ("edp", "energy", "delay"):
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
    low, middle, high = (_quartile([c.cost for c in courses], q) for q in (0.25, 0.5, 0.75))
    return Row(
        searcher=name,
        kind=kind,
        runs=len(courses),
        quartiles=(low, middle, high),
        samples=float(np.median([c.samples for c in courses])),
        valid_share=float(np.median([c.valid / c.samples if c.samples else 0.0 for c in courses])),
        seconds=float(np.median([c.seconds for c in courses])),
        rate=float(np.median([c.rate for c in courses])),
    )


def _quartile(values: Sequence[float], share: float) -> float:
    """The value that at least this share of the runs is not above: one that occurred, infinity included."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]

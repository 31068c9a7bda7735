"""Runs of the comparison: ours through the search loop, Timeloop's mappers through their emulation."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..evaluators.choice import native_evaluator
from ..evaluators.native import NativeEvaluator
from ..mapping import MappingBatch
from ..mapspace.timeloop import TimeloopMapspace
from ..objective import Objective
from ..run.loop import Budget, search
from ..run.result import Progress
from ..searchers.registry import make_searcher
from ..searchers.timeloop.events import Event, ThreadEnd, ValidMapping
from ..searchers.timeloop.searcher import TimeloopSearcher
from ..specs.mapper import MapperOptions
from ..specs.spec import Spec
from .course import OURS, REPRODUCED, Course, Point, falling

FRUITLESS = 2_000_000
"""Timeloop's ``timeout`` here: samples without a valid mapping after which a mapper may end."""

_ASK = 1 << 10  # rows between two looks at the clock


@dataclass(frozen=True)
class Limit:
    """When a run ends: after so many samples, or after so many seconds."""

    samples: int | None = None
    seconds: float | None = None


def run_ours(
    spec: Spec, name: str, seed: int, objective: Objective, limit: Limit, device: str = "cpu"
) -> Course:
    """One search with a searcher of the registry, on one thread."""
    searcher = make_searcher(name, spec, seed, objective)
    evaluator = native_evaluator(spec, device, accesses=objective.needs_accesses, precheck=searcher.precheck)
    evaluator.warm_up()
    searcher.warm_up()
    budget = Budget(samples=limit.samples, seconds=limit.seconds)
    begun, last = time.monotonic(), [0.0]

    def note(progress: Progress) -> None:
        last[0] = progress.seconds

    result = search(searcher.space, searcher, evaluator, objective, budget, on_progress=note)
    points = [Point(step.samples, step.seconds, step.cost) for step in result.trajectory]
    if points:
        points[-1] = dataclasses.replace(points[-1], mapping=result.best[0].mapping)
    spent = last[0] or time.monotonic() - begun
    return Course(name, OURS, seed, tuple(points), result.samples, result.valid, spent, result.reason.value)


def run_timeloop(
    spec: Spec, algorithm: str, objective: Objective, limit: Limit, device: str = "cpu"
) -> Course:
    """One of Timeloop's mappers, on one thread, freed of its own ways to end early.

    Timeloop counts every mapping that it draws, those that cannot even be constructed included; so does the budget.
    """
    options = unbounded(spec.mapper, algorithm, objective)
    # With a sample budget every valid mapping is reported, so that those after its end are not counted.
    options = dataclasses.replace(options, log_suboptimal=limit.samples is not None)
    space = TimeloopMapspace(dataclasses.replace(spec, mapper=options))
    searcher = TimeloopSearcher(space, options)
    evaluator = native_evaluator(spec, device, accesses=objective.needs_accesses, precheck=True)
    evaluator.warm_up()
    space.warm_up()
    begun = time.monotonic()
    points: list[Point] = []
    ended, total, valid, spent = "budget spent", 0, 0, 0.0
    while not _reached(limit, total, spent):
        rows = searcher.ask(_ASK)
        if len(rows):
            searcher.tell(rows, evaluator(space.decode(rows)))
        total, spent = searcher.counters[0].total, time.monotonic() - begun
        events = searcher.drain_events()
        valid += sum(
            isinstance(event, ValidMapping) and event.total <= (limit.samples or 0) for event in events
        )
        points += _points(events, evaluator, objective, spent, limit.samples)
        ends = [event for event in events if isinstance(event, ThreadEnd)]
        if ends:
            ended = "; ".join(ends[0].statements)
        if not len(rows):
            break
    counts = searcher.counters[0]
    drawn = counts.total if limit.samples is None else min(counts.total, limit.samples)
    valid = counts.valid if limit.samples is None else valid
    kept = falling(iter(points))
    return Course(algorithm, REPRODUCED, None, kept, drawn, valid, spent * _share(drawn, counts.total), ended)


def unbounded(options: MapperOptions, algorithm: str, objective: Objective) -> MapperOptions:
    """The user's mapper options, but one thread, no victory and no search size, and hardly any timeout."""
    return dataclasses.replace(
        options,
        algorithm=algorithm,
        optimization_metrics=tuple(objective.metrics),
        num_threads=1,
        search_size=0,
        victory_condition=0,
        timeout=FRUITLESS,
        log_stats=False,
        log_suboptimal=False,
        log_all_mappings=False,
        live_status=False,
        diagnostics=False,
    )


def _reached(limit: Limit, samples: int, seconds: float) -> bool:
    by_samples = limit.samples is not None and samples >= limit.samples
    return by_samples or (limit.seconds is not None and seconds >= limit.seconds)


def _points(
    events: list[Event], evaluator: NativeEvaluator, objective: Objective, seconds: float, limit: int | None
) -> Iterator[Point]:
    for event in events:
        if isinstance(event, ValidMapping) and event.improved and (limit is None or event.total <= limit):
            cost = float(objective.costs(evaluator(MappingBatch.of([event.mapping])))[0])
            yield Point(event.total, seconds, cost, event.mapping)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0

"""Runs of the comparison: ours through the search loop, Timeloop's mappers through their emulation."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...cost.objective import Objective, cost_of
from ...errors import BackendError
from ...evaluators.base import Evaluator
from ...evaluators.choice import native_evaluator
from ...evaluators.counting import counting
from ...evaluators.timeloop.keeper import KEEPER
from ...evaluators.timeloop.program import Program, timeloop_environment
from ...mapspace.timeloop import TimeloopMapspace
from ...parallel.interruption import HaltedError, halting
from ...run.loop import Budget, search
from ...run.result import Progress, StopReason
from ...searchers.registry import make_searcher
from ...searchers.timeloop.events import Event, ThreadEnd, ValidMapping
from ...searchers.timeloop.searcher import TimeloopSearcher
from ...specs.mapper import MapperOptions
from ...specs.mapping import Mapping, MappingBatch
from ...specs.spec import Spec
from ...specs.writing import document
from ...specs.yaml_text import yaml_text

OURS, PROGRAM = "timeloop-marl", "timeloop-mapper"
REPRODUCED = "Timeloop's mapper, reproduced sample for sample on the native model"


@dataclass(frozen=True)
class Point:
    """The cost after an improvement. ``samples`` counts every mapping drawn, those that fail in any way included."""

    samples: int
    seconds: float
    cost: float
    mapping: Mapping | None = (
        None  # the real program's log does not give it in a form that could be read back
    )


@dataclass(frozen=True)
class Course:
    """One run. ``kind``: one of OURS, REPRODUCED and PROGRAM. ``cost`` falls from point to point.

    ``judged``: candidates that the searcher looked at on traffic, without evaluating them.
    """

    searcher: str
    kind: str
    seed: int | None  # Timeloop's mappers have none
    points: tuple[Point, ...]
    samples: int
    valid: int
    seconds: float
    ended: str
    judged: int = 0

    @property
    def cost(self) -> float:
        """Of the best mapping; infinite if nothing valid was found."""
        return self.points[-1].cost if self.points else float("inf")

    @property
    def mapping(self) -> Mapping | None:
        """The best mapping."""
        return self.points[-1].mapping if self.points else None

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "searcher": self.searcher,
            "kind": self.kind,
            "seed": self.seed,
            "cost": None if not self.points else self.cost,
            "samples": self.samples,
            "valid": self.valid,
            "judged": self.judged,
            "seconds": self.seconds,
            "ended": self.ended,
            "trajectory": [{"samples": p.samples, "seconds": p.seconds, "cost": p.cost} for p in self.points],
        }


def falling(points: Iterator[Point]) -> tuple[Point, ...]:
    """Only the points below all before them: several metrics may let the first one rise a little."""
    kept: list[Point] = []
    for point in points:
        if not kept or point.cost < kept[-1].cost:
            kept.append(point)
    return tuple(kept)


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
    native = native_evaluator(spec, device, accesses=objective.needs_accesses, precheck=searcher.precheck)
    native.warm_up()
    evaluator = counting(native, spec)
    searcher.warm_up()
    budget = Budget(samples=limit.samples, seconds=limit.seconds)
    begun, last = time.monotonic(), [0.0]

    def note(progress: Progress) -> None:
        last[0] = progress.seconds

    result = search(searcher.space, searcher, evaluator, objective, budget, on_progress=note)
    if result.reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt  # the whole comparison, not one of its runs
    points = [Point(step.samples, step.seconds, step.cost) for step in result.trajectory]
    if points:
        points[-1] = dataclasses.replace(points[-1], mapping=result.best[0].mapping)
    spent = last[0] or time.monotonic() - begun
    counts = result.samples, result.valid, spent, result.reason.value, result.judged
    return Course(name, OURS, seed, tuple(points), *counts)


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

    def over() -> bool:
        return _reached(limit, searcher.counters[0].total, time.monotonic() - begun)

    while not _reached(limit, total, spent):
        try:
            with halting(over):
                rows = searcher.ask(_ASK)
        except HaltedError:  # it has found nothing to evaluate since
            rows = np.zeros((0, space.axes), np.int64)
        if len(rows):
            searcher.tell(rows, evaluator(space.decode(rows)))
        total, spent = searcher.counters[0].total, time.monotonic() - begun
        events = searcher.drain_events()
        valid += sum(
            isinstance(event, ValidMapping) and event.total <= (limit.samples or 0) for event in events
        )
        points += _points(events, counting(evaluator, spec), objective, spent, limit.samples)
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
    events: list[Event], evaluator: Evaluator, objective: Objective, seconds: float, limit: int | None
) -> Iterator[Point]:
    for event in events:
        if isinstance(event, ValidMapping) and event.improved and (limit is None or event.total <= limit):
            cost = float(objective.costs(evaluator(MappingBatch.of([event.mapping])))[0])
            yield Point(event.total, seconds, cost, event.mapping)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


INPUT = "input.yaml"
GRACE = 20.0  # seconds between asking the program to end and killing it
_BEST = re.compile(r"pJ/Compute = +(\S+) .*\| Cycles = (\d+)")
_UPDATE = re.compile(r"^\[\d+\] UPDATE (\d+) (\d+) ")
_COUNT = re.compile(r"^\[\d+\] INVALID (\d+) (\d+) ")

Line = tuple[float, str]  # seconds since the start, text


def run_mapper_program(
    program: Program, spec: Spec, algorithm: str, objective: Objective, seconds: float, samples: int = 0
) -> tuple[Course, Course | None]:
    """Run the program on one thread for so many seconds, start-up included, as a user would wait for it.

    Costs are energy per compute with the decimals that the log has, times computes and, for EDP, cycles.

    Returns:
        All that it did in this time, and its first ``samples`` samples if it drew that many.

    Raises:
        BackendError: it cannot be started, or crashes.
    """
    options = dataclasses.replace(unbounded(spec.mapper, algorithm, objective), log_stats=True)
    folder = Path(tempfile.mkdtemp(prefix="timeloop-marl-"))
    text = yaml_text(document(dataclasses.replace(spec, mapper=options)))
    (folder / INPUT).write_text(text, encoding="utf-8")
    status, lines, spent = _listen(program, spec, folder, seconds)
    if status not in (0, -signal.SIGINT, -signal.SIGKILL):
        raise BackendError(
            f"{program.path.name} ended with status {status}: {lines[-1][1] if lines else 'nothing said'}\n"
            f"  run it again by hand: cd {folder} && {program.path} {INPUT}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    points, total, valid = read_log(lines, objective, spec.problem.operations)
    ended = next(
        (text.split("STATEMENT: ", 1)[1] for _, text in lines if "STATEMENT: " in text), "time is up"
    )
    whole = Course(algorithm, PROGRAM, None, points, total, valid, min(spent, seconds), ended)
    if not 0 < samples <= total:
        return whole, None
    first = list(_first(lines, samples))
    points, _, valid = read_log(first, objective, spec.problem.operations)
    return whole, Course(algorithm, PROGRAM, None, points, samples, valid, first[-1][0], "budget spent")


def _first(lines: Iterable[Line], samples: int) -> Iterator[Line]:
    """The lines up to the one that counts more samples; the first one always."""
    for number, line in enumerate(lines):
        counted = _COUNT.match(line[1])
        if number and counted and int(counted[1]) > samples:
            return
        yield line


def read_log(
    lines: Iterable[Line], objective: Objective, computes: int
) -> tuple[tuple[Point, ...], int, int]:
    """Improvements, samples and valid samples from the lines of one thread with ``log_stats``.

    Every valid mapping has a line of counts. An improvement has two more, its costs and its number: in this order with
    ``log_suboptimal`` (then costs are logged of every valid mapping), otherwise the other way round.
    """
    total = valid = 0
    points: list[Point] = []
    cost: float | None = None
    number: int | None = None
    for seconds, text in lines:
        if counted := _COUNT.match(text):
            total, valid = int(counted[1]), int(counted[2])
            cost = number = None
        elif best := _BEST.search(text):
            cost = float(cost_of(objective.metrics[0], float(best[1]) * computes, int(best[2])))
        elif update := _UPDATE.match(text):
            number = int(update[1])
        if cost is not None and number is not None:
            points.append(Point(number, seconds, cost))
            cost = number = None
    return falling(iter(points)), total, valid


def _listen(program: Program, spec: Spec, folder: Path, seconds: float) -> tuple[int, list[Line], float]:
    """Exit status, lines of stderr with the time they came, seconds in all."""
    options = spec.options
    environment = timeloop_environment(
        os.environ, link_transfers=options.link_transfers, first_read_elision=options.first_read_elision
    )
    begun = time.monotonic()
    try:
        process = subprocess.Popen(
            [str(program.path), INPUT],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise BackendError(f"{program.path}: cannot be started: {error.strerror or error}") from error
    lines: list[Line] = []
    reader = threading.Thread(target=lambda: lines.extend(_timed(process.stderr or [], begun)), daemon=True)
    reader.start()
    with KEEPER.holding(group=process.pid, folder=folder):
        status = _ended(process, seconds)
    reader.join(GRACE)
    if process.stderr is not None:
        process.stderr.close()
    return status, [line for line in lines if line[0] <= seconds], time.monotonic() - begun


def _ended(process: subprocess.Popen[str], seconds: float) -> int:
    """Ask the program to end after so many seconds, kill it if it does not; its exit status."""
    try:
        for number, wait in ((signal.SIGINT, seconds), (signal.SIGKILL, GRACE)):
            try:
                return process.wait(wait)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, number)
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _timed(stream: Iterable[str], begun: float) -> Iterator[Line]:
    for line in stream:
        yield time.monotonic() - begun, line.rstrip("\n")

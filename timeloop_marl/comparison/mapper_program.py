"""The real timeloop-mapper as a contestant: run for a given time, its log read into a trajectory."""

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
from pathlib import Path

from ..errors import BackendError
from ..evaluators.timeloop.keeper import KEEPER
from ..evaluators.timeloop.program import Program, timeloop_environment
from ..objective import Objective
from ..specs.spec import Spec
from ..specs.writing import document, yaml_text
from .course import PROGRAM, Course, Point, falling
from .runs import unbounded

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
            cost = _cost(objective, float(best[1]) * computes, int(best[2]))
        elif update := _UPDATE.match(text):
            number = int(update[1])
        if cost is not None and number is not None:
            points.append(Point(number, seconds, cost))
            cost = number = None
    return falling(iter(points)), total, valid


def _cost(objective: Objective, energy: float, cycles: int) -> float:
    metric = objective.metrics[0]
    return {"edp": energy * cycles, "energy": energy, "delay": float(cycles)}[metric]


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

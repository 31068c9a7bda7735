"""What a task costs beside its own work, on every backend, and what follows for thousands of layers and machines.

    python benchmarks/scale.py [--backends loky threading dask ray] [--tasks 300] [--workers 2 4 8] [--seconds 0.25]
    python benchmarks/scale.py --write        # about three minutes; puts the tables into docs/scale.md

Four things are measured: the start of the workers; the overhead of a task, empty and with what a layer's task carries
there and back (its Spec, and the searcher put aside, compressed as it travels); how long the search of a layer takes
for ``SAMPLES`` more samples; and how well tasks that only wait keep many workers busy, against the model of
docs/scale.md: start + max(T t / W + t, T o).
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from document import replace_part

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.parallel.engine import BACKENDS, Engine
from timeloop_marl.parallel.workers import Workers
from timeloop_marl.run.loop import Budget, Session
from timeloop_marl.searchers.registry import make_searcher

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "scale.md"
SAMPLES = 256
FILES = [ROOT / "arch" / "eyeriss_like", ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"]


def back(task: object) -> object:
    """A task that does nothing but bring back what it was given."""
    return task


def wait(seconds: float) -> float:
    """A task that keeps a worker busy but no processor."""
    time.sleep(seconds)
    return seconds


@dataclass
class Overhead:
    backend: str
    start: float
    empty: float
    layer: float


def payload() -> tuple[object, bytes, float]:
    """What a layer's task carries after 500 samples: its Spec, and the session put aside; seconds for some more."""
    spec = tm.load(FILES)
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher("marl", spec, 1, objective, {})
    session, evaluator = Session(searcher.space, searcher, objective), NativeEvaluator(spec)
    session.run(evaluator, Budget(samples=500))
    aside = zlib.compress(pickle.dumps(session, protocol=5), 1)  # as networks/task.py does it
    start = time.perf_counter()
    session.run(evaluator, Budget(samples=500 + SAMPLES))
    return spec, aside, time.perf_counter() - start


def measured(workers: Workers, tasks: list[object]) -> float:
    """Seconds per task on the client, all workers warm."""
    start = time.perf_counter()
    count = sum(1 for _ in workers.run(back, tasks))
    return (time.perf_counter() - start) / count


def overhead(backend: str, tasks: int, carried: object) -> Overhead:
    start = time.perf_counter()
    with Engine(2, backend).open() as workers:
        sum(1 for _ in workers.run(back, [0] * 4))
        opened = time.perf_counter() - start
        empty = min(measured(workers, [0] * tasks) for _ in range(3))
        layer = min(measured(workers, [carried] * tasks) for _ in range(3))
    return Overhead(backend, opened, empty, layer)


def scaling(backend: str, count: int, seconds: float) -> tuple[float, int]:
    """Wall clock of 8 waiting tasks for each of so many workers, started before."""
    tasks = [seconds] * (8 * count)
    with Engine(count, backend).open() as workers:
        sum(1 for _ in workers.run(wait, [0.05] * count))
        start = time.perf_counter()
        sum(1 for _ in workers.run(wait, tasks))
        return time.perf_counter() - start, len(tasks)


def model(tasks: float, seconds: float, workers: int, cost: float, start: float = 0.0) -> float:
    """Wall clock in seconds; see docs/scale.md."""
    return start + max(math.ceil(tasks / workers) * seconds, tasks * cost)


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def overheads(costs: Mapping[str, Overhead], carried: tuple[object, bytes, float]) -> list[str]:
    """What was measured, as lines of a document."""
    spec, aside, seconds = carried
    lines = ["| backend | start, s | an empty task, ms | a layer's task, ms |", "|---|---:|---:|---:|"]
    lines += [
        f"| `{name}` | {found.start:.1f} | {found.empty * 1e3:.1f} | {found.layer * 1e3:.1f} |"
        for name, found in costs.items()
    ]
    return [
        *lines,
        "",
        f"A layer's task carries {len(pickle.dumps(spec)) / 1e3:.0f} kB of machine and layer and, after 500 samples, "
        f"{len(aside) / 1e3:.0f} kB of",
        f"searcher, there and back. {SAMPLES} samples of it take {seconds:.2f} s. Load when this was measured: "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
    ]


def busy(costs: Mapping[str, Overhead], workers: Sequence[int], seconds: float) -> list[str]:
    """How busy waiting tasks keep the workers, and what the model says."""
    lines = [
        "| backend | workers | tasks | wall clock, s | model, s | busy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for backend, found in costs.items():
        for count in workers:
            spent, tasks = scaling(backend, count, seconds)
            expected = model(tasks, seconds, count, found.empty)
            share = tasks * seconds / count / spent
            lines.append(
                f"| `{backend}` | {count} | {tasks} × {seconds:g} s | {spent:.2f} | {expected:.2f} | {share:.0%} |"
            )
    return lines


def extrapolated(costs: Mapping[str, Overhead]) -> list[str]:
    """Layers x machines of one second each, layer by layer and machine by machine."""
    one = costs.get("dask") or next(iter(costs.values()))
    lines = ["| layers × machines, 1 s each | 2 workers | 32 | 256 |", "|---|---:|---:|---:|"]
    for layers, machines in ((20, 1), (400, 1), (400, 20), (2000, 50)):
        cells = [model(layers * machines, 1.0, workers, one.layer, one.start) for workers in (2, 32, 256)]
        lines.append(f"| {layers:,} × {machines}, a task a layer | {' | '.join(map(duration, cells))} |")
        if machines > 1:
            cells = [model(machines, layers, workers, one.empty, one.start) for workers in (2, 32, 256)]
            lines.append(
                f"| {layers:,} × {machines}, a task a machine | {' | '.join(map(duration, cells))} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=["threading", "loky", "dask", "ray"]
    )
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    given = parser.parse_args()
    carried = payload()
    costs: dict[str, Overhead] = {}
    for backend in given.backends:
        try:
            costs[backend] = overhead(backend, given.tasks, carried[:2])
        except UsageError as error:
            print(f"{backend}: {error}", file=sys.stderr)
    parts = {
        "overheads": overheads(costs, carried),
        "busy": busy(costs, given.workers, given.seconds),
        "model": extrapolated(costs),
    }
    for name, lines in parts.items():
        print("\n".join([*lines, ""]))
        if given.write:
            replace_part(DOCUMENT, name, lines)


if __name__ == "__main__":
    main()

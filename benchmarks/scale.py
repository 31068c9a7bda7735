"""What a task costs beside its own work, on every backend, and what follows for thousands of layers and machines.

    python benchmarks/scale.py [--backends loky threading dask ray] [--tasks 300] [--workers 2 4 8] [--seconds 0.25]

Three things are measured: the start of the workers; the overhead of a task, empty and with what a layer's task carries
(its Spec and the searcher put aside); and how well tasks that only wait keep many workers busy, against the model of
docs/scale.md: start + max(T t / W + t, T o).
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

import timeloop_marl as tm
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.objective import parse_objective
from timeloop_marl.parallel import BACKENDS, Engine, Workers
from timeloop_marl.search_loop import Budget, Session
from timeloop_marl.searchers.registry import make_searcher

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "arch" / "eyeriss_like", ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"]


def nothing(task: object) -> int:
    """An empty task, on whatever it was given."""
    return os.getpid()


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


def payload() -> tuple[object, bytes]:
    """What a layer's task carries after 500 samples: its Spec, and the session put aside."""
    spec = tm.load(FILES)
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher("marl", spec, 1, objective, {})
    session = Session(searcher.space, searcher, objective)
    session.run(NativeEvaluator(spec), Budget(samples=500))
    return spec, pickle.dumps(session, protocol=5)


def measured(workers: Workers, tasks: list[object]) -> float:
    """Seconds per task on the client, all workers warm."""
    start = time.perf_counter()
    count = sum(1 for _ in workers.run(nothing, tasks))
    return (time.perf_counter() - start) / count


def overhead(backend: str, tasks: int, carried: object) -> Overhead:
    start = time.perf_counter()
    with Engine(2, backend).open() as workers:
        sum(1 for _ in workers.run(nothing, [0] * 4))
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
    given = parser.parse_args()
    spec, session = payload()
    print(f"A layer's task carries {len(pickle.dumps(spec)) / 1024:.0f} KiB of Spec and {len(session) / 1024:.0f} KiB "
          "of searcher.\n")  # fmt: skip
    print("| backend | start, s | empty task, ms | a layer's task, ms |\n|---|---:|---:|---:|")
    costs: dict[str, Overhead] = {}
    for backend in given.backends:
        try:
            costs[backend] = found = overhead(backend, given.tasks, (spec, session))
        except UsageError as error:
            print(f"| {backend} | {error} | | |")
            continue
        print(
            f"| {backend} | {found.start:.1f} | {found.empty * 1e3:.2f} | {found.layer * 1e3:.2f} |",
            flush=True,
        )
    print(
        "\n| backend | workers | tasks of | wall clock, s | model, s | busy |\n|---|---:|---:|---:|---:|---:|"
    )
    for backend, found in costs.items():
        for count in given.workers:
            spent, tasks = scaling(backend, count, given.seconds)
            expected = model(tasks, given.seconds, count, found.empty)
            busy = tasks * given.seconds / count / spent
            what = f"{tasks} × {given.seconds:g} s"
            print(f"| {backend} | {count} | {what} | {spent:.2f} | {expected:.2f} | {busy:.0%} |", flush=True)
    print(
        "\n| layers × machines | a task | workers | "
        + " | ".join(costs)
        + " |\n|---|---:|---:|"
        + "---:|" * len(costs)
    )
    for layers, machines in ((20, 1), (400, 1), (400, 20), (2000, 50)):
        for workers in (2, 32, 256, 1024):
            cells = [
                duration(model(layers * machines, 1.0, workers, found.layer, found.start))
                for found in costs.values()
            ]
            print(f"| {layers} × {machines} | 1 s | {workers} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""What agents in parallel bring: wall time of the same search with 1 and 2 workers, native and slow evaluators.

    python benchmarks/parallel_agents.py

Searches differ in how long an evaluation takes and in the batch, which is what agents learn from between two
synchronisations: it shows where handing work out stops paying. "Agents" is the time in ``ask`` and ``tell``. Slow
evaluators sleep, as a called program would, ``workers`` side by side. The traces are compared: they must not differ by
a bit.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import dataclass

import numpy as np
from document import head, row
from pairs import read

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.mapping import MappingBatch

PAIR = "simba_like/resnet18/conv2_3x3"
WORKERS = ((1, "threading"), (2, "threading"), (2, "loky"))
_WARM = 64  # samples before the clock starts


@dataclass(frozen=True)
class Case:
    """What is timed: seconds an evaluation takes, rows a batch, with the critic or not, samples."""

    seconds: float
    batch: int
    critic: bool
    samples: int

    @property
    def name(self) -> str:
        return f"{self.seconds * 1000:.0f} ms" if self.seconds else "native"


@dataclass(frozen=True)
class Timed:
    """Microseconds a sample, in all and in the agents, and a hash of all rows."""

    whole: float
    agents: float
    trace: str


CASES = (
    Case(0.0, 8, False, 1024),
    Case(0.0, 128, False, 2048),
    Case(0.0, 8, True, 512),
    Case(0.001, 8, False, 512),
    Case(0.01, 8, False, 128),
    Case(0.05, 8, False, 64),
    Case(0.05, 8, True, 64),
)


def slow(evaluator: NativeEvaluator, seconds: float, workers: int, mappings: MappingBatch) -> Outcome:
    """As a program that takes ``seconds`` a mapping would: ``workers`` of them side by side."""
    time.sleep(seconds * -(-len(mappings) // workers))
    return evaluator(mappings)


def timed(case: Case, n_jobs: int, backend: str) -> Timed:
    """One search."""
    spec = read(PAIR)
    objective = parse_objective("edp", len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    options = {"n_jobs": n_jobs, "backend": backend, "critic": case.critic, "batch": case.batch}
    trace = hashlib.sha256()
    searcher = make_searcher("marl", spec, 1, objective, options)
    told, start, agents = 0, 0.0, 0.0
    while told < case.samples + _WARM:
        if told >= _WARM and not start:
            start, agents = time.perf_counter(), 0.0
        begun = time.perf_counter()
        rows = searcher.ask(searcher.batch)
        agents += time.perf_counter() - begun
        outcome = slow(evaluator, case.seconds if start else 0.0, n_jobs, searcher.space.decode(rows))
        begun = time.perf_counter()
        searcher.tell(rows, outcome)
        agents += time.perf_counter() - begun
        trace.update(np.ascontiguousarray(rows).tobytes())
        told += len(rows)
    spent = time.perf_counter() - start
    return Timed(spent / case.samples * 1e6, agents / case.samples * 1e6, trace.hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="the quickest of so many counts")
    given = parser.parse_args()
    names = ["evaluator", "batch", "critic", "workers", "µs/sample", "agents", "speed-up", "same trace"]
    print("\n".join(head(names)))
    for case in CASES:
        first: Timed | None = None
        for n_jobs, backend in WORKERS:
            runs = [timed(case, n_jobs, backend) for _ in range(given.repeats)]
            best = min(runs, key=lambda found: found.whole)
            first = first or best
            same = all(found.trace == first.trace for found in runs)
            cells = [case.name, case.batch, "yes" if case.critic else "no", f"{n_jobs} {backend}"]
            cells += [f"{best.whole:,.0f}", f"{best.agents:,.0f}", f"{first.whole / best.whole:.2f}"]
            print(row([*cells, "yes" if same else "NO"]), flush=True)


if __name__ == "__main__":
    main()

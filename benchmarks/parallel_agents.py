"""What agents in parallel bring: wall time of the same search with 1 and 2 workers, native and slow evaluators.

    python benchmarks/parallel_agents.py

The traces are compared: they must not differ by a bit. Microseconds a sample, evaluation included.
"""

from __future__ import annotations

import hashlib
import time

import numpy as np
from sample_efficiency import read

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapping import MappingBatch
from timeloop_marl.model.outcome import Outcome
from timeloop_marl.objective import parse_objective
from timeloop_marl.searchers.registry import make_searcher

PAIR = "simba_like/resnet18/conv2_3x3"
WORKERS = ((1, "threading"), (2, "threading"), (2, "loky"))


def slow(evaluator: NativeEvaluator, seconds: float, workers: int, mappings: MappingBatch) -> Outcome:
    """As a program that takes ``seconds`` a mapping would: ``workers`` of them side by side."""
    time.sleep(seconds * -(-len(mappings) // workers))
    return evaluator(mappings)


def timed(n_jobs: int, backend: str, critic: bool, seconds: float, samples: int) -> tuple[float, str]:
    spec = read(PAIR)
    objective = parse_objective("edp", len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    options = {"n_jobs": n_jobs, "backend": backend, "critic": critic}
    trace = hashlib.sha256()
    searcher = make_searcher("marl", spec, 1, objective, options)
    told, start = 0, 0.0
    while told < samples + 64:
        if told >= 64 and not start:
            start = time.perf_counter()
        rows = searcher.ask(searcher.batch)
        outcome = slow(evaluator, seconds if start else 0.0, n_jobs, searcher.space.decode(rows))
        searcher.tell(rows, outcome)
        trace.update(np.ascontiguousarray(rows).tobytes())
        told += len(rows)
    return (time.perf_counter() - start) / samples * 1e6, trace.hexdigest()


def main() -> None:
    print("| evaluator | critic | workers | us/sample | speed-up | same trace |")
    print("|---|---|---|---|---|---|")
    for seconds, samples in ((0.0, 1000), (0.05, 64)):
        for critic in (False, True):
            first: tuple[float, str] | None = None
            for n_jobs, backend in WORKERS:
                spent, trace = timed(n_jobs, backend, critic, seconds, samples)
                first = first or (spent, trace)
                name = f"{seconds * 1000:.0f} ms" if seconds else "native"
                print(
                    f"| {name} | {'yes' if critic else 'no'} | {n_jobs} {backend} | {spent:,.0f} "
                    f"| {first[0] / spent:.2f} | {'yes' if trace == first[1] else 'NO'} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

"""What the first use costs: compiling cost model, searcher and proof into an empty cache, and loading them from it.

What imperfect factors need is compiled when the first such mapping is evaluated: a row of its own.

    python benchmarks/first_use.py                      # about a minute
    python benchmarks/first_use.py --searcher genetic --kernels 10

Processor and wall-clock seconds, each in a process of its own, imports left out. ``--kernels``: also the kernels that
took longest, what they call left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba.core import event

from timeloop_marl.api.optimum import make_prover
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.reading import load

ROOT = Path(__file__).parent.parent
MACHINE, LAYER = "eyeriss_like", "resnet18/conv4_3x3"


class Kernels(event.Listener):
    """Processor seconds of every kernel, those that it calls left out."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self._open: list[tuple[float, float]] = []

    def on_start(self, what: Any) -> None:
        self._open.append((time.process_time(), 0.0))

    def on_end(self, what: Any) -> None:
        begun, inner = self._open.pop()
        spent = time.process_time() - begun
        self.own[what.data["dispatcher"].__name__] += spent - inner
        if self._open:
            self._open[-1] = (self._open[-1][0], self._open[-1][1] + spent)


def measure(searcher: str, kernels: int) -> None:
    """Print one row per part: compiled or loaded, as the cache is."""
    spec = load([*sorted((ROOT / "arch" / MACHINE).glob("*.yaml")), ROOT / "problems" / f"{LAYER}.yaml"])
    objective = parse_objective("edp", len(spec.architecture.storage))
    evaluator, space = NativeEvaluator(spec, vectors=False), LearnersMapspace(spec.with_factors("imperfect"))
    awkward = space.decode(space.sample(64, np.random.default_rng(1)))
    assert (awkward.factors != awkward.residuals).any()
    parts: dict[str, Callable[[], object]] = {
        "cost model": evaluator.warm_up,
        searcher: make_searcher(searcher, spec, 1, objective, {}).warm_up,
        "proof": make_prover(spec, objective).warm_up,
        "walk of imperfect factors": lambda: evaluator(awkward),
    }
    for name, warm_up in parts.items():
        listener = Kernels()
        begun, wall = time.process_time(), time.perf_counter()
        with event.install_listener("numba:compile", listener):
            warm_up()
        spent, wall = time.process_time() - begun, time.perf_counter() - wall
        print(f"| {name} | {spent:.1f} | {wall:.1f} | {len(listener.own)} |", flush=True)
        for kernel, seconds in listener.own.most_common(kernels):
            print(f"| &nbsp; {kernel} | {seconds:.2f} | | |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searcher", default="marl")
    parser.add_argument("--kernels", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="in this process, with the cache as it is")
    given = parser.parse_args()
    if given.here:
        measure(given.searcher, given.kernels)
        return
    with tempfile.TemporaryDirectory() as cache:
        for state in ("empty cache", "second process"):
            print(
                f"| {state} | processor, s | wall clock, s | kernels compiled |\n|---|---:|---:|---:|",
                flush=True,
            )
            command = [sys.executable, __file__, "--here", "--searcher", given.searcher]
            command += ["--kernels", str(given.kernels)]
            subprocess.run(command, env={**os.environ, "NUMBA_CACHE_DIR": cache}, check=True)
        kept = sum(file.stat().st_size for file in Path(cache).rglob("*") if file.is_file())
        print(f"Kept on disk: {kept / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

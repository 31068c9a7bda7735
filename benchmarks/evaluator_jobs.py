"""Searches with timeloop-model in the loop: time and trace for several numbers of jobs.

    python benchmarks/evaluator_jobs.py FILES... [--program timeloop-model] [--samples 200] [--jobs 1 2]

The load of the machine (average of the last minute, before each run) stands beside the times: other people's processes
share the processors. Imports and kernels are loaded before the first run. Without a program on the path, our side can
be measured alone: --native SECONDS takes the native model, which is as right as the real one, and waits so long at
every mapping (with --blind nothing is begun ahead); --stand-in SECONDS takes a program that waits so long and refuses
every mapping, so that predictions fail; --wait SECONDS lets the real program begin so much later, as if it ran
elsewhere.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Outcome, Rejection, Statistics
from timeloop_marl.evaluators.choice import LARGEST_BATCH, EvaluatorChoice, predictor
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import find_program
from timeloop_marl.evaluators.wrappers import AheadEvaluator
from timeloop_marl.run.loop import Budget, TraceFile, search
from timeloop_marl.run.trace import read_trace
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.specs.mapping import Mapping, MappingBatch
from timeloop_marl.specs.spec import Spec

STAND_IN = """#!/bin/sh
sleep {seconds}
echo "ERROR: couldn't map level {level}: mapped tile size 7 exceeds buffer capacity 6" >&2
exit 1
"""
WAITING = """#!/bin/sh
sleep {seconds}
exec {program} "$@"
"""


def stand_in(folder: Path, seconds: float, level: str) -> Path:
    path = folder / "timeloop-model"
    path.write_text(STAND_IN.format(seconds=seconds, level=level))
    path.chmod(0o755)
    return path


class Waiting:
    """The native model, row by row, each after a while in which nothing is computed."""

    def __init__(self, spec: Spec, seconds: float) -> None:
        self._native, self._seconds = NativeEvaluator(spec), seconds
        self.name = self._native.name

    def __call__(self, mappings: MappingBatch) -> Outcome:
        time.sleep(self._seconds * len(mappings))
        return self._native(mappings)

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        return self._native.statistics(mapping)


def search_natively(spec: Spec, samples: int, jobs: int, seconds: float, out: Path, *, ahead: bool) -> None:
    """As a search with the real program goes, with ``Waiting`` in its place."""
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher("marl", spec, 1, objective)
    searcher.warm_up()
    out.mkdir()
    waiting = Waiting(spec, seconds)
    with AheadEvaluator(waiting, jobs) as threads:
        search(
            searcher.space,
            searcher,
            waiting if jobs == 1 else threads,
            objective,
            Budget(samples=samples),
            trace=TraceFile(out / "trace.bin"),
            largest_batch=LARGEST_BATCH,
            predictor=predictor(spec) if ahead else None,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--program", default="timeloop-model")
    parser.add_argument("--stand-in", type=float, metavar="SECONDS")
    parser.add_argument("--wait", type=float, metavar="SECONDS")
    parser.add_argument("--native", type=float, metavar="SECONDS")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--blind", action="store_true")
    given = parser.parse_args()
    spec = tm.load(given.files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = given.program
        if given.stand_in:
            program = str(stand_in(folder, given.stand_in, spec.architecture.storage[0].name))
        elif given.wait:
            real = find_program(program).path
            path = folder / "timeloop-model"
            path.write_text(WAITING.format(seconds=given.wait, program=shlex.quote(str(real))))
            path.chmod(0o755)
            program = str(path)
        first: tuple[float, list[list[int]]] | None = None
        tm.search(spec, samples=20, output=folder / "warm")
        print("| jobs | seconds | against the first | same trace | load |\n|---|---|---|---|---|")
        for jobs in given.jobs:
            out, load = folder / f"jobs{jobs}", os.getloadavg()[0]
            begun = time.monotonic()
            if given.native:
                search_natively(spec, given.samples, jobs, given.native, out, ahead=not given.blind)
            else:
                choice = EvaluatorChoice("timeloop", jobs=jobs, program=program)
                tm.search(spec, samples=given.samples, evaluator=choice, output=out)
            seconds = time.monotonic() - begun
            rows = read_trace(out / "trace.bin").candidates.tolist()
            first = first or (seconds, rows)
            print(
                f"| {jobs} | {seconds:.1f} | {first[0] / seconds:.2f}x | {rows == first[1]} | {load:.1f} |",
                file=sys.stdout,
                flush=True,
            )


if __name__ == "__main__":
    main()

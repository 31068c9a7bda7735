"""Searches with timeloop-model in the loop: time and trace for several numbers of jobs.

    python benchmarks/evaluator_jobs.py FILES... [--program timeloop-model] [--samples 200] [--jobs 1 2]

The load of the machine (average of the last minute, before each run) stands beside the times: other people's processes
share the processors. Without a program on the path, --stand-in SECONDS measures our side alone: a stand-in that waits
so long and refuses every mapping; --wait SECONDS lets the real program begin so much later, as if it ran elsewhere.
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
from timeloop_marl.evaluation import EvaluatorChoice
from timeloop_marl.evaluators.timeloop import find_program
from timeloop_marl.trace import read_trace

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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--program", default="timeloop-model")
    parser.add_argument("--stand-in", type=float, metavar="SECONDS")
    parser.add_argument("--wait", type=float, metavar="SECONDS")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
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
        print("| jobs | seconds | against the first | same trace | load |\n|---|---|---|---|---|")
        for jobs in given.jobs:
            choice = EvaluatorChoice("timeloop", jobs=jobs, program=program)
            load = os.getloadavg()[0]
            begun = time.monotonic()
            tm.search(spec, samples=given.samples, evaluator=choice, output=folder / f"jobs{jobs}")
            seconds = time.monotonic() - begun
            rows = read_trace(folder / f"jobs{jobs}" / "trace.bin")[1].candidates.tolist()
            first = first or (seconds, rows)
            print(
                f"| {jobs} | {seconds:.1f} | {first[0] / seconds:.2f}x | {rows == first[1]} | {load:.1f} |",
                file=sys.stdout,
                flush=True,
            )


if __name__ == "__main__":
    main()

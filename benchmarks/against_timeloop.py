"""The real timeloop-mapper beside ours in one run: the same input, the same samples, processor time of one thread.

    python benchmarks/against_timeloop.py [--pairs eyeriss_like/resnet18_layer1 ...] [--seconds 10]

For every machine and layer the real program looks for N valid mappings with its random mapper (N so that it takes
about the given time), then our reproduction does the same: the same sequence of samples, and output files that are
compared byte for byte. ``native`` is what the cost model gives for valid mappings of that mapspace in batches of
10,000, the rate that a searcher sees that proposes no invalid ones.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from throughput import PAIRS, draw, files, rate

from timeloop_marl.cli.dropin import run_mapper
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop.program import MAPPER
from timeloop_marl.specs import load

OPTIONS = (
    "mapper: {{algorithm: random, num_threads: 1, search_size: {size}, timeout: 100000000, victory_condition: 0, "
    "live_status: false, diagnostics: false, optimization_metrics: [edp]}}\n"
)
PILOT = 10  # valid mappings of the first try
COMPARED = ("stats.txt", "map.txt", "map.yaml")


@dataclass(frozen=True)
class Ran:
    """One run of a mapper for so many valid mappings. Seconds of processor time, start-up included."""

    valid: int
    seconds: float
    files: dict[str, bytes]


def real(program: str, inputs: list[Path], size: int) -> Ran:
    """The program on the path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = arguments(inputs, size, folder)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, *words], cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Ran(size, spent, written(folder))


def ours(inputs: list[Path], size: int) -> Ran:
    """Our reproduction, in this process, compiled before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = arguments(inputs, size, folder)
        begun = time.process_time()
        code = run_mapper(words, environ=os.environ, stdout=io.StringIO(), stderr=io.StringIO(), cwd=folder)
        spent = time.process_time() - begun
        if code:
            raise SystemExit(f"our mapper ended with {code}")
        return Ran(size, spent, written(folder))


def arguments(inputs: list[Path], size: int, folder: Path) -> list[str]:
    """The command line; the options of the mapper come last."""
    options = folder / "mapper.yaml"
    options.write_text(OPTIONS.format(size=size))
    return [*map(str, inputs), str(options)]


def written(folder: Path) -> dict[str, bytes]:
    """The output files that are compared."""
    return {kind: (folder / f"{MAPPER}.{kind}").read_bytes() for kind in COMPARED}


def row(pair: str, program: str, seconds: float) -> list[str]:
    """The cells of one machine and layer."""
    inputs = files(pair)
    pilot = real(program, inputs, PILOT)
    size = max(PILOT, int(PILOT * seconds / max(pilot.seconds, 1e-3)))
    found = real(program, inputs, size)
    ours(inputs, PILOT)
    mine = ours(inputs, size)
    spec = load(inputs)
    native = rate(NativeEvaluator(spec), draw(spec, 10_000)[0], 10_000, 5)
    theirs = found.valid / found.seconds
    same = "yes" if mine.files == found.files else "NO"
    return [
        pair, f"{size:,}", f"{theirs:,.1f}", f"{mine.valid / mine.seconds:,.0f}", same,
        f"{found.seconds / mine.seconds:,.0f}x", f"{native:,.0f}", f"{native / theirs:,.0f}x",
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="MACHINE/PROBLEM")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    program = shutil.which(MAPPER)
    if program is None:
        print(f"{MAPPER} is not on the path: nothing was measured", file=sys.stderr)
        return 3
    print(
        "| machine/layer | valid mappings | timeloop-mapper, valid/s | ours, valid/s | same files | ratio |",
        end="",
    )
    print(" native model, valid/s | ratio |\n|---|---|---|---|---|---|---|---|")
    for pair in given.pairs:
        print(f"| {' | '.join(row(pair, program, given.seconds))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.fuzz [--of WHAT] [--mutants N] [--first SEED]``: exit 1 if any mutant shows a defect."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .caches import Caches
from .corpus import all_cases
from .evaluated import run_expression, run_template
from .folders import Folders
from .harness import Playground, summary

MEMORY_BYTES = 6 << 30


OTHERS = ("folders", "caches", "templates", "expressions")


def runner(what: str, home: Path) -> Callable[[int], str]:
    """From a seed to the defect of its mutant, empty if all is well."""
    if what == "folders":
        folders = Folders(home)
        return lambda seed: folders.run(seed)[1]
    if what == "caches":
        return Caches(home).run
    return run_expression if what == "expressions" else lambda seed: run_template(seed, home)


def run_others(what: str, seeds: range) -> int:
    """Run the mutants of run folders, caches, templates or expressions."""
    defects, slowest, started = 0, 0.0, time.monotonic()
    with TemporaryDirectory(prefix="fuzz-") as home:
        run = runner(what, Path(home))
        for seed in seeds:
            begun = time.monotonic()
            try:
                defect = run(seed)
            except Exception:
                defect = traceback.format_exc()
            slowest = max(slowest, time.monotonic() - begun)
            if defect:
                defects += 1
                print(f"seed {seed}: {defect}", flush=True)
    print(
        f"{len(seeds)} mutants of {what}, seeds {seeds.start}.., in {time.monotonic() - started:.0f} s: "
        f"{defects} defects; slowest {slowest:.2f} s"
    )
    return 1 if defects else 0


def main() -> int:
    """Run the mutants of a range of seeds."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that show defects")
    parser.add_argument("--of", choices=("inputs", *OTHERS), default="inputs")
    arguments = parser.parse_args()
    if arguments.of != "inputs":
        return run_others(arguments.of, range(arguments.first, arguments.first + arguments.mutants))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.environ["PATH"] = ""  # no Accelergy: the fuzzer is about reading
    cases = all_cases()
    playground = Playground(cases)
    outcomes: Counter[str] = Counter()
    defects, slowest, started = 0, (0.0, -1), time.monotonic()
    try:
        for seed in range(arguments.first, arguments.first + arguments.mutants):
            begun = time.monotonic()
            try:
                case, touched, mutant, verdict = playground.run(seed)
            except BaseException:
                print(f"seed {seed}: the harness itself failed\n{traceback.format_exc()}")
                raise
            if (seed + 1) % 1000 == 0:
                print(f"{seed + 1 - arguments.first} mutants, {time.monotonic() - started:.0f} s", flush=True)
            slowest = max(slowest, (time.monotonic() - begun, seed))
            outcomes[verdict.outcome.split(":")[0]] += 1
            if verdict.defect:
                defects += 1
                print(f"seed {seed}, {case.name}, {touched}: {verdict.defect}", flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{seed}-{touched.name}").write_bytes(mutant)
    finally:
        playground.close()
    print(summary(outcomes))
    print(
        f"{arguments.mutants} mutants of {len(cases)} inputs, seeds {arguments.first}.., in "
        f"{time.monotonic() - started:.0f} s: {defects} defects; slowest {slowest[0]:.2f} s (seed {slowest[1]})"
    )
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())

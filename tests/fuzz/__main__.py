"""``python -m tests.fuzz [--mutants N] [--first SEED]``: exit 1 if any mutant shows a defect."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from .corpus import all_cases
from .harness import Playground, summary

MEMORY_BYTES = 6 << 30


def main() -> int:
    """Run the mutants of a range of seeds."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that show defects")
    arguments = parser.parse_args()
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

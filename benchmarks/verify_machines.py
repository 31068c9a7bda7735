"""The native model against the real timeloop-model on every machine: random mappings, figure by figure.

    python benchmarks/verify_machines.py [--standard STANDARD] [--samples 40] [--jobs 2] [--machines eyeriss_like ...]

``samples`` mappings per machine and layer, some of each kind (``timeloop-marl verify --draw mixed``): drawn to be valid
under the machine's constraints and without any, drawn from Timeloop's whole mapspace, and with imperfect factors.
STANDARD: folder with the public example designs, flattened (``flattened/ex_<design>``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from timeloop_marl import specs
from timeloop_marl.errors import TimeloopMarlError
from timeloop_marl.evaluators.timeloop import OnCrash, TimeloopEvaluator, find_program
from timeloop_marl.validation.verification import Verification, drawn, recognise_rules, verify_mappings

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    "resnet18/conv3_down.yaml",
    "mobilenetv2/block05_depthwise.yaml",
    "bert_base_seq128/ffn1.yaml",
)
FILES = ("arch_v03.yaml", "ERT.yaml", "ART.yaml", "constraints_v03.yaml")


def inputs(machines: list[str], standard: Path | None) -> Iterator[tuple[str, list[Path]]]:
    """Name and files of every machine."""
    for folder in sorted(path for path in (ROOT / "arch").iterdir() if path.is_dir()):
        if not machines or folder.name in machines:
            yield folder.name, sorted(folder.glob("*.yaml"))
    for folder in sorted((standard / "flattened").iterdir()) if standard else []:
        if not machines or folder.name in machines:
            yield folder.name, [folder / name for name in FILES if (folder / name).exists()]


def verified(
    files: list[Path], layer: Path, samples: int, seed: int, jobs: int, seconds: float
) -> tuple[Verification, Counter[str]]:
    """The comparison, and how many mappings of what kind there were."""
    spec = specs.load([*files, layer])
    mappings = drawn(spec, "mixed", samples, seed)
    found = verify_mappings(
        spec, mappings, TimeloopEvaluator(spec, seconds=seconds, on_crash=OnCrash.SKIP), jobs=jobs
    )
    kinds = Counter(
        "invalid" if not check.valid else "imperfect" if check.mapping.imperfect else "valid"
        for check in found.checks
    )
    return found, kinds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--standard", type=Path)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--call-seconds", type=float, default=120.0)
    parser.add_argument("--machines", nargs="*", default=[])
    parser.add_argument("--layers", nargs="+", default=LAYERS, help="files below problems/")
    given = parser.parse_args()
    print(recognise_rules(TimeloopEvaluator).sentence(find_program().name))
    print(
        "| machine | mappings | valid | imperfect | invalid | figures | every digit | differ | no answer | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    totals: Counter[str] = Counter()
    for name, files in inputs(given.machines, given.standard):
        row: Counter[str] = Counter()
        begun = time.monotonic()
        for layer in given.layers:
            found, kinds = verified(
                files, ROOT / "problems" / layer, given.samples, given.seed, given.jobs, given.call_seconds
            )
            row.update(kinds)
            row["mappings"] += len(found.checks)
            row["unanswered"] += len(found.unanswered)
            row["figures"] += found.figures
            row["full"] += sum(check.full for check in found.checks)
            for number, check in enumerate(found.checks):
                row["differ"] += len(check.differences)
                for difference in check.differences[:3]:
                    print(f"{name} {layer} {number}: {difference}", file=sys.stderr)
        totals.update(row)
        show(name, row, time.monotonic() - begun)
    show("all", totals, 0.0)
    return 1 if totals["differ"] else 0


def show(name: str, row: Counter[str], seconds: float) -> None:
    """A line of the table; ``every digit``: valid mappings whose doubles were read in full."""
    valid = row["valid"] + row["imperfect"]
    cells = [
        row["mappings"],
        valid,
        row["imperfect"],
        row["invalid"],
        row["figures"],
        row["full"],
        row["differ"],
        row["unanswered"],
    ]
    print(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TimeloopMarlError as error:
        sys.exit(f"error: {error}")

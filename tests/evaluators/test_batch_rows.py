"""Batches of recorded rows: the lean path (no hops where they cost nothing) gives what the real Timeloop gave."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

from timeloop_marl.cost.outcome import Failure
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.validation.rows import row_mapping

GOLDEN = Path(__file__).parents[1] / "golden"


def rows_by_case():
    cases = defaultdict(list)
    for file in sorted((GOLDEN / "data").glob("*.jsonl.gz")):
        if not file.name.startswith("env_"):
            with gzip.open(file, "rt") as lines:
                for line in lines:
                    row = json.loads(line)
                    cases[row["arch"], row["problem"]].append(row)
    return cases


def test_batches_of_all_rows(capsys):
    compared = 0
    for (arch, problem), rows in rows_by_case().items():
        folder = GOLDEN / "inputs" / "arch" / arch
        tables = [folder / name for name in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")]
        spec = load([*tables, GOLDEN / "inputs" / "problems" / f"{problem}.yaml"])
        names = [spec.architecture.compute.name, *(level.name for level in spec.architecture.storage)]
        outcome = NativeEvaluator(spec)(MappingBatch.of([row_mapping(row, spec) for row in rows]))
        for i, row in enumerate(rows):
            expected = row["exp"]
            if expected["ok"]:
                got = outcome.cycles[i], outcome.energy_pj[i], outcome.utilization[i], outcome.failure[i]
                assert got == (expected["cycles"], expected["energy"], expected["util"], Failure.OK), row[
                    "id"
                ]
            else:
                failed = Failure(int(outcome.failure[i])).name.lower(), names[outcome.failed_level[i]]
                assert failed == (expected["class"], expected["level"]), row["id"]
            compared += 1
    with capsys.disabled():
        print(f"\n{compared} rows in batches")
    assert compared == 8572

"""Sample for sample: the complete sequences of valid mappings that the real mapper printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .runs import GOLDEN, one_line, run

VECTORS = {
    entry["name"]: entry
    for entry in map(json.loads, (GOLDEN / "spec" / "mapper-vectors.jsonl").read_text().splitlines())
}


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("batch", [1 << 13, 7])
def test_every_valid_mapping_in_order(name: str, batch: int, tmp_path: Path) -> None:
    source = tmp_path / "in.yaml"
    source.write_text(VECTORS[name]["input_yaml"])
    found = run([source], batch)
    expected = VECTORS[name]["expect"]
    sizes = expected["sizes"]
    assert found.sizes == (sizes["IF"], sizes["LP"], sizes["S"], sizes["DB"])
    threads = {entry["thread"] for entry in expected["valid"]}
    for thread in threads:
        got = [
            (
                one_line(found.spec, event.mapping),
                event.cycles,
                found.energy_per_compute(event.mapping, event.energy_pj),
            )
            for event in found.valid
            if event.thread == thread
        ]
        want = [
            (entry["mapping"], entry["cycles"], entry["pj_per_compute"])
            for entry in expected["valid"]
            if entry["thread"] == thread
        ]
        assert got == want
    ends = [f"[{end.thread:3d}] STATEMENT: {text}" for end in found.ends for text in end.statements]
    assert sorted(ends) == sorted(expected["termination"])
    best = found.best
    assert best is not None
    energy = found.energy_per_compute(best.mapping, best.energy_pj)
    assert {"pj_per_compute": energy, "cycles": best.cycles} == expected["best"]

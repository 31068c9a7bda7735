"""Tile sizes of mappings that were never evaluated, against the utilised capacities of recorded imperfect mappings."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from timeloop_marl.report.maps import nest_text, nominal_contents, one_line, read_map_text
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.reading import read_spec
from timeloop_marl.validation.rows.encoding import row_mapping

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


@cache
def spec_of(machine, problem):
    arch = GOLDEN / "inputs" / "arch" / machine
    files = [arch / "arch_v03.yaml", arch / "ERT.yaml", arch / "ART.yaml"]
    files.append(GOLDEN / "inputs" / "problems" / f"{problem}.yaml")
    return read_spec(load_document(files, style="timeloop"), strict=False)


def valid_rows():
    with gzip.open(GOLDEN / "data" / "imperfect.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["exp"]["ok"]]


def test_every_recorded_capacity_of_imperfect_mappings():
    compared = 0
    for row in valid_rows():
        spec = spec_of(row["arch"], row["problem"])
        contents = nominal_contents(spec, row_mapping(row, spec))
        for level, tiles in zip(spec.architecture.storage, contents, strict=True):
            found = {tile.name: tile.shape for tile in tiles}
            expected = {
                name: figures["cap"] for name, figures in row["exp"]["levels"][level.name]["ds"].items()
            }
            assert found == expected, (row["id"], level.name)
            compared += len(found)
    print(f"{compared} utilised capacities compared")
    assert compared > 3000


def test_recorded_imperfect_mappings_survive_map_text():
    for row in valid_rows():
        spec = spec_of(row["arch"], row["problem"])
        mapping = row_mapping(row, spec)
        again = read_map_text(nest_text(spec, mapping, nominal_contents(spec, mapping)), spec)
        assert one_line(spec, again) == one_line(spec, mapping), row["id"]
        assert again.keep == mapping.keep

"""Every recorded row of the real Timeloop, every field at its stated precision."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from timeloop_marl.validation.rows import evaluate_rows

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted((GOLDEN / "data").glob("*.jsonl.gz"))
ROWS = {
    "env_accurate_reads_unset": 80,
    "env_disable_link_transfers_1": 146,
    "env_first_read_elision_0": 150,
    "imperfect": 416,
    "links": 234,
    "part0": 700,
    "part1": 3033,
    "part1b": 287,
    "part2": 3902,
}


def test_all_files_are_there():
    assert [file.name.split(".")[0] for file in FILES] == sorted(ROWS)
    index = json.loads((GOLDEN / "data" / "INDEX.json").read_text())
    assert index


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.split(".")[0])
def test_rows_equal_the_real_timeloop(file, capsys):
    report = evaluate_rows(file, GOLDEN / "inputs")
    with capsys.disabled():
        print(f"\n{file.name}: {report.summary()}")
    assert not report.first_differences, "\n".join(f"{row}: {d}" for row, d in report.first_differences)
    assert report.differing_figures == report.differing_rows == 0
    assert report.rows == report.compared == ROWS[file.name.split(".")[0]]
    assert report.figures > 50 * report.rows


def test_a_changed_figure_is_found(tmp_path):
    """The comparison must be able to fail: one figure of one row is changed by the smallest possible amount."""
    with gzip.open(GOLDEN / "data" / "links.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for _, line in zip(range(3), lines)]
    name = next(iter(rows[1]["exp"]["levels"]))
    rows[1]["exp"]["levels"][name]["energy"] *= 1 + 2**-52
    rows[2]["exp"]["cycles"] += 1
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl.gz"
    report = evaluate_rows(path, GOLDEN / "inputs", out)
    assert (report.rows, report.differing_rows, report.differing_figures) == (3, 2, 2)
    assert [difference.path for _, difference in report.first_differences] == [
        f"levels.{name}.energy",
        "cycles",
    ]
    with gzip.open(out, "rt") as lines:
        written = [json.loads(line) for line in lines]
    assert [row["id"] for row in written] == [row["id"] for row in rows]
    assert written[0]["got"] == written[0]["exp"]
    assert written[2]["got"]["cycles"] == rows[2]["exp"]["cycles"] - 1

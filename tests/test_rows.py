"""The row encoding, its error messages, and the comparison."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from timeloop_marl.errors import MappingError, SpecError, TimeloopMarlError, UsageError
from timeloop_marl.specs import load
from timeloop_marl.validation.rows import compare, evaluate_rows, figures, mapping_row, row_mapping

GOLDEN = Path(__file__).parent / "golden"
INPUTS = GOLDEN / "inputs"


def first_row(name: str) -> dict:
    with gzip.open(GOLDEN / "data" / f"{name}.jsonl.gz", "rt") as lines:
        return json.loads(lines.readline())


def spec_of(row):
    folder = INPUTS / "arch" / row["arch"]
    files = [folder / "arch_v03.yaml", folder / "ERT.yaml", folder / "ART.yaml"]
    return load([*files, INPUTS / "problems" / f"{row['problem']}.yaml"])


@pytest.mark.parametrize("name", ["part0", "links", "imperfect"])
def test_encoding_both_ways(name):
    row = first_row(name)
    spec = spec_of(row)
    mapping = row_mapping(row, spec)
    again = mapping_row(mapping, spec)
    assert row_mapping({"map": again}, spec) == mapping
    assert [level["l"] for level in again] == [level["l"] for level in row["map"]]
    for old, new in zip(row["map"], again):
        for key in ("t", "s"):
            wanted = {d: f for d, f in old.get(key, {}).items() if f != 1}
            assert new.get(key, {}) == wanted
        assert new["p"] == old["p"]
        assert set(new.get("b", ())) == set(old.get("b", ()))


def broken(change):
    row = first_row("links")
    change(row)
    return row


def level(row, index=0):
    return row["map"][index]


MISTAKES = {
    "no map": (lambda row: row.pop("map"), "no list of levels"),
    "not a level": (lambda row: row["map"].__setitem__(0, 3), r"map\[0\]: not a level"),
    "unknown level": (lambda row: level(row).update(l="Main"), "no such storage level"),
    "level twice": (lambda row: row["map"].append(row["map"][0]), "named twice"),
    "level missing": (lambda row: row["map"].pop(), "no entry for level"),
    "unknown key": (lambda row: level(row).update(x=1), "unknown key 'x'"),
    "unknown dimension": (lambda row: level(row)["t"].update(Z=2), "no such dimension"),
    "factor 0": (lambda row: level(row)["t"].update(R=0), "not a factor"),
    "factor true": (lambda row: level(row)["t"].update(R=True), "not a factor"),
    "residual too large": (lambda row: level(row)["t"].update(R=[2, 3]), "not a factor"),
    "half a pair": (lambda row: level(row)["t"].update(R=[2]), "not a factor"),
    "product": (lambda row: level(row)["t"].update(R=7), "cover .* iterations"),
    "factors not a map": (lambda row: level(row).update(t=[1]), "not a map of factors"),
    "permutation": (lambda row: level(row).update(p=5), "not a permutation"),
    "dimension twice": (lambda row: level(row).update(p="RR"), "occurs twice"),
    "bypass": (lambda row: level(row).update(b="Weights"), "not a list"),
    "data space": (lambda row: level(row).update(b=["Water"]), "no such data space"),
    "spatial without fan-out": (lambda row: level(row).update(s={}), "without fan-out"),
    "split": (lambda row: next(x for x in row["map"] if "s" in x).update(split=99), "not a split"),
    "machine": (lambda row: row.update(arch="nowhere"), "no arch_v03.yaml or arch.yaml"),
    "path as a machine": (lambda row: row.update(arch="../arch/small_toy"), "not a name"),
    "problem": (lambda row: row.update(problem="nothing"), "no file"),
    "environment": (lambda row: row.update(env=["x"]), "not a map"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_file_and_line(name, tmp_path):
    change, message = MISTAKES[name]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps(broken(change)) + "\n")
    with pytest.raises(TimeloopMarlError, match=message) as caught:
        evaluate_rows(path, INPUTS)
    assert f"{path}:2" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[1]", "3", "{'a': 1}", '{"exp": 3}', "[" * 100_000])
def test_lines_that_are_not_rows(text, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"rows.jsonl:1"):
        evaluate_rows(path, INPUTS)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", gzip.compress(b'{"a": 1}')[:-12], b"no gzip"])
def test_binary_garbage(data, tmp_path):
    path = tmp_path / ("rows.jsonl" if data[0] == 0xFF else "rows.jsonl.gz")
    path.write_bytes(data)
    with pytest.raises(SpecError):
        evaluate_rows(path, INPUTS)


def test_missing_files(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        evaluate_rows(tmp_path / "rows.jsonl", INPUTS)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    with pytest.raises(UsageError, match="no such folder"):
        evaluate_rows(rows, tmp_path / "inputs")
    with pytest.raises(UsageError, match="overwrite"):
        evaluate_rows(rows, INPUTS, rows)
    with pytest.raises(UsageError, match="does not exist"):
        evaluate_rows(rows, INPUTS, tmp_path / "there" / "out.jsonl")


def test_machines_in_the_newer_form(tmp_path):
    """A folder with arch.yaml (v0.4) alone gives the same figures as the recorded flat form."""
    row = first_row("part0")
    machine = tmp_path / "inputs" / "arch" / row["arch"]
    machine.mkdir(parents=True)
    for name in ("arch.yaml", "ERT.yaml", "ART.yaml"):
        shutil.copy(INPUTS / "arch" / row["arch"] / name, machine)
    shutil.copytree(INPUTS / "problems", tmp_path / "inputs" / "problems")
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    report = evaluate_rows(path, tmp_path / "inputs")
    assert (report.rows, report.differing_figures) == (1, 0)


def test_rows_without_results_are_evaluated_but_not_compared(tmp_path):
    row = first_row("links")
    wanted = row.pop("exp")
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_text(json.dumps(row))
    report = evaluate_rows(path, INPUTS, out)
    assert (report.rows, report.compared, report.figures) == (1, 0, 0)
    assert "1 rows without recorded results" in report.summary()
    assert compare(wanted, json.loads(out.read_text())["got"]) == []


def test_comparison_precision():
    exp = {"ok": True, "energy": 1.5, "leak": 0.12, "ingress": [[1, 2, 3.33]], "ds": {"A": {"reads": 3}}}
    assert figures(exp) == 7
    assert compare(exp, {**exp, "leak": 0.1249}) == []
    assert compare(exp, {**exp, "ingress": [[1, 2, 3.333]]}) == []
    for key, value in (
        ("energy", 1.5000000000000002),
        ("leak", 0.126),
        ("ingress", [[1, 2, 3.34]]),
        ("ingress", [[1, 2, 3.33], [2, 2, 1]]),
        ("ds", {"A": {"reads": 4}}),
        ("ds", {"A": {"reads": 3, "fills": 1}}),
        ("ds", {}),
    ):
        assert len(compare(exp, {**exp, key: value})) == 1, key


def test_mapping_error_of_a_row_is_an_error_of_the_input():
    row = broken(lambda row: level(row)["t"].update(R=7))
    with pytest.raises(MappingError):
        row_mapping(row, spec_of(row))

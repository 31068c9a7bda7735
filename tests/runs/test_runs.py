"""Run folders listed and compared: every kind, every state, and what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from shell import CONV, EYERISS, FC, TOY, Shell

from timeloop_marl.api.runs import RunEntry, differences, find_runs, read_entry
from timeloop_marl.errors import UsageError
from timeloop_marl.run.folder import RunFolder
from timeloop_marl.run.trace import TraceReader, read_trace, sample_count

QUICK = ["--samples", "48", "--searcher", "genetic", "--quiet"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of every kind, made once for all tests here, which copy what they change."""
    from timeloop_marl.cli import main

    root = tmp_path_factory.mktemp("runs")
    for words in (
        ["search", TOY, FC, "-o", root / "a", *QUICK],
        [
            "search",
            TOY,
            FC,
            "-o",
            root / "sub" / "b",
            *QUICK,
            "--seed",
            "2",
            "--set",
            "BUF.attributes.depth=32",
        ],
        ["search", TOY, FC, "-o", root / "front", "--pareto", "--samples", "48", "--quiet"],
        ["network", TOY, FC, "-o", root / "net", *QUICK],
        ["sweep", TOY, FC, "-o", root / "sweep", "--set", "REG.attributes.depth=3,6", *QUICK],
    ):
        assert main([str(word) for word in words]) == 0
    return root


def entry(root: Path, name: str) -> RunEntry:
    return read_entry(root / name)


def test_all_kinds_are_found_and_none_twice(kept: Path) -> None:
    found = find_runs([kept, kept / "sub"])
    assert [(Path(e.folder).name, e.kind, e.state) for e in found] == [
        ("a", "search", "finished"), ("front", "front", "finished"), ("net", "network", "finished"),
        ("b", "search", "finished"), ("sweep", "sweep", "finished"),
    ]  # fmt: skip
    inside = find_runs([kept], inside=True)
    assert sum(e.kind == "layer" for e in inside) == 3 and len(inside) == 5 + 1 + 2 * 2
    with pytest.raises(UsageError, match="no such folder"):
        find_runs([kept / "nowhere"])


def test_what_an_entry_says(kept: Path) -> None:
    summary = json.loads((kept / "a" / "summary.json").read_text())
    found = entry(kept, "a")
    assert (found.what, found.searcher, found.seed, found.samples) == ("small_toy · fc", "genetic", 1, 48)
    assert (
        found.best == found.edp == summary["best"][0]["edp"] and found.cycles == summary["best"][0]["cycles"]
    )
    assert found.versions["timeloop-marl"] and found.created <= found.changed
    assert entry(kept, "sub/b").what == "small_toy · fc · BUF.attributes.depth=32"
    network = json.loads((kept / "net" / "network.json").read_text())
    assert entry(kept, "net").edp == network["totals"]["edp"] and entry(kept, "net").parts == 1
    assert (entry(kept, "sweep").parts, entry(kept, "sweep").done) == (2, 2)


def test_an_interrupted_run_is_read_from_its_trace(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept / "a", tmp_path / "a")
    (tmp_path / "a" / "summary.json").unlink()
    found, whole = entry(tmp_path, "a"), entry(kept, "a")
    assert found.state == "interrupted" and found.stopped == ""
    assert (found.samples, found.valid, found.best, found.cycles) == (
        48,
        whole.valid,
        whole.best,
        whole.cycles,
    )
    shutil.copytree(kept / "net", tmp_path / "net")
    (tmp_path / "net" / "network.json").unlink()
    assert (entry(tmp_path, "net").state, entry(tmp_path, "net").samples) == ("interrupted", 48)
    (tmp_path / "a" / "trace.bin").unlink()
    assert entry(tmp_path, "a").state == "begun"


def test_a_finished_run_that_went_on_is_interrupted_again(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept / "a", tmp_path / "a")
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    (tmp_path / "a" / "summary.json").write_text(json.dumps({**summary, "samples": 40}))
    assert (entry(tmp_path, "a").state, entry(tmp_path, "a").samples) == ("interrupted", 48)


def test_a_run_that_is_going_on(kept: Path) -> None:
    assert not RunFolder(kept / "a").busy and not RunFolder(kept / "nowhere").busy
    with RunFolder(kept / "a").locked():
        assert entry(kept, "a").state == "running"
    assert entry(kept, "a").state == "finished"


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "network", "arguments": 3}', '{"samples": "x"}'])
@pytest.mark.parametrize("name", ["run.json", "summary.json"])
def test_damaged_folders_are_said_to_be_so(kept: Path, tmp_path: Path, name: str, text: str) -> None:
    shutil.copytree(kept / "a", tmp_path / "a")
    (tmp_path / "a" / name).write_text(text)
    assert entry(tmp_path, "a").state in ("damaged", "interrupted", "begun")


def test_samples_are_counted_without_reading_them(kept: Path, tmp_path: Path) -> None:
    trace = kept / "a" / "trace.bin"
    assert sample_count(trace) == len(read_trace(trace).candidates) == 48
    cut = tmp_path / "cut.bin"
    for size in (3, len(trace.read_bytes()) - 5, len(trace.read_bytes()) // 2):
        cut.write_bytes(trace.read_bytes()[:size])
        whole = sum(len(b.candidates) for b in TraceReader(cut).batches()) if size > 100 else 0
        assert sample_count(cut) == whole
    assert sample_count(tmp_path / "none") == 0


def test_what_differs(kept: Path) -> None:
    found = {(d.section, d.path): d.values for d in differences([kept / "a", kept / "sub" / "b"])}
    assert found["settings", "seed"] == ("-", "2") or found["settings", "seed"] == ("1", "2")
    assert found["settings", "values"] == ("-", "BUF.attributes.depth=32")
    changed = [values for (section, path), values in found.items() if section == "input" and "BUF" in path]
    assert ("64", "32") in changed
    assert ("results", "edp") in found and not [key for key in found if key[0] == "versions"]
    assert differences([kept / "a", kept / "a"]) == []
    with pytest.raises(UsageError, match="two runs at least"):
        differences([kept / "a"])
    with pytest.raises(UsageError, match="no run here"):
        differences([kept / "a", kept])


def test_what_layers_have_in_common_comes_once(shell: Shell, kept: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, change in ((ours, ("", "")), (theirs, ("entries: 64", "entries: 48"))):
        shutil.copytree(kept / "net", folder)
        text = (folder / "layers" / "fc" / "inputs.yaml").read_text().replace(*change)
        shutil.copytree(folder / "layers" / "fc", folder / "layers" / "other")
        (folder / "layers" / "fc" / "inputs.yaml").write_text(text)
        (folder / "layers" / "other" / "inputs.yaml").write_text(text.replace("C: 512", "C: 256"))
    found = [(d.path, d.values) for d in differences([ours, theirs]) if d.section == "input"]
    assert [values for _, values in found] == [("64", "48")] and "fc" not in found[0][0]
    manifest = json.loads((kept / "a" / "run.json").read_text())
    many = {f"option{n}": n for n in range(40)}
    shutil.copytree(kept / "a", tmp_path / "many")
    manifest["arguments"] |= many
    (tmp_path / "many" / "run.json").write_text(json.dumps(manifest))
    assert shell("runs", "--compare", kept / "a", tmp_path / "many") == 0
    assert "option29" in shell.out and "option30" not in shell.out and "and 10 more" in shell.out


def test_the_command(shell: Shell, kept: Path, tmp_path: Path) -> None:
    assert shell("runs", kept) == 0
    assert "small_toy · fc" in shell.out and "48" in shell.out and "finished" in shell.out
    assert shell("runs", kept, "--sort", "edp", "--json") == 0
    listed = [entry["edp"] for entry in json.loads(shell.out) if entry["edp"] is not None]
    assert listed == sorted(listed) and len(listed) == 5
    assert shell("runs", "--compare", kept / "a", kept / "sub" / "b") == 0
    assert "BUF.attributes.depth=32" in shell.out and "J·cycle (" in shell.out and "best" not in shell.out
    assert shell("runs", "--compare", kept / "a", kept / "sub" / "b", "--json") == 0
    assert {"section", "path", "values"} == set(json.loads(shell.out)[0])
    assert shell("runs", tmp_path) == 1 and "no runs here" in shell.out
    assert shell("runs", tmp_path / "x") == 2
    for sort in ("when", "best", "samples", "state", "kind", "searcher"):
        assert shell("runs", kept, "--sort", sort) == 0


def test_machines_that_are_folders_and_files(shell: Shell, tmp_path: Path) -> None:
    files = sorted(Path(EYERISS).glob("*.yaml"))
    assert shell("search", *files, CONV, "-o", tmp_path / "run", *QUICK) == 0
    assert read_entry(tmp_path / "run").what == "eyeriss_like · conv4_3x3"

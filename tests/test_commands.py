"""Every command and flag of the command line, end to end: exit codes, messages, files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from shell import CONV, EYERISS, FC, ROOT, TOY, Shell, outcome

RESULTS = {"stats.txt", "map.txt", "map.yaml", "model.yaml", "png"}

GEMM = """\
problem:
  shape:
    name: "gemm [red]x[/red]"
    dimensions: [M, N, K]
    data_spaces:
    - {name: Weights, projection: [M, K]}
    - {name: Inputs, projection: [K, N]}
    - {name: Outputs, projection: [M, N], read_write: true}
  instance: {M: 1, N: 3072, K: 1}
"""
TREE = """\
architecture:
  version: 0.3
  subtree:
  - name: system
    local:
    - {name: DRAM, class: DRAM, attributes: {word-bits: 8, width: 64}}
    subtree:
    - name: chip
      local:
      - {name: buffer, class: SRAM, attributes: {entries: 32768, word-bits: 8, width: 64}}
      subtree:
      - name: "pe[0..31]"
        local:
        - {name: registers, class: regfile, attributes: {entries: 64, word-bits: 8, meshX: 8}}
        - {name: mac, class: intmac, attributes: {meshX: 8}}
"""


def constraints(*targets: str) -> str:
    return "architecture_constraints:\n  targets:\n" + "".join(f"  - {{{target}}}\n" for target in targets)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small input files by name, in a folder that is not the working directory."""
    for name, text in (("tree", TREE), ("gemm", GEMM), ("empty", ""), ("tabs", "problem:\n\tshape: 1\n")):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


# search


def test_search_writes_its_results_and_nothing_else(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "out"
    assert shell("search", TOY, FC, "-o", run, "--samples", 100, "--top", 2) == 0
    assert shell.out.startswith("100 samples, 100 valid") and f"results in {run}" in shell.out
    assert "EDP" in shell.out and "<< Compute >>" in shell.out
    assert not [line for line in shell.out.splitlines() if line.endswith("  ")]
    expected = {f"timeloop-marl.{kind}" for kind in RESULTS}
    expected |= {f"timeloop-marl.2.{kind}" for kind in RESULTS - {"png"}}
    assert {path.name for path in run.iterdir()} == expected | {
        "run.json", "inputs.yaml", "trace.bin", "summary.json", "report.html", "log.jsonl", "agents.json", ".lock",
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_folder_with_other_files_keeps_them(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert shell("search", TOY, FC, "-o", tmp_path, "--samples", 20, "--quiet") == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert shell("search", TOY, FC, "-o", tmp_path, "--samples", 20) == 2
    assert "holds a run already" in shell.err and "--resume" in shell.err


@pytest.mark.parametrize(
    ("flags", "samples", "reason"),
    [
        (("--samples", "1"), 1, "sample budget spent"),
        (("--samples", "1e2"), 100, "sample budget spent"),
        (("--valid-samples", "7"), 7, "enough valid mappings"),
        (("--seconds", "0.01"), None, "time is up"),
        (("--target", "1e30"), None, "target reached"),
        (("--stagnation", "40", "--samples", "100000"), None, "no improvement for long enough"),
    ],
)
def test_budgets(
    shell: Shell, tmp_path: Path, flags: tuple[str, ...], samples: int | None, reason: str
) -> None:
    assert shell("search", EYERISS, CONV, "-o", tmp_path / "out", "--quiet", *flags) == 0
    assert reason in shell.out
    if samples is not None:
        assert re.match(rf"{samples} samples?, ", shell.out)


@pytest.mark.parametrize("objective", ["edp", "energy", "delay", "last_level_accesses", "delay,energy"])
def test_objectives(shell: Shell, tmp_path: Path, objective: str) -> None:
    run = tmp_path / "out"
    assert (
        shell("search", EYERISS, CONV, "-o", run, "--quiet", "--samples", 64, "--objective", objective) == 0
    )
    assert outcome(run)["objective"] == objective


@pytest.mark.parametrize("name", ["random", "annealing", "cross-entropy", "timeloop-random-pruned"])
def test_searchers_seeds_and_threads(shell: Shell, tmp_path: Path, name: str) -> None:
    flags = ("--searcher", name, "--samples", 64, "--quiet")
    assert shell("search", EYERISS, CONV, "-o", tmp_path / "a", *flags, "--seed", 7) == 0
    assert shell("search", EYERISS, CONV, "-o", tmp_path / "b", *flags, "--seed", 7, "--threads", 2) == 0
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def test_options_of_searchers(shell: Shell, tmp_path: Path) -> None:
    flags = ("search", EYERISS, CONV, "--samples", 64, "--quiet", "--searcher", "genetic")
    assert shell(*flags, "-o", tmp_path / "a", "--option", "population=8", "--option", "offspring=4") == 0
    assert shell(*flags, "-o", tmp_path / "b", "--option", "population=many") == 2
    assert "population" in shell.err and "'many'" in shell.err
    assert shell(*flags, "-o", tmp_path / "b", "--option", "population") == 2
    assert "NAME=VALUE" in shell.err


def test_older_rules_are_another_model(shell: Shell, tmp_path: Path) -> None:
    for rules in ("2025", "2022"):
        run = tmp_path / rules
        assert shell("search", EYERISS, CONV, "-o", run, "--samples", 32, "--quiet", "--rules", rules) == 0
        assert f"rules {rules}" in shell.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--samples", "0"), "--samples: must be at least 1"),
        (("--samples", "many"), "--samples: expected an integer, got 'many'"),
        (("--samples", "1.5"), "--samples: expected an integer, got '1.5'"),
        (("--seconds", "soon"), "--seconds: expected a number, got 'soon'"),
        (("--seconds", "nan"), "--seconds: must be above 0"),
        (("--seed", "-1"), "--seed: must be between 0 and 2^63 - 1"),
        (("--threads", "0"), "--threads: must be at least 1"),
        (("-o", ""), "-o/--output: expected a name"),
        (("--rules", "1999"), "invalid choice: '1999'"),
        (("--searcher", "genetics"), "did you mean 'genetic'"),
        (("--objective", "edpp"), "did you mean 'edp'"),
        (("--set", "x"), "expected NAME=VALUE"),
    ],
)
def test_wrong_flags(shell: Shell, tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    assert shell("search", TOY, FC, "-o", tmp_path / "out", *flags) == 2
    assert message in shell.err
    assert len(shell.err.splitlines()) <= 2
    assert not (tmp_path / "out").exists() or not (tmp_path / "out" / "summary.json").exists()


def test_a_program_for_verifying_is_missed_before_the_search(shell: Shell, tmp_path: Path) -> None:
    flags = ("--verify", "1", "--timeloop-model", str(tmp_path / "none"), "--samples", "50")
    assert shell("search", TOY, FC, "-o", tmp_path / "out", *flags) == 2
    assert "none" in shell.err
    assert not (tmp_path / "out").exists()


# wrong inputs


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((TOY,), "no problem in the input files"),
        ((FC,), "no architecture in the input files"),
        ((TOY, "empty.yaml"), "no problem in the input files"),
        ((TOY, "tabs.yaml"), "tabs.yaml:2: not valid YAML"),
        ((TOY, "missing.yaml"), "missing.yaml: no such file or folder"),
        ((TOY, "nothing"), "nothing: no .yaml or .yml file in this folder"),
        ((TOY, str(ROOT / "problems" / "resnet18")), "one machine and one problem at a time"),
        ((TOY, str(ROOT / "README.md")), "expected: a name ending in .yaml"),
        ((TOY, "zero.yaml"), "problem.instance.C: integer out of range"),
        ((TOY, "instanse.yaml"), "mind the spelling of instance"),
        ((TOY, FC, "copy.yaml"), "one problem at a time"),
        ((TOY, "tree.yaml", FC), "two files give different values"),
        ((EYERISS, "gemm.yaml"), "P = m, C = k, M = n"),
    ],
)
def test_wrong_inputs(shell: Shell, folder: Path, files: tuple[str, ...], message: str) -> None:
    layer = Path(FC).read_text()
    (folder / "zero.yaml").write_text(layer.replace("C: 512", "C: 0"))
    (folder / "instanse.yaml").write_text(layer.replace("instance:", "instanse:"))
    (folder / "copy.yaml").write_text(layer)
    (folder / "nothing").mkdir()
    places = [name if Path(name).is_absolute() else folder / name for name in files]
    for command in (("info",), ("search", "-o", folder / "out")):
        assert shell(command[0], *places, *command[1:]) == 2
        assert shell.err.startswith("timeloop-marl: ") and message in shell.err
    assert not (folder / "out").exists()


def test_constraints_without_a_mapping(shell: Shell, folder: Path) -> None:
    bypassed = [
        f"target: {level}, type: bypass, bypass: [Weights]" for level in ("registers", "buffer", "DRAM")
    ]
    (folder / "c.yaml").write_text(constraints(*bypassed))
    files = (folder / "tree.yaml", folder / "c.yaml", FC)
    assert shell("search", *files, "-o", folder / "out") == 2
    for part in (
        "Weights is bypassed at every storage level",
        "c.yaml:3",
        "c.yaml:5",
        "keep Weights at DRAM",
    ):
        assert part in shell.err
    assert shell("info", *files) == 2
    assert "Weights is bypassed" in shell.err and "levels, outermost first" in shell.out


def test_a_pinned_dimension_and_missing_tables_are_loud(shell: Shell, folder: Path) -> None:
    (folder / "c.yaml").write_text(constraints("target: buffer, type: spatial, factors: N=1"))
    files = [folder / name for name in ("tree.yaml", "c.yaml", "gemm.yaml")]
    assert shell("search", *files, "-o", folder / "out", "--samples", 10) == 0
    assert "notice: energies are those of Timeloop without Accelergy, its PAT rules" in shell.err
    assert "pin N (bound 3072) to 1: at most 1 of 32 children can work" in shell.err
    assert "PAT rules" in shell.out
    assert shell("info", *files) == 0
    assert "pin N (bound 3072) to 1" in shell.out
    assert "problem gemm [red]x[/red]: M=1 N=3072 K=1" in shell.out  # no markup


# places that cannot be written


def test_outputs_that_are_no_folders(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        assert shell("search", TOY, FC, "-o", place, "--samples", 10) == 2
        assert "a file is in its place" in shell.err
    assert shell("search", TOY, FC, "-o", tmp_path / ("n" * 300), "--samples", 10) == 2
    assert "File name too long" in shell.err
    assert shell("search", "--resume", "-o", tmp_path / "file") == 2
    assert "cannot read" in shell.err
    assert shell("search", "--resume", "-o", tmp_path / "missing") == 2
    assert "there is no run in this folder" in shell.err
    assert shell("search") == 2 and "no input files" in shell.err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder(shell: Shell, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert shell("search", TOY, FC, "-o", tmp_path, "--samples", 10) == 2
    assert "cannot write into this folder" in shell.err


def test_a_lock_that_cannot_be_made(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    assert shell("search", TOY, FC, "-o", tmp_path, "--samples", 10) == 2
    assert "cannot write into this folder" in shell.err


# evaluate


def test_evaluate_takes_what_search_writes(shell: Shell, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert shell("search", EYERISS, CONV, "-o", run, "--samples", 64) == 0
    figures = shell.out.split("results in")[0].splitlines()[2:]
    for name in ("timeloop-marl.map.yaml", "timeloop-marl.map.txt"):
        assert shell("evaluate", EYERISS, CONV, "--mapping", run / name, "-o", tmp_path / name) == 0
        assert shell.out.splitlines()[: len(figures)] == figures
        written = tmp_path / name / "timeloop-marl.stats.txt"
        assert written.read_bytes() == (run / "timeloop-marl.stats.txt").read_bytes()
    assert shell("evaluate", EYERISS, CONV, run / "timeloop-marl.map.yaml") == 0
    assert shell.out.splitlines()[: len(figures)] == figures


def test_evaluate_says_what_is_outside_the_constraints_and_what_is_invalid(
    shell: Shell, folder: Path
) -> None:
    (folder / "c.yaml").write_text(constraints("target: buffer, type: bypass, bypass: [Weights]"))
    mapping = (
        "mapping:\n- {target: registers, type: temporal, factors: C=%s}\n"
        "- {target: DRAM, type: temporal, factors: C=%s M=1000}\n"
    )
    (folder / "big.yaml").write_text(mapping % (512, 1))
    (folder / "small.yaml").write_text(mapping % (1, 512))
    files = (folder / "tree.yaml", folder / "c.yaml", FC)
    assert shell("evaluate", *files, "--mapping", folder / "small.yaml") == 0
    assert "outside the constraints: bypass of Weights at buffer" in shell.err and "c.yaml:3" in shell.err
    assert shell("evaluate", *files, "--mapping", folder / "big.yaml") == 1
    assert shell.out.startswith("invalid: registers: ")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("missing.yaml", "missing.yaml: cannot be read: No such file"),
        ("missing.txt", "missing.txt: cannot read: No such file"),
        ("gemm.yaml", "gemm.yaml: no 'mapping' section"),
        ("notes.txt", "notes.txt: line 1: not a line of a map.txt"),
        ("binary.txt", "binary.txt: not a text file"),
    ],
)
def test_wrong_mappings(shell: Shell, folder: Path, mapping: str, message: str) -> None:
    (folder / "notes.txt").write_text("buy milk\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    assert shell("evaluate", EYERISS, CONV, "--mapping", folder / mapping) == 2
    assert message in shell.err


def test_evaluate_without_a_mapping(shell: Shell) -> None:
    assert shell("evaluate") == 2 and "no input files" in shell.err
    assert shell("evaluate", TOY, FC) == 2
    assert "no mapping: give one with --mapping" in shell.err
    assert shell("evaluate", EYERISS, CONV) == 2  # v0.4: the constraints could be a mapping, but are none
    assert "no mapping: give one with --mapping" in shell.err


def test_rows(shell: Shell, tmp_path: Path) -> None:
    golden = ROOT / "tests" / "golden"
    rows, made = golden / "data" / "links.jsonl.gz", tmp_path / "rows.jsonl"
    assert shell("evaluate", "--rows", rows, "--inputs", golden / "inputs", "-o", made) == 0
    assert shell.out.startswith("0 differences in ")
    lines = [json.loads(line) for line in made.read_text().splitlines()]
    lines[0]["exp"]["cycles"] += 1
    made.write_text("\n".join(json.dumps(line) for line in lines[:3]) + "\n")
    assert shell("evaluate", "--rows", made, "--inputs", golden / "inputs") == 1 and "recorded" in shell.out
    assert shell.out.startswith("1 difference")
    assert shell("evaluate", "--rows", rows) == 2 and "--inputs" in shell.err
    assert shell("evaluate", "--rows", tmp_path / "missing", "--inputs", golden / "inputs") == 2


# info and the other commands


@pytest.mark.parametrize("machine", sorted(path.parent.name for path in ROOT.glob("arch/*/arch.yaml")))
def test_info_understands_every_machine(shell: Shell, machine: str) -> None:
    assert shell("info", ROOT / "arch" / machine, CONV) == 0
    for part in (
        "problem conv: C=256",
        "levels, outermost first",
        "Timeloop's mapspace: ",
        "expected difficulty: ",
    ):
        assert part in shell.out
    sparse = "sparse_optimizations" in (ROOT / "arch" / machine / "arch.yaml").read_text()
    assert sparse or "100.00% of our random draws" in shell.out  # masks know neither ranks nor metadata


def test_searchers_lists_all_names_and_options(shell: Shell) -> None:
    assert shell("searchers") == 0
    for part in ("genetic", "timeloop-exhaustive", "population=32", "victory_condition=500"):
        assert part in shell.out


def test_help_and_version(shell: Shell) -> None:
    assert shell("--version") == 0 and shell.out.startswith("timeloop-marl ")
    assert shell("--help") == 0 and "COMMAND" in shell.out
    for command in ("search", "evaluate", "info"):
        assert shell(command, "--help") == 0 and "FILES" in shell.out
    assert shell() == 2 and shell("dig") == 2


def test_drop_ins(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("search", TOY, FC, "-o", tmp_path, "--samples", 20, "--quiet") == 0
    assert shell("model", tmp_path / "timeloop-marl.model.yaml", "-o", tmp_path) == 0
    ours, theirs = (tmp_path / f"{name}.stats.txt" for name in ("timeloop-marl", "timeloop-model"))
    assert ours.read_bytes() == theirs.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert shell("mapper", *sorted(Path(TOY).glob("*.yaml")), FC) == 0
    assert (tmp_path / "timeloop-mapper.stats.txt").exists()
    assert shell("model") == 2 and shell("mapper", "missing.yaml") == 2

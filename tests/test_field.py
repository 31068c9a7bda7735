"""Small inputs for the faults met in public files, each with what the real Timeloop and its front end make of it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from programs import script

from timeloop_marl.cli import main
from timeloop_marl.cli.dropin.mapper import run_mapper
from timeloop_marl.cli.dropin.model import run_model
from timeloop_marl.errors import SpecError
from timeloop_marl.specs import load
from timeloop_marl.specs.spec import Spec

FIELD = Path(__file__).parent / "field"


def read(name: str, *files: str) -> Spec:
    return load([FIELD / name / file for file in files])


def keeps(spec: Spec) -> dict[str, str]:
    """What every level keeps (1), bypasses (0) or may do with (X) each data space."""
    return {
        level.name: "".join(row[index] for row in spec.constraints.bypass)
        for index, level in enumerate(spec.architecture.storage)
    }


EVALUATED = [
    (("old_map_txt", "arch.yaml", "ert.yaml", "--mapping", "old.map.txt"), 16, "89.800"),
    (("old_map_txt", "arch.yaml", "ert.yaml", "--mapping", "new.map.txt"), 16, "89.800"),
    (("mapping_key_stream", "in.yaml", "ert.yaml", "map.yaml"), 64, "321.175"),
    (("mapping_two_bypass", "in.yaml", "ert.yaml", "map.yaml"), 64, "231.575"),
    (("mapping_keep_and_bypass", "in.yaml", "ert.yaml", "map.yaml"), 64, "157.250"),
    (
        ("mapping_named_timeloop_mapper", "in.yaml", "ert.yaml", "--mapping", "timeloop-mapper.map.yaml"),
        64,
        "82.925",
    ),
]


@pytest.mark.parametrize(("arguments", "cycles", "energy"), EVALUATED, ids=lambda value: str(value)[:40])
def test_evaluate_takes_the_mappings_that_people_have(
    arguments: tuple[str, ...],
    cycles: int,
    energy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, *rest = arguments
    monkeypatch.chdir(FIELD / name)
    assert main(["evaluate", *rest]) == 0
    words = capsys.readouterr().out.split()
    assert words[words.index("cycles") + 1] == str(cycles)
    assert words[words.index("pJ/compute") + 1] == energy


@pytest.mark.parametrize("name", ["mapping_two_bypass", "mapping_keep_and_bypass"])
def test_contradictions_of_a_mapping_are_pointed_out(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FIELD / name)
    assert main(["evaluate", "in.yaml", "ert.yaml", "map.yaml"]) == 0
    assert "A is both kept and bypassed; as Timeloop, the level bypasses it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "energy"),
    [
        ("mapping_two_bypass", "231.575"),
        ("mapping_keep_and_bypass", "157.250"),
        ("mapping_key_stream", "321.175"),
    ],
)
def test_the_drop_in_takes_them_too(name: str, energy: str, tmp_path: Path) -> None:
    shutil.copytree(FIELD / name, tmp_path, dirs_exist_ok=True)
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run_model(
        ["in.yaml", "ert.yaml", "map.yaml"], environ={}, stdout=stdout, stderr=stderr, cwd=tmp_path
    )
    assert code == 0
    assert f"pJ/Compute =  {energy}" in stdout.getvalue()


def test_a_map_txt_line_that_is_not_understood_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = FIELD / "old_map_txt"
    text = (case / "old.map.txt").read_text().replace("A:8 B:16", "A:8 words B:16")
    (tmp_path / "x.map.txt").write_text(text)
    files = [str(case / name) for name in ("arch.yaml", "ert.yaml")]
    assert main(["evaluate", *files, "--mapping", str(tmp_path / "x.map.txt")]) == 2
    assert "level line not understood" in capsys.readouterr().err


def test_a_mapping_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FIELD / "mapping_named_missing")
    arguments = ["in.yaml", "ert.yaml", "--mapping", "out/timeloop-mapper.map.yaml"]
    assert main(["evaluate", *arguments]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kept", "said", "size", "energy"),
    [
        ("constraints_empty_key", "XXX", "constraints is empty: Timeloop does not read targets", 8, "82.925"),
        ("constraints_both_keys", "10X", "constraints is given, too: Timeloop does not", 2, "157.250"),
    ],
)
def test_constraints_come_before_targets(
    name: str, kept: str, said: str, size: int, energy: str, tmp_path: Path
) -> None:
    spec = read(name, "in.yaml", "ert.yaml", "con.yaml")
    assert keeps(spec)["REG"] == kept
    assert sum(said in notice for notice in spec.notices) == 1
    shutil.copytree(FIELD / name, tmp_path, dirs_exist_ok=True)
    stdout, stderr = io.StringIO(), io.StringIO()
    arguments = ["in.yaml", "ert.yaml", "con.yaml"]
    assert run_mapper(arguments, environ={}, stdout=stdout, stderr=stderr, cwd=tmp_path) == 0
    assert f"Mapspace Dimension [DatatypeBypass] Size: {size}" in stdout.getvalue()
    assert f"pJ/Compute = {energy:>8}" in stdout.getvalue().splitlines()[-1]


def test_keys_of_an_instance_that_nothing_reads() -> None:
    (notice,) = [
        text for text in read("instance_unknown_key", "in.yaml", "ert.yaml").notices if "strid" in text
    ]
    assert "'strid' is neither a dimension nor a coefficient and is ignored" in notice
    assert "did you mean 'st'? As it stands, st is 1" in notice
    assert any(
        "bitwidths: ignored" in text for text in read("instance_bitwidths", "in.yaml", "ert.yaml").notices
    )


def test_integers_with_a_leading_zero_are_octal() -> None:
    spec = read("leading_zero_integer", "in.yaml", "ert.yaml")
    assert spec.architecture.storage[0].size == 52
    assert any("read as an octal number, 52" in text for text in spec.notices)


def test_a_notice_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(FIELD / "notice_twice" / name) for name in ("in.yaml", "ert.yaml", "con.yaml")]
    assert main(["info", *files]) == 0
    assert capsys.readouterr().err.count("factor K=0 means the full bound 4") == 1


def test_the_file_that_is_no_map_is_blamed() -> None:
    with pytest.raises(SpecError, match=r"a\.yaml: not a map of keys and values"):
        read("yaml_error_in_other_file", "a.yaml", "b.yaml")


def test_find_path_of_a_folder(tmp_path: Path) -> None:
    shutil.copytree(FIELD / "v4_find_path_folder", tmp_path, dirs_exist_ok=True)
    (tmp_path / "plug_ins").mkdir()
    spec = load([tmp_path / "arch.yaml", tmp_path / "prob.yaml"])
    assert [level.name for level in spec.architecture.storage] == ["BUF", "DRAM"]


def test_nomerge_replaces_what_the_merge_key_would_join() -> None:
    spec = read("v4_nomerge_list", "arch.yaml", "prob.yaml")
    buffer = spec.architecture.storage[0]
    assert (buffer.size, buffer.word_bits, buffer.block_size) == (48, 16, 1)
    assert keeps(spec)["BUF"] == "X01"


def test_the_merge_key_joins_lists(tmp_path: Path) -> None:
    text = (FIELD / "v4_nomerge_list" / "arch.yaml").read_text().replace("!nomerge ", "")
    (tmp_path / "arch.yaml").write_text(text)
    spec = load([tmp_path / "arch.yaml", FIELD / "v4_nomerge_list" / "prob.yaml"])
    assert keeps(spec)["BUF"] == "101"
    (tmp_path / "arch.yaml").write_text(text.replace("[Z]", "!nomerge Z"))
    with pytest.raises(SpecError, match="!nomerge on a single value"):
        load([tmp_path / "arch.yaml", FIELD / "v4_nomerge_list" / "prob.yaml"])


def test_parallel_in_parallel() -> None:
    spec = read("v4_parallel_in_parallel", "arch.yaml", "prob.yaml")
    assert keeps(spec) == {"W": "001", "Y": "010", "X": "100", "DRAM": "111"}


def test_variables_as_a_list(tmp_path: Path) -> None:
    spec = read("v4_variables_list", "arch.yaml", "prob.yaml")
    assert [level.name for level in spec.architecture.storage] == ["BUF", "DRAM"]
    assert (spec.architecture.storage[0].size, spec.architecture.storage[0].word_bits) == (48, 16)
    text = (FIELD / "v4_variables_list" / "arch.yaml").read_text().replace("{version: 0.4}", "{W: 8}")
    (tmp_path / "arch.yaml").write_text(text)
    with pytest.raises(SpecError, match="two different values for one key"):
        load([tmp_path / "arch.yaml", FIELD / "v4_variables_list" / "prob.yaml"])


def test_an_energy_table_without_an_action_that_timeloop_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FIELD / "ert_no_usable_action")
    assert main(["evaluate", "in.yaml", "ert.yaml", "map.yaml"]) == 0
    output = capsys.readouterr()
    words = output.out.split()
    assert words[words.index("pJ/compute") + 1] == "79.670"
    assert "PAT for REG" in output.out
    said = (
        "ERT table of REG has no read, write or update (found: access; Timeloop looks for random_read, read, "
    )
    assert said in output.err
    assert "PAT rules price it, 0.9812 pJ" in output.err


@pytest.mark.parametrize(
    ("old", "new", "said", "origin"),
    [
        (
            "{name: access,",
            "{name: read,",
            "REG has no write or update (found: read;",
            "PAT for REG (write or update)",
        ),
        (
            "{name: access,",
            "{name: read, energy: 1}, {name: leakage,",
            "REG has no leak (found: leakage)",
            "REG",
        ),
        ("{name: compute,", "{name: mac_gated,", "mac has no compute (found: mac_gated;", "PAT for mac"),
    ],
)
def test_every_kind_of_action_is_missed(old: str, new: str, said: str, origin: str, tmp_path: Path) -> None:
    case = FIELD / "ert_no_usable_action"
    (tmp_path / "ert.yaml").write_text((case / "ert.yaml").read_text().replace(old, new))
    spec = load([case / "in.yaml", tmp_path / "ert.yaml"])
    assert any(said in notice for notice in spec.notices)
    assert origin in spec.energies.origin


def test_statistics_of_a_reduction_tree(tmp_path: Path) -> None:
    shutil.copytree(FIELD / "reduction_tree_stats", tmp_path, dirs_exist_ok=True)
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run_model(["in.yaml", "ert.yaml"], environ={}, stdout=stdout, stderr=stderr, cwd=tmp_path)
    assert code == 0
    text = (tmp_path / "timeloop-model.stats.txt").read_text()
    block = text[text.index("tree\n\n") : text.index("Operational Intensity Stats")]
    assert block.split("\n\n\n")[0].rstrip() == TREE.rstrip()


TREE = """\
tree

    SPECS
    -----
        Type            : ReductionTree
        ConnectionType  : 2
        Word bits       : 16
        Adder energy    : 0.25 pJ
        Fill latency     : 0
        Drain latency     : 0

    STATS
    -----
    Z:
        Spatial reductions                      : 112
        Average number of hops                  : 1.50
        Energy (per-hop)                        : 0.00 fJ
        Energy (per-instance)                   : 0.00 pJ
        Energy (total)                          : 0.00 pJ
        Spatial Reduction Energy (per-instance) : 28.00 pJ
        Spatial Reduction Energy (total)        : 28.00 pJ
"""

REFUSING = """\
import sys
print("ERROR: couldn't map level REG: {reason}", file=sys.stderr)
sys.exit(1)
"""


@pytest.mark.parametrize(
    "reason",
    [
        "more compression ranks needed than supported in hardware. dataspace name: A",
        "mapped metadata tile size 9 exceeds metadata buffer capacity 4",
        "tile confidence cannot be met",
    ],
)
def test_whatever_the_real_program_finds_invalid_is_an_outcome(
    reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = str(script(tmp_path, REFUSING.format(reason=reason)))
    monkeypatch.chdir(FIELD / "sparse_too_many_ranks")
    files, real = ["in.yaml", "sparse.yaml"], ["--evaluator", "timeloop", "--timeloop-model", program]
    assert main(["evaluate", *files, "map.yaml", *real]) == 1
    assert f"invalid: REG: {reason.split('.')[0]}" in " ".join("".join(capsys.readouterr()).split())
    budget = ["--searcher", "random", "--samples", "12", "--quiet", "-o", str(tmp_path / "out")]
    assert main(["search", *files, *real, *budget]) == 1
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["samples"] == 12


RECORDED = Path(__file__).parent / "golden" / "outputs" / "model_small_toy_imperfect"


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        ("", "", 0, "none differs"),
        ("Cycles: ", "Cycles: 1", 1, "summary.Cycles: recorded 1"),
        ("Scalar fills", "Scalar refills", 0, "figures that this stats.txt alone has"),
    ],
)
def test_a_mapping_is_held_against_a_recorded_stats_txt(
    old: str, new: str, status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (RECORDED / "out" / "timeloop-model.stats.txt").read_text()
    file = tmp_path / "recorded.stats.txt"
    file.write_text(text.replace(old, new) if old else text)
    assert main(["evaluate", str(RECORDED / "in"), "--expect", str(file)]) == status
    assert said in capsys.readouterr().out


def test_what_is_no_stats_txt_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cut.stats.txt"
    file.write_text((RECORDED / "out" / "timeloop-model.stats.txt").read_text()[:2000])
    assert main(["evaluate", str(RECORDED / "in"), "--expect", str(file)]) == 2
    assert "not a whole stats.txt: stats.txt ends before its summary" in capsys.readouterr().err


def test_too_many_loops_for_the_ranks_of_a_format_are_an_invalid_mapping(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(FIELD / "sparse_too_many_ranks")
    assert main(["evaluate", "in.yaml", "sparse.yaml", "map.yaml"]) == 1
    said = capsys.readouterr()
    assert (
        "REG: more compression ranks needed than supported in hardware. dataspace name: A"
        in said.out + said.err
    )
    search = [
        "search",
        "in.yaml",
        "sparse.yaml",
        "--samples",
        "40",
        "--seed",
        "1",
        "--searcher",
        "random",
        "--quiet",
    ]
    assert main([*search, "-o", str(tmp_path / "out")]) == 0

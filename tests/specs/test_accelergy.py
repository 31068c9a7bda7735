"""Running Accelergy: arguments, its tables, failures, timeouts and dummy energies, with a stand-in on the PATH."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
import yaml
from yaml_cases import GOLDEN, document, machine

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.document import Quoted
from timeloop_marl.specs.energy_source import EnergyChoice

PROLOGUE = """\
import json, pathlib, sys
arguments = sys.argv[1:]
prefix = arguments[arguments.index("--oprefix") + 1]
folder = pathlib.Path(arguments[arguments.index("-o") + 1])
inputs = arguments[: arguments.index("--oprefix")]
"""
TABLES = """\
def table(name, **energies):
    actions = [{"name": key, "energy": value} for key, value in energies.items()]
    return {"name": "sys." + name + "[1..4]", "actions": actions}
def write(kind, content):
    (folder / (prefix + kind + ".yaml")).write_text(json.dumps(content))
"""
GOOD = """\
tables = [table(name, read=2.5, write=3.5, leak=0.5) for name in ("DRAM", "BUF", "RF")]
tables.append(table("mac", compute=0.75))
write("ERT", {"ERT": {"version": "0.4", "tables": tables}})
areas = [{"name": "sys.BUF[1..1]", "area": 12.5}]
write("ART", {"ART": {"version": "0.4", "tables": areas}})
"""
DUMMIES = """\
tables = [table(name, read=1, write=1, leak=0) for name in ("DRAM", "BUF", "RF")]
tables.append(table("mac", compute=1))
write("ERT", {"ERT": {"version": "0.4", "tables": tables}})
"""
SUMMARY = """\
summary = [
    {"name": entry["name"], "primitive_estimation(s)": [{"name": entry["name"], "estimator": "%s"}]}
    for entry in tables
]
write("ERT_summary", {"ERT_summary": {"version": "0.4", "table_summary": summary}})
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A program called accelergy that runs ``body``, alone on the PATH."""
    program = folder / "bin" / "accelergy"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{PROLOGUE}{TABLES}{body}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_tables_of_accelergy_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = install(tmp_path, monkeypatch, GOOD)
    result = read_spec(document())
    buffer = result.energies.storage[1]
    assert (buffer.read, buffer.fill, buffer.update, buffer.leak, buffer.area) == (2.5, 3.5, 3.5, 0.5, 12.5)
    assert (buffer.source, result.energies.compute) == ("ERT", 0.75)
    assert result.energies.origin == f"Accelergy ({program})"


def test_the_call_is_that_of_timeloop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.json"
    body = f"pathlib.Path({str(log)!r}).write_text(json.dumps([arguments, str(pathlib.Path.cwd())]))\n" + GOOD
    install(tmp_path, monkeypatch, body)
    read_spec(document(), energies=EnergyChoice(prefix="timeloop-model"))
    arguments, where = yaml.safe_load(log.read_text())
    assert arguments[1:] == ["--oprefix", "timeloop-model.", "-o", where + "/"]
    assert arguments[0] == where + "/parsed-processed-input.yaml"
    assert not Path(where).exists(), "the private folder is gone"


def test_plain_files_reach_accelergy_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.json"
    body = f"pathlib.Path({str(log)!r}).write_text(json.dumps(inputs))\n" + GOOD.replace('"DRAM"', '"MEM"')
    install(tmp_path, monkeypatch, body)
    files = [
        GOLDEN / "inputs" / "arch" / "small_toy" / "arch_v03.yaml",
        GOLDEN / "inputs" / "problems" / "toy_gemm.yaml",
    ]
    load(files)
    assert yaml.safe_load(log.read_text()) == [str(file) for file in files]


def test_the_document_written_out_holds_no_sections_of_timeloop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.yaml"
    install(
        tmp_path,
        monkeypatch,
        f"pathlib.Path({str(log)!r}).write_text(pathlib.Path(inputs[0]).read_text())\n{GOOD}",
    )
    read_spec(document(mapper={"algorithm": "random"}, compound_components={"version": 0.3, "classes": []}))
    assert sorted(yaml.safe_load(log.read_text())) == ["architecture", "compound_components"]


def test_strings_reach_accelergy_in_quotes_where_they_are_no_expressions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.yaml"
    install(
        tmp_path,
        monkeypatch,
        f"pathlib.Path({str(log)!r}).write_text(pathlib.Path(inputs[0]).read_text())\n{GOOD}",
    )
    parts = {
        "version": 0.3,
        "classes": [{"name": "pair", "attributes": {"width": "2 * n", "kind": Quoted("a b")}}],
    }
    shared = {"technology": "45nm"}
    read_spec(document(machine(buffer=shared, registers=shared), compound_components=parts))
    text = log.read_text()
    assert text.count('technology: "45nm"') == 2
    assert "class: SRAM" in text
    assert "width: 2 * n" in text
    assert 'kind: "a b"' in text


def test_given_tables_switch_accelergy_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "sys.exit(3)")
    table = {"version": "0.4", "tables": [{"name": "nothing", "actions": []}]}
    assert read_spec(document(ERT=table)).energies.storage[1].source == "PAT"


def test_the_form_without_version_never_asks_accelergy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sys.exit(3)")
    plain = {
        "arithmetic": {"instances": 1},
        "storage": [{"name": "DRAM", "technology": "DRAM", "instances": 1}],
    }
    assert "never asks Accelergy" in read_spec(document(plain)).energies.origin


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('no such class'); sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", "wrote no ERT"),
        ("(folder / (prefix + 'ERT.yaml')).write_text('ERT: {tables: [')", "ERT.yaml"),
        ("(folder / (prefix + 'ERT.yaml')).write_text('x: 1')", "energy reference table"),
    ],
)
def test_failures_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    install(tmp_path, monkeypatch, body)
    with pytest.raises(SpecError, match=message):
        read_spec(document())


def test_a_program_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = install(tmp_path, monkeypatch, GOOD)
    program.write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    with pytest.raises(SpecError, match="cannot be run"):
        read_spec(document())


def test_timeout_stops_the_program_and_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    body = f"""\
import os, time
if os.fork() == 0:
    while True:
        pathlib.Path({str(trace)!r}).write_text(str(time.time()))
        time.sleep(0.05)
time.sleep(60)
"""
    install(tmp_path, monkeypatch, body)
    started = time.monotonic()
    with pytest.raises(SpecError, match="longer than"):
        read_spec(document(), energies=EnergyChoice(timeout_s=1.0))
    assert time.monotonic() - started < 20
    time.sleep(0.3)
    before = trace.read_text()
    time.sleep(0.3)
    assert trace.read_text() == before, "a child survived"


def test_dummy_energies_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, DUMMIES)
    with pytest.raises(SpecError) as caught:
        read_spec(document())
    assert "dummy energies of 1 pJ" in str(caught.value)
    assert "v0.4" in str(caught.value)


def test_dummies_are_also_known_by_their_estimator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, GOOD + SUMMARY % "dummy_table")
    with pytest.raises(SpecError, match="dummy"):
        read_spec(document())


def test_energies_of_one_by_a_real_estimator_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, DUMMIES + SUMMARY % "CACTI")
    assert read_spec(document()).energies.storage[1].read == 1.0


def test_single_dummies_are_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, GOOD.replace("compute=0.75", "compute=1"))
    result = read_spec(document())
    assert any("dummy energies of 1 pJ to mac" in notice for notice in result.notices)


def test_without_accelergy_the_fall_back_is_said_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = read_spec(document())
    assert "accelergy not on the PATH" in result.energies.origin
    assert any("give an ERT" in notice for notice in result.notices)
    with pytest.raises(SpecError, match="not on the PATH"):
        read_spec(document(), energies=EnergyChoice(source="accelergy"))
    assert list(tmp_path.iterdir()) == []


RECORDED = Path(__file__).resolve().parent / "recorded"
ARCH = Path(__file__).resolve().parents[2] / "arch"
LAYER = ARCH.parent / "problems" / "resnet18" / "conv4_3x3.yaml"
REPLAY = "sys.stdout.write(pathlib.Path({path!r}).read_text()); sys.exit({code})"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("no_estimator", 1, r"exit status 1: Can not find an energy estimator for intadder\("),
        ("mixed_versions", 255, "exit status 255: TypeError: '<' not supported between instances of"),
    ],
)
def test_the_line_that_names_the_error_is_shown(
    name: str, code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the real Accelergy 0.4 wrote."""
    install(tmp_path, monkeypatch, REPLAY.format(path=str(RECORDED / f"accelergy_{name}.txt"), code=code))
    with pytest.raises(SpecError, match=message):
        read_spec(document())


def test_tables_that_the_real_accelergy_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from its own files, they are those of arch/three_level, action arguments and all."""
    copies = [
        f"write({kind!r}, __import__('yaml').safe_load(open({str(path)!r})))"
        for kind in ("ERT", "ART", "ERT_summary")
        for path in [RECORDED / f"accelergy_three_level.{kind}.yaml"]
    ]
    install(tmp_path, monkeypatch, "\n".join(copies))
    folder = ARCH / "three_level"
    got = load([folder / "arch.yaml", LAYER], energies=EnergyChoice("accelergy"))
    given = load([folder / name for name in ("arch.yaml", "ERT.yaml", "ART.yaml")] + [LAYER])
    assert got.energies.storage == given.energies.storage
    assert got.energies.compute == given.energies.compute


def test_versions_reach_accelergy_as_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one compares those of all sections, and crashes where some are text."""
    log = tmp_path / "log.yaml"
    copy = f"pathlib.Path({str(log)!r}).write_text(pathlib.Path(inputs[0]).read_text())\n{GOOD}"
    install(tmp_path, monkeypatch, copy)
    read_spec(document(compound_components={"version": "0.3", "classes": []}))
    written = yaml.safe_load(log.read_text())
    assert {type(section["version"]) for section in written.values()} == {float}


@pytest.mark.timeloop
@pytest.mark.skipif(shutil.which("accelergy") is None, reason="accelergy is not on the path")
@pytest.mark.parametrize("name", ["eyeriss_like", "simba_like", "tpu_v1_like"])
def test_the_real_accelergy_prices_every_level(name: str) -> None:
    files = [ARCH / name / "arch.yaml", ARCH / "components.yaml", LAYER]
    energies = load(files, energies=EnergyChoice("accelergy")).energies
    real = [level for level in energies.storage if level.source != "PAT"]
    assert len(real) >= 3 and all(level.read > 0 for level in real)
    assert energies.compute > 0

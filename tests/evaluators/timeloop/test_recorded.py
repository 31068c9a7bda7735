"""What the real timeloop-model did, replayed through the adapter: its archive, and the ways in which it failed.

``recorded/runs.json``: exit status (below 0 a signal), standard error, files with the bytes that they had, and what our
message has to say. The last one was not seen: a disk that is full a little later than in the one before.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from programs import script

from timeloop_marl.errors import BackendError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.timeloop import TimeloopEvaluator
from timeloop_marl.evaluators.timeloop.figures import Measured
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping import Mapping
from timeloop_marl.specs.mapping_yaml import read_mapping
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.rows.figures import disagreements

RECORDED = Path(__file__).resolve().parent / "recorded"
RUNS = json.loads((RECORDED / "runs.json").read_text())
REPLAY = """\
import os, pathlib, signal, sys
for name, data in {files!r}.items():
    pathlib.Path("timeloop-model." + name).write_bytes(data)
sys.stderr.write({stderr!r})
sys.stderr.flush()
if {exit} < 0:
    signal.signal(-{exit}, signal.SIG_DFL)
    os.kill(os.getpid(), -{exit})
sys.exit({exit})
"""


def whole() -> dict[str, bytes]:
    """The files of a run that went well."""
    archive = gzip.decompress((RECORDED / "small_toy.map+stats.xml.gz").read_bytes())
    return {"stats.txt": (RECORDED / "small_toy.stats.txt").read_bytes(), "map+stats.xml": archive}


def case() -> tuple[Spec, Mapping]:
    document = load_document([RECORDED / "small_toy.input.yaml"], style="timeloop")
    spec = read_spec(document, mapspace_constraints=False)
    return spec, read_mapping(document.root().child("mapping"), spec, strict=False)[0]


def replay(
    folder: Path, files: dict[str, bytes], exit_status: int = 0, stderr: str = ""
) -> TimeloopEvaluator:
    program = script(folder / "bin", REPLAY.format(files=files, exit=exit_status, stderr=stderr))
    (folder / "calls").mkdir(exist_ok=True)
    return TimeloopEvaluator(case()[0], program=program, scratch=folder / "calls")


def test_every_digit_of_the_real_archive(tmp_path: Path) -> None:
    spec, mapping = case()
    found = replay(tmp_path, whole()).measure(mapping)
    native = NativeEvaluator(spec).statistics(mapping)
    assert isinstance(found, Measured) and found.full
    assert disagreements(native, found, spec) == []
    assert found.statistics.energy_pj == native.energy_pj
    assert found.statistics.compute.area == native.compute.area


def test_without_the_archive_what_is_printed_is_compared(tmp_path: Path) -> None:
    spec, mapping = case()
    found = replay(tmp_path, {"stats.txt": whole()["stats.txt"]}).measure(mapping)
    assert isinstance(found, Measured) and not found.full
    assert disagreements(NativeEvaluator(spec).statistics(mapping), found, spec) == []


@pytest.mark.parametrize("name", RUNS)
def test_failures_of_the_real_program(name: str, tmp_path: Path) -> None:
    run = RUNS[name]
    files = {kind: whole().get(kind, b"")[:size] for kind, size in run["files"].items()}
    with pytest.raises(BackendError, match="run it again by hand") as caught:
        replay(tmp_path, files, run["exit"], run["stderr"]).measure(case()[1])
    assert run["said"] in str(caught.value)


def test_an_archive_cut_anywhere_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    files, mapping = whole(), case()[1]
    evaluator = replay(tmp_path, files)
    data = files["map+stats.xml"]
    for size in range(0, data.index(b"</engine>"), len(data) // 9):
        evaluator.program = replay(tmp_path / str(size), {**files, "map+stats.xml": data[:size]}).program
        with pytest.raises(BackendError, match="is the disk full"):
            evaluator.measure(mapping)

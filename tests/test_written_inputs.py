"""The mapper's drop-in on inputs as written from the Spec: the recorded runs of the real mapper, file for file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from timeloop_marl.cli.dropin import run_mapper
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.writing import document
from timeloop_marl.specs.yaml_text import yaml_text

OUTPUTS = Path(__file__).resolve().parent / "golden" / "outputs"
CASES = sorted(path.name for path in OUTPUTS.glob("mapper_*"))
SOURCE = "Vector access energy source     : "


def test_there_are_cases() -> None:
    assert len(CASES) == 16


@pytest.mark.parametrize("name", CASES)
def test_recorded_search(name: str, tmp_path: Path) -> None:
    folder = OUTPUTS / name
    record = json.loads((folder / "case.json").read_text())
    files = sorted((folder / "in").glob("*.yaml"))
    spec = read_spec(load_document(files, style="timeloop"), strict=False)
    (tmp_path / "inputs.yaml").write_text(yaml_text(document(spec)))
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run_mapper(["inputs.yaml"], environ=record["env"], stdout=stdout, stderr=stderr, cwd=tmp_path)
    assert code == record["exit"]
    # how the lines of several threads interleave is a matter of timing
    assert sorted(stderr.getvalue().splitlines()) == sorted((folder / "stderr.txt").read_text().splitlines())
    compared = 0
    for expected in (folder / "out").iterdir():
        if expected.suffix != ".xml":  # the boost serialisation is not reproduced
            assert unsourced((tmp_path / expected.name).read_text()) == unsourced(expected.read_text())
            compared += 1
    assert compared >= 6


def unsourced(text: str) -> str:
    """Statistics without the source of energies: PAT energies are written as a table."""
    return text.replace(f"{SOURCE}PAT", f"{SOURCE}ERT")

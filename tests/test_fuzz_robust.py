"""A small sample of each fuzzer; the full runs are ``python -m tests.fuzz --of WHAT`` (docs/results.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fuzz.caches import Caches
from fuzz.evaluated import run_expression, run_template
from fuzz.folders import Folders, run


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("folders"))


def test_damaged_run_folders(folders: Folders) -> None:
    assert {folders.run(seed)[1] for seed in range(25)} == {""}


@pytest.mark.parametrize("seed", [2387, 2548])
def test_run_folders_that_once_gave_a_traceback(folders: Folders, seed: int) -> None:
    assert folders.run(seed)[1] == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("course", {}),
        ("course", {"seconds": [1.0], "cost": [], "bound": [1.0]}),
        ("gap", "x"),
        ("proven", None),
    ],
)
def test_a_damaged_proof_is_said(folders: Folders, tmp_path: Path, name: str, value: object) -> None:
    copy = tmp_path / "optimum"
    shutil.copytree(folders.home / "optimum", copy)
    content = json.loads((copy / "summary.json").read_text())
    content["proof"][name] = value
    (copy / "summary.json").write_text(json.dumps(content))
    status, said = run(["report", str(copy)])
    assert status == 2
    assert f"{copy / 'summary.json'}: damaged: " in said


def test_damaged_caches(tmp_path: Path) -> None:
    caches = Caches(tmp_path)
    assert {caches.run(seed) for seed in range(10)} == {""}


def test_hostile_expressions() -> None:
    assert {run_expression(seed) for seed in range(100)} == {""}


def test_hostile_templates(tmp_path: Path) -> None:
    assert {run_template(seed, tmp_path) for seed in range(8)} == {""}

"""The scripts in examples/ and the tutorial run, from a folder of their own, and print what they are there for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
TUTORIAL = EXAMPLES / "tutorial.ipynb"
# Script -> samples, what it prints, files it leaves.
SCRIPTS = {
    "search_a_layer": (300, r"cycles, .* uJ, .*\n(?s:.*)DRAM", ["search_a_layer/report.html"]),
    "size_a_buffer": (64, r"(GLB\S+ = \d+, column\S+ = \d+: .*\n){6}", ["size_a_buffer/sweep.csv"]),
    "against_timeloop": (200, r"marl +\d\.\d+e\+\d+ pJ(?s:.*)timeloop-hybrid", []),
    "map_a_network": (800, r"ResNet-18: [\d,]+ cycles, [\d.]+ mJ", ["map_a_network/report.html"]),
    "own_searcher": (200, r"hill climber \d\.\d+e\+\d+, marl \d\.\d+e\+\d+", []),
}  # fmt: skip


def test_every_script_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("[!t]*.py")} == set(SCRIPTS)


def test_own_searcher_keeps_the_contract(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", EXAMPLES / "test_own_searcher.py"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d passed", done.stdout), done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, tmp_path: Path) -> None:
    samples, printed, files = SCRIPTS[name]
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", str(samples)],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(printed, done.stdout), done.stdout
    assert [file for file in files if not (tmp_path / "out" / file).is_file()] == []


def test_tutorial_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own, which puts figures into the notebook
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for _ in range(2):
        notebook = nbformat.read(TUTORIAL, 4)
        for cell in notebook.cells:
            cell["source"] = re.sub(r"samples=1[05]00", "samples=150", cell["source"])
        where = {"metadata": {"path": str(tmp_path)}}  # an empty folder: what it reads comes with the package
        nbclient.NotebookClient(notebook, timeout=300, resources=where).execute()  # raises where a cell does
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        text = "".join(output.get("text", "") for output in outputs)
        assert "valid: 100%" in text
        assert "<< Compute >>" in text
        kinds = [kind for output in outputs for kind in output.get("data", {})]
        assert kinds.count("image/png") == 2 and kinds.count("image/svg+xml") == 1
        assert any("<table>" in output.get("data", {}).get("text/html", "") for output in outputs)


def test_tutorial_is_shown_with_its_outputs() -> None:
    cells = json.loads(TUTORIAL.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    assert not [
        out
        for cell in code
        for out in cell["outputs"]
        if out["output_type"] in ("error", "stream") and out.get("name") == "stderr"
    ]

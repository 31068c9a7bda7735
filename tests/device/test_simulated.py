"""The GPU's code as plain Python, in numba's CUDA simulator, against the CPU's: equal to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def simulated(*words: str) -> dict[str, dict[str, int]]:
    environ = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    # Kernels calculate modulo 2^64; in the simulator numpy says so.
    quiet = ["-W", "error", "-W", "ignore:overflow encountered:RuntimeWarning"]
    command = [sys.executable, *quiet, str(HERE / "simulated.py"), *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_random_mappings():
    found = simulated("draws", "12")
    assert len(found) == 10
    for name, counts in found.items():
        assert counts["different"] == 0, name
        assert counts["rows"] == 12 and counts["left"] == 0, name
    assert all(counts["valid"] == 12 for name, counts in found.items() if "draws" not in name)
    assert any(counts["valid"] < 12 for counts in found.values())


def test_recorded_rows():
    _check_recorded(simulated("rows", "120"), 70)


def test_the_best_of_numbered_draws():
    found = simulated("best", "24")
    assert set(found) == {"edp", "energy", "delay"}
    for counts in found.values():
        assert counts["different"] == 0 and counts["kept"] == 5 and counts["valid"] == 24
    assert all(counts["left"] == 0 and counts["deep"] > 0 for counts in found.values())


@pytest.mark.slow
def test_many_recorded_rows():
    _check_recorded(simulated("rows", "7"), 1200)


def _check_recorded(found: dict[str, dict[str, int]], least: int) -> None:
    assert len(found) == 9
    assert {name: counts["different"] for name, counts in found.items()} == dict.fromkeys(found, 0)
    assert sum(counts["rows"] for counts in found.values()) >= least
    # Imperfect factors are left to the CPU, and only these.
    assert found["imperfect"]["left"] >= found["imperfect"]["valid"] > 0
    assert sum(counts["left"] for name, counts in found.items() if name != "imperfect") == 0

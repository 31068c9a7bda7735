"""What a killed process leaves behind: programs are ended and folders removed, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import script

from timeloop_marl.evaluators.timeloop.keeper import Keeper

HANGS = """\
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({note!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""
SEARCH = """\
from machines import gemm, three_level
from timeloop_marl.evaluators.timeloop import TimeloopEvaluator
from timeloop_marl.validation.verification import draw_mappings
spec = three_level(gemm(4, 4, 4))
TimeloopEvaluator(spec, program={program!r}, scratch={scratch!r}).measure(draw_mappings(spec, 1, 1)[0])
"""


def lives(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def within(seconds: float, what: object) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_no_program_and_no_folder(number: int, tmp_path: Path) -> None:
    note, scratch = tmp_path / "pids", tmp_path / "calls"
    scratch.mkdir()
    program = script(tmp_path / "bin", HANGS.format(note=str(note)))
    code = SEARCH.format(program=str(program), scratch=str(scratch))
    path = f"{Path(__file__).resolve().parents[2]}:{os.environ.get('PYTHONPATH', '')}"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    assert within(60, lambda: note.exists() and note.read_text().count(" "))
    pids = [int(word) for word in note.read_text().split()]
    assert all(map(lives, pids)) and len(list(scratch.iterdir())) == 1
    process.send_signal(number)
    process.wait()
    assert within(20, lambda: not any(map(lives, pids)))
    assert within(20, lambda: not list(scratch.iterdir()))


def test_what_is_held_no_more_is_not_touched(tmp_path: Path) -> None:
    keeper, kept, gone = Keeper(), tmp_path / "kept", tmp_path / "gone"
    kept.mkdir(), gone.mkdir()
    sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with keeper.holding(group=sleeper.pid, folder=kept):
        pass
    held = keeper.holding(folder=gone)
    held.__enter__()
    keeper.close()
    assert kept.is_dir() and not gone.exists() and lives(sleeper.pid)
    sleeper.kill()
    sleeper.wait()


def test_calls_go_on_when_the_small_process_is_gone(tmp_path: Path) -> None:
    keeper = Keeper()
    with keeper.holding(folder=tmp_path):
        assert keeper._process is not None
        keeper._process.kill()
        keeper._process.wait()
    with keeper.holding(folder=tmp_path):
        pass
    keeper.close()
    assert tmp_path.is_dir()

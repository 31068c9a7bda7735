"""The command line on odd terminals, pipes and disks: no traceback, nothing cut off."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shell import CONV, EYERISS, FC, ROOT, TOY, process


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_terminals_without_unicode(tmp_path: Path, encoding: str) -> None:
    run = process(
        "search", EYERISS, CONV, "-o", tmp_path / "out", "--samples", 20,
        env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )  # fmt: skip
    text = run.stdout.decode(encoding)
    assert run.returncode == 0 and run.stderr == b"", run.stderr
    assert ("J·cycle" if encoding != "ascii" else "J*cycle") in text
    assert ("█" if encoding == "utf-8" else "##") in text


def test_file_names_that_are_not_utf_8() -> None:
    name = b"\xff.yaml"
    run = process("info", os.fsdecode(name))
    assert run.returncode == 2 and name in run.stderr and b"no such file" in run.stderr


def test_a_reader_that_leaves() -> None:
    command = f"{sys.executable} -m timeloop_marl info {EYERISS} {CONV} | head -1"
    run = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, cwd=ROOT, timeout=300
    )
    assert run.returncode == 141 and run.stderr == b"" and run.stdout.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [("searchers",), ("info", TOY, FC)])
def test_a_full_disk_behind_the_output(command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = process(*command, stdout=full, stderr=subprocess.PIPE)
    assert run.returncode == 2
    assert run.stderr == b"timeloop-marl: standard output: No space left on device\n"


def test_a_closed_output(tmp_path: Path) -> None:
    command = f"{sys.executable} -m timeloop_marl search {TOY} {FC} -o {tmp_path / 'out'} --samples 20 >&-"
    run = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, cwd=ROOT, timeout=300)
    assert run.returncode == 0 and run.stderr == b""
    assert (tmp_path / "out" / "summary.json").exists()


def on_terminal(columns: int, *arguments: object) -> tuple[int, str]:
    """Exit code and output of a command on a terminal of that width."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "timeloop_marl", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment) as running:
        os.close(end)
        shown = bytearray()
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(terminal)
    return running.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal(tmp_path: Path, columns: int) -> None:
    code, text = on_terminal(columns, "search", EYERISS, CONV, "-o", tmp_path / "out", "--samples", 3000)
    assert code == 0
    lines = [line for line in re.split(r"[\r\n]+", text) if "best EDP" in line]
    assert lines and all("…" not in line and len(line) <= columns for line in lines)
    figures = re.search(r"energy \[µJ\].*?\n\s*\n", text.replace("\r", ""), re.DOTALL)
    assert figures is not None and "…" not in figures.group() and "Weights" in figures.group()
    code, text = on_terminal(columns, "info", EYERISS, CONV)
    assert code == 0 and all(len(line) <= columns for line in text.replace("\r", "").split("\n"))
    assert "inter_column_spatial" in text and "0.06093/0.06093/0.06093" in text

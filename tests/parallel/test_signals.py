"""Signals while a cluster of our own starts, works or ends: no traceback, no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from shell import FC, ROOT, TOY

from timeloop_marl.parallel.interruption import deferred


def test_signals_wait_for_the_end() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        done = True
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with deferred():
        pass


def test_elsewhere_than_in_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[object] = []

    def work() -> None:
        with deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def group(number: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == number and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize(
    ("number", "status", "seconds"),
    [(signal.SIGINT, 130, 0.0), (signal.SIGINT, 130, 0.7), (signal.SIGTERM, 143, 0.3)],
)
def test_no_traceback_while_a_dask_cluster_starts(
    tmp_path: Path, number: int, status: int, seconds: float
) -> None:
    pytest.importorskip("distributed")
    command = [
        sys.executable, "-m", "timeloop_marl", "network", TOY, FC, "-o", str(tmp_path / "run"), "--quiet",
        "--searcher", "genetic", "--samples", "100000", "--backend", "dask", "--jobs", "2",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    end = time.monotonic() + 120
    while not list(tmp_path.glob("timeloop-marl-dask-*")):  # made right before the cluster starts
        assert time.monotonic() < end and running.poll() is None, running.communicate()
        time.sleep(0.01)
    time.sleep(seconds)
    if number == signal.SIGINT:
        os.killpg(running.pid, number)  # as a terminal does
    else:
        running.send_signal(number)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == status, errors.decode()
    assert b"Traceback" not in errors, errors.decode()
    end = time.monotonic() + 20
    while group(running.pid):
        assert time.monotonic() < end, "processes were left behind"
        time.sleep(0.1)


CTRL_C = """
import os, signal, sys, threading, time
from timeloop_marl.parallel.interruption import watched
from timeloop_marl.parallel.workers import Workers

def work(seconds):
    time.sleep(seconds)

def interrupted(number, call):
    with watched():
        try:
            call()
            list(Workers(2).run(work, [0.01] * number))
        except KeyboardInterrupt:
            print("interrupted", flush=True)

def at_once():
    signal.raise_signal(signal.SIGINT)

def soon():
    threading.Timer(float(sys.argv[1]), os.killpg, (os.getpid(), signal.SIGINT)).start()

for k in range(4):
    list(Workers(2).run(work, [0]))
    interrupted(8, at_once)
interrupted(10000, soon)
"""


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8])
def test_no_traceback_of_workers_that_start_or_wait(seconds: float) -> None:
    """Ctrl-C between two rounds, and, to the whole process group, while processes start."""
    run = subprocess.run(
        [sys.executable, "-c", CTRL_C, str(seconds)], capture_output=True, text=True, start_new_session=True,
        timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.stdout.split() == ["interrupted"] * 5
    assert run.stderr == ""

"""Searches that are killed, interrupted, moved or started twice: nothing is lost, nothing is mixed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shell import CONV, EYERISS, FC, ROOT, TOY, Shell, outcome, process

from timeloop_marl.networks.sweep_result import read_sweep
from timeloop_marl.run.trace import sample_count


def begin(run: Path, samples: int, *flags: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "timeloop_marl", "search", EYERISS, CONV, "-o", str(run),
        "--samples", str(samples), "--seed", "3", *flags,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def wait_for(trace: Path, size: int) -> None:
    """Until the trace has grown to ``size`` bytes."""
    end = time.monotonic() + 240
    while not (trace.exists() and trace.stat().st_size >= size):
        assert time.monotonic() < end, "the search does not begin"
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("searcher", "samples", "sizes"),
    [
        ("genetic", 20_000, (1, 150_000, 700_000)),
        ("marl", 2_000, (1, 30_000, 60_000)),
        ("timeloop-random", 20_000, (1, 150_000, 700_000)),
    ],
)
def test_killed_and_resumed_is_as_never_killed(
    shell: Shell, tmp_path: Path, searcher: str, samples: int, sizes: tuple[int, ...]
) -> None:
    flags = ("--searcher", searcher, "--no-proof")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for size in sizes:
        with begin(killed, samples, *flags, *(["--resume"] if killed.exists() else [])) as running:
            wait_for(killed / "trace.bin", size)
            running.kill()
        assert not (killed / "summary.json").exists(), "killed too late to be a test"
    recorded = (killed / "trace.bin").read_bytes()
    assert shell("search", "--resume", "-o", killed, "--quiet") == 0
    resumed = (killed / "trace.bin").read_bytes()
    assert resumed[: len(recorded) // 2] == recorded[: len(recorded) // 2], "no evaluated sample is lost"
    assert (
        shell("search", EYERISS, CONV, "-o", whole, "--samples", samples, "--seed", 3, *flags, "--quiet") == 0
    )
    assert set(outcome(whole)) >= {"samples", "timeloop-marl.stats.txt"}
    ours, theirs = outcome(killed), outcome(whole)
    assert {key for key in theirs if ours[key] != theirs[key]} == set()


def test_resume_of_a_finished_run_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    assert shell("search", TOY, FC, "-o", tmp_path / "out", "--samples", 64, "--quiet") == 0
    before = outcome(tmp_path / "out")
    assert shell("search", "--resume", "-o", tmp_path / "out", "--quiet") == 0
    assert outcome(tmp_path / "out") == before
    assert shell("search", "--resume", "-o", tmp_path / "out", "--quiet", "--samples", 128) == 0
    assert shell.out.startswith("128 samples")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_search_ends_with_its_results(
    shell: Shell, tmp_path: Path, number: int, status: int
) -> None:
    run = tmp_path / "my run"
    with begin(run, 100_000_000) as running:
        wait_for(run / "trace.bin", 20_000)
        running.send_signal(number)
        out, err = running.communicate(timeout=120)
    assert running.returncode == status and b"interrupted" in out
    assert f"timeloop-marl search --resume -o '{run}'" in err.decode()
    done = outcome(run)
    assert done["stopped"] == "interrupted"
    assert shell("search", "--resume", "-o", run, "--samples", int(done["samples"]) + 64, "--quiet") == 0
    assert outcome(run)["samples"] == int(done["samples"]) + 64


def test_two_searches_in_one_folder(shell: Shell, tmp_path: Path) -> None:
    with begin(tmp_path / "out", 100_000_000) as running:
        wait_for(tmp_path / "out" / "trace.bin", 1)
        assert shell("search", "--resume", "-o", tmp_path / "out") == 2
        assert "another run is writing here" in shell.err
        running.kill()


def test_a_moved_run_is_resumed(shell: Shell, tmp_path: Path) -> None:
    assert shell("search", TOY, FC, "-o", tmp_path / "a", "--samples", 64, "--quiet") == 0
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert shell("search", "--resume", "-o", tmp_path / "b", "--samples", 96, "--quiet") == 0
    assert shell.out.startswith("96 samples")


def limited() -> None:
    """Files may grow to 20 kB: what happens then is what happens on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_costs_nothing(shell: Shell, tmp_path: Path) -> None:
    full, whole = tmp_path / "full", tmp_path / "whole"
    words = [EYERISS, CONV, "--samples", "1500", "--searcher", "genetic", "--quiet"]
    done = process("search", *words, "-o", full, preexec_fn=limited)
    assert (
        done.returncode == 2 and b"cannot write the trace" in done.stderr and b"Traceback" not in done.stderr
    )
    recorded = sample_count(full / "trace.bin")
    assert 0 < recorded < 1500
    assert shell("search", "--resume", "-o", full, "--quiet") == 0
    assert shell("search", *words, "-o", whole) == 0
    ours, theirs = outcome(full), outcome(whole)
    assert {key for key in theirs if ours[key] != theirs[key]} == set()


def figures(run: Path) -> list[tuple[object, ...]]:
    return [(p.name, p.status, p.cycles, p.energy_pj, p.samples) for p in read_sweep(run).points]


def test_a_sweep_killed_terminated_and_resumed_is_as_never_touched(shell: Shell, tmp_path: Path) -> None:
    """kill -9 of the command alone (its workers end by themselves), SIGTERM, then to the end."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    words = [
        "sweep",
        TOY,
        FC,
        "--set",
        "REG.attributes.depth=3,6",
        "--samples",
        "30000",
        "--searcher",
        "genetic",
    ]
    command = [sys.executable, "-m", "timeloop_marl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    size = 1
    for given, number in ((words, signal.SIGKILL), (["sweep", "--resume"], signal.SIGTERM)):
        with subprocess.Popen(
            [*command, *given, "-o", str(run), "--jobs", "2", "--quiet"], **quiet
        ) as running:
            end = time.monotonic() + 240
            while sum(sample_count(trace) for trace in run.glob("points/*/layers/*/trace.bin")) < size:
                assert time.monotonic() < end and running.poll() is None, "too late to be a test"
                time.sleep(0.01)
            running.send_signal(number)
        assert running.returncode == (143 if number == signal.SIGTERM else -9)
        time.sleep(
            1
        )  # until its workers have ended, too: their last samples are not those of the next command
        size = 1 + sum(sample_count(trace) for trace in run.glob("points/*/layers/*/trace.bin"))
    assert shell("sweep", "--resume", "-o", run, "--quiet") == 0
    assert shell(*words, "-o", whole, "--quiet") == 0
    assert figures(run) == figures(whole)


def test_ctrl_c_while_python_ends_disturbs_nothing() -> None:
    code = (
        "import atexit, sys, time\n"
        "atexit.register(lambda: (print('ending', flush=True), time.sleep(1)))\n"
        "from timeloop_marl.cli import program\n"
        "sys.argv = ['timeloop-marl', 'searchers']\n"
        "sys.exit(program())\n"
    )
    ending = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert ending.stdout is not None
    while ending.stdout.readline() != "ending\n":
        pass
    ending.send_signal(signal.SIGINT)
    _, errors = ending.communicate(timeout=60)
    assert (ending.returncode, errors) == (0, "")

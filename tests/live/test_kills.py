"""Searches with the real timeloop-model, killed at random moments: what was evaluated is never evaluated again.

100 kills: KILLS=100 pytest -m "slow and timeloop" tests/live/test_kills.py -s
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shlex
import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import timeloop_marl as tm
from timeloop_marl.cli import main
from timeloop_marl.evaluators.cache import OutcomeCache
from timeloop_marl.evaluators.choice import EvaluatorChoice
from timeloop_marl.evaluators.timeloop import MODEL, find_program
from timeloop_marl.evaluators.timeloop.keeper import KEEPER
from timeloop_marl.run.trace import read_trace

pytestmark = [
    pytest.mark.timeloop,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(MODEL) is None, reason=f"{MODEL} is not on the path"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc"),
]
ROOT = Path(__file__).resolve().parents[2]
FILES = [str(ROOT / "arch" / "small_toy"), str(ROOT / "problems" / "resnet18" / "conv4_3x3.yaml")]
JOBS = 2
# Notes the mapping of every call before the program takes over, in the same process.
COUNTING = '#!/bin/sh\nsha256sum input.yaml >> "$CALL_LOG"\nexec {program} "$@"\n'


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        texts = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
        return [int(word) for text in texts for word in text.split()]
    return []


def running(log: Path) -> list[int]:
    """Processes that a search of this test has started and that live."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mine = f"CALL_LOG={log}".encode() in (process / "environ").read_bytes()
            if mine and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def killed(words: list[str], log: Path, rng: random.Random) -> str:
    """Start a search, kill it or something that it has started at a random moment; what was killed.

    One in five is killed while it starts, the others after their first call.
    """
    process = multiprocessing.get_context("fork").Process(target=quiet, args=(words,))
    before, begun = size(log), time.monotonic()
    process.start()
    if rng.random() < 0.8:
        while size(log) == before and time.monotonic() - begun < 30 and process.is_alive():
            time.sleep(0.005)
    process.join(rng.uniform(0.0, 0.5))
    assert process.pid is not None
    what, victim = "search", process.pid
    started = children(process.pid)
    if started and rng.random() < 0.4:
        victim = rng.choice(started)
        with suppress(OSError):
            what = "keeper" if b"keeper.py" in Path(f"/proc/{victim}/cmdline").read_bytes() else "program"
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    if what == "keeper":  # the search itself goes on
        time.sleep(0.2)
        process.kill()
    process.join()
    return what


def quiet(words: list[str]) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os._exit(main(words))


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def calls(log: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()


def test_searches_are_killed_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kills, rng = int(os.environ.get("KILLS", "8")), random.Random(7)
    log, cache, out = tmp_path / "log", tmp_path / "cache.sqlite", tmp_path / "out"
    program = tmp_path / MODEL
    program.write_text(COUNTING.format(program=shlex.quote(str(find_program(MODEL).path))))
    program.chmod(0o755)
    monkeypatch.setenv("CALL_LOG", str(log))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    samples = 60 + 6 * kills
    words = ["search", *FILES, "--samples", str(samples), "--quiet", "--evaluator", "timeloop"]
    words += ["--timeloop-model", str(program), "--jobs", str(JOBS), "--cache", str(cache)]
    words += ["-o", str(out), "--resume"]
    spec = tm.load(FILES)
    tm.search(spec, samples=5)  # all is loaded before the first search forks
    killed_what = Counter(killed(words, log, rng) for _ in range(kills))
    assert main(words) == 0
    before = calls(log)
    again = sum(before.values()) - len(before)
    left = len(list((tmp_path / "scratch").iterdir()))
    print(
        f"\n{kills} kills {dict(killed_what)}; {sum(before.values())} calls for {len(before)} mappings, ",
        end="",
    )
    print(f"{again} of them again; {left} folders kept of crashed calls")
    # What a kill costs: the calls under way (at most one per job), and the statistics of the winner at each end.
    assert again <= JOBS * kills + 2
    with sqlite3.connect(cache) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert len(OutcomeCache(cache)) <= len(before)
    KEEPER.close()  # that of this process
    deadline = time.monotonic() + 20
    while running(log) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(log), "something that a killed search has started lives on"
    check_against_an_undisturbed_search(tmp_path, samples, str(program), before)


def check_against_an_undisturbed_search(
    folder: Path, samples: int, program: str, before: Counter[str]
) -> None:
    """The same trace, and not one call but that for the figures of the winner: all outcomes are in the cache."""
    choice = EvaluatorChoice("timeloop", program=program, cache=folder / "cache.sqlite")
    tm.search(tm.load(FILES), samples=samples, evaluator=choice, output=folder / "again")
    assert sum(calls(folder / "log").values()) == sum(before.values()) + 1
    one, other = (read_trace(folder / name / "trace.bin") for name in ("out", "again"))
    assert len(one.candidates) == samples
    assert one.candidates.tolist() == other.candidates.tolist()
    assert one.outcome.energy_pj.tolist() == other.outcome.energy_pj.tolist()

"""Workers: the same results on every backend, tasks of lost workers begun again, errors that say what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shell import CONV, EYERISS, FC, TOY, Shell

import timeloop_marl as tm
from timeloop_marl.errors import BackendError, UsageError
from timeloop_marl.parallel.engine import BACKENDS, Engine
from timeloop_marl.parallel.workers import Workers, number


def doubled(task: int) -> int:
    return 2 * task


def failing(task: int) -> int:
    raise UsageError(f"task {task} is wrong")


def killed_once(task: tuple[int, str]) -> int:
    """The first worker that takes task 3 is killed."""
    number, marker = task
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killing(task: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def needed(backend: str) -> None:
    module = {"dask": "distributed", "ray": "ray"}.get(backend)
    if module:
        pytest.importorskip(module)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_results_with_their_index(backend: str, jobs: int) -> None:
    needed(backend)
    with Engine(jobs, backend).open() as workers:
        assert sorted(workers.run(doubled, range(9))) == [(i, 2 * i) for i in range(9)]
        assert workers.map(doubled, range(9)) == [2 * i for i in range(9)]
        assert list(workers.run(doubled, [])) == [] and workers.map(doubled, [4]) == [8]


@pytest.mark.slow
def test_ray() -> None:
    needed("ray")
    with Engine(2, "ray").open() as workers:  # whose workers cannot import this module
        assert workers.map(abs, range(-9, 0)) == list(range(9, 0, -1))


@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_an_error_of_a_task_is_that_error(backend: str) -> None:
    needed(backend)
    with Engine(2, backend).open() as workers, pytest.raises(UsageError, match=r"task . is wrong"):
        list(workers.run(failing, range(4)))


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_a_killed_worker_costs_nothing(tmp_path: Path, backend: str) -> None:
    needed(backend)
    tasks = [(i, str(tmp_path / "marker")) for i in range(6)]
    with Engine(2, backend).open() as workers:
        assert dict(workers.run(killed_once, tasks)) == {i: i for i in range(6)}
        assert (tmp_path / "marker").exists()


LEFT_ALONE = """
import os, signal, sys
from timeloop_marl.parallel.workers import Workers

def main():
    tasks = Workers(2).run(os.getpgid, [0])  # one task for two workers: the other waits for its first
    print(*tasks, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

main()
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    # Workers hold the standard output that they inherited: it ends when the last of them does.
    script = [sys.executable, "-c", LEFT_ALONE]
    with subprocess.Popen(script, stdout=subprocess.PIPE, start_new_session=True, text=True) as run:
        assert run.stdout is not None
        killed = time.monotonic()
        printed = run.stdout.read()
        assert time.monotonic() - killed < 60  # an idle worker of loky's lives for 300 s
    assert printed
    assert run.returncode == -signal.SIGKILL


def test_workers_lost_again_and_again() -> None:
    with pytest.raises(BackendError, match=r"lost 5 times in a row.*resume"):
        list(Workers(2, "loky").run(killing, range(2)))


@pytest.mark.slow
def test_workers_of_dask_lost_again_and_again() -> None:
    """joblib alone would wait for ever for what Dask has given up."""
    needed("dask")
    with Engine(2, "dask").open() as workers:
        with pytest.raises(BackendError, match="lost 2 times in a row"):
            list(workers.run(killing, range(2)))
        assert workers.map(doubled, range(4)) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backend": "mpi"}, "unknown backend 'mpi': expected one of loky, threading, dask, ray"),
        ({"jobs": 0}, "jobs must not be 0"),
        ({"backend": "loky", "scheduler": "tcp://x:1"}, "a scheduler goes with backend dask or ray"),
    ],
)
def test_what_an_engine_refuses(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Engine(**given)


def test_what_was_not_said() -> None:
    assert Engine.chosen(None, None, None) == Engine(1, "loky")
    assert Engine.chosen(None, None, None, usual="threading") == Engine(1, "threading")
    assert Engine.chosen(None, None, "tcp://x:8786") == Engine(-1, "dask", "tcp://x:8786")
    assert Engine.chosen(4, None, "ray://x:1") == Engine(4, "ray", "ray://x:1")
    assert number(3) == 3 and number(-1) == os.cpu_count() and BACKENDS[0] == "loky"


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_backend_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setattr("timeloop_marl.parallel.engine.find_spec", lambda name: None)
    with (
        pytest.raises(UsageError, match=rf"pip install 'timeloop-marl\[{backend}\]'"),
        Engine(2, backend).open(),
    ):
        pass


def test_a_scheduler_that_does_not_answer(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed("dask")
    monkeypatch.setattr("timeloop_marl.parallel.dask_cluster.CONNECT_SECONDS", 1)
    words = ["network", TOY, FC, "-o", tmp_path / "a", "--samples", "32", "--quiet"]
    assert shell(*words, "--scheduler", "tcp://127.0.0.1:9") == 2
    assert "no Dask scheduler answers there" in shell.err


def test_a_cluster_that_is_running(tmp_path: Path) -> None:
    """A scheduler and workers of their own, as on a real cluster; one worker is killed in the middle."""
    needed("dask")
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--port", "0"]
    work = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard"]
    folder = ["--local-directory", str(tmp_path / "dask")]
    with subprocess.Popen([*run, "--scheduler-file", str(file)], **quiet) as scheduler:
        workers = [
            subprocess.Popen([*work, "--scheduler-file", str(file), *folder], **quiet, start_new_session=True)
            for _ in range(2)
        ]
        try:
            end = time.monotonic() + 60
            while not file.exists():
                assert time.monotonic() < end
                time.sleep(0.05)
            files = [EYERISS, CONV, FC]
            given = {"samples": 300, "searcher": "genetic"}
            there = tm.network(files, output=tmp_path / "there", scheduler=str(file), **given)
            os.killpg(workers[0].pid, signal.SIGKILL)
            after = tm.network(files, output=tmp_path / "after", scheduler=str(file), **given)
            here = tm.network(files, output=tmp_path / "here", **given)
        finally:
            for process in (*workers, scheduler):
                process.kill()
                process.wait()
    assert there.totals == here.totals == after.totals
    assert [layer.trajectory for layer in there.layers] == [layer.trajectory for layer in here.layers]

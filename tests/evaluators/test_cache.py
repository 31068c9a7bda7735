"""The cache of outcomes on disk: same answers, shared by processes, whole after kill -9 at any moment."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import BackendError, UsageError
from timeloop_marl.evaluators.cache import CachedEvaluator, OutcomeCache, mapping_key
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.testing import FakeEvaluator

SPEC = three_level(gemm(16, 24, 40))


def some(m: int, seed: int = 1) -> MappingBatch:
    space = LearnersMapspace(SPEC)
    return space.decode(space.sample(m, np.random.Generator(np.random.PCG64(seed))))


def assert_same(a: Outcome, b: Outcome) -> None:
    for field in fields(Outcome):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_asks_once_across_runs(tmp_path: Path) -> None:
    batch = some(30)
    expected = FakeEvaluator((1,), 5)(batch)
    for run in range(2):
        inner = FakeEvaluator((1,), 5)
        cached = CachedEvaluator(inner, OutcomeCache(tmp_path / "deep" / "cache.sqlite"), "one")
        assert_same(cached(batch), expected)
        assert inner.evaluated == cached.misses == (0 if run else len(distinct(batch)))
        assert_same(cached(batch), expected)
        assert len(cached(batch.take(slice(0, 0)))) == 0


def distinct(batch: MappingBatch) -> set[bytes]:
    return {mapping_key("", batch, i) for i in range(len(batch))}


def test_another_identity_or_mapping_is_another_entry(tmp_path: Path) -> None:
    batch, cache = some(3), OutcomeCache(tmp_path / "cache.sqlite")
    CachedEvaluator(FakeEvaluator(), cache, "one")(batch)
    other = CachedEvaluator(FakeEvaluator(), cache, "two")
    other(batch)
    assert other.hits == 0
    base = mapping_key("", batch, 0)
    for name in ("factors", "residuals", "keep"):
        changed = batch.take(np.array([0]))
        array = getattr(changed, name)
        array[0, 0, 0] = ~array[0, 0, 0] if name == "keep" else array[0, 0, 0] + 1
        assert mapping_key("", changed, 0) != base, name


def test_order_of_unit_loops_does_not_matter_and_that_of_others_does() -> None:
    batch = some(1).take(np.array([0]))
    batch.factors[:], batch.residuals[:] = 1, 1
    batch.order[0, 0] = [0, 1, 2]
    base = mapping_key("", batch, 0)
    batch.order[0, 0] = [2, 1, 0]
    assert mapping_key("", batch, 0) == base
    batch.factors[0, 0, :2] = batch.residuals[0, 0, :2] = 2
    keys = set()
    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        batch.order[0, 0], batch.split[0, 0] = order, 3
        keys.add(mapping_key("", batch, 0))
    assert len(keys) == 2


def test_accesses_come_back(tmp_path: Path) -> None:
    class WithAccesses(FakeEvaluator):
        def __call__(self, mappings: MappingBatch) -> Outcome:
            lean = super().__call__(mappings)
            return Outcome(
                **{f.name: getattr(lean, f.name) for f in fields(Outcome) if f.name != "accesses"},
                accesses=np.stack([lean.cycles, lean.cycles + 2**40], axis=1),
            )

    cache = OutcomeCache(tmp_path / "cache.sqlite")
    expected = WithAccesses()(some(5))
    assert_same(CachedEvaluator(WithAccesses(), cache, "")(some(5)), expected)
    assert_same(CachedEvaluator(WithAccesses(), cache, "")(some(5)), expected)


def test_what_came_before_a_crash_is_kept_and_crashes_are_not(tmp_path: Path) -> None:
    class Crashing(FakeEvaluator):
        def __call__(self, mappings: MappingBatch) -> Outcome:
            if self.evaluated == 4:
                raise BackendError("gone")
            return super().__call__(mappings)

    cache = OutcomeCache(tmp_path / "cache.sqlite")
    with pytest.raises(BackendError):
        CachedEvaluator(Crashing(), cache, "")(some(10))
    assert len(cache) == 4


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"no database at all" * 100)
    with pytest.raises(UsageError, match="cache of evaluated mappings cannot be opened"):
        OutcomeCache(tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be opened"):
        OutcomeCache(tmp_path / "file" / "below")


class Slow(FakeEvaluator):
    """Takes its time, so that the others arrive meanwhile."""

    def __call__(self, mappings: MappingBatch) -> Outcome:
        time.sleep(0.2)
        return super().__call__(mappings)


def test_threads_evaluate_the_same_mapping_once(tmp_path: Path) -> None:
    row, inner = some(1), Slow((1,), 5)
    cached = CachedEvaluator(inner, OutcomeCache(tmp_path / "cache.sqlite"), "")
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(cached, [row] * 8))
    assert (inner.evaluated, cached.misses, cached.hits) == (1, 1, 7)
    for outcome in outcomes:
        assert_same(outcome, outcomes[0])


def test_a_crash_of_one_thread_does_not_hold_up_the_others(tmp_path: Path) -> None:
    row = some(1)

    class Crashing(Slow):
        def __call__(self, mappings: MappingBatch) -> Outcome:
            super().__call__(mappings)
            if self.evaluated == 1:
                raise BackendError("killed")
            return super().__call__(mappings)

    cached = CachedEvaluator(Crashing((1,), 5), OutcomeCache(tmp_path / "cache.sqlite"), "")
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(cached, row) for _ in range(2)]
    errors = [future.exception() for future in futures]
    assert sorted(isinstance(error, BackendError) for error in errors) == [False, True]


def test_it_travels_to_other_processes(tmp_path: Path) -> None:
    cache = OutcomeCache(tmp_path / "cache.sqlite")
    CachedEvaluator(FakeEvaluator(), cache, "")(some(3))
    assert len(pickle.loads(pickle.dumps(cache))) == len(cache) == 3


def write(path: Path, log: Path, seed: int) -> None:
    """Evaluate for ever; every key that was put is noted down first thing after."""

    class Logged(OutcomeCache):
        def put(self, key: bytes, outcome: Outcome) -> None:
            super().put(key, outcome)
            with log.open("ab", buffering=0) as stream:
                stream.write(key)

    cached = CachedEvaluator(FakeEvaluator((1,), 5), Logged(path), "shared")
    for number in range(10_000):
        cached(some(20, seed * 100_000 + number))


def check(path: Path, logs: list[Path]) -> int:
    """All that was reported as written is there, with the right values, and the file is sound."""
    keys = [
        data[i : i + 32] for log in logs if log.exists() for data in [log.read_bytes()]
        for i in range(0, len(data) // 32 * 32, 32)
    ]  # fmt: skip
    missing = set(keys) - set(OutcomeCache(path).get(keys))
    assert not missing
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return len(set(keys))


def kill_writers(folder: Path, rounds: int, writers: int) -> int:
    path, logs, rng = folder / "cache.sqlite", [], random.Random(5)
    context = multiprocessing.get_context("fork")
    for turn in range(rounds):
        running = []
        for w in range(writers):
            logs.append(folder / f"{turn}-{w}.log")
            process = context.Process(target=write, args=(path, logs[-1], turn * writers + w))
            process.start()
            running.append(process)
        time.sleep(rng.uniform(0.02, 0.4))
        for process in running:
            time.sleep(rng.uniform(0, 0.02))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            assert process.exitcode == -signal.SIGKILL
        check(path, logs)
    return check(path, logs)


def test_writers_are_killed(tmp_path: Path) -> None:
    assert kill_writers(tmp_path, rounds=4, writers=3) > 0


@pytest.mark.slow
def test_writers_are_killed_a_hundred_times(tmp_path: Path) -> None:
    assert kill_writers(tmp_path, rounds=34, writers=3) > 1000


def test_values_written_by_several_are_right(tmp_path: Path) -> None:
    kill_writers(tmp_path, rounds=1, writers=2)
    batch = some(20, 0)
    cached = CachedEvaluator(FakeEvaluator((1,), 5), OutcomeCache(tmp_path / "cache.sqlite"), "shared")
    assert_same(cached(batch), FakeEvaluator((1,), 5)(batch))

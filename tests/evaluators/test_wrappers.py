"""Evaluators around evaluators: same outcomes, in order."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.wrappers import ParallelEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.parallel.workers import Workers
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.testing import FakeEvaluator


def some_mappings(m: int, seed: int = 1) -> MappingBatch:
    space = LearnersMapspace(three_level(gemm(16, 24, 40)))
    return space.decode(space.sample(m, np.random.Generator(np.random.PCG64(seed))))


def assert_same(a: Outcome, b: Outcome) -> None:
    for field in fields(Outcome):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("m", [0, 1, 2, 50])
def test_parallel_equals_serial(n_jobs: int, m: int) -> None:
    batch = some_mappings(m)
    assert_same(
        ParallelEvaluator(FakeEvaluator((1,), 5), Workers(n_jobs, "threading"))(batch),
        FakeEvaluator((1,), 5)(batch),
    )


def test_parallel_processes() -> None:
    batch = some_mappings(20)
    assert_same(
        ParallelEvaluator(FakeEvaluator((1,), 5), Workers(2, "loky"))(batch), FakeEvaluator((1,), 5)(batch)
    )


def test_no_workers_is_an_error() -> None:
    with pytest.raises(UsageError, match="jobs must not be 0"):
        ParallelEvaluator(FakeEvaluator(), Workers(0))

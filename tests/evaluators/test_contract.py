"""The contract of all evaluators, for those that need nothing but this package."""

from __future__ import annotations

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.evaluators.base import Evaluator
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.evaluators.wrappers import ParallelEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace, LiteralSpace
from timeloop_marl.parallel.workers import Workers
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.testing import EvaluatorContract

SPEC = three_level(gemm(16, 24, 40))


class TestNative(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return NativeEvaluator(SPEC)

    @pytest.fixture
    def mappings(self) -> MappingBatch:
        """Feasible ones, and some as they were drawn, most of which overflow a buffer."""
        space, rng = LearnersMapspace(SPEC), np.random.default_rng(0)
        drawn = rng.integers(0, space.cardinalities, (20, space.axes))
        return LiteralSpace(space).decode(np.concatenate([space.sample(20, rng), drawn]))


class TestParallel(TestNative):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return ParallelEvaluator(NativeEvaluator(SPEC), Workers(2, "threading"))

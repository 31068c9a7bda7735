"""The contract of all searchers, for the one of own_searcher.py: pytest examples/test_own_searcher.py."""

from __future__ import annotations

import pytest
from own_searcher import HillClimber, HillClimberOptions

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.testing import SearcherContract


def make(seed):
    spec = tm.load(["arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml"])
    objective = parse_objective("edp", len(spec.architecture.storage))
    return HillClimber(tm.LearnersMapspace(spec), objective, seed, HillClimberOptions())


class TestHillClimber(SearcherContract):
    @pytest.fixture
    def make(self):
        return make

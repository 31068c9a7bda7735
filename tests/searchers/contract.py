"""The contract of all searchers, for those of the registry: inherit ``SearcherContract`` and set ``name``."""

from __future__ import annotations

from functools import partial

import pytest
from machines import gemm, three_level

from timeloop_marl import testing
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.searchers.base import Searcher
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.testing import told_rows
from timeloop_marl.testing.searchers import Make

__all__ = ["EDP", "SPEC", "SearcherContract", "told_rows"]

SPEC = three_level(gemm(16, 24, 40))
EDP = parse_objective("edp", 3)


def made(name: str, options: dict[str, object], seed: int) -> Searcher:
    return make_searcher(name, SPEC, seed, EDP, options)


class SearcherContract(testing.SearcherContract):
    """Checks for one name of the registry."""

    name: str
    options: dict[str, object] = {}  # noqa: RUF012

    @pytest.fixture
    def make(self) -> Make:
        return partial(made, self.name, self.options)

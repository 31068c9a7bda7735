"""Random search over feasible mappings, without repetition."""

from __future__ import annotations

from jaxtyping import Float64
from numpy import ndarray

from .base import LearnerSearcher, Rows
from .registry import searcher


@searcher("random", "random feasible mappings, never the same twice")
class RandomSearcher(LearnerSearcher):
    """Every axis uniform, repaired; the baseline that any learning has to beat."""

    def _propose(self, n: int) -> Rows:
        return self.fresh_random(n)

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        """Nothing to learn."""

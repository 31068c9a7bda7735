"""Random search over feasible mappings, without repetition."""

from __future__ import annotations

from jaxtyping import Float64
from numpy import ndarray

from .learner import LearnerSearcher, Rows


class RandomSearcher(LearnerSearcher):
    """Every axis uniform, repaired; the baseline that any learning has to beat."""

    def _propose(self, n: int) -> Rows:
        return self.fresh_random(n)

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        """Nothing to learn."""

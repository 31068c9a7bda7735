"""Rows of the learners' view taken at their word, for learners that are punished instead of helped."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..mapping import MappingBatch
from .axes import LearnersMapspace


class LiteralSpace(LearnersMapspace):
    """The same axes; decodes every row.

    Of a row that is not feasible nothing is kept anywhere, so that every evaluator calls it invalid: no evaluator knows
    the user's constraints, and a mapping that breaks one must not win.
    """

    def __init__(self, space: LearnersMapspace) -> None:
        super().__init__(space.spec)

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the rows stand for; unusable ones for infeasible rows."""
        batch = super().decode(candidates)
        batch.keep[~self.feasible(candidates)] = False
        return batch

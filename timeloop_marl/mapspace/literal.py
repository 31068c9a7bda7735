"""Rows of the learners' view taken at their word, for learners that are punished instead of helped."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..mapping import MappingBatch
from .axes import LearnersMapspace


class LiteralSpace:
    """Decodes every row; a ``Space``.

    Of a row that is not feasible nothing is kept anywhere, so that every evaluator calls it invalid: no evaluator knows
    the user's constraints, and a mapping that breaks one must not win.
    """

    def __init__(self, space: LearnersMapspace) -> None:
        self.inner = space

    @property
    def axes(self) -> int:
        """Number of columns of a candidate row."""
        return self.inner.axes

    def warm_up(self) -> None:
        """Compile what the first candidates would, so that it is not counted as search time."""
        self.inner.warm_up()

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the rows stand for; unusable ones for infeasible rows."""
        batch = self.inner.decode(candidates)
        batch.keep[~self.inner.feasible(candidates)] = False
        return batch

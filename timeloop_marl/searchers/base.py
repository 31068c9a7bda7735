"""The Searcher interface: proposes candidates, learns from their outcomes, never sees an evaluator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from jaxtyping import Int64
from numpy import ndarray

from ..mapping import MappingBatch
from ..model.outcome import Outcome


class Space(Protocol):
    """What a searcher's candidates mean: integer axes and their decoding."""

    @property
    def axes(self) -> int:
        """Number of columns of a candidate row."""
        ...

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the candidates stand for."""
        ...


class Searcher(ABC):
    """Strict alternation of ``ask`` and ``tell``; ``tell`` gets the rows of the last ``ask`` in the same order."""

    space: Space

    @abstractmethod
    def ask(self, n: int) -> Int64[ndarray, "m axes"]:
        """At most n new candidates; no rows = exhausted."""

    @abstractmethod
    def tell(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        """Learn from the outcomes of the rows returned by the last ``ask``."""

"""The Searcher interface: proposes candidates, learns from their outcomes, never sees an evaluator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..cost.outcome import Outcome
from ..errors import UsageError
from ..mapping import MappingBatch


class Space(Protocol):
    """What a searcher's candidates mean: integer axes and their decoding."""

    @property
    def axes(self) -> int:
        """Number of columns of a candidate row."""
        ...

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings that the candidates stand for."""
        ...

    def warm_up(self) -> None:
        """Compile what the first candidates would, so that it is not counted as search time."""
        ...


class Searcher(ABC):
    """Strict alternation of ``ask`` and ``tell``; ``tell`` gets the rows of the last ``ask`` in the same order.

    A searcher is deterministic: its rows depend on its arguments, the ``n`` of each ``ask`` and the outcomes told.
    """

    space: Space
    batch: int = 64  # rows per ask that suit the searcher
    copyable: bool = False  # a deep copy goes on as the original would, and leaves it alone
    precheck: bool = False  # it expects the mapper's capacity pre-check to come before the evaluation

    @abstractmethod
    def ask(self, n: int) -> Int64[ndarray, "m axes"]:
        """At most n new candidates; no rows = exhausted."""

    @abstractmethod
    def tell(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        """Learn from the outcomes of the rows returned by the last ``ask``."""

    def warm_up(self) -> None:
        """Compile what the first batches would, so that it is not counted as search time; changes no outcome."""
        self.space.warm_up()

    @property
    def compiled(self) -> bool:
        """Whether ``warm_up`` finds all that takes long to compile in the cache."""
        return True

    def account(self) -> Mapping[str, Any] | None:
        """What a report may show of the searcher's inner life, as plain data; ``None`` if there is nothing."""
        return None


def warm_up(searcher: Searcher, progress: Callable[[str], None] | None) -> None:
    """``searcher.warm_up()``; ``progress`` is told in one line what takes the time, before it does."""
    if progress is not None and not searcher.compiled:
        progress("compiling the searcher, once; the result is kept for later runs")
    searcher.warm_up()


class Turns:
    """Keeps a searcher's callers to strict alternation and to the rows that were asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._asked: Int64[ndarray, "m axes"] | None = None

    def asked(self, n: int) -> None:
        """At the start of ``ask``. Raises ``UsageError`` if the last rows were not told yet."""
        if self._asked is not None:
            raise UsageError(f"{self.name}.ask() called twice: tell() the last {len(self._asked)} rows first")
        if n < 1:
            raise UsageError(f"{self.name}.ask({n}): ask for at least one candidate")

    def handed_out(self, rows: Int64[ndarray, "m axes"]) -> Int64[ndarray, "m axes"]:
        """At the end of ``ask``: remember the rows; none = exhausted, nothing is to be told."""
        self._asked = rows.copy() if len(rows) else None
        return rows

    def told(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        """At the start of ``tell``. Raises ``UsageError`` naming expected and actual shape."""
        if self._asked is None:
            raise UsageError(f"{self.name}.tell() called before ask()")
        if candidates.shape != self._asked.shape:
            raise UsageError(
                f"{self.name}.tell(): candidates must have shape {self._asked.shape} (rows of the last ask, axes), "
                f"got {candidates.shape}"
            )
        if len(outcome) != len(candidates):
            raise UsageError(
                f"{self.name}.tell(): outcome must have {len(candidates)} rows, one per candidate, got {len(outcome)}"
            )
        if not np.array_equal(candidates, self._asked):
            raise UsageError(f"{self.name}.tell(): these are not the rows of the last ask(), in its order")
        self._asked = None

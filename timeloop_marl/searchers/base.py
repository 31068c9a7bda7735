"""What a searcher is: it proposes candidates, learns from their outcomes, and never sees an evaluator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..cost.outcome import Outcome
from ..errors import UsageError
from ..kernels.compiling import is_cached
from ..kernels.progress import compiling
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.repair import repair_rows, sample_rows
from ..specs.mapping import MappingBatch
from .knowledge import Knowledge, LayerKnowledge

Rows = Int64[ndarray, "m axes"]
KNOWLEDGE = ("none", "traffic")
REMEMBERED = 2_000_000  # rows; beyond this a repetition is unlikely to matter
_REDRAWN = 64  # rows drawn at once when the first draw brought too little that is new


class Space(Protocol):
    """What a searcher's candidates mean: integer axes and their decoding."""

    @property
    def axes(self) -> int:
        """Number of columns of a candidate row."""
        ...

    def decode(self, candidates: Rows) -> MappingBatch:
        """The mappings that the candidates stand for."""
        ...

    def warm_up(self) -> None:
        """Compile what the first candidates would, so that it is not counted as search time."""
        ...


@dataclass(frozen=True)
class Proof:
    """What a proof beside a search has shown.

    Attributes:
        proven: the best mapping is the optimum, or there is no valid one.
        bound: no mapping costs less; in the objective's unit.
        tiles, evaluated: tiles looked at, and mappings evaluated, beside the samples.
    """

    proven: bool
    bound: float
    tiles: int
    evaluated: int


class Searcher(ABC):
    """Strict alternation of ``ask`` and ``tell``; ``tell`` gets the rows of the last ``ask`` in the same order.

    A searcher is deterministic: its rows depend on its arguments, the ``n`` of each ``ask`` and the outcomes told.
    Subclasses write ``_propose`` and ``_observe``; ``ask`` and ``tell`` keep callers to the alternation.

    Attributes:
        batch: rows per ``ask`` that suit the searcher.
        copyable: a deep or pickled copy goes on as the original would, and leaves it alone.
        precheck: it expects the mapper's capacity pre-check to come before the evaluation.
        knowledge: what it knows beyond what it is told: ``none``, or ``traffic`` (it counts the words that a mapping
            moves by itself).
        kernels: how many ``warm_up`` compiles, about: to tell how far it is.
    """

    space: Space
    batch: int = 64
    copyable: bool = False
    kernels: int = 60
    precheck: bool = False
    knowledge: str = "none"
    _untold: Rows | None = None

    @abstractmethod
    def _propose(self, n: int) -> Rows:
        """At most n new candidates, n at least 1; no rows = exhausted."""

    @abstractmethod
    def _observe(self, candidates: Rows, outcome: Outcome) -> None:
        """Learn from the outcomes of the rows proposed last."""

    def ask(self, n: int) -> Rows:
        """At most n new candidates; no rows = exhausted, nothing is to be told.

        Raises:
            UsageError: the rows of the last ``ask`` were not told yet, or n is below 1.
            HaltedError: the search has to end (``parallel.interruption.halting``); the searcher cannot go on.
        """
        if self._untold is not None:
            raise UsageError(
                f"{type(self).__name__}.ask() called twice in a row: tell() it the outcomes of the last "
                f"{len(self._untold)} rows first"
            )
        if n < 1:
            raise UsageError(f"{type(self).__name__}.ask({n}): ask for at least one candidate")
        rows = self._propose(n)
        self._untold = rows.copy() if len(rows) else None
        return rows

    def tell(self, candidates: Rows, outcome: Outcome) -> None:
        """Learn from the outcomes of the rows returned by the last ``ask``.

        Raises:
            UsageError: nothing was asked, or these are other rows; the message has the expected and the actual shape.
        """
        if self._untold is None:
            raise UsageError(
                f"{type(self).__name__}.tell() called before ask(): ask() for the rows to be told first"
            )
        if candidates.shape != self._untold.shape:
            raise UsageError(
                f"{type(self).__name__}.tell(): candidates must have shape {self._untold.shape} "
                f"(rows of the last ask, axes), got {candidates.shape}"
            )
        if len(outcome) != len(candidates):
            raise UsageError(
                f"{type(self).__name__}.tell(): outcome must have {len(candidates)} rows, one per candidate, "
                f"got {len(outcome)}"
            )
        if not np.array_equal(candidates, self._untold):
            raise UsageError(
                f"{type(self).__name__}.tell(): these are not the rows of the last ask(), in its order"
            )
        self._untold = None
        self._observe(candidates, outcome)

    def warm_up(self) -> None:
        """Compile what the first batches would, so that it is not counted as search time; changes no outcome."""
        self.space.warm_up()

    @property
    def judged(self) -> int:
        """Candidates judged by its ``knowledge`` so far, beside the samples."""
        return 0

    @property
    def proof(self) -> Proof | None:
        """What is proven so far; ``None`` if nothing is tried."""
        return None

    @property
    def compiled(self) -> bool:
        """Whether ``warm_up`` finds all that takes long to compile in the cache."""
        return True

    def account(self) -> Mapping[str, Any] | None:
        """What a report may show of the searcher's inner life, as plain data; ``None`` if there is nothing."""
        return None

    def learnt(self, name: str = "") -> LayerKnowledge | None:
        """What was learnt so far, for searches of other layers; ``None`` if there is nothing to hand on.

        Args:
            name: of the layer, for people.
        """
        return None

    def inherit(self, knowledge: Knowledge) -> None:
        """Begin with what was learnt on other layers.

        Raises:
            UsageError: this searcher cannot, or the first candidates were proposed already.
        """
        raise UsageError(
            f"{type(self).__name__} does not learn from other layers: leave the knowledge out, or take searcher marl"
        )


def warm_up(searcher: Searcher, progress: Callable[[str], None] | None) -> None:
    """``searcher.warm_up()``; ``progress`` is told in a line now and then what takes the time, and how far it is."""
    with compiling(None if searcher.compiled else progress, "the searcher", searcher.kernels):
        searcher.warm_up()


class LearnerSearcher(Searcher):
    """A searcher over ``LearnersMapspace`` that learns from costs (+inf = invalid): ``_propose`` and ``_learn``.

    Candidates made by ``fresh`` were never handed out before; when no new ones turn up, the searcher is exhausted.
    """

    copyable = True

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int) -> None:
        self.space: LearnersMapspace = space
        self.objective = objective
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._seen: set[bytes] = set()
        self._outcome: Outcome | None = None  # of the rows proposed last, when _learn is called

    @abstractmethod
    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        """Use the costs of the rows proposed last."""

    def _observe(self, candidates: Rows, outcome: Outcome) -> None:
        self._outcome = outcome
        self._learn(candidates, self.objective.costs(outcome))

    def warm_up(self) -> None:
        """Compile what the first batches would, so that it is not counted as search time; changes no outcome."""
        super().warm_up()
        rng = np.random.default_rng(0)
        self.space.moved(self.space.sample(1, rng), rng)

    @property
    def compiled(self) -> bool:
        """Whether drawing and repairing candidates need no compiling."""
        return is_cached(sample_rows) and is_cached(repair_rows)

    def fresh(self, make: Callable[[int], Rows], n: int, tries: int = 3) -> Rows:
        """At most n rows from ``make`` that were not proposed before, remembered as proposed now."""
        found: list[Rows] = []
        missing = n
        for attempt in range(tries):
            rows = make(missing if attempt == 0 else max(missing, _REDRAWN))
            new: list[int] = []
            for i, key in enumerate(self.space.keys(rows)):
                if len(new) < missing and self._remember(key):
                    new.append(i)
            found.append(rows[new])
            missing -= len(new)
            if missing == 0:
                break
        return np.concatenate(found) if found else np.zeros((0, self.space.axes), np.int64)

    def fresh_random(self, n: int) -> Rows:
        """At most n new random feasible rows; fewer only if the mapspace seems to hold no more."""
        return self.fresh(lambda count: self.space.sample(count, self.rng), n, tries=100)

    def generation(self, n: int, missing: int, children: Callable[[int], Rows]) -> Rows:
        """At most n new rows: random while a population lacks ``missing``, then children; random where those end."""
        if missing > 0:
            return self.fresh_random(min(n, missing))
        rows = self.fresh(children, n)
        return rows if len(rows) == n else np.concatenate([rows, self.fresh_random(n - len(rows))])

    def _remember(self, key: bytes) -> bool:
        if key in self._seen:
            return False
        if len(self._seen) < REMEMBERED:
            self._seen.add(key)
        return True


def at_least(low: float, **options: float) -> None:
    """Raise ``UsageError`` for the first option below ``low``."""
    for name, value in options.items():
        if not value >= low:
            raise UsageError(f"option {name} must be at least {low:g}, got {value:g}")


def share(**options: float) -> None:
    """Raise ``UsageError`` for the first option outside 0 .. 1."""
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise UsageError(f"option {name} must be between 0 and 1, got {value:g}")


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ``UsageError`` if ``value`` is not one of ``known``."""
    if value not in known:
        raise UsageError(f"option {name}: unknown value {value!r}; one of {', '.join(known)}")

"""What the searchers on the learners' view share: a seeded generator, the turn rules, distinct fresh rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..compiling import is_cached
from ..cost.outcome import Outcome
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.repair import repair_rows, sample_rows
from ..objective import Objective
from .base import Searcher, Turns

Rows = Int64[ndarray, "m axes"]
_REDRAWN = 64  # rows drawn at once when the first draw brought too little that is new
REMEMBERED = 2_000_000  # rows; beyond this a repetition is unlikely to matter


class LearnerSearcher(Searcher):
    """A searcher over ``LearnersMapspace``. Subclasses propose rows and learn from costs (+inf = invalid).

    ``ask`` hands out rows that were never handed out before; when no new ones turn up, the searcher is exhausted.
    """

    copyable = True

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int) -> None:
        self.space: LearnersMapspace = space
        self.objective = objective
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._turns = Turns(type(self).__name__)
        self._seen: set[bytes] = set()
        self._outcome: Outcome | None = None  # of the rows proposed last, when _learn is called

    @abstractmethod
    def _propose(self, n: int) -> Rows:
        """At most n new rows; none = exhausted."""

    @abstractmethod
    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        """Use the costs of the rows proposed last."""

    def warm_up(self) -> None:
        """Compile what the first batches would, so that it is not counted as search time; changes no outcome."""
        super().warm_up()
        rng = np.random.default_rng(0)
        self.space.moved(self.space.sample(1, rng), rng)

    @property
    def compiled(self) -> bool:
        """Whether drawing and repairing candidates need no compiling."""
        return is_cached(sample_rows) and is_cached(repair_rows)

    def ask(self, n: int) -> Rows:
        """At most n new candidates; no rows = exhausted."""
        self._turns.asked(n)
        return self._turns.handed_out(self._propose(n))

    def tell(self, candidates: Rows, outcome: Outcome) -> None:
        """Learn from the outcomes of the rows returned by the last ``ask``."""
        self._turns.told(candidates, outcome)
        self._outcome = outcome
        self._learn(candidates, self.objective.costs(outcome))

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

    def _remember(self, key: bytes) -> bool:
        if key in self._seen:
            return False
        if len(self._seen) < REMEMBERED:
            self._seen.add(key)
        return True

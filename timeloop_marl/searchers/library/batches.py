"""Libraries that think in batches of their own, asked for any number of rows; rows proposed again cost nothing."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.outcome import Outcome
from ...mapspace.axes import LearnersMapspace
from ...objective import Objective
from ..base import Searcher, Space, Turns
from ..learner import REMEMBERED, Rows

PATIENCE = 5  # batches answered from memory alone before one is paid for all the same


class BatchSearcher(Searcher):
    """Hands out the rows of a library's batch piece by piece, and tells the library when all are evaluated.

    With ``memory`` a row that was evaluated before is answered from memory and is no sample. A library that proposes
    nothing new ``PATIENCE`` times has its next batch evaluated again, so that every search ends with its budget.

    ``learners`` holds the axes; ``space``, what rows mean, may take them at their word.
    """

    def __init__(
        self,
        learners: LearnersMapspace,
        objective: Objective,
        seed: int,
        *,
        space: Space | None = None,
        memory: bool = True,
    ) -> None:
        self.learners, self.objective = learners, objective
        self.space = space or learners
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._turns = Turns(type(self).__name__)
        self._single = learners.axes == 0  # one mapping only: nothing for a library to do
        self._exhausted = False
        self._memory = memory
        self._known: dict[bytes, float] = {}
        self._keys: list[bytes] = []
        self._waiting: list[int] = []  # rows of the batch still to be handed out
        self._open: list[int] = []  # rows handed out whose costs are not known yet
        self._rows: Rows = np.zeros((0, learners.axes), np.int64)
        self._costs: Float64[ndarray, "m"] = np.zeros(0)

    @abstractmethod
    def _next_batch(self) -> Rows:
        """Rows that the library wants evaluated."""

    @abstractmethod
    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        """Tell the library the costs of the batch, all of them (+inf = invalid)."""

    def ask(self, n: int) -> Rows:
        """At most n new candidates; no rows = exhausted."""
        self._turns.asked(n)
        if self._single:
            rows = self.learners.sample(0 if self._exhausted else 1, self.rng)
            self._exhausted = True
            return self._turns.handed_out(rows)
        if not self._waiting:
            self._begin()
        self._open, self._waiting = self._waiting[:n], self._waiting[n:]
        return self._turns.handed_out(self._rows[self._open])

    def tell(self, candidates: Rows, outcome: Outcome) -> None:
        """Learn from the outcomes of the rows returned by the last ``ask``."""
        self._turns.told(candidates, outcome)
        if self._single:
            return
        self._costs[self._open] = self.objective.costs(outcome)
        for i in self._open:
            if len(self._known) < REMEMBERED:
                self._known[self._keys[i]] = float(self._costs[i])
        if not self._waiting:
            self._finish()

    def _begin(self) -> None:
        """Fetch batches until one holds a row that is not known yet."""
        for attempt in range(PATIENCE + 1):
            self._rows = self._next_batch()
            self._keys = self.learners.keys(self._rows)
            self._costs = np.zeros(len(self._rows))
            first = {key: i for i, key in reversed(list(enumerate(self._keys)))}
            if not self._memory or attempt == PATIENCE:
                self._waiting = list(range(len(self._rows)))
            else:
                self._waiting = sorted(i for key, i in first.items() if key not in self._known)
            if self._waiting:
                return
            self._finish()

    def _finish(self) -> None:
        if self._memory:
            known = [self._known.get(key, cost) for key, cost in zip(self._keys, self._costs)]
            self._costs = np.array(known)
        self._batch_costs(self._costs)

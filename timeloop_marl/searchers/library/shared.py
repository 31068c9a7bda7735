"""What the searchers of other people's libraries share: their batches asked for by the piece, their random states."""

from __future__ import annotations

import random
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.objective import Objective
from ...cost.outcome import Outcome
from ...mapspace.axes import LearnersMapspace
from ..base import REMEMBERED, Rows, Searcher, Space

WORST = 1e4  # told to a library that wants finite numbers instead of the logarithm of an infinite cost
_PATIENCE = 5  # batches answered from memory alone before one is paid for all the same


def finite_logs(costs: Float64[ndarray, "m"]) -> Float64[ndarray, "m"]:
    """Natural logarithms of costs, ``WORST`` for invalid ones."""
    return np.where(np.isfinite(costs), np.log(np.maximum(costs, 1e-300)), WORST)


class BatchSearcher(Searcher):
    """Hands out the rows of a library's batch piece by piece, and tells the library when all are evaluated.

    With ``memory`` a row that was evaluated before is answered from memory and is no sample. A library that proposes
    nothing new ``_PATIENCE`` times has its next batch evaluated again, so that every search ends with its budget.

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

    def _propose(self, n: int) -> Rows:
        if self._single:
            rows = self.learners.sample(0 if self._exhausted else 1, self.rng)
            self._exhausted = True
            return rows
        if not self._waiting:
            self._begin()
        self._open, self._waiting = self._waiting[:n], self._waiting[n:]
        return self._rows[self._open]

    def _observe(self, candidates: Rows, outcome: Outcome) -> None:
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
        for attempt in range(_PATIENCE + 1):
            self._rows = self._next_batch()
            self._keys = self.learners.keys(self._rows)
            self._costs = np.zeros(len(self._rows))
            first = {key: i for i, key in reversed(list(enumerate(self._keys)))}
            if not self._memory or attempt == _PATIENCE:
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


class GlobalState:
    """Global random states of Python, NumPy and (if asked) torch that belong to one searcher.

    Inside ``active()`` they are in force, outside the ones of everybody else: results do not depend on what else runs
    in the process. There, torch computes on one thread, so that sums do not depend on the machine, and warnings of the
    library are not shown.
    """

    def __init__(self, seed: int, *, torch: bool = False) -> None:
        self._torch = torch
        self._inside: tuple[Any, ...] | None = None
        self._seed = seed % 2**32

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put the searcher's states in force."""
        outside = self._get()
        if self._inside is None:
            self._begin()
        else:
            self._set(self._inside)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self._inside = self._get()
            self._set(outside)

    def _begin(self) -> None:
        random.seed(self._seed)
        np.random.seed(self._seed)
        if self._torch:
            import torch

            torch.manual_seed(self._seed)
            torch.set_num_threads(1)

    def _get(self) -> tuple[Any, ...]:
        states = (random.getstate(), np.random.get_state())
        if not self._torch:
            return states
        import torch

        return (*states, torch.get_rng_state(), torch.get_num_threads())

    def _set(self, states: tuple[Any, ...]) -> None:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if self._torch:
            import torch

            torch.set_rng_state(states[2])
            torch.set_num_threads(states[3])

"""Cross-entropy method: a categorical distribution per axis, moved towards the best rows (Rubinstein 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.objective import Objective
from ..mapspace.axes import LearnersMapspace
from .base import LearnerSearcher, Rows, at_least, share
from .registry import searcher


@dataclass(frozen=True)
class CrossEntropyOptions:
    """Options; ``restart`` in samples without improvement (0 = never)."""

    batch: int = 32
    elites: int = 16  # best rows since the last start that set the distribution
    smoothing: float = 0.3  # share of the new estimate in each update
    floor: float = 0.02  # probability spread evenly over the values of an axis
    restart: int = 2000

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch, elites=self.elites)
        at_least(0, restart=self.restart)
        share(smoothing=self.smoothing, floor=self.floor)


@searcher("cross-entropy", "a distribution per axis moved towards the best", CrossEntropyOptions)
class CrossEntropySearcher(LearnerSearcher):
    """Draw every axis from its own distribution, repair, and move the distributions towards the elites."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: CrossEntropyOptions
    ) -> None:
        super().__init__(space, objective, seed)
        self.options, self.batch = options, options.batch
        cardinality = space.cardinalities
        self._values = np.arange(int(cardinality.max(initial=1)))
        self._uniform = (self._values < cardinality[:, None]) / cardinality[:, None]
        self._forget()

    def _forget(self) -> None:
        self._chances: Float64[ndarray, "axes values"] = self._uniform.copy()
        self._rows: Rows = np.zeros((0, self.space.axes), np.int64)
        self._costs: Float64[ndarray, "n"] = np.zeros(0)
        self._best, self._stagnant = np.inf, 0

    def _propose(self, n: int) -> Rows:
        rows = self.fresh(self._draw, n)
        return np.concatenate([rows, self.fresh_random(n - len(rows))]) if len(rows) < n else rows

    def _draw(self, n: int) -> Rows:
        chances = (1 - self.options.floor) * self._chances + self.options.floor * self._uniform
        edges = np.cumsum(chances, axis=1)[:, :-1]
        rows = (self.rng.random((n, self.space.axes, 1)) >= edges).sum(axis=2)
        return self.space.repair(np.minimum(rows, self.space.cardinalities - 1), self.rng)[0]

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        every, all_costs = np.concatenate([self._rows, rows]), np.concatenate([self._costs, costs])
        keep = np.argsort(all_costs, kind="stable")[: self.options.elites]
        self._rows, self._costs = every[keep], all_costs[keep]
        elites = self._rows[np.isfinite(self._costs)]
        if len(elites):
            shares = (elites[:, :, None] == self._values).mean(axis=0)
            self._chances += self.options.smoothing * (shares - self._chances)
        self._stagnant = 0 if self._costs[0] < self._best else self._stagnant + len(rows)
        self._best = min(self._best, float(self._costs[0]))
        if self.options.restart and self._stagnant >= self.options.restart:
            self._forget()

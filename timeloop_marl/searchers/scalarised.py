"""A front by any searcher: one of them for every weighting of the figures, all within one budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.outcome import Outcome
from .base import Searcher, Turns
from .figures import Figures
from .learner import Rows


class ScalarisedSearcher(Searcher):
    """Searchers take turns; number i minimises the product of the figures (plus 1), each to the power of its weight.

    Args:
        make: searcher i, for the objective ``energy``: it is told the weighted product as its energy.
        weights: (searchers, figures), rows summing to 1.
        figures: made for the space of the first searcher.
    """

    def __init__(
        self,
        make: Callable[[int], Searcher],
        weights: Float64[ndarray, "searchers k"],
        figures: Callable[[Searcher], Figures],
    ) -> None:
        self._searchers = [make(i) for i in range(len(weights))]
        self._weights = weights
        self.space = self._searchers[0].space
        self.batch = self._searchers[0].batch
        self.precheck = self._searchers[0].precheck
        self.copyable = all(searcher.copyable for searcher in self._searchers)
        self._figures = figures(self._searchers[0])
        self._turns = Turns(type(self).__name__)
        self._next = self._current = 0
        self._exhausted = [False] * len(weights)

    def ask(self, n: int) -> Rows:
        """At most n new candidates of the searcher whose turn it is; no rows = all are exhausted."""
        self._turns.asked(n)
        rows = np.zeros((0, self.space.axes), np.int64)
        while not len(rows) and not all(self._exhausted):
            self._current, self._next = self._next, (self._next + 1) % len(self._searchers)
            if not self._exhausted[self._current]:
                rows = self._searchers[self._current].ask(min(n, self._searchers[self._current].batch))
                self._exhausted[self._current] = not len(rows)
        return self._turns.handed_out(rows)

    def tell(self, candidates: Rows, outcome: Outcome) -> None:
        """Tell the searcher that asked."""
        self._turns.told(candidates, outcome)
        figures = self._figures(candidates, outcome)
        valid = np.isfinite(figures).all(axis=1)
        told = np.zeros(len(candidates))
        # 1 more than the figure: a mapping may need no buffer at all.
        told[valid] = np.exp((np.log1p(figures[valid]) * self._weights[self._current]).sum(axis=1))
        self._searchers[self._current].tell(candidates, dataclasses.replace(outcome, energy_pj=told))


def weightings(count: int, figures: int) -> Float64[ndarray, "n k"]:
    """About ``count`` weightings spread evenly; with three figures the next triangular number of them."""
    if figures == 2:
        first = np.linspace(0.0, 1.0, max(count, 2))
        return np.stack([first, 1 - first], axis=1)
    steps = 1
    while (steps + 1) * (steps + 2) // 2 < count:
        steps += 1
    grid = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    return np.array(grid, np.float64) / steps

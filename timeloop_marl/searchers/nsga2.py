"""NSGA-II on the repaired genome: a whole front in one search (Deb et al., IEEE TEC 6 (2), 2002)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..mapspace.axes import LearnersMapspace
from ..nondominated import crowding, ranks
from ..objective import Objective
from .checks import at_least, share
from .figures import Figures, figure_names
from .genetic import crossed, gene_blocks
from .learner import LearnerSearcher, Rows


@dataclass(frozen=True)
class Nsga2Options:
    """Options; sizes in individuals."""

    population: int = 32
    offspring: int = 32
    crossover: float = 0.6  # share of children with two parents
    mutations: float = 0.7  # mean number of local moves per child, at least one for children of one parent
    figures: str = "cycles,energy"  # and buffer: on-chip words

    def __post_init__(self) -> None:
        at_least(1, population=self.population, offspring=self.offspring)
        at_least(0, mutations=self.mutations)
        share(crossover=self.crossover)


class Nsga2Searcher(LearnerSearcher):
    """Binary tournaments by front number, then crowding distance; crossover, moves and repair as in ``genetic``."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: Nsga2Options
    ) -> None:
        super().__init__(space, objective, seed)
        self.options, self.batch = options, options.offspring
        self._figures = Figures(space.spec, space, figure_names(options.figures))
        self._blocks = gene_blocks(space)
        self._rows: Rows = np.zeros((0, space.axes), np.int64)  # sorted, best first
        self._points: Float64[ndarray, "n k"] = np.zeros((0, len(self._figures.names)))
        self._born = 0

    def _propose(self, n: int) -> Rows:
        if self._born < self.options.population:
            rows = self.fresh_random(min(n, self.options.population - self._born))
        else:
            rows = self.fresh(self._children, n)
            if len(rows) < n:
                rows = np.concatenate([rows, self.fresh_random(n - len(rows))])
        self._born += len(rows)
        return rows

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        if self._outcome is None:
            return
        points = np.concatenate([self._points, np.log1p(self._figures(rows, self._outcome))])
        every = np.concatenate([self._rows, rows])
        keep = _survivors(points, self.options.population)
        self._rows, self._points = every[keep], points[keep]

    def _children(self, n: int) -> Rows:
        mixed = self.rng.random(n) < self.options.crossover
        children = crossed(self._blocks, self._parents(n), self._parents(n), mixed, self.rng)
        moves = self.rng.poisson(self.options.mutations, n)
        return self.space.moved(children, self.rng, np.where(mixed, moves, np.maximum(moves, 1)))

    def _parents(self, n: int) -> Rows:
        return self._rows[self.rng.integers(0, len(self._rows), (n, 2)).min(axis=1)]


def _survivors(points: Float64[ndarray, "n k"], count: int) -> ndarray:
    """Indices of the best, best first: by front, within a front the ones with most room around first.

    Of mappings with equal figures all but one stand back: fronts are short, and their copies would fill the population.
    """
    rank = ranks(points)
    room = np.zeros(len(points))
    for number in np.unique(rank):
        members = np.flatnonzero(rank == number)
        if np.isfinite(points[members]).all():
            room[members] = crowding(points[members])
    copy = np.ones(len(points), np.bool_)
    copy[np.unique(points, axis=0, return_index=True)[1]] = False
    return np.lexsort((-room, rank, copy))[:count]

"""A genetic searcher on the repaired genome (a mu + lambda scheme with restarts; cf. GAMMA, ICCAD 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.tables import Axis, AxisKind
from .base import LearnerSearcher, Rows, at_least, share
from .registry import searcher


@dataclass(frozen=True)
class GeneticOptions:
    """Options; sizes in individuals, ``restart`` in samples without improvement (0 = never)."""

    population: int = 32
    offspring: int = 32
    tournament: int = 3
    crossover: float = 0.6  # share of children with two parents
    mutations: float = 0.7  # mean number of local moves per child, at least one for children of one parent
    restart: int = 2000

    def __post_init__(self) -> None:
        at_least(1, population=self.population, offspring=self.offspring, tournament=self.tournament)
        at_least(0, mutations=self.mutations, restart=self.restart)
        share(crossover=self.crossover)


@searcher("genetic", "genetic search with repair, restarts and no duplicates", GeneticOptions)
class GeneticSearcher(LearnerSearcher):
    """Tournament selection, crossover by dimension, level and data space, local moves, elitism, no duplicates."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: GeneticOptions
    ) -> None:
        super().__init__(space, objective, seed)
        self.options, self.batch = options, options.offspring
        self._blocks = gene_blocks(space)
        self._forget()

    def _forget(self) -> None:
        self._rows: Rows = np.zeros((0, self.space.axes), np.int64)
        self._costs: Float64[ndarray, "n"] = np.zeros(0)
        self._best, self._stagnant, self._born = np.inf, 0, 0

    def _propose(self, n: int) -> Rows:
        rows = self.generation(n, self.options.population - self._born, self._children)
        self._born += len(rows)
        return rows

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        every, all_costs = np.concatenate([self._rows, rows]), np.concatenate([self._costs, costs])
        keep = np.argsort(all_costs, kind="stable")[: self.options.population]
        self._rows, self._costs = every[keep], all_costs[keep]
        self._stagnant = 0 if self._costs[0] < self._best else self._stagnant + len(rows)
        self._best = min(self._best, float(self._costs[0]))
        if self.options.restart and self._stagnant >= self.options.restart:
            self._forget()

    def _children(self, n: int) -> Rows:
        mothers, fathers = self._parents(n), self._parents(n)
        mixed = self.rng.random(n) < self.options.crossover
        children = crossed(self._blocks, mothers, fathers, mixed, self.rng)
        moves = self.rng.poisson(self.options.mutations, n)
        return self.space.moved(children, self.rng, np.where(mixed, moves, np.maximum(moves, 1)))

    def _parents(self, n: int) -> Rows:
        # The population is sorted by cost: the smallest of the drawn indices wins its tournament.
        drawn = self.rng.integers(0, len(self._rows), (n, self.options.tournament))
        return self._rows[drawn.min(axis=1)]


def gene_blocks(space: LearnersMapspace) -> Int64[ndarray, "axes"]:
    """Axes inherited together: factors of a dimension, loop order of a level, bypasses of a data space."""
    block = np.zeros(space.axes, np.int64)
    for number, group in enumerate(space.groups(_inherited_with)):
        block[list(group)] = number
    return block


def crossed(
    blocks: Int64[ndarray, "axes"],
    mothers: Rows,
    fathers: Rows,
    mixed: Bool[ndarray, "m"],
    rng: np.random.Generator,
) -> Rows:
    """The mothers; where ``mixed``, with every block from the father by a toss."""
    father = (rng.random((len(mothers), int(blocks.max(initial=0)) + 1)) < 0.5)[:, blocks]
    return np.where(father & mixed[:, None], fathers, mothers)


def _inherited_with(axis: Axis) -> tuple[AxisKind, int | None]:
    if axis.kind is AxisKind.FACTOR:
        return axis.kind, axis.dim
    return axis.kind, axis.tiling if axis.kind is AxisKind.ORDER else axis.data_space

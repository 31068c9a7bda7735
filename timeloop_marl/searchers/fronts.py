"""Searchers for a whole front of figures that are minimised together: NSGA-II, and any searcher once per weighting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.nondominated import crowding, ranks
from ..cost.objective import Objective
from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from ..kernels.record import boxed
from ..mapspace.axes import LearnersMapspace
from ..mapspace.kernels import hull_volumes
from ..specs.mapping import MappingBatch
from ..specs.spec import Spec
from ..traffic.geometry import geometry_of
from .base import LearnerSearcher, Rows, Searcher, Space, at_least, share
from .genetic import crossed, gene_blocks
from .registry import searcher

UNITS = {"cycles": "cycles", "energy": "pJ", "buffer": "words"}


class Figures:
    """Two or three of ``cycles``, ``energy`` (pJ) and ``buffer`` (on-chip words, ``buffer_words``) of candidates."""

    def __init__(self, spec: Spec, space: Space, names: Sequence[str]) -> None:
        self.names = figure_names(names)
        self._spec, self._space = spec, space

    def __call__(self, candidates: Rows, outcome: Outcome) -> Float64[ndarray, "m k"]:
        """One column a figure; +inf for invalid mappings."""
        columns = {
            "cycles": lambda: outcome.cycles,
            "energy": lambda: outcome.energy_pj,
            "buffer": lambda: buffer_words(self._spec, self._space.decode(candidates)),
        }
        table = np.stack([np.asarray(columns[name](), np.float64) for name in self.names], axis=1)
        table[outcome.failure != Failure.OK] = np.inf
        return table


def figure_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Two or three different figures from ``cycles,energy`` or a list; ``UsageError`` otherwise."""
    given = tuple(part.strip() for part in names.split(",")) if isinstance(names, str) else tuple(names)
    if not set(given) <= set(UNITS) or len(set(given)) != len(given) or not 2 <= len(given) <= 3:
        raise UsageError(
            f"a front is of two or three different figures out of {', '.join(UNITS)}; "
            f"got {', '.join(given) or 'none'}"
        )
    return given


def buffer_words(spec: Spec, mappings: MappingBatch) -> Int64[ndarray, "m"]:
    """Words that all instances of the levels of limited size need to hold their tiles.

    Tiles are hull volumes of the data spaces kept, as capacity checks count them (cost-model section 11); of imperfect
    mappings, those of the full loop bounds.
    """
    total = np.zeros(len(mappings), np.int64)
    levels = np.array([level.storage for level in spec.architecture.tiling_levels])
    for s, storage in enumerate(spec.architecture.storage):
        if storage.effective_size is not None:
            tiles = np.minimum(mappings.factors[:, levels <= s].prod(axis=1), spec.problem.bounds)
            words = hull_volumes(boxed(geometry_of(spec)), tiles)
            total += (words * mappings.keep[:, s]).sum(axis=1) * storage.instances
    return total


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


@searcher("nsga2", "a front of cycles and energy (see --pareto)", Nsga2Options)
class Nsga2Searcher(LearnerSearcher):
    """NSGA-II (Deb et al., IEEE TEC 6 (2), 2002) on the repaired genome.

    Binary tournaments by front number, then crowding distance; crossover, moves and repair as in ``genetic``.
    """

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
        rows = self.generation(n, self.options.population - self._born, self._children)
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


class ScalarisedSearcher(Searcher):
    """A front by any searcher, once per weighting, in turns.

    Number i minimises the product of the figures (plus 1), each to the power of its weight.

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
        self.copyable = all(each.copyable for each in self._searchers)
        self.knowledge = self._searchers[0].knowledge
        self._figures = figures(self._searchers[0])
        self._next = self._current = 0
        self._exhausted = [False] * len(weights)

    @property
    def judged(self) -> int:
        """By all of them."""
        return sum(each.judged for each in self._searchers)

    def _propose(self, n: int) -> Rows:
        """At most n new candidates of the searcher whose turn it is; no rows = all are exhausted."""
        rows = np.zeros((0, self.space.axes), np.int64)
        while not len(rows) and not all(self._exhausted):
            self._current, self._next = self._next, (self._next + 1) % len(self._searchers)
            if not self._exhausted[self._current]:
                rows = self._searchers[self._current].ask(min(n, self._searchers[self._current].batch))
                self._exhausted[self._current] = not len(rows)
        return rows

    def _observe(self, candidates: Rows, outcome: Outcome) -> None:
        """Tell the searcher that asked."""
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

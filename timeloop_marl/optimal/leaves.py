"""Leaves of the descent to complete mappings, evaluated exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..cost.outcome import Outcome
from ..specs.mapping import Mapping, MappingBatch
from .choices import Choices, Lattice
from .orders import OrderRule, Tensor, classes, covers, representatives
from .problem import TileOrder

Evaluate = Callable[[MappingBatch], Outcome]

LARGEST_BATCH = 1 << 15
"""Mappings evaluated at a time."""


@dataclass(frozen=True)
class Incumbent:
    """The cheapest mapping of some; energy in pJ."""

    cost: float
    mapping: Mapping
    cycles: int
    energy_pj: float


class Leaves:
    """Writes the loops of a leaf in every order and layout that can make a difference.

    Args:
        dominance: orders that only move more words than others may be left out.
        layouts_matter: networks charge for the way, so that every layout of spatial loops is tried.
    """

    def __init__(
        self,
        choices: Choices,
        lattice: Lattice,
        tensors: tuple[Tensor, ...],
        *,
        dominance: bool,
        layouts_matter: bool,
    ) -> None:
        self.choices, self.lattice, self.tensors = choices, lattice, tensors
        self.dominance, self.layouts_matter = dominance, layouts_matter
        self.rules = [OrderRule(*choices.order_rule(t)) for t in choices.temporal]
        self._orders = lru_cache(maxsize=None)(self._find_orders)

    def batches(
        self, tiles: TileOrder, inner: Int64[ndarray, "S D"], rows: Int64[ndarray, "n 2S+2"]
    ) -> Iterator[MappingBatch]:
        """All mappings of some leaves of one task, in batches."""
        waiting: list[MappingBatch] = []
        count = 0
        for row in rows:
            for batch in self._leaf(tiles, inner, row):
                waiting.append(batch)
                count += len(batch)
                if count >= LARGEST_BATCH:
                    yield _joined(waiting)
                    waiting, count = [], 0
        if waiting:
            yield _joined(waiting)

    def _leaf(
        self, tiles: TileOrder, inner: Int64[ndarray, "S D"], row: Int64[ndarray, "2S+2"]
    ) -> Iterator[MappingBatch]:
        S, T, D = self.choices.S, len(self.choices.levels), self.choices.D
        factors = np.ones((T, D), np.int64)
        below = np.ones(D, np.int64)
        details, layouts_matter = int(row[2 * S]), int(row[2 * S + 1])
        orders: list[ndarray] = [np.zeros((1, D), np.int8)] * T
        splits: list[ndarray] = [np.full(1, D, np.int8)] * T
        for s in range(S):
            block = self.choices.spatial[s]
            if block is not None:
                factors[block] = self.lattice.divisor[np.arange(D), inner[s]]
                layouts = self.choices.layouts(block, tuple(int(i) for i in inner[s]))
                used = layouts if self.layouts_matter or layouts_matter >> s & 1 else layouts[:1]
                orders[block] = np.array([layout.order for layout in used], np.int8)
                splits[block] = np.array([layout.split for layout in used], np.int8)
                below = below * factors[block]
            t = self.choices.temporal[s]
            tile = self.lattice.divisor[np.arange(D), tiles.rows[row[s], :D]]
            factors[t] = tile // below
            below = tile
            mask = int(sum(1 << d for d in range(D) if factors[t, d] > 1))
            orders[t] = self._orders(s, mask, bool(details >> s & 1))[int(row[S + s])]
        yield from _combined(factors, orders, splits, tiles.route.keep)

    def _find_orders(self, s: int, mask: int, exact: bool) -> list[ndarray]:
        """Orders (all dims, innermost first) of each class of level s."""
        rule = self.rules[s]
        kinds = classes(self.tensors, rule, mask)
        found: list[list[tuple[int, ...]]] = [[] for _ in kinds]
        for free, order in representatives(self.tensors, rule, mask, exact, self.dominance):
            home = next(c for c, kind in enumerate(kinds) if covers(kind, free))
            found[home].append(self._written(rule, order))
        return [np.array(orders, np.int8).reshape(-1, self.choices.D) for orders in found]

    def _written(self, rule: OrderRule, order: Sequence[int]) -> tuple[int, ...]:
        bound = {*rule.prefix, *rule.suffix}
        free = [d for d in order if d not in bound]
        units = [d for d in range(self.choices.D) if d not in bound and d not in order]
        return (*rule.prefix, *free, *units, *rule.suffix)


def _combined(
    factors: ndarray, orders: list[ndarray], splits: list[ndarray], keep: ndarray
) -> Iterator[MappingBatch]:
    """Every combination of one order per tiling level."""
    counts = [len(options) for options in orders]
    total = int(np.prod(counts, dtype=object))
    T, D = factors.shape
    for start in range(0, total, LARGEST_BATCH):
        n = min(LARGEST_BATCH, total - start)
        picks = np.unravel_index(np.arange(start, start + n), counts)
        order = np.empty((n, T, D), np.int8)
        split = np.full((n, T), D, np.int8)
        for t in range(T):
            order[:, t] = orders[t][picks[t]]
            if len(splits[t]) == counts[t]:
                split[:, t] = splits[t][picks[t]]
        shape = np.broadcast_to(factors, (n, T, D)).copy()
        yield MappingBatch(shape, shape, order, split, np.broadcast_to(keep, (n, *keep.shape)).copy())


def _joined(batches: list[MappingBatch]) -> MappingBatch:
    if len(batches) == 1:
        return batches[0]
    names = ("factors", "residuals", "order", "split", "keep")
    return MappingBatch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in names))


def cheapest(evaluate: Evaluate, objective: Objective, batch: MappingBatch) -> tuple[Incumbent | None, int]:
    """The first of the cheapest valid mappings, if any is valid, and how many are."""
    outcome = evaluate(batch)
    costs = objective.costs(outcome)
    best = int(np.argmin(costs))
    valid = int(np.isfinite(costs).sum())
    if valid == 0:
        return None, 0
    return Incumbent(
        float(costs[best]), batch[best], int(outcome.cycles[best]), float(outcome.energy_pj[best])
    ), valid

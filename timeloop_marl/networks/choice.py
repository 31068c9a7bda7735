"""Which of its evaluated mappings each layer contributes, so that the network's total is the least.

The best energy-delay product of every layer by itself is not the best product of the sums. Every evaluated mapping is
on record, so the best combination can be found exactly: a product of two positive sums is least at a corner of the
convex hull of what can be reached, and the corners are what minimises energy + price * cycles for some price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """An evaluated mapping: 1-based number of its sample, cycles, energy in pJ."""

    sample: int
    cycles: int
    energy_pj: float


def lower_hull(points: Sequence[Point]) -> tuple[Point, ...]:
    """The corners of the lower left convex hull, fewest cycles first; of equal points the one sampled first."""
    hull: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cycles, p.energy_pj, p.sample)):
        if hull and point.energy_pj >= hull[-1].energy_pj:
            continue
        while len(hull) > 1 and _price(hull[-2], hull[-1]) <= _price(hull[-1], point):
            hull.pop()
        hull.append(point)
    return tuple(hull)


def best_product(hulls: Sequence[Sequence[Point]], counts: Sequence[int]) -> list[Point]:
    """The point of each hull for which (sum of energies) x (sum of cycles) is least; sums weighted by ``counts``."""
    chosen = [0] * len(hulls)  # fewest cycles: cycles are dear
    steps = [
        (-_price(hull[k], hull[k + 1]), i, k + 1)
        for i, hull in enumerate(hulls)
        for k in range(len(hull) - 1)
    ]
    best, best_cost = list(chosen), _product(hulls, counts, chosen)
    for _, i, k in sorted(steps):
        chosen[i] = k
        cost = _product(hulls, counts, chosen)
        if cost < best_cost:
            best, best_cost = list(chosen), cost
    return [hull[k] for hull, k in zip(hulls, best)]


def _price(a: Point, b: Point) -> float:
    """Energy saved per cycle more, from a to b."""
    return (a.energy_pj - b.energy_pj) / (b.cycles - a.cycles)


def _product(hulls: Sequence[Sequence[Point]], counts: Sequence[int], chosen: Sequence[int]) -> float:
    energy = math.fsum(c * hull[k].energy_pj for hull, c, k in zip(hulls, counts, chosen))
    return energy * sum(c * hull[k].cycles for hull, c, k in zip(hulls, counts, chosen))

"""Smallest and largest tiles that the constraints allow, against capacities and minimum utilisations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from .findings import Finding, Severity
from .patterns import constraint_of
from .timeloop import TimeloopMapspace


def inside_bounds(space: TimeloopMapspace, boundary: int) -> tuple[list[int], list[int]]:
    """Per dim, the least and the largest product of the factors of tiling levels 0..boundary."""
    least, largest = [], []
    for d, bound in enumerate(space.problem.bounds):
        low, low_outside, high, high_outside = 1, 1, 1, 1
        # Imperfect factors can cover more than the bound: then only the factors themselves limit the product.
        perfect = space.template == "uber" and not space.counts[d].given.imperfect
        for t, level in enumerate(space.tiling_levels):
            rule = constraint_of(space.constraints, level)
            fixed = rule.fixed.get(d)
            floor = fixed or rule.minimum.get(d, 1)
            ceiling = fixed or rule.maximum.get(d, bound)
            if level.spatial:
                ceiling = min(ceiling, int(space.choices.fanout_x[t] * space.choices.fanout_y[t]))
            if t <= boundary:
                low, high = low * floor, min(high * ceiling, bound) if perfect else high * ceiling
            else:
                low_outside, high_outside = low_outside * floor, min(high_outside * ceiling, bound)
        least.append(min(max(low, -(-bound // high_outside)), bound))
        largest.append(max(1, min(high, -(-bound // low_outside)) if perfect else high))
    return least, largest


def volumes(space: TimeloopMapspace, inside: list[int]) -> Int64[ndarray, "P"]:
    """Words of every data space in a tile of these extents."""
    steps = np.array(inside, np.int64) - 1
    extents = 1 + (space.capacity.coefficients * steps).sum(axis=2)
    return extents.prod(axis=1)


def capacity_findings(space: TimeloopMapspace) -> Iterator[Finding]:
    """Levels that the forced tile overfills, or that the largest possible one cannot fill enough."""
    for s, storage in enumerate(space.architecture.storage):
        if storage.effective_size is None:
            continue
        least, largest = inside_bounds(space, int(space.capacity.boundary[s]))
        forced = np.array([(s, p) not in space.bypass.free for p in range(len(space.problem.data_spaces))])
        kept = np.array(space.bypass.fixed[s], np.bool_)  # free ones count as kept
        smallest = int(volumes(space, least)[forced & kept].sum())
        greatest = int(volumes(space, largest)[kept].sum())
        names = ", ".join(space.problem.data_spaces[p].name for p in np.flatnonzero(forced & kept))
        dims = " ".join(f"{name}{n}" for name, n in zip(space.problem.dims, least) if n > 1)
        if smallest > space.capacity.capacity[s]:
            yield Finding(
                Severity.ERROR, "the smallest tile that the constraints allow does not fit", storage.name,
                _sources(space, s), f"{smallest} words for {names} (tile {dims or 'of one operation'})",
                f"at most {int(space.capacity.capacity[s])} words",
                f"bypass a data space at {storage.name}, relax fixed or minimum factors at or inside it, "
                "allow larger factors outside it, or enlarge it",
            )  # fmt: skip
        if greatest < space.capacity.smallest[s]:
            yield Finding(
                Severity.ERROR, f"min_utilization {storage.min_utilization:g} cannot be reached", storage.name,
                _sources(space, s), f"at most {greatest} words can be held",
                f"at least {space.capacity.smallest[s]:g} of {storage.effective_size} words",
                f"lower min_utilization of {storage.name} or keep more data spaces in it",
            )  # fmt: skip


def _sources(space: TimeloopMapspace, storage: int) -> str:
    sources = [
        constraint_of(space.constraints, level).source
        for level in space.tiling_levels
        if level.storage <= storage
    ]
    keeps = space.constraints.bypass_sources
    sources += [keeps.get((p, storage), "") for p in range(len(space.problem.data_spaces))]
    return "; ".join(dict.fromkeys(source for source in sources if source))

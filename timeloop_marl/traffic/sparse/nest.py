"""The complete loop nest of a mapping, unit loops included, and the tiles of its loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...specs.architecture import Architecture
from ...specs.problem import DataSpace
from .density import Box

Extents = tuple[int, ...]
"""Steps of a tile of operations in every dim."""


class Loop(NamedTuple):
    """One loop; ``below`` and ``extents``: tiles of operations without and with it."""

    dim: int
    bound: int
    spatial: bool
    across: bool  # a spatial loop along X
    below: Extents
    extents: Extents


def complete_nest(
    factors: Sequence[Sequence[int]],
    order: Sequence[Sequence[int]],
    split: Sequence[int],
    architecture: Architecture,
) -> list[list[Loop]]:
    """The loops of every storage level, inside-out, spatial ones first; arguments by tiling level as in a mapping."""
    levels: list[list[Loop]] = [[] for _ in architecture.storage]
    extents = (1,) * len(factors[0])
    for tiling, mine, dims, first_y in zip(architecture.tiling_levels, factors, order, split, strict=True):
        spatial, found = tiling.spatial, levels[tiling.storage]
        for place, d in enumerate(dims):
            n = mine[d]
            grown = extents if n == 1 else grow(extents, d, n)
            found.append(Loop(d, n, spatial, spatial and place < first_y, extents, grown))
            extents = grown
    return levels


def grow(extents: Extents, d: int, n: int) -> Extents:
    """A tile n times as long in dim d."""
    return (*extents[:d], extents[d] * n, *extents[d + 1 :])


def box(space: DataSpace, extents: Extents) -> Box:
    """Extents of the tile of a data space (2.3)."""
    return tuple([1 + sum([step * (extents[d] - 1) for d, step in rank]) for rank in space.magnitudes])

"""The complete loop nest of a mapping, unit loops included, and the tiles of its loops."""

from __future__ import annotations

from dataclasses import dataclass

from ...specs.architecture import Architecture
from ...specs.mapping import Mapping
from ...specs.problem import DataSpace
from .density import Box

Extents = tuple[int, ...]
"""Steps of a tile of operations in every dim."""


@dataclass(frozen=True)
class Loop:
    """One loop; ``below`` and ``extents``: tiles of operations without and with it."""

    dim: int
    bound: int
    spatial: bool
    across: bool  # a spatial loop along X
    below: Extents
    extents: Extents


def complete_nest(mapping: Mapping, architecture: Architecture, dims: int) -> list[list[Loop]]:
    """The loops of every storage level, inside-out, spatial ones first."""
    levels: list[list[Loop]] = [[] for _ in architecture.storage]
    extents = (1,) * dims
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        for place, d in enumerate(loops.order):
            n = loops.factors[d]
            grown = grow(extents, d, n) if n != 1 else extents
            across = tiling.spatial and place < loops.split
            levels[tiling.storage].append(Loop(d, n, tiling.spatial, across, extents, grown))
            extents = grown
    return levels


def grow(extents: Extents, d: int, n: int) -> Extents:
    """A tile n times as long in dim d."""
    return (*extents[:d], extents[d] * n, *extents[d + 1 :])


def box(space: DataSpace, extents: Extents) -> Box:
    """Extents of the tile of a data space (2.3)."""
    return tuple(
        1 + sum(abs(term.coefficient) * (extents[term.dim] - 1) for term in rank) for rank in space.ranks
    )

"""Tile sizes from the loops alone, for mappings that were never evaluated (cost-model sections 1, 2 and 6)."""

from __future__ import annotations

from ..mapping import Mapping
from ..specs.problem import DataSpace
from ..specs.spec import Spec
from .map_text import Contents, HeldTile


def tile_words(space: DataSpace, extents: tuple[int, ...]) -> int:
    """Words of a data space under a tile of ``extents[d]`` iterations per dim: the hull, gaps counted."""
    words = 1
    for rank in space.ranks:
        words *= 1 + sum(abs(term.coefficient) * (extents[term.dim] - 1) for term in rank)
    return words


def level_extents(spec: Spec, mapping: Mapping) -> tuple[tuple[int, ...], ...]:
    """Extents per dim of the largest tile that every storage level ever holds, inside-out.

    That is the product of the bounds, but for a dim all of whose outer loops run once: it only ever shows its
    residual tile.
    """
    levels = spec.architecture.tiling_levels
    boundaries = [index for index, tiling in enumerate(levels) if not tiling.spatial]
    dims = range(len(spec.problem.dims))
    return tuple(tuple(_extent(mapping, dim, last) for dim in dims) for last in boundaries)


def _extent(mapping: Mapping, dim: int, last: int) -> int:
    full, partial = 1, 1
    for loops in mapping.loops[: last + 1]:
        partial += full * (loops.residuals[dim] - 1)
        full *= loops.factors[dim]
    always_last = all(loops.residuals[dim] == 1 for loops in mapping.loops[last + 1 :])
    return partial if always_last else full


def nominal_contents(spec: Spec, mapping: Mapping) -> Contents:
    """What each storage level would hold, inside-out, for printing a mapping that failed."""
    return [
        [
            HeldTile(space.name, words, words)
            for space, kept in zip(spec.problem.data_spaces, row, strict=True)
            if kept
            for words in (tile_words(space, extents),)
        ]
        for extents, row in zip(level_extents(spec, mapping), mapping.keep, strict=True)
    ]

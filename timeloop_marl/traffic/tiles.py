"""Tiles (section 2): extents and volumes of the boxes that a data space occupies."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..compiling import inlined, kernel
from .layout import Tables, Workspace


@inlined
def extent(tables: Tables, r: int, tile: Int64[ndarray, "D"]) -> int:
    """Extent of rank r of the hull of a tile with ``tile[d]`` steps in dim d."""
    size = 1
    for t in range(tables.term_start[r], tables.term_start[r + 1]):
        size += abs(tables.term_coefficient[t]) * (tile[tables.term_dim[t]] - 1)
    return size


@inlined
def volume(tables: Tables, p: int, tile: Int64[ndarray, "D"]) -> int:
    """Words of the hull of a tile."""
    words = 1
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        words *= extent(tables, r, tile)
    return words


@kernel
def fill_tiles(tables: Tables, factors: Int64[ndarray, "T D"], work: Workspace) -> None:
    """Largest boxes of every level and of every spatial block of a perfect mapping."""
    spaces = tables.spaces
    dims = tables.dims
    for d in range(dims):
        work.reach[d] = 1
    for t in range(tables.tiles):
        s = tables.tile_storage[t]
        for d in range(dims):
            work.reach[d] *= factors[t, d]
        if tables.tile_spatial[t]:
            for p in range(spaces):
                work.block_tile[s, p] = volume(tables, p, work.reach)
            continue
        for p in range(spaces):
            work.tile[s, p] = volume(tables, p, work.reach)

"""A first look at a mapping, before its loop nest is built: spread over the array, tiles, and whether it fits.

Random mappings mostly fail here, so this needs no permutation of temporal loops and stops at the first failure.
"""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from .capacity import check_compute, check_storage
from .collapse import COMPUTE_INSTANCES, SPREAD_X, SPREAD_Y
from .jit import kernel
from .layout import Tables, Workspace
from .outcome import Failure

OK = int(Failure.OK)


@kernel
def is_imperfect(factors: Int64[ndarray, "T D"], residuals: Int64[ndarray, "T D"]) -> bool:
    """Whether any loop has a residual other than its bound."""
    different = 0
    for t in range(factors.shape[0]):
        for d in range(factors.shape[1]):
            different |= factors[t, d] ^ residuals[t, d]
    return different != 0


@kernel
def measure_spread(
    tables: Tables,
    factors: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
) -> None:
    """Used columns and rows of every spatial block, and their products over all levels outside."""
    across, down = 1, 1
    for t in range(tables.tiles - 1, -1, -1):
        s = tables.tile_storage[t]
        if not tables.tile_spatial[t]:
            work.spread_x[s] = across
            work.spread_y[s] = down
            work.width[s] = 1
            work.height[s] = 1
            continue
        for k in range(tables.dims):
            n = factors[t, order[t, k]]
            if n == 1:
                continue
            if k < split[t]:
                work.width[s] *= n
            else:
                work.height[s] *= n
        across *= work.width[s]
        down *= work.height[s]
    work.counts[SPREAD_X] = across
    work.counts[SPREAD_Y] = down


@kernel
def check_perfect(tables: Tables, factors: Int64[ndarray, "T D"], work: Workspace) -> int:
    """Failure class of the first level that a perfect mapping does not fit, from compute outwards; fills its tiles."""
    failure = check_compute(tables, work)
    if failure != OK:
        return failure
    work.counts[COMPUTE_INSTANCES] = work.counts[SPREAD_X] * work.counts[SPREAD_Y]
    for d in range(tables.dims):
        work.reach[d] = 1
    for r in range(tables.rank_start[tables.spaces]):
        work.hull[r] = 1
    for t in range(tables.tiles):
        s = tables.tile_storage[t]
        grown = s == 0
        for d in range(tables.dims):
            if factors[t, d] != 1:
                _grow(tables, work, d, factors[t, d])
                grown = True
        if tables.tile_spatial[t]:
            _measure_block(tables, work, s)
            continue
        _measure_tile(tables, work, s, grown or work.width[s] * work.height[s] != 1)
        work.rep[s] = work.spread_x[s] * work.spread_y[s]
        failure = check_storage(tables, work, s)
        if failure != OK:
            work.failed_level[0] = s + 1
            return failure
    return OK


@kernel
def _grow(tables: Tables, work: Workspace, d: int, n: int) -> None:
    """Make the tile n times as long in dim d."""
    added = work.reach[d] * (n - 1)
    work.reach[d] += added
    for m in range(tables.moved_start[d], tables.moved_start[d + 1]):
        work.hull[tables.moved_rank[m]] += tables.moved_distance[m] * added


@kernel
def _measure_block(tables: Tables, work: Workspace, s: int) -> None:
    """Boxes of the spatial block of level s, where a partition will be asked for."""
    for p in range(tables.spaces):
        if tables.read_write[p] or tables.all_figures:
            words = 1
            for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
                words *= work.hull[r]
            work.block_tile[s, p] = words


@kernel
def _measure_tile(tables: Tables, work: Workspace, s: int, grown: bool) -> None:
    """Boxes of level s and their extents; those of the level below if nothing grew in between."""
    for p in range(tables.spaces):
        if not grown:
            work.tile[s, p] = work.tile[s - 1, p]
            continue
        words = 1
        for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
            words *= work.hull[r]
        work.tile[s, p] = words
    for r in range(tables.rank_start[tables.spaces]):
        work.tile_extent[s, r] = work.hull[r]

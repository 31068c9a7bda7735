"""The loop nest of a mapping and its tiles (sections 1 and 2): loops, strides, where levels end, boxes."""

from __future__ import annotations

from jaxtyping import Int8, Int64, UInt8
from numpy import ndarray

from ..kernels.compiling import inlined, kernel
from .geometry import Geometry, hull_words
from .levels import COMPUTE_INSTANCES, SPREAD_X, SPREAD_Y
from .workspace import SPATIAL_X, SPATIAL_Y, TEMPORAL, Workspace


@kernel
def build_nest(
    geometry: Geometry,
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
    work: Workspace,
) -> bool:
    """Fill the loop arrays of ``work`` from one mapping; say whether any loop is imperfect."""
    dims = geometry.dims
    for d in range(dims):
        work.stride[d] = 1
    for s in range(geometry.levels):
        work.block_first[s] = 0
        work.block_end[s] = 0
        work.width[s] = 1
        work.height[s] = 1
    count = 0
    imperfect = False
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        spatial = geometry.tile_spatial[t]
        first = count
        for k in range(dims):
            d = order[t, k]
            n = factors[t, d]
            if n == 1:
                continue
            r = residuals[t, d]
            imperfect = imperfect or r != n
            work.loop_dim[count] = d
            work.loop_bound[count] = n
            work.loop_residual[count] = r
            work.loop_stride[count] = work.stride[d]
            work.loop_level[count] = s
            work.loop_kind[count] = TEMPORAL
            work.stride[d] *= n
            if spatial:
                if k < split[t]:
                    work.loop_kind[count] = SPATIAL_X
                    work.width[s] *= n
                else:
                    work.loop_kind[count] = SPATIAL_Y
                    work.height[s] *= n
            count += 1
        if spatial:
            work.block_first[s] = first
            work.block_end[s] = count
            continue
        if count == first:
            count = _add_dummy_loop(work, count, dims - 1, s)
        work.boundary[s] = count - 1
    work.loops[0] = count
    return imperfect


@kernel
def _add_dummy_loop(work: Workspace, count: int, d: int, s: int) -> int:
    """Append the loop of one iteration that stands in for a temporal level without loops."""
    work.loop_dim[count] = d
    work.loop_bound[count] = 1
    work.loop_residual[count] = 1
    work.loop_stride[count] = work.stride[d]
    work.loop_level[count] = s
    work.loop_kind[count] = TEMPORAL
    return count + 1


@kernel
def fill_tiles(geometry: Geometry, factors: Int64[ndarray, "T D"], work: Workspace) -> None:
    """Largest boxes of every level and of every spatial block of a perfect mapping."""
    spaces = geometry.spaces
    dims = geometry.dims
    for d in range(dims):
        work.reach[d] = 1
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        for d in range(dims):
            work.reach[d] *= factors[t, d]
        if geometry.tile_spatial[t]:
            for p in range(spaces):
                work.block_tile[s, p] = hull_words(geometry, p, work.reach)
            continue
        for p in range(spaces):
            work.tile[s, p] = hull_words(geometry, p, work.reach)


@inlined
def measure_spread(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
) -> None:
    """Columns and rows that every spatial block uses, and their products over all blocks."""
    across, down = 1, 1
    for k in range(geometry.blocks):
        t = geometry.block_level[k]
        columns, rows = 1, 1
        for place in range(geometry.dims):
            n = factors[i, t, order[i, t, place]]
            # Both products always: which factors are 1 is random, and a branch on it would be mispredicted.
            columns *= n if place < split[i, t] else 1
            rows *= 1 if place < split[i, t] else n
        s = geometry.tile_storage[t]
        work.width[s] = columns
        work.height[s] = rows
        across *= columns
        down *= rows
    work.counts[SPREAD_X] = across
    work.counts[SPREAD_Y] = down


@inlined
def is_imperfect(
    geometry: Geometry, factors: Int64[ndarray, "m T D"], residuals: Int64[ndarray, "m T D"], i: int
) -> bool:
    """Whether any loop has a residual other than its bound."""
    different = 0
    for t in range(geometry.tiles):
        for d in range(geometry.dims):
            different |= factors[i, t, d] ^ residuals[i, t, d]
    return different != 0


@inlined
def spread_levels(geometry: Geometry, work: Workspace) -> None:
    """Utilised instances of every level: products over the blocks outside it."""
    across, down = 1, 1
    for t in range(geometry.tiles - 1, -1, -1):
        s = geometry.tile_storage[t]
        if geometry.tile_spatial[t]:
            across *= work.width[s]
            down *= work.height[s]
            continue
        work.spread_x[s] = across
        work.spread_y[s] = down
        work.rep[s] = across * down
    work.counts[COMPUTE_INSTANCES] = across * down


@inlined
def grow(geometry: Geometry, factors: Int64[ndarray, "m T D"], i: int, t: int, work: Workspace) -> None:
    """Make the tile as long as it is with the loops of tiling level t."""
    for d in range(geometry.dims):
        work.reach[d] *= factors[i, t, d]


@kernel
def measure_tiles(geometry: Geometry, factors: Int64[ndarray, "m T D"], i: int, work: Workspace) -> None:
    """Boxes of all data spaces at every level, with their extents, and at spatial blocks of which a partition asks."""
    for d in range(geometry.dims):
        work.reach[d] = 1
    for r in range(geometry.rank_start[geometry.spaces]):
        work.hull[r] = 1
    grown = True
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        for d in range(geometry.dims):
            if factors[i, t, d] != 1:
                _lengthen(geometry, work, d, factors[i, t, d])
                grown = True
        if geometry.tile_spatial[t]:
            _measure_block(geometry, work, s)
            continue
        _measure_tile(geometry, work, s, grown)
        grown = False


@kernel
def _lengthen(geometry: Geometry, work: Workspace, d: int, n: int) -> None:
    """Make the tile n times as long in dim d."""
    added = work.reach[d] * (n - 1)
    work.reach[d] += added
    for m in range(geometry.moved_start[d], geometry.moved_start[d + 1]):
        work.hull[geometry.moved_rank[m]] += geometry.moved_distance[m] * added


@kernel
def _measure_block(geometry: Geometry, work: Workspace, s: int) -> None:
    """Boxes of the spatial block of level s, where a partition will be asked for."""
    for p in range(geometry.spaces):
        if geometry.read_write[p] or geometry.all_figures:
            words = 1
            for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
                words *= work.hull[r]
            work.block_tile[s, p] = words


@kernel
def _measure_tile(geometry: Geometry, work: Workspace, s: int, grown: bool) -> None:
    """Boxes of level s and their extents; those of the level below if nothing grew in between."""
    for p in range(geometry.spaces):
        if not grown:
            work.tile[s, p] = work.tile[s - 1, p]
            continue
        words = 1
        for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
            words *= work.hull[r]
        work.tile[s, p] = words
    for r in range(geometry.rank_start[geometry.spaces]):
        work.tile_extent[s, r] = work.hull[r]


SOUND, BOUND, DIM = 0, 1, 2
"""Answers of ``find_fault``."""


@kernel
def find_fault(
    factors: Int64[ndarray, "n"], residuals: Int64[ndarray, "n"], order: UInt8[ndarray, "n"], dims: int
) -> int:
    """``BOUND`` if a factor or residual is below 1, ``DIM`` if an order names a dim that there is not.

    ``order`` are signed numbers read as unsigned, so that negative ones are large.
    """
    signs = 0
    for k in range(factors.shape[0]):
        signs |= factors[k] | (factors[k] - 1) | residuals[k] | (residuals[k] - 1)
    if signs < 0:
        return BOUND
    largest = order[0] if order.shape[0] > 0 else 0
    for k in range(order.shape[0]):
        largest = max(largest, order[k])
    return DIM if largest >= dims else SOUND

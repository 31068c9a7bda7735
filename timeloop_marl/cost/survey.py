"""A first look at a mapping, before its loop nest is built: is everything kept somewhere, and does it fit?

Random mappings mostly fail here, so this looks at as little as it can, in the order of section 11, and stops at the
first failure: spatial factors first, then level by level only the boxes that are held there. Kernels get whole batches
and a row: a view of the row, made for each mapping, costs more than all the products of its spatial factors.
"""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..compiling import inlined, kernel
from ..traffic.collapse import ABORTS, COMPUTE_INSTANCES, SPREAD_X, SPREAD_Y, mark_present
from ..traffic.layout import NO_LIMIT, Tables, Workspace
from ..traffic.tiles import volume
from .capacity import check_compute, check_storage, precheck_storage
from .outcome import Failure

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)

IMPERFECT = -1
"""Answer of ``survey``: fits the array, but the levels of an imperfect mapping have to be measured by the walk."""


@inlined
def find_tops(tables: Tables, keep: Bool[ndarray, "m S P"], i: int, work: Workspace) -> int:
    """Outermost level where each data space is present; the failure class if one is nowhere."""
    for p in range(tables.spaces):
        s = tables.levels - 1
        while s >= 0 and (not keep[i, s, p] or tables.no_coalesce[s, p]):
            s -= 1
        if s < 0:
            return OTHER if mark_present(tables, keep[i], work) == ABORTS else BYPASS
        work.top[p] = s
    return OK


@inlined
def measure_spread(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
) -> None:
    """Columns and rows that every spatial block uses, and their products over all blocks."""
    across, down = 1, 1
    for k in range(tables.blocks):
        t = tables.block_level[k]
        columns, rows = 1, 1
        for place in range(tables.dims):
            n = factors[i, t, order[i, t, place]]
            # Both products always: which factors are 1 is random, and a branch on it would be mispredicted.
            columns *= n if place < split[i, t] else 1
            rows *= 1 if place < split[i, t] else n
        s = tables.tile_storage[t]
        work.width[s] = columns
        work.height[s] = rows
        across *= columns
        down *= rows
    work.counts[SPREAD_X] = across
    work.counts[SPREAD_Y] = down


@inlined
def is_imperfect(
    tables: Tables, factors: Int64[ndarray, "m T D"], residuals: Int64[ndarray, "m T D"], i: int
) -> bool:
    """Whether any loop has a residual other than its bound."""
    different = 0
    for t in range(tables.tiles):
        for d in range(tables.dims):
            different |= factors[i, t, d] ^ residuals[i, t, d]
    return different != 0


@inlined
def check_levels(
    tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, prechecks: bool
) -> int:
    """Failure class of the first level, inside-out, that fails the evaluation's check or the mapper's pre-check."""
    for d in range(tables.dims):
        work.reach[d] = 1
    for t in range(tables.tiles):
        grow(tables, factors, i, t, work)
        if tables.tile_spatial[t]:
            continue
        s = tables.tile_storage[t]
        measure_held(tables, work, s)
        failure = precheck_storage(tables, work, s) if prechecks else check_storage(tables, work, s)
        if failure != OK:
            work.failed_level[0] = s + 1
            return failure
    return OK


@inlined
def spread_levels(tables: Tables, work: Workspace) -> None:
    """Utilised instances of every level: products over the blocks outside it."""
    across, down = 1, 1
    for t in range(tables.tiles - 1, -1, -1):
        s = tables.tile_storage[t]
        if tables.tile_spatial[t]:
            across *= work.width[s]
            down *= work.height[s]
            continue
        work.spread_x[s] = across
        work.spread_y[s] = down
        work.rep[s] = across * down
    work.counts[COMPUTE_INSTANCES] = across * down


@inlined
def grow(tables: Tables, factors: Int64[ndarray, "m T D"], i: int, t: int, work: Workspace) -> None:
    """Make the tile as long as it is with the loops of tiling level t."""
    for d in range(tables.dims):
        work.reach[d] *= factors[i, t, d]


@inlined
def measure_held(tables: Tables, work: Workspace, s: int) -> None:
    """Boxes that a level of limited size holds."""
    if tables.capacity[s] == NO_LIMIT:
        return
    for p in range(tables.spaces):
        if work.present[s, p]:
            work.tile[s, p] = volume(tables, p, work.reach)


@kernel
def measure_tiles(tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace) -> None:
    """Boxes of all data spaces at every level, with their extents, and at spatial blocks of which a partition asks."""
    for d in range(tables.dims):
        work.reach[d] = 1
    for r in range(tables.rank_start[tables.spaces]):
        work.hull[r] = 1
    grown = True
    for t in range(tables.tiles):
        s = tables.tile_storage[t]
        for d in range(tables.dims):
            if factors[i, t, d] != 1:
                _lengthen(tables, work, d, factors[i, t, d])
                grown = True
        if tables.tile_spatial[t]:
            _measure_block(tables, work, s)
            continue
        _measure_tile(tables, work, s, grown)
        grown = False


@kernel
def _lengthen(tables: Tables, work: Workspace, d: int, n: int) -> None:
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


@inlined
def survey(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
    prechecked: bool,
) -> int:
    """Failure class of row i, as far as it shows before the loop nest is built; see ``IMPERFECT``."""
    work.failed_level[0] = 0
    failure = find_tops(tables, keep, i, work)
    if failure != OK:
        return failure
    if prechecked:
        mark_present(tables, keep[i], work)
        failure = check_levels(tables, factors, i, work, True)
        if failure != OK:
            return failure
    measure_spread(tables, factors, order, split, i, work)
    failure = check_compute(tables, work)
    if failure != OK:
        return failure
    if not prechecked:
        mark_present(tables, keep[i], work)
    if is_imperfect(tables, factors, residuals, i):
        return IMPERFECT
    spread_levels(tables, work)
    failure = check_levels(tables, factors, i, work, False)
    if failure == OK:
        measure_tiles(tables, factors, i, work)
    return failure

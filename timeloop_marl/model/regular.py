"""The closed form (sections 2 to 5) with loops that are as long for all mappings: what runs over vectors of them.

Covers perfect mappings in which nothing is passed on between neighbours and no two loops of a block move one rank;
``work.irregular`` says whether a mapping is one of the others. Same numbers as ``nest`` and ``accesses``, which list
the loops that there are: fewer steps for one mapping, but different ones for each.
"""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .capacity import check_compute, check_storage
from .collapse import COMPUTES, CYCLES, STEPS, count_computes, mark_present, share_out
from .bypass import bypass
from .energy import storage_energy
from .latency import count_cycles
from .layout import NO_LIMIT, Tables, Workspace
from .network import network_energy
from .outcome import Failure
from .survey import IMPERFECT, _measure_held, _spread_levels, is_imperfect, measure_spread
from .traffic import count_traffic

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)

NO_MOTION = 2**62
"""Motion of a child whose box never moves: no difference of motions is as large."""


@kernel
def first_look(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> int:
    """Failure class of row i, or ``IMPERFECT``: the checks of ``survey``, all of them."""
    work.failed_level[0] = 0
    presence = mark_present(tables, keep[i], work)
    measure_spread(tables, factors, order, split, i, work)
    _spread_levels(tables, work)
    failure, level = OK, -1
    for d in range(tables.dims):
        work.reach[d] = 1
    for t in range(tables.tiles):
        for d in range(tables.dims):
            work.reach[d] *= factors[i, t, d]
        if tables.tile_spatial[t]:
            continue
        s = tables.tile_storage[t]
        _measure_held(tables, work, s)
        found = check_storage(tables, work, s)
        level = s + 1 if failure == OK and found != OK else level
        failure = found if failure == OK else failure
    if is_imperfect(tables, factors, residuals, i):
        failure, level = IMPERFECT, -1
    found = check_compute(tables, work)
    if found != OK:
        failure, level = found, 0
    if presence != OK:
        failure, level = IMPERFECT, -1  # the general path finds out which
    work.failed_level[0] = level
    return failure


@kernel
def _measure(tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace) -> None:
    """Boxes of all data spaces, their extents, and the strides of all loops."""
    for d in range(tables.dims):
        work.reach[d] = 1
    for r in range(tables.rank_start[tables.spaces]):
        work.hull[r] = 1
    for t in range(tables.tiles):
        s = tables.tile_storage[t]
        for d in range(tables.dims):
            work.inside[t, d] = work.reach[d]
            longer = work.reach[d] * factors[i, t, d]
            for m in range(tables.moved_start[d], tables.moved_start[d + 1]):
                work.hull[tables.moved_rank[m]] += tables.moved_distance[m] * (longer - work.reach[d])
            work.reach[d] = longer
        for p in range(tables.spaces):
            words = 1
            for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
                words *= work.hull[r]
            if tables.tile_spatial[t]:
                work.block_tile[s, p] = words
            else:
                work.tile[s, p] = words
        for r in range(tables.rank_start[tables.spaces]):
            if tables.tile_spatial[t]:
                # A spatial level comes right after the level inside it.
                work.block_reach[s, r] = work.hull[r] - (work.tile_extent[s - 1, r] if s > 0 else 1)
            else:
                work.tile_extent[s, r] = work.hull[r]


@kernel
def _list_steps(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
) -> None:
    """Every loop's step of every box, and what a temporal loop moves when those inside jump back."""
    for p in range(tables.spaces):
        work.jump[p] = 0
    for t in range(tables.tiles):
        s = tables.tile_storage[t]
        for d in range(tables.dims):
            for p in range(tables.spaces):
                if not tables.coupled[p] and not tables.tile_spatial[t]:
                    continue
                step = tables.motion[p, d] * work.inside[t, d]
                work.step[t, d, p] = step if factors[i, t, d] > 1 else 0
        if tables.tile_spatial[t]:
            continue
        for p in range(tables.spaces):
            work.start[s, p] = work.jump[p]
            if not tables.coupled[p]:
                continue
            for k in range(tables.dims):
                step = work.step[t, order[i, t, k], p]
                work.lead[t, k, p] = step - work.jump[p]
                work.jump[p] += step


@kernel
def _weigh_loops(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
) -> int:
    """Weights of the temporal loops, and each level's first loop that moves a box; returns all steps."""
    steps = 1
    for p in range(tables.spaces):
        work.near_motion[p] = NO_MOTION
        work.near_dim[p] = -1
        work.near_stride[p] = 0
        work.near_again[p] = 0
        work.near_visits[p] = 1
    first = -1  # dim of the innermost loop so far
    for back in range(tables.tiles):
        t = tables.tiles - 1 - back
        if tables.tile_spatial[t]:
            continue
        for place in range(tables.dims):
            k = tables.dims - 1 - place
            d = order[i, t, k]
            n = factors[i, t, d]
            longer = steps * n
            work.weight[t, k] = longer - steps
            for p in range(tables.spaces):
                _come_nearer(tables, work, p, d, n, longer, t, k)
            steps = longer
            first = d if n > 1 else first
        s = tables.tile_storage[t]
        work.outside[s] = steps
        work.first_dim[s] = first
        for p in range(tables.spaces):
            work.motion[s, p] = work.near_motion[p]
            work.motion_dim[s, p] = work.near_dim[p]
            work.motion_stride[s, p] = work.near_stride[p]
            work.again[s, p] = work.near_again[p]
            work.visits[s, p] = work.near_visits[p]
    return steps


@kernel
def _come_nearer(
    tables: Tables, work: Workspace, p: int, d: int, n: int, longer: int, t: int, k: int
) -> None:
    """Go inwards by one loop; if it moves the box, it is the first that does.

    Where no two dims share a rank, a later motion equals that of the first loop only if all between that move the box
    are halves of one dim: loops of two iterations.
    """
    moves = tables.used[p, d] and n > 1
    if tables.coupled[p]:
        work.near_motion[p] = work.step[t, d, p] if moves else work.near_motion[p]
    else:
        halved = n == 2 and work.near_dim[p] == d
        again = work.weight[t, k] + (work.near_again[p] if halved else 0)
        work.near_again[p] = again if moves else work.near_again[p]
        work.near_visits[p] = longer if moves else work.near_visits[p]
    work.near_dim[p] = d if moves else work.near_dim[p]
    work.near_stride[p] = work.inside[t, d] if moves else work.near_stride[p]


@kernel
def _overlap(tables: Tables, work: Workspace, s: int, p: int) -> int:
    """Words that a child of level s shares with itself one step of its first motion further."""
    d, stride = work.motion_dim[s, p], work.motion_stride[s, p]
    words = 1
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        words *= max(0, work.tile_extent[s - 1, r] - tables.rank_step[r, d] * stride)
    return words


@kernel
def _fetch(
    tables: Tables, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int, links: bool
) -> int:
    """Words that one child of level s fetches over the whole run."""
    if s == 0 or tables.no_temporal_reuse[s - 1, p]:
        words = 1 if s == 0 else work.tile[s - 1, p]
        if links:
            idle = work.outside[s] != 1 and not tables.used[p, work.first_dim[s]]
            if idle and _meets(tables, work, p, 0):
                work.irregular[0] = True
            if tables.coupled[p] and _any_meets(tables, order, i, work, s, p, True):
                work.irregular[0] = True
        return words * work.outside[s]
    words = work.tile[s - 1, p]
    partial = words - _overlap(tables, work, s, p)
    if not tables.coupled[p]:
        again = work.again[s, p]
        return words + again * partial + (work.visits[s, p] - 1 - again) * words
    if links:
        idle = work.motion[s, p] == NO_MOTION or partial == 0 or not tables.used[p, work.first_dim[s]]
        near = not _leaves(tables, work, s, p) and _meets(tables, work, p, work.motion[s, p])
        if not idle and (near or (partial == words and _any_meets(tables, order, i, work, s, p, False))):
            work.irregular[0] = True
    motion = work.motion[s, p] - work.start[s, p]
    still = -work.start[s, p]
    same, none = 0, 0
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                same += work.weight[t, k] if work.lead[t, k, p] == motion else 0
                none += work.weight[t, k] if work.lead[t, k, p] == still else 0
    return words + same * partial + (work.outside[s] - 1 - same - none) * words


@kernel
def _list_neighbours(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
) -> None:
    """How far the boxes of children next to each other lie apart, by the loop that advances between them."""
    s = tables.tile_storage[t]
    columns = max(tables.fanout_x[s], work.width[s])
    work.packed[0] = work.width[s] != columns and work.width[s] * work.height[s] > columns
    one_row = work.width[s] != columns
    for p in range(tables.spaces):
        back = 0
        for k in range(tables.dims):
            d = order[i, t, k]
            if not one_row and k == split[i, t]:
                back = 0
            step = work.step[t, d, p]
            apart = abs(step - back)
            work.apart[k, p] = apart if factors[i, t, d] > 1 else NO_MOTION
            back += (factors[i, t, d] - 1) * step


@kernel
def _meets(tables: Tables, work: Workspace, p: int, motion: int) -> bool:
    """Whether some neighbours may lie ``motion`` apart; in a packed block they always may."""
    size = abs(motion)
    found = work.packed[0] != 0
    for k in range(tables.dims):
        found = found or work.apart[k, p] == size
    return found


@kernel
def _leaves(tables: Tables, work: Workspace, s: int, p: int) -> bool:
    """Whether the first motion goes further in some rank than the children of level s reach."""
    d, stride = work.motion_dim[s, p], work.motion_stride[s, p]
    found = False
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        found = found or tables.rank_step[r, d] * stride > work.block_reach[s, r]
    return found


@kernel
def _any_meets(
    tables: Tables, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int, still: bool
) -> bool:
    """Whether any motion of the box of a child of level s may bring it to where a neighbour's was.

    ``still``: even where it does not move. Not if a loop up to the one that advances moves a rank alone: the box is then further off in that rank than any
    neighbour's.
    """
    found, alone = False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                alone = alone or (work.weight[t, k] != 0 and tables.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                moves = work.weight[t, k] != 0 and (still or leap != 0) and not alone
                found = found or (moves and _meets(tables, work, p, leap))
    return found


@kernel
def _vertical(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    span: int,
    one_row: bool,
) -> float:
    """Hops along the columns of one packet to each group of rows."""
    s = tables.tile_storage[t]
    centre = (max(tables.fanout_y[s], work.height[s]) - 1) / 2
    total = 0.0
    for row in range(tables.compute[2] if s == 0 else tables.mesh_y[s - 1]):
        starts = True
        radix = 1
        for k in range(tables.dims):
            d = order[i, t, k]
            n = factors[i, t, d] if k >= split[i, t] else 1
            starts = starts and (tables.used[p, d] or row // radix % n == 0)
            radix *= n
        there = row == 0 if one_row else (starts and row < radix)
        part = max(0.0, centre - row) + max(0.0, row + float(span) - centre)
        total += part if there else 0.0
    return total


@kernel
def _hops(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> float:
    """Sum over the groups of the hops of one packet to each (5.5)."""
    s = tables.tile_storage[t]
    one_row = work.width[s] != max(tables.fanout_x[s], work.width[s])
    columns, rows = 1, 1
    x_groups, y_groups, x_members = 1, 1, 1
    column_sum, row_span = 0.0, 0
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        moves = tables.used[p, d] != 0
        along = one_row or k < split[i, t]
        across, down = n if along else 1, 1 if along else n
        x_groups *= across if moves else 1
        x_members *= 1 if moves else across
        y_groups *= down if moves else 1
        column_sum += (across - 1) * columns / 2 if moves else float((across - 1) * columns)
        row_span += 0 if moves else (down - 1) * rows
        columns *= across
        rows *= down
    vertical = _vertical(tables, factors, order, split, i, work, t, p, row_span, one_row)
    return y_groups * (x_groups * column_sum) + x_groups * x_members * vertical


@kernel
def _fill_block(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    words: int,
) -> None:
    """The entry of a block whose children pass nothing on."""
    s = tables.tile_storage[t]
    shared, apart = 1, 1
    for d in range(tables.dims):
        if tables.used[p, d] or tables.no_multicast[s, p]:
            apart *= factors[i, t, d]
        else:
            shared *= factors[i, t, d]
    if not tables.no_multicast[s, p]:
        _refuse_coupled(tables, factors, i, work, t, p)
    hops = 0.0
    if tables.hops_needed:
        if work.packed[0] or tables.no_multicast[s, p]:
            work.irregular[0] = True
        hops = _hops(tables, factors, order, split, i, work, t, p)
        hops = 0.0 if work.width[s] * work.height[s] == 1 else hops
    accesses = float(apart) * float(words)
    work.multicast[s, p, 0] = shared
    work.scatter[s, p, 0] = apart
    work.accesses[s, p, 0] = accesses
    work.hops[s, p, 0] = (hops * accesses) / float(apart)


@kernel
def _refuse_coupled(
    tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, t: int, p: int
) -> None:
    """Two loops of a block in one rank, or one in several, are irregular."""
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        loops = 0
        for d in range(tables.dims):
            if tables.rank_step[r, d] != 0:
                loops += 1 if factors[i, t, d] > 1 else 0
        if loops > 1:
            work.irregular[0] = True
    for d in range(tables.dims):
        if tables.used[p, d] and tables.rank_bit[p, d] == 0 and factors[i, t, d] > 1:
            work.irregular[0] = True


@kernel
def _fill_level(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    s: int,
    t: int,
) -> None:
    """Entries of level s; t is its spatial tiling level, -1 if there is none."""
    if t >= 0:
        _list_neighbours(tables, factors, order, split, i, work, t)
    for p in range(tables.spaces):
        work.entries[s, p] = 1
        work.links[s, p] = 0.0
        work.unicast[s, p, 0] = 0.0
        links = t >= 0 and tables.link_transfers and not tables.no_link_transfer[s, p]
        words = _fetch(tables, order, i, work, s, p, links)
        if t >= 0:
            _fill_block(tables, factors, order, split, i, work, t, p, words)
        else:
            work.multicast[s, p, 0] = 1
            work.scatter[s, p, 0] = 1
            work.accesses[s, p, 0] = float(words)
            work.hops[s, p, 0] = 0.0


@kernel
def figures(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> None:
    """All figures of a mapping that passed ``first_look``; nothing if it is irregular."""
    work.irregular[0] = False
    mark_present(tables, keep[i], work)
    measure_spread(tables, factors, order, split, i, work)
    _spread_levels(tables, work)
    _measure(tables, factors, i, work)
    _list_steps(tables, factors, order, i, work)
    work.counters[0] = 1.0
    work.counters[1] = float(_weigh_loops(tables, factors, order, i, work))
    for s in range(tables.levels):
        block = -1
        for t in range(tables.tiles):
            if tables.tile_spatial[t] and tables.tile_storage[t] == s:
                block = t
        _fill_level(tables, factors, order, split, i, work, s, block)
    count_computes(work, False)
    share_out(tables, work)
    bypass(tables, work)
    if not count_traffic(tables, work):
        work.irregular[0] = True
    cycles = count_cycles(tables, work)
    for s in range(tables.levels):
        storage_energy(tables, work, s, cycles)
    for n in range(tables.networks):
        network_energy(tables, work, n)

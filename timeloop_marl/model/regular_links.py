"""Which children of a regular block find what they fetch at a neighbour (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .layout import Tables, Workspace

NO_MOTION = 2**62
"""Motion of a child whose box never moves: no difference of motions is as large."""

WAY = 2**30
"""A way to neighbours is one integer: the bound less 1 of the loop that leads there, times this, plus the product of
the bounds of that loop and of those inside it which move the box."""

PART = 2**56
"""Stands for a way that serves groups in part only."""


MOST_EXACT = 32
"""Most motions that are compared with where neighbours lie; more are compared with how far these lie apart."""


DIGITS = 4
"""Most loops of a packed block whose carries are told apart."""


@kernel
def most_rows(tables: Tables, s: int) -> int:
    """Rows that a block of level s can use."""
    return tables.compute[2] if s == 0 else tables.mesh_y[s - 1]


@kernel
def can_pack(tables: Tables, s: int) -> bool:
    """Whether a block of level s may be packed."""
    return tables.fanout_x[s] > 1 and most_rows(tables, s) > 1


@kernel
def list_neighbours(
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
    one_row = work.width[s] != columns
    work.packed[0] = False
    if can_pack(tables, s):
        work.packed[0] = one_row and work.width[s] * work.height[s] > columns
    for p in range(tables.spaces):
        if tables.coupled[p]:
            _list_apart(tables, factors, order, split, i, work, t, p, one_row)
        else:
            _find_same(tables, factors, order, split, i, work, t, p, one_row)


@kernel
def _list_apart(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    one_row: bool,
) -> None:
    """Distances as coded motions, without sign."""
    back, span, same = 0, 0, False
    for k in range(tables.dims):
        d = order[i, t, k]
        if not one_row and k == split[i, t]:
            back = 0
        step = work.step[t, d, p]
        apart = abs(step - back)
        work.apart[k, p] = apart if factors[i, t, d] > 1 else NO_MOTION
        same = same or (factors[i, t, d] > 1 and apart == 0)
        advance = (factors[i, t, d] - 1) * step
        back += advance
        span += abs(advance)
    work.span[p] = span
    work.holds_same[p] = same or work.packed[0]


@kernel
def _find_same(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    one_row: bool,
) -> None:
    """Where no two dims share a rank, neighbours hold the same along an innermost loop that does not move the box."""
    same, inside = False, False
    for k in range(tables.dims):
        d = order[i, t, k]
        if not one_row and k == split[i, t]:
            inside = False
        loops = factors[i, t, d] > 1
        same = same or (loops and not inside and not tables.used[p, d])
        inside = inside or loops
    work.holds_same[p] = same or work.packed[0]


@kernel
def meets(tables: Tables, work: Workspace, p: int, motion: int) -> bool:
    """Whether some children whose ids follow each other, in one row or column, lie ``motion`` apart."""
    size = abs(motion)
    found = False
    for k in range(tables.dims):
        found = found or work.apart[k, p] == size
    return found


@kernel
def list_ways(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> None:
    """By loop that leads to a neighbour: whether it serves whole groups, and which share of them (5.6)."""
    s = tables.tile_storage[t]
    one_row = work.width[s] != max(tables.fanout_x[s], work.width[s])
    inside, idle = 1, False
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        if not one_row and k == split[i, t]:
            inside, idle = 1, False
        moves = tables.used[p, d] != 0
        inside = inside * n if moves else inside
        work.way[k] = (n - 1) * WAY + inside if moves and not idle else PART
        idle = idle or (n > 1 and not moves)


@kernel
def find_way(tables: Tables, work: Workspace, p: int, motion: int) -> tuple[int, int]:
    """The way to a neighbour ``motion`` apart that serves whole groups, 0 if there is none; and how many do not.

    There is one at most: how far a loop that moves the box leads is more than none in its own rank, and not in any
    that only loops outside it move.
    """
    size = abs(motion)
    ways = 0
    for k in range(tables.dims):
        ways += work.way[k] if work.apart[k, p] == size else 0
    return ways % PART, ways // PART


@kernel
def any_near(tables: Tables, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int) -> bool:
    """Whether a motion other than the first, or none, may lead to a neighbour of a child of level s.

    Motions no longer than the children lie apart are enough where many would have to be compared.
    """
    start, motion, span = work.start[s, p], work.motion[s, p], work.span[p]
    exact = 0
    for t in range(tables.tiles):
        exact += tables.dims if tables.tile_storage[t] >= s and not tables.tile_spatial[t] else 0
    alone, found = False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                lead, moves = work.lead[t, k, p], work.weight[t, k] != 0
                alone = alone or (moves and tables.lone[p, order[i, t, k]])
                other = moves and not alone and not lead == -start and not lead == motion - start
                if exact > MOST_EXACT:
                    found = found or (other and -span - start <= lead and lead <= span - start)
                else:
                    near = meets(tables, work, p, lead + start)
                    if can_pack(tables, s):
                        near = near or (work.packed[0] and rows_meet(work, lead + start))
                    found = found or (other and near)
    return found


@kernel
def count_meetings(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    s: int,
    p: int,
    paired: bool,
) -> bool:
    """How often a motion other than the first, or none, leads a child to where a neighbour was; true if irregular.

    Never if a loop up to the one that advances moves a rank alone: the box is then further off in that rank than any
    neighbour's.
    """
    strict = paired or work.packed[0]
    total, taken, alone, crowded = 0, 0, False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                weight = work.weight[t, k]
                alone = alone or (weight != 0 and tables.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                other = weight != 0 and leap != 0 and leap != work.motion[s, p] and not alone
                way, others = find_way(tables, work, p, leap)
                served = other and way != 0
                total += weight if served else 0
                hard = way == 0 and others > 1
                hard = hard or (strict and (way != 0 or others != 0))
                if can_pack(tables, s):
                    hard = hard or (work.packed[0] and rows_meet(work, leap))
                crowded = crowded or (other and hard) or (served and taken != 0 and taken != way)
                taken = way if served else taken
    work.meetings[0] = total
    work.met_way[0] = taken
    return crowded


@kernel
def list_rows(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> None:
    """How far children one row apart in a packed block may lie apart, by which digits of their ids carry.

    The number of columns is added to an id in the mixed radix of the loop bounds. Irregular with more than ``DIGITS``
    loops.
    """
    for j in range(DIGITS):
        work.digit_bound[j] = 1
        work.digit_step[j] = 0
    loops = 0
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        for j in range(min(k + 1, DIGITS)):
            here = n > 1 and loops == j
            work.digit_bound[j] = n if here else work.digit_bound[j]
            work.digit_step[j] = work.step[t, d, p] if here else work.digit_step[j]
        loops += 1 if n > 1 else 0
    if work.packed[0] and loops > DIGITS:
        work.irregular[0] = True
    for carries in range(1 << (DIGITS - 1)):
        left, moved, there = tables.fanout_x[tables.tile_storage[t]], 0, True
        for j in range(DIGITS):
            bound = work.digit_bound[j]
            before, carry = (carries << 1 >> j) & 1, (carries >> j) & 1
            added = left % bound + before
            left = left // bound
            # A digit carries if it can reach the bound, and need not if it can stay below.
            there = there and added != (0 if carry else bound)
            moved += (added - carry * bound) * work.digit_step[j]
        work.row_apart[carries] = abs(moved) if there else NO_MOTION


@kernel
def rows_meet(work: Workspace, motion: int) -> bool:
    """Whether some children one row apart in a packed block lie ``motion`` apart."""
    size = abs(motion)
    found = False
    for carries in range(1 << (DIGITS - 1)):
        found = found or work.row_apart[carries] == size
    return found

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


MOST_EXACT = 32
"""Most motions that are compared with where neighbours lie; more are compared with how far these lie apart."""


@kernel
def most_rows(tables: Tables, s: int) -> int:
    """Rows that a block of level s can use."""
    return tables.compute[2] if s == 0 else tables.mesh_y[s - 1]


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
    if tables.fanout_x[s] > 1 and most_rows(tables, s) > 1:
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
        whole = moves and not idle
        inside = inside * n if moves else inside
        work.way[k] = (n - 1) * WAY + inside
        work.whole[k] = work.apart[k, p] if whole else NO_MOTION
        work.part[k] = NO_MOTION if whole else work.apart[k, p]
        idle = idle or (n > 1 and not moves)


@kernel
def find_way(tables: Tables, work: Workspace, motion: int) -> tuple[int, int]:
    """The way to a neighbour ``motion`` apart that serves whole groups, 0 if there is none; and how many do not.

    Two that do serve the same groups, and so do those that do not, as far as they do.
    """
    size = abs(motion)
    way, others = 0, 0
    for k in range(tables.dims):
        way = work.way[k] if work.whole[k] == size else way
        others += 1 if work.part[k] == size else 0
    return way, others


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
                elif tables.fanout_x[s] > 1:
                    short = abs(lead + start) <= span
                    found = found or (other and (work.packed[0] and short or meets(tables, work, p, lead + start)))
                else:
                    found = found or (other and meets(tables, work, p, lead + start))
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
    rows = False
    for t in range(tables.tiles):
        if tables.tile_storage[t] == s and tables.tile_spatial[t] and tables.fanout_x[s] > 1:
            rows = work.packed[0] and (paired or rows_stay(tables, factors, order, i, work, t, p))
    strict = paired or work.packed[0]
    total, taken, alone, crowded = 0, 0, False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                weight = work.weight[t, k]
                alone = alone or (weight != 0 and tables.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                other = weight != 0 and leap != 0 and leap != work.motion[s, p] and not alone
                way, others = find_way(tables, work, leap)
                served = other and way != 0
                total += weight if served else 0
                hard = way == 0 and others > 1
                hard = hard or (strict and (way != 0 or others != 0))
                hard = hard or (rows and abs(leap) <= work.span[p])
                crowded = crowded or (other and hard) or (served and taken != 0 and taken != way)
                taken = way if served else taken
    work.meetings[0] = total
    work.met_way[0] = taken
    return crowded


@kernel
def rows_stay(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> bool:
    """Whether children one row apart in a packed block may be in the same place in all ranks that a dim moves alone."""
    left = tables.fanout_x[tables.tile_storage[t]]
    still, carry = True, False
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        digit = left % n
        left = left // n
        first, last = digit == 0, digit == n - 1
        idle = work.step[t, d, p] == 0 or not tables.lone[p, d]
        still, carry = (
            (still and (idle or first)) or (carry and idle and not last),
            (carry and (idle or last)) or (still and idle and not first),
        )
    return still


@kernel
def rows_meet(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    motion: int,
    shared: int,
) -> bool:
    """Whether children one row apart in a packed block may lie ``motion`` apart, which moves one rank.

    Ids grow by the columns of the grid: digit by digit in the mixed radix of the bounds, with a carry or without.
    Each loop moves a rank of its own, so one has to move by the motion and the others not at all; but two may move
    the rank with the bit ``shared``, and these may do anything.
    """
    size = abs(motion)
    left = tables.fanout_x[tables.tile_storage[t]]
    still, still_carry, moved, moved_carry = True, False, False, False
    for k in range(tables.dims):
        d = order[i, t, k]
        n, step = factors[i, t, d], work.step[t, d, p]
        digit = left % n
        left = left // n
        first, last, idle = digit == 0, digit == n - 1, step == 0 or tables.rank_bit[p, d] == shared
        keeps, wraps = idle or first, idle or last  # the box stays where it is: no carry, or one in and out
        climbs, falls = idle and not first, idle and not last  # a carry out only, in only
        up = digit * step
        over = (digit - n) * step
        moved, moved_carry = (
            (moved and keeps) or (moved_carry and falls)
            or (still and abs(up) == size) or (still_carry and not last and abs(up + step) == size),
            (moved_carry and wraps) or (moved and climbs)
            or (still_carry and abs(over + step) == size) or (still and not first and abs(over) == size),
        )  # fmt: skip
        still, still_carry = (
            (still and keeps) or (still_carry and falls),
            (still_carry and wraps) or (still and climbs),
        )
    return moved or (shared != 0 and still and tables.rank_bit[p, work.motion_dim[tables.tile_storage[t], p]] == shared)

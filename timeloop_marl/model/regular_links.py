"""Which children of a regular block find what they fetch at a neighbour (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .layout import Tables, Workspace

NO_MOTION = 2**62
"""Motion of a child whose box never moves: no difference of motions is as large."""


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
        back, span = 0, 0
        for k in range(tables.dims):
            d = order[i, t, k]
            if not one_row and k == split[i, t]:
                back = 0
            step = work.step[t, d, p]
            apart = abs(step - back)
            work.apart[k, p] = apart if factors[i, t, d] > 1 else NO_MOTION
            advance = (factors[i, t, d] - 1) * step
            back += advance
            span += abs(advance)
        work.span[p] = span


@kernel
def meets(tables: Tables, work: Workspace, p: int, motion: int) -> bool:
    """Whether some children next to each other lie ``motion`` apart; in a packed block only if not further."""
    size = abs(motion)
    found = work.packed[0] and size <= work.span[p]
    for k in range(tables.dims):
        found = found or work.apart[k, p] == size
    return found


@kernel
def any_meets(
    tables: Tables, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int
) -> bool:
    """Whether a motion other than the first, or none, may bring the box of a child to where a neighbour's was.

    Not if a loop up to the one that advances moves a rank alone: the box is then further off in that rank than any
    neighbour's.
    """
    found, alone = False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                alone = alone or (work.weight[t, k] != 0 and tables.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                other = leap != 0 and leap != work.motion[s, p]
                moves = work.weight[t, k] != 0 and other and not alone
                found = found or (moves and meets(tables, work, p, leap))
    return found


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
) -> bool:
    """Whether children one row apart in a packed block may lie ``motion`` apart, which moves one rank.

    Ids grow by the columns of the grid: digit by digit in the mixed radix of the bounds, with a carry or without.
    Each loop moves a rank of its own, so one has to move by the motion and the others not at all.
    """
    size = abs(motion)
    left = tables.fanout_x[tables.tile_storage[t]]
    still, still_carry, moved, moved_carry = True, False, False, False
    for k in range(tables.dims):
        d = order[i, t, k]
        n, step = factors[i, t, d], work.step[t, d, p]
        digit = left % n
        left = left // n
        first, last, idle = digit == 0, digit == n - 1, step == 0
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
    return moved


@kernel
def count_served(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    motion: int,
    groups: int,
) -> tuple[int, int]:
    """How many groups of children find all that they fetch at a neighbour (5.6), and how many loops lead there."""
    size = abs(motion)
    columns = max(tables.fanout_x[tables.tile_storage[t]], work.width[tables.tile_storage[t]])
    one_row = work.width[tables.tile_storage[t]] != columns
    inside, idle = 1, False
    matches, bound, part = 0, 1, 1
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        if not one_row and k == split[i, t]:
            inside, idle = 1, False
        moves = tables.used[p, d] != 0
        hit = work.apart[k, p] == size
        matches += 1 if hit else 0
        whole = hit and moves and not idle
        longer = inside * n if moves else inside
        bound = n if whole else bound
        part = longer if whole else part
        inside = longer
        idle = idle or (n > 1 and not moves)
    return groups * (bound - 1) // part, matches

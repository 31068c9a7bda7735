"""Whether children of a regular block may pass data on to their neighbours (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .layout import Tables, Workspace

NO_MOTION = 2**62
"""Motion of a child whose box never moves: no difference of motions is as large."""


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
def meets(tables: Tables, work: Workspace, p: int, motion: int) -> bool:
    """Whether some neighbours may lie ``motion`` apart; in a packed block they always may."""
    size = abs(motion)
    found = work.packed[0] != 0
    for k in range(tables.dims):
        found = found or work.apart[k, p] == size
    return found


@kernel
def leaves(tables: Tables, work: Workspace, s: int, p: int) -> bool:
    """Whether the first motion goes further in some rank than the children of level s reach."""
    d, stride = work.motion_dim[s, p], work.motion_stride[s, p]
    found = False
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        found = found or tables.rank_step[r, d] * stride > work.block_reach[s, r]
    return found


@kernel
def any_meets(
    tables: Tables, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int, still: bool
) -> bool:
    """Whether any motion of the box of a child of level s may bring it to where a neighbour's was.

    ``still``: even where it does not move. Not if a loop up to the one that advances moves a rank alone: the box is
    then further off in that rank than any neighbour's.
    """
    found, alone = False, False
    for t in range(tables.tiles):
        if tables.tile_storage[t] >= s and not tables.tile_spatial[t]:
            for k in range(tables.dims):
                alone = alone or (work.weight[t, k] != 0 and tables.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                moves = work.weight[t, k] != 0 and (still or leap != 0) and not alone
                found = found or (moves and meets(tables, work, p, leap))
    return found

"""Which children of a regular block find what they fetch at a neighbour (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .regular_links import can_pack, meets, rows_meet
from .workspace import Workspace

WAY = 2**30
"""A way to neighbours is one integer: the bound less 1 of the loop that leads there, times this, plus the product of
the bounds of that loop and of those inside it which move the box."""

PART = 2**56
"""Stands for a way that serves groups in part only."""

MOST_EXACT = 32
"""Most motions that are compared with where neighbours lie; more are compared with how far these lie apart."""


@kernel
def list_ways(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> None:
    """By loop that leads to a neighbour: whether it serves whole groups, and which share of them (5.6)."""
    s = geometry.tile_storage[t]
    one_row = work.width[s] != max(geometry.fanout_x[s], work.width[s])
    inside, idle = 1, False
    for k in range(geometry.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        if not one_row and k == split[i, t]:
            inside, idle = 1, False
        moves = geometry.used[p, d] != 0
        inside = inside * n if moves else inside
        work.way[k] = (n - 1) * WAY + inside if moves and not idle else PART
        idle = idle or (n > 1 and not moves)


@kernel
def find_way(geometry: Geometry, work: Workspace, p: int, motion: int) -> tuple[int, int]:
    """The way to a neighbour ``motion`` apart that serves whole groups, 0 if there is none; and how many do not.

    There is one at most: how far a loop that moves the box leads is more than none in its own rank, and not in any
    that only loops outside it move.
    """
    size = abs(motion)
    ways = 0
    for k in range(geometry.dims):
        ways += work.way[k] if work.apart[k, p] == size else 0
    return ways % PART, ways // PART


@kernel
def any_near(
    geometry: Geometry, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int
) -> bool:
    """Whether a motion other than the first, or none, may lead to a neighbour of a child of level s.

    Motions no longer than the children lie apart are enough where many would have to be compared.
    """
    start, motion, span = work.start[s, p], work.motion[s, p], work.span[p]
    exact = 0
    for t in range(geometry.tiles):
        exact += geometry.dims if geometry.tile_storage[t] >= s and not geometry.tile_spatial[t] else 0
    alone, found = False, False
    for t in range(geometry.tiles):
        if geometry.tile_storage[t] >= s and not geometry.tile_spatial[t]:
            for k in range(geometry.dims):
                lead, moves = work.lead[t, k, p], work.weight[t, k] != 0
                alone = alone or (moves and geometry.lone[p, order[i, t, k]])
                other = moves and not alone and lead != -start and lead != motion - start
                if exact > MOST_EXACT:
                    found = found or (other and -span - start <= lead and lead <= span - start)
                else:
                    near = meets(geometry, work, p, lead + start)
                    if can_pack(geometry, s):
                        near = near or (work.packed[0] and rows_meet(work, lead + start))
                    found = found or (other and near)
    return found


@kernel
def count_meetings(
    geometry: Geometry,
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
    for t in range(geometry.tiles):
        if geometry.tile_storage[t] >= s and not geometry.tile_spatial[t]:
            for k in range(geometry.dims):
                weight = work.weight[t, k]
                alone = alone or (weight != 0 and geometry.lone[p, order[i, t, k]])
                leap = work.lead[t, k, p] + work.start[s, p]
                other = weight != 0 and leap != 0 and leap != work.motion[s, p] and not alone
                way, others = find_way(geometry, work, p, leap)
                served = other and way != 0
                total += weight if served else 0
                hard = way == 0 and others > 1
                hard = hard or (strict and (way != 0 or others != 0))
                if can_pack(geometry, s):
                    hard = hard or (work.packed[0] and rows_meet(work, leap))
                crowded = crowded or (other and hard) or (served and taken != 0 and taken != way)
                taken = way if served else taken
    work.meetings[0] = total
    work.met_way[0] = taken
    return crowded

"""How far the boxes of neighbours in a regular block lie apart (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .workspace import Workspace

NO_MOTION = 2**62
"""Motion of a child whose box never moves: no difference of motions is as large."""

DIGITS = 4
"""Most loops of a packed block whose carries are told apart."""


@kernel
def most_rows(geometry: Geometry, s: int) -> int:
    """Rows that a block of level s can use."""
    return geometry.compute[2] if s == 0 else geometry.mesh_y[s - 1]


@kernel
def can_pack(geometry: Geometry, s: int) -> bool:
    """Whether a block of level s may be packed."""
    return geometry.fanout_x[s] > 1 and most_rows(geometry, s) > 1


@kernel
def list_neighbours(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
) -> None:
    """How far the boxes of children next to each other lie apart, by the loop that advances between them."""
    s = geometry.tile_storage[t]
    columns = max(geometry.fanout_x[s], work.width[s])
    one_row = work.width[s] != columns
    work.packed[0] = False
    if can_pack(geometry, s):
        work.packed[0] = one_row and work.width[s] * work.height[s] > columns
    for p in range(geometry.spaces):
        if geometry.coupled[p]:
            _list_apart(geometry, factors, order, split, i, work, t, p, one_row)
        else:
            _find_same(geometry, factors, order, split, i, work, t, p, one_row)


@kernel
def _list_apart(
    geometry: Geometry,
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
    for k in range(geometry.dims):
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
    geometry: Geometry,
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
    for k in range(geometry.dims):
        d = order[i, t, k]
        if not one_row and k == split[i, t]:
            inside = False
        loops = factors[i, t, d] > 1
        same = same or (loops and not inside and not geometry.used[p, d])
        inside = inside or loops
    work.holds_same[p] = same or work.packed[0]


@kernel
def meets(geometry: Geometry, work: Workspace, p: int, motion: int) -> bool:
    """Whether some children whose ids follow each other, in one row or column, lie ``motion`` apart."""
    size = abs(motion)
    found = False
    for k in range(geometry.dims):
        found = found or work.apart[k, p] == size
    return found


@kernel
def list_rows(
    geometry: Geometry,
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
    for k in range(geometry.dims):
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
        left, moved, there = geometry.fanout_x[geometry.tile_storage[t]], 0, True
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

"""Spatial blocks by formula (section 18): groups, hops, and whether neighbours can pass data on."""

from __future__ import annotations

from ..kernels.compiling import kernel
from .explicit import fill_explicit, grid_height, grid_width
from .geometry import Geometry
from .workspace import SPATIAL_X, Workspace

NOWHERE = -(2**63)
"""A motion that no box makes."""


@kernel
def fill_block(geometry: Geometry, work: Workspace, s: int, p: int, words: int) -> None:
    """Entries of a block whose children each fetch ``words`` words and pass nothing on."""
    first, end = work.block_first[s], work.block_end[s]
    if geometry.no_multicast[s, p]:
        if geometry.hops_needed:
            fill_explicit(geometry, work, s, p)
        else:
            _enter(work, s, p, 0, 1, work.width[s] * work.height[s], words, 0.0)
            work.entries[s, p] = 1
        return
    shared, apart, ranks = 1, 1, 0
    pair = -1
    for l in range(first, end):  # noqa: E741
        d, n = work.loop_dim[l], work.loop_bound[l]
        if not geometry.used[p, d]:
            shared *= n
            continue
        apart *= n
        if geometry.rank_bit[p, d] == 0 or (ranks & geometry.rank_bit[p, d] != 0 and pair >= 0):
            fill_explicit(geometry, work, s, p)
            return
        if ranks & geometry.rank_bit[p, d] != 0:
            pair = l
        ranks |= geometry.rank_bit[p, d]
    if pair >= 0:
        if geometry.hops_needed:
            fill_explicit(geometry, work, s, p)
        else:
            _enter_pair(geometry, work, s, p, words, pair, shared, apart)
        return
    hops = 0.0
    if geometry.hops_needed:
        if not unpacked(geometry, work, s):
            fill_explicit(geometry, work, s, p)
            return
        hops = _hops(geometry, work, s, p)
    _enter(work, s, p, 0, shared, apart, words, hops)
    work.entries[s, p] = 1


@kernel
def _enter(
    work: Workspace,
    s: int,
    p: int,
    e: int,
    multicast: int,
    scatter: int,
    words: int,
    hops: float,
) -> None:
    """Write entry e: ``hops`` are those of one packet to each group."""
    accesses = float(scatter) * float(words)
    work.multicast[s, p, e] = multicast
    work.scatter[s, p, e] = scatter
    work.accesses[s, p, e] = accesses
    work.hops[s, p, e] = (hops * accesses) / float(scatter)
    work.unicast[s, p, e] = 0.0


@kernel
def _enter_pair(
    geometry: Geometry,
    work: Workspace,
    s: int,
    p: int,
    words: int,
    second: int,
    shared: int,
    apart: int,
) -> None:
    """Entries where exactly two spatial loops move the same rank: sums of two arithmetic sequences coincide."""
    bit = geometry.rank_bit[p, work.loop_dim[second]]
    other = work.block_first[s]
    while geometry.rank_bit[p, work.loop_dim[other]] != bit:
        other += 1
    n, m = work.loop_bound[other], work.loop_bound[second]
    a = geometry.rank_distance[p, work.loop_dim[other]] * work.loop_stride[other]
    b = geometry.rank_distance[p, work.loop_dim[second]] * work.loop_stride[second]
    divisor, rest = a, b
    while rest != 0:
        divisor, rest = rest, divisor % rest
    a //= divisor
    b //= divisor
    apart = apart // (n * m)
    count = 0
    k = 1
    while n - (k - 1) * b > 0 and m - (k - 1) * a > 0:
        times = _pairs(n, m, a, b, k) - 2 * _pairs(n, m, a, b, k + 1) + _pairs(n, m, a, b, k + 2)
        if times > 0:
            if count == work.multicast.shape[2]:
                work.status[0] = 1
                return
            _enter(work, s, p, count, k * shared, times * apart, words, 0.0)
            count += 1
        k += 1
    work.entries[s, p] = count


@kernel
def _pairs(n: int, m: int, a: int, b: int, k: int) -> int:
    """Index pairs from which the same sum can be reached k - 1 times more."""
    return max(0, n - (k - 1) * b) * max(0, m - (k - 1) * a)


@kernel
def unpacked(geometry: Geometry, work: Workspace, s: int) -> bool:
    """Whether every used row of the grid is used in full, or only one row is used."""
    columns = grid_width(geometry, work, s)
    return work.width[s] == columns or work.width[s] * work.height[s] <= columns


@kernel
def _hops(geometry: Geometry, work: Workspace, s: int, p: int) -> float:
    """Sum over the groups of the hops of one packet to each."""
    one_row = work.width[s] != grid_width(geometry, work, s)
    centre = (grid_height(geometry, work, s) - 1) / 2
    columns, rows = 1, 1  # radices
    x_groups, y_groups, x_members = 1, 1, 1
    column_sum, row_span = 0.0, 0
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        n = work.loop_bound[l]
        moves = geometry.used[p, work.loop_dim[l]] != 0
        if one_row or work.loop_kind[l] == SPATIAL_X:
            if moves:
                x_groups *= n
                column_sum += (n - 1) * columns / 2
            else:
                x_members *= n
                column_sum += float((n - 1) * columns)
            columns *= n
        else:
            if moves:
                y_groups *= n
            else:
                row_span += (n - 1) * rows
            rows *= n
    vertical = 0.0
    for row in range(rows):
        if _starts_group(geometry, work, s, p, row, one_row):
            vertical += max(0.0, centre - row) + max(0.0, row + row_span - centre)
    return y_groups * (x_groups * column_sum) + x_groups * x_members * vertical


@kernel
def _starts_group(geometry: Geometry, work: Workspace, s: int, p: int, row: int, one_row: bool) -> bool:
    """Whether a row is the first one of its group of rows with equal data."""
    if one_row:
        return True
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        if work.loop_kind[l] == SPATIAL_X:
            continue
        if row % work.loop_bound[l] != 0 and not geometry.used[p, work.loop_dim[l]]:
            return False
        row //= work.loop_bound[l]
    return True


@kernel
def neighbours_differ(geometry: Geometry, work: Workspace, s: int, p: int, motion: int) -> bool:
    """Whether the boxes of some two grid neighbours may lie ``motion`` apart; false only if none do."""
    columns = grid_width(geometry, work, s)
    packed = not unpacked(geometry, work, s)
    one_row = packed or work.width[s] != columns  # ids run on from the end of one row to the next
    back = 0  # from the last child of the loops inside to the first
    rows = False
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        if not one_row and not rows and work.loop_kind[l] != SPATIAL_X:
            rows = True
            back = 0
        step = geometry.motion[p, work.loop_dim[l]] * work.loop_stride[l]
        if step - back == motion or back - step == motion:
            return True
        back += (work.loop_bound[l] - 1) * step
    return packed and _rows_differ(geometry, work, s, p, motion, columns)


@kernel
def _rows_differ(geometry: Geometry, work: Workspace, s: int, p: int, motion: int, columns: int) -> bool:
    """Whether the boxes of some two children ``columns`` ids apart lie ``motion`` apart.

    ``columns`` is added to an id in the mixed radix of the loop bounds. How far that moves the box depends on the
    digits that carry only; every pattern of carries is tried, the last digit having none.
    """
    first, end = work.block_first[s], work.block_end[s]
    for carries in range(1 << (end - first - 1)):
        left, carry, moved = columns, 0, 0
        for l in range(first, end):  # noqa: E741
            bound = work.loop_bound[l]
            added = left % bound + carry
            left //= bound
            carry = (carries >> (l - first)) & 1
            # A digit carries if it can reach the bound, and need not if it can stay below.
            if added == (0 if carry else bound):
                moved = NOWHERE
                break
            moved += (added - carry * bound) * geometry.motion[p, work.loop_dim[l]] * work.loop_stride[l]
        if moved != NOWHERE and left == 0 and (moved == motion or moved == -motion):
            return True
    return False

# ruff: noqa: SIM110  (compiled code has no generators)
"""Spatial blocks by walking the children (section 5): groups, hops, link transfers. The explicit version.

Children are numbered with the mixed radix of the used loop bounds, but laid out on the physical grid, so that a block
that uses fewer columns than there are is packed.
"""

from __future__ import annotations

from ..compiling import kernel
from .entries import add_entry
from .geometry import Geometry
from .layout import Workspace
from .motions import motion_of


@kernel
def place_children(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Offsets of the boxes of all children of level s; returns how many there are."""
    first_rank = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first_rank
    count = 1
    for r in range(ranks):
        work.child_offset[0, r] = 0
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        bound = work.loop_bound[l]
        for r in range(ranks):
            step = motion_of(geometry, p, first_rank + r, work.loop_dim[l], work.loop_stride[l])
            for index in range(1, bound):
                for i in range(count):
                    work.child_offset[index * count + i, r] = work.child_offset[i, r] + index * step
        count *= bound
    for i in range(count):
        work.child_served[i] = False
    return count


@kernel
def grid_width(geometry: Geometry, work: Workspace, s: int) -> int:
    """Columns of the grid on which the children of level s lie."""
    return max(geometry.fanout_x[s], work.width[s])


@kernel
def grid_height(geometry: Geometry, work: Workspace, s: int) -> int:
    """Rows of the grid on which the children of level s lie."""
    return max(geometry.fanout_y[s], work.height[s])


@kernel
def _displaced(work: Workspace, i: int, neighbour: int, event: int, ranks: int) -> bool:
    """Whether the neighbour's box lies from child i's as far as the motion of the event."""
    for r in range(ranks):
        difference = work.child_offset[neighbour, r] - work.child_offset[i, r]
        if difference != work.event_motion[event, r]:
            return False
    return True


@kernel
def serve_children(geometry: Geometry, work: Workspace, s: int, p: int, count: int, event: int) -> int:
    """Mark the children that find their delta at a grid neighbour's previous visit; returns how many."""
    ranks = geometry.rank_start[p + 1] - geometry.rank_start[p]
    columns = grid_width(geometry, work, s)
    rows = grid_height(geometry, work, s)
    served = 0
    for i in range(count):
        column = i % columns
        row = i // columns
        hit = (
            (row > 0 and _displaced(work, i, i - columns, event, ranks))
            or (row < rows - 1 and i + columns < count and _displaced(work, i, i + columns, event, ranks))
            or (column > 0 and _displaced(work, i, i - 1, event, ranks))
            or (column < columns - 1 and i + 1 < count and _displaced(work, i, i + 1, event, ranks))
        )
        work.child_served[i] = hit
        if hit:
            served += 1
    return served


@kernel
def _precedes(work: Workspace, a: int, b: int, ranks: int, columns: int) -> bool:
    """Order of children: by offset, then column, then row."""
    for r in range(ranks):
        if work.child_offset[a, r] != work.child_offset[b, r]:
            return work.child_offset[a, r] < work.child_offset[b, r]
    if a % columns != b % columns:
        return a % columns < b % columns
    return a < b


@kernel
def _sort_children(work: Workspace, count: int, ranks: int, columns: int) -> int:
    """Shell sort of the children that are not served into ``child_order``; returns how many."""
    kept = 0
    for i in range(count):
        if not work.child_served[i]:
            work.child_order[kept] = i
            kept += 1
    gap = 1
    while gap < kept // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, kept):
            child = work.child_order[i]
            k = i
            while k >= gap and _precedes(work, child, work.child_order[k - gap], ranks, columns):
                work.child_order[k] = work.child_order[k - gap]
                k -= gap
            work.child_order[k] = child
        gap //= 3
    return kept


@kernel
def group_children(geometry: Geometry, work: Workspace, s: int, p: int, count: int) -> int:
    """Group the children that are not served by equal offsets; returns the number of groups.

    Fills, per group size, the number of groups and the sums of their hops and unicast hops.
    """
    ranks = geometry.rank_start[p + 1] - geometry.rank_start[p]
    columns = grid_width(geometry, work, s)
    centre = (grid_height(geometry, work, s) - 1) / 2
    kept = _sort_children(work, count, ranks, columns)
    work.groups[0] = 0
    total = 0
    start = 0
    while start < kept:
        end = start + 1
        if not geometry.no_multicast[s, p]:
            while end < kept and _same_place(work, work.child_order[start], work.child_order[end], ranks):
                end += 1
        _add_group(
            work,
            end - start,
            _group_hops(work, start, end, columns, centre),
            _group_unicast(work, start, end, columns, centre),
        )
        total += 1
        start = end
    return total


@kernel
def _same_place(work: Workspace, a: int, b: int, ranks: int) -> bool:
    for r in range(ranks):
        if work.child_offset[a, r] != work.child_offset[b, r]:
            return False
    return True


@kernel
def _group_hops(work: Workspace, start: int, end: int, columns: int, centre: float) -> float:
    """Hops of one packet to a group: along the row to its last column, then up and down each column used."""
    hops = float(work.child_order[end - 1] % columns)
    k = start
    while k < end:
        column = work.child_order[k] % columns
        first_row = work.child_order[k] // columns
        while k + 1 < end and work.child_order[k + 1] % columns == column:
            k += 1
        last_row = work.child_order[k] // columns
        hops += max(0.0, centre - first_row) + max(0.0, last_row - centre)
        k += 1
    return hops


@kernel
def _group_unicast(work: Workspace, start: int, end: int, columns: int, centre: float) -> float:
    """Hops of one packet for each child of a group."""
    hops = 0.0
    for k in range(start, end):
        child = work.child_order[k]
        hops += float(child % columns) + abs(child // columns - centre)
    return hops


@kernel
def _add_group(work: Workspace, size: int, hops: float, unicast: float) -> None:
    count = work.groups[0]
    g = 0
    while g < count and work.group_multicast[g] != size:
        g += 1
    if g == count:
        work.group_multicast[g] = size
        work.group_scatter[g] = 0
        work.group_hops[g] = 0.0
        work.group_unicast[g] = 0.0
        work.groups[0] = count + 1
    work.group_scatter[g] += 1
    work.group_hops[g] += hops
    work.group_unicast[g] += unicast


@kernel
def enter_groups(work: Workspace, s: int, p: int, words: float) -> None:
    """Add an entry for each group size when every child fetches ``words`` words in all."""
    for g in range(work.groups[0]):
        scatter = work.group_scatter[g]
        accesses = float(scatter) * words
        add_entry(
            work,
            s,
            p,
            work.group_multicast[g],
            scatter,
            accesses,
            (work.group_hops[g] * accesses) / scatter,
            (work.group_unicast[g] * accesses) / scatter,
        )

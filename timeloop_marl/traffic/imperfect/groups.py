"""Groups of children with equal data, for the walk (sections 5 and 6)."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ...kernels.compiling import kernel
from ..geometry import Geometry
from ..workspace import Workspace
from .space import WalkSpace


@kernel
def child_codes(
    geometry: Geometry,
    work: Workspace,
    space: WalkSpace,
    s: int,
    p: int,
    ends: Int64[ndarray, "loops"],
    codes: Int64[ndarray, "C"],
) -> int:
    """Coded offsets of all children, in the order of their ids; ``ends`` are the radices. Returns their number."""
    codes[0] = 0
    count = 1
    for k in range(work.block_first[s], work.block_end[s]):
        step = work.loop_stride[k] * dim_weight(geometry, space, p, work.loop_dim[k])
        for i in range(1, ends[k - work.block_first[s]]):
            for child in range(count):
                codes[i * count + child] = codes[child] + i * step
        count *= ends[k - work.block_first[s]]
    return count


@kernel
def dim_weight(geometry: Geometry, space: WalkSpace, p: int, d: int) -> int:
    """Coded motion of the box of p when x_d grows by 1."""
    total = 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
            if geometry.term_dim[t] == d:
                total += space.weight[r] * geometry.term_coefficient[t]
    return total


@kernel
def group_children(
    geometry: Geometry,
    work: Workspace,
    space: WalkSpace,
    s: int,
    p: int,
    children: int,
    place: int,
    skip_served: bool,
) -> None:
    """Count groups by size into grouping ``place``: how many of each, and the sums of their hops."""
    count = _assign_groups(geometry, work, space, s, p, children, skip_served)
    _measure_hops(geometry, work, space, s, children, count, skip_served)
    space.kinds[s, p, place] = 0
    for g in range(count):
        size = space.members[g]
        kinds = space.kinds[s, p, place]
        e = 0
        while e < kinds and space.kind_size[s, p, place, e] != size:
            e += 1
        if e == kinds:
            space.kinds[s, p, place] = kinds + 1
            space.kind_size[s, p, place, e] = size
            space.kind_count[s, p, place, e] = 0
            space.kind_hops[s, p, place, e] = 0.0
            space.kind_unicast[s, p, place, e] = 0.0
        space.kind_count[s, p, place, e] += 1
        space.kind_hops[s, p, place, e] += space.group_hops[g]
        space.kind_unicast[s, p, place, e] += space.group_unicast[g]


@kernel
def _assign_groups(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, children: int, skip_served: bool
) -> int:
    """Number the groups; children with equal codes share one, unless multicast is off. Returns how many there are."""
    count = 0
    alone = geometry.no_multicast[s, p]
    if not alone:
        child_codes(geometry, work, space, s, p, space.ends, space.code)
    slots = space.slots
    for i in range(children):
        if skip_served and space.served[i]:
            continue
        g = count
        if not alone:
            code = space.code[i]
            slot = code % slots
            while space.slot_group[slot] != 0 and space.slot_code[slot] != code:
                slot = (slot + 1) % slots
            if space.slot_group[slot] != 0:
                g = space.slot_group[slot] - 1
            else:
                space.slot_group[slot] = g + 1
                space.slot_code[slot] = code
                space.group_slot[g] = slot
        if g == count:
            space.members[g] = 0
            count += 1
        space.group[i] = g
        space.members[g] += 1
    if not alone:
        for g in range(count):
            space.slot_group[space.group_slot[g]] = 0
    return count


@kernel
def _measure_hops(
    geometry: Geometry,
    work: Workspace,
    space: WalkSpace,
    s: int,
    children: int,
    count: int,
    skip_served: bool,
) -> None:
    """Hops of one multicast to each group and of unicasts to its members, on the physical grid of the level."""
    h = max(geometry.fanout_x[s], work.width[s])
    v = max(geometry.fanout_y[s], work.height[s])
    centre = (v - 1) / 2
    for g in range(count):
        space.group_hops[g] = 0.0
        space.group_unicast[g] = 0.0
        space.column[g] = -1
    # Column by column, so that the members of a group in one column come in a run from its first row to its last.
    for column in range(min(h, children)):
        for i in range(column, children, h):
            if skip_served and space.served[i]:
                continue
            g, row = space.group[i], i // h
            if space.column[g] != column:
                _close_column(space, g, centre)
                space.column[g] = column
                space.group_hops[g] += max(0.0, centre - row)
            space.row[g] = row
            space.group_unicast[g] += column + abs(row - centre)
    for g in range(count):
        _close_column(space, g, centre)
        space.group_hops[g] += space.column[g]


@kernel
def _close_column(space: WalkSpace, g: int, centre: float) -> None:
    """Add the way down to the last row of the group in its current column."""
    if space.column[g] >= 0:
        space.group_hops[g] += max(0.0, space.row[g] - centre)

# ruff: noqa: SIM110  (compiled code has no generators)
"""Perfect traffic written out (sections 3 to 5): motions rank by rank, spatial blocks by walking their children.

The oracle of the closed form, and what serves where it has no formula. A tile of a child is visited once and then once
per *event*: loop j advances and all loops inside it jump back. Only the first repetition of a loop is really looked
at; it stands for all of them. Children are numbered with the mixed radix of the used loop bounds, but laid out on the
physical grid, so that a block that uses fewer columns than there are is packed.
"""

from __future__ import annotations

from ..kernels.compiling import kernel
from .geometry import Geometry
from .workspace import TEMPORAL, Workspace, add_entry

EMPTY, PARTIAL, WHOLE = 0, 1, 2
"""What an event fetches: nothing, the tile without its overlap after the innermost motion, or the whole tile."""


@kernel
def motion_of(geometry: Geometry, p: int, r: int, d: int, distance: int) -> int:
    """How far rank r of the box moves when the position in dim d grows by ``distance``."""
    steps = 0
    for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
        if geometry.term_dim[t] == d:
            steps += geometry.term_coefficient[t] * distance
    return steps


@kernel
def list_events(geometry: Geometry, work: Workspace, p: int, first_loop: int) -> None:
    """Motions and weights of the events caused by temporal loops from ``first_loop`` on, inside-out."""
    first_rank = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first_rank
    for r in range(ranks):
        work.jump[r] = 0
    count = 0
    for l in range(first_loop, work.loops[0]):  # noqa: E741
        if work.loop_kind[l] != TEMPORAL or work.loop_bound[l] < 2:
            continue
        for r in range(ranks):
            step = motion_of(geometry, p, first_rank + r, work.loop_dim[l], work.loop_stride[l])
            work.event_motion[count, r] = step - work.jump[r]
            work.jump[r] += step
        work.event_bound[count] = work.loop_bound[l]
        count += 1
    work.events[0] = count
    outer = 1
    for j in range(count - 1, -1, -1):
        work.event_weight[j] = (work.event_bound[j] - 1) * outer
        outer *= work.event_bound[j]


@kernel
def same_motion(work: Workspace, a: int, b: int, ranks: int) -> bool:
    """Whether two events move the box alike."""
    for r in range(ranks):
        if work.event_motion[a, r] != work.event_motion[b, r]:
            return False
    return True


@kernel
def moves(work: Workspace, j: int, ranks: int) -> bool:
    """Whether event j moves the box at all."""
    for r in range(ranks):
        if work.event_motion[j, r] != 0:
            return True
    return False


@kernel
def overlap(work: Workspace, j: int, ranks: int) -> int:
    """Words that the box shares with itself after the motion of event j."""
    words = 1
    for r in range(ranks):
        words *= max(0, work.extent[r] - abs(work.event_motion[j, r]))
    return words


@kernel
def weigh_events(geometry: Geometry, work: Workspace, p: int, words: int, reuse: bool) -> int:
    """What each event fetches; returns the words fetched over the whole run.

    Args:
        geometry: constants.
        work: holds the events and, in ``extent``, the extents of the tile.
        p: data space.
        words: volume of the tile.
        reuse: false if every visit fetches the whole tile.
    """
    ranks = geometry.rank_start[p + 1] - geometry.rank_start[p]
    count = work.events[0]
    reference = 0  # the event whose motion is remembered
    if not geometry.rules_2022:
        while reference < count and not moves(work, reference, ranks):
            reference += 1
    total = words
    for j in range(count):
        kind = WHOLE
        fetched = words
        if reuse and same_motion(work, j, reference, ranks):
            kind = PARTIAL
            fetched = words - overlap(work, j, ranks)
        elif reuse and not geometry.rules_2022 and not moves(work, j, ranks):
            fetched = 0
        if fetched == 0:
            kind = EMPTY
        elif fetched == words:
            kind = WHOLE
        work.event_kind[j] = kind
        work.event_words[j] = fetched
        total += work.event_weight[j] * fetched
    return total


@kernel
def linked_words(work: Workspace, event: int) -> int:
    """Words fetched in visits that move as ``event`` and follow a visit with a delta of the same shape.

    The visit before any event is one of event 0 (or the very first, which fetches the whole tile). So an event above 0
    can be linked if it fetches what event 0 does. Event 0 can after the first visit if it fetches the whole tile, and
    after each event that fetches what it does itself.
    """
    kind = work.event_kind[event]
    if kind == EMPTY or work.event_kind[0] == EMPTY:
        return 0
    if event > 0:
        return work.event_weight[event] * work.event_words[event] if kind == work.event_kind[0] else 0
    visits = 1 if kind == WHOLE else 0
    for j in range(1, work.events[0]):
        if work.event_kind[j] == kind:
            visits += work.event_weight[j]
    return (work.event_bound[0] - 1) * visits * work.event_words[0]


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


@kernel
def fill_coded(geometry: Geometry, work: Workspace, s: int, p: int) -> None:
    """Entries and link transfers of a block of level s where nothing is paid for hops."""
    plain = list_coded_events(geometry, work, s, p)
    children = _place(geometry, work, s, p)
    groups = _number_groups(geometry, work, s, p, children)
    if geometry.link_transfers and not geometry.no_link_transfer[s, p]:
        for j in range(work.events[0]):
            words = linked_words(work, j)
            if words == 0:
                continue
            _gather(work, children, groups)
            served = _serve(geometry, work, s, children, work.event_code[j])
            if served == 0 or not _empties(work, groups):
                continue
            _enter_sizes(work, s, p, groups, words)
            work.links[s, p] += float(served * words)
            plain -= words
    _gather(work, children, groups)
    _enter_sizes(work, s, p, groups, plain)


@kernel
def _place(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Offsets of the boxes of all children of level s; returns how many there are."""
    count = 1
    work.child_code[0] = 0
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        step = geometry.motion[p, work.loop_dim[l]] * work.loop_stride[l]
        for index in range(1, work.loop_bound[l]):
            for i in range(count):
                work.child_code[index * count + i] = work.child_code[i] + index * step
        count *= work.loop_bound[l]
    return count


@kernel
def _number_groups(geometry: Geometry, work: Workspace, s: int, p: int, children: int) -> int:
    """Number the children by offset, without multicast one by one; returns how many numbers there are."""
    if geometry.no_multicast[s, p]:
        for i in range(children):
            work.child_group[i] = i
        return children
    size = 4
    while size < 2 * children:
        size *= 2
    for slot in range(size):
        work.slots[slot] = 0
    groups = 0
    for i in range(children):
        code = work.child_code[i]
        slot = (code ^ (code >> 8) ^ (code >> 19) ^ (code >> 31)) & (size - 1)
        while work.slots[slot] != 0 and work.slot_code[slot] != code:
            slot = (slot + 1) & (size - 1)
        if work.slots[slot] == 0:
            groups += 1
            work.slots[slot] = groups
            work.slot_code[slot] = code
        work.child_group[i] = work.slots[slot] - 1
    return groups


@kernel
def _gather(work: Workspace, children: int, groups: int) -> None:
    """Count the children of every group."""
    for g in range(groups):
        work.group_left[g] = 0
    for i in range(children):
        work.group_left[work.child_group[i]] += 1


@kernel
def _serve(geometry: Geometry, work: Workspace, s: int, children: int, motion: int) -> int:
    """Take the children out that find their delta at a grid neighbour's previous visit; returns how many."""
    columns, rows = grid_width(geometry, work, s), grid_height(geometry, work, s)
    served = 0
    for i in range(children):
        wanted = work.child_code[i] + motion
        column, row = i % columns, i // columns
        hit = (
            (row > 0 and work.child_code[i - columns] == wanted)
            or (row < rows - 1 and i + columns < children and work.child_code[i + columns] == wanted)
            or (column > 0 and work.child_code[i - 1] == wanted)
            or (column < columns - 1 and i + 1 < children and work.child_code[i + 1] == wanted)
        )
        if hit:
            work.group_left[work.child_group[i]] -= 1
            served += 1
    return served


@kernel
def _empties(work: Workspace, groups: int) -> bool:
    """Whether some group has nobody left."""
    for g in range(groups):
        if work.group_left[g] == 0:
            return True
    return False


@kernel
def _enter_sizes(work: Workspace, s: int, p: int, groups: int, words: int) -> None:
    """Add an entry for each size of what is left of the groups when every child fetches ``words`` words in all."""
    work.groups[0] = 0
    for g in range(groups):
        size = work.group_left[g]
        if size == 0:
            continue
        place = 0
        while place < work.groups[0] and work.group_multicast[place] != size:
            place += 1
        if place == work.groups[0]:
            work.group_multicast[place] = size
            work.group_scatter[place] = 0
            work.groups[0] = place + 1
        work.group_scatter[place] += 1
    for place in range(work.groups[0]):
        scatter = work.group_scatter[place]
        add_entry(work, s, p, work.group_multicast[place], scatter, float(scatter) * float(words), 0.0, 0.0)


@kernel
def fetch(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Words that one child of level s fetches over the whole run; its events are left in ``work``."""
    first_rank = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first_rank
    if s == 0:
        for r in range(ranks):
            work.extent[r] = 1
        list_events(geometry, work, p, 0)
        return weigh_events(geometry, work, p, 1, False)
    words = 1
    for r in range(ranks):
        work.extent[r] = work.tile_extent[s - 1, first_rank + r]
        words *= work.extent[r]
    list_events(geometry, work, p, work.boundary[s - 1] + 1)
    return weigh_events(geometry, work, p, words, not geometry.no_temporal_reuse[s - 1, p])


@kernel
def fill_explicit(geometry: Geometry, work: Workspace, s: int, p: int) -> None:
    """Entries and link transfers of the traffic from level s to its children."""
    if geometry.coded and not geometry.hops_needed and not geometry.explicit_blocks:
        fill_coded(geometry, work, s, p)
        return
    total = fetch(geometry, work, s, p)
    if work.block_first[s] == work.block_end[s]:
        add_entry(work, s, p, 1, 1, float(total), 0.0, 0.0)
        return
    count = place_children(geometry, work, s, p)
    plain = total
    if geometry.link_transfers and not geometry.no_link_transfer[s, p]:
        plain_groups = group_children(geometry, work, s, p, count)
        for event in range(work.events[0]):
            plain -= _enter_served(geometry, work, s, p, count, event, plain_groups)
        for i in range(count):
            work.child_served[i] = False
    group_children(geometry, work, s, p, count)
    enter_groups(work, s, p, float(plain))


@kernel
def _enter_served(
    geometry: Geometry, work: Workspace, s: int, p: int, count: int, event: int, plain_groups: int
) -> int:
    """Enter the visits in which neighbours pass on what they fetched before, moving as ``event``.

    Returns the words per child of these visits; 0 if there are none or it does not save accesses.
    """
    words = linked_words(work, event)
    if words == 0:
        return 0
    served = serve_children(geometry, work, s, p, count, event)
    if served == 0 or group_children(geometry, work, s, p, count) >= plain_groups:
        return 0
    enter_groups(work, s, p, float(words))
    work.links[s, p] += float(served * words)
    return words


@kernel
def list_coded_events(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Events of a child of level s with motions as codes; returns the words that it fetches over the whole run."""
    first = work.outer_start[s]
    count = work.outers[0] - first
    words = 1 if s == 0 else work.tile[s - 1, p]
    reuse = s > 0 and geometry.no_temporal_reuse[s - 1, p] == 0
    motion, partial = 0, words
    reference = first  # the loop whose motion is remembered
    if reuse and not geometry.rules_2022:
        while reference < work.outers[0] and not geometry.used[p, work.outer_dim[reference]]:
            reference += 1
    if reuse and reference < work.outers[0]:
        d, stride = work.outer_dim[reference], work.outer_stride[reference]
        motion = geometry.motion[p, d] * stride
        partial = words - overlap_in(geometry, work, s - 1, p, d, stride)
    jump = 0
    total = words
    for j in range(count):
        outer = first + j
        step = geometry.motion[p, work.outer_dim[outer]] * work.outer_stride[outer]
        leap = step - jump
        jump += step
        fetched = words
        if reuse and leap == 0 and not geometry.rules_2022:
            fetched = 0
        elif reuse and leap == motion:
            fetched = partial
        work.event_kind[j] = EMPTY if fetched == 0 else WHOLE if fetched == words else PARTIAL
        work.event_words[j] = fetched
        work.event_weight[j] = work.outer_weight[outer]
        work.event_bound[j] = work.outer_bound[outer]
        work.event_code[j] = leap
        total += work.outer_weight[outer] * fetched
    work.events[0] = count
    return total


@kernel
def overlap_in(geometry: Geometry, work: Workspace, c: int, p: int, d: int, stride: int) -> int:
    """Words that the tile of level c shares with itself ``stride`` steps further in dim d."""
    words = work.tile[c, p]
    for o in range(geometry.occurrence_start[p, d], geometry.occurrence_end[p, d]):
        size = work.tile_extent[c, geometry.occurrence_rank[o]]
        left = size - geometry.occurrence_distance[o] * stride
        if left <= 0:
            return 0
        words = words // size * left
    return words

# ruff: noqa: SIM110  (compiled code has no generators)
"""Spatial blocks by walking the children, with offsets as single integers: groups and link transfers without hops."""

from __future__ import annotations

from ..compiling import kernel
from .coded_events import list_coded_events
from .entries import add_entry
from .geometry import Geometry
from .layout import Workspace
from .motions import linked_words
from .multicast import grid_height, grid_width


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

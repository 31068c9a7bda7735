"""Traffic between levels for perfect factors (sections 4 and 5), fast version.

Motions and offsets are single integers (``Geometry.motion``). What has no formula goes to the explicit version: more
than two spatial loops in one rank, packed children where hops cost, most blocks whose children pass data on.
"""

from __future__ import annotations

from ..kernels.compiling import kernel
from .explicit import fill_explicit, overlap_in
from .geometry import Geometry
from .passing import fill_linked
from .spatial import fill_block, neighbours_differ
from .workspace import TEMPORAL, Workspace


@kernel
def fill_accesses(geometry: Geometry, work: Workspace) -> None:
    """Entries and link transfers of all levels, and the compute counter."""
    steps = list_temporal_loops(geometry, work)
    work.counters[0] = 1.0
    work.counters[1] = float(steps)
    for p in range(geometry.spaces):
        fill_space(geometry, work, p, steps)


@kernel
def fill_space(geometry: Geometry, work: Workspace, p: int, steps: int) -> None:
    """Entries and link transfers of one data space at all levels, once the temporal loops are listed."""
    for s in range(geometry.levels):
        spatial = work.block_first[s] != work.block_end[s]
        work.entries[s, p] = 0
        work.links[s, p] = 0.0
        if not geometry.coded or (spatial and geometry.explicit_blocks):
            fill_explicit(geometry, work, s, p)
            continue
        words = steps if s == 0 and not spatial else fetch_words(geometry, work, s, p, spatial)
        if words < 0:
            fill_linked(geometry, work, s, p)
        elif spatial:
            fill_block(geometry, work, s, p, words)
        else:
            work.entries[s, p] = 1
            work.multicast[s, p, 0] = 1
            work.scatter[s, p, 0] = 1
            work.accesses[s, p, 0] = float(words)
            work.hops[s, p, 0] = 0.0
            work.unicast[s, p, 0] = 0.0


@kernel
def list_temporal_loops(geometry: Geometry, work: Workspace) -> int:
    """Temporal loops with N > 1 inside-out, their weights, where the loops of each level begin; returns all steps."""
    count = 0
    level = 0
    work.outer_start[0] = 0
    for l in range(work.loops[0]):  # noqa: E741
        if work.loop_kind[l] != TEMPORAL or work.loop_bound[l] == 1:
            continue
        while level < work.loop_level[l]:
            level += 1
            work.outer_start[level] = count
        work.outer_dim[count] = work.loop_dim[l]
        work.outer_bound[count] = work.loop_bound[l]
        work.outer_stride[count] = work.loop_stride[l]
        count += 1
    while level < geometry.levels:
        level += 1
        work.outer_start[level] = count
    work.outers[0] = count
    steps = 1
    for j in range(count - 1, -1, -1):
        work.outer_weight[j] = (work.outer_bound[j] - 1) * steps
        steps *= work.outer_bound[j]
    return steps


@kernel
def fetch_words(geometry: Geometry, work: Workspace, s: int, p: int, spatial: bool) -> int:
    """Words that one child of level s fetches over the whole run; -1 if neighbours may pass data on."""
    first = work.outer_start[s]
    count = work.outers[0]
    words = 1 if s == 0 else work.tile[s - 1, p]
    links = spatial and geometry.link_transfers != 0 and geometry.no_link_transfer[s, p] == 0
    if s == 0 or geometry.no_temporal_reuse[s - 1, p]:
        if links and _any_motion_links(geometry, work, s, p, first):
            return -1
        return words * _steps_outside(work, first)
    reference = first
    if not geometry.rules_2022:
        while reference < count and not geometry.used[p, work.outer_dim[reference]]:
            reference += 1
    if reference == count:
        return words
    d = work.outer_dim[reference]
    motion = geometry.motion[p, d] * work.outer_stride[reference]
    partial = words - overlap_in(geometry, work, s - 1, p, d, work.outer_stride[reference])
    # With the first loop idle nothing moves in the visit before, and nothing can be passed on.
    # Unless dims share a rank, no neighbours lie as far apart as any temporal loop moves the box.
    links = links and geometry.coupled[p] != 0 and reference == first and partial != 0
    if links and neighbours_differ(geometry, work, s, p, motion):
        return -1
    total = words + work.outer_weight[reference] * partial
    jump = motion
    for j in range(reference + 1, count):
        step = geometry.motion[p, work.outer_dim[j]] * work.outer_stride[j]
        leap = step - jump
        jump += step
        if leap == motion:
            total += work.outer_weight[j] * partial
        elif leap != 0 or geometry.rules_2022:
            total += work.outer_weight[j] * words
            if links and partial == words and neighbours_differ(geometry, work, s, p, leap):
                return -1
    return total


@kernel
def _any_motion_links(geometry: Geometry, work: Workspace, s: int, p: int, first: int) -> bool:
    """Whether any motion of a child that keeps nothing brings it to what a neighbour had."""
    jump = 0
    for j in range(first, work.outers[0]):
        step = geometry.motion[p, work.outer_dim[j]] * work.outer_stride[j]
        if neighbours_differ(geometry, work, s, p, step - jump):
            return True
        jump += step
    return False


@kernel
def _steps_outside(work: Workspace, first: int) -> int:
    """Product of the bounds of the temporal loops from ``first`` on."""
    if first == work.outers[0]:
        return 1
    bound = work.outer_bound[first]
    return work.outer_weight[first] // (bound - 1) * bound

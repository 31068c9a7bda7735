"""Traffic of a nest with residuals (section 6): by classes of visits, visit by visit where these do not serve.

Sums in the real program are sums of doubles in the order of the visits. All their terms are whole numbers, or halves
(hops); as long as the sums stay below 2^52 every order gives the same, and none is exact beyond.
"""

from __future__ import annotations

from ...kernels.compiling import kernel
from ..geometry import Geometry, hull_words
from ..workspace import Workspace, add_entry, clear_entries
from .classes import (
    ALL_BITS,
    bits_seen,
    count_again,
    count_classes,
    count_visits,
    enter_classes,
    enter_points,
    list_steps,
    may_pass_on,
    same_children,
)
from .space import WalkSpace
from .visits import walk_visits

EXACT = 2.0**51
"""Sums of halves below this are exact in any order, a factor of two being left."""


@kernel
def walk(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Fill the entries, link transfers and compute counters of the nest in ``work``; after ``prepare_walk``.

    Levels must not use more children than the machine has: fan-out checks come first.
    """
    if not walk_classes(geometry, work, space):
        walk_visits(geometry, work, space)


@kernel
def walk_classes(geometry: Geometry, work: Workspace, space: WalkSpace) -> bool:
    """As ``walk``, by classes; false where sums may be inexact, or there are more classes than the scratch holds."""
    if not space.exact:
        return False
    clear_entries(geometry, work)
    list_steps(geometry, work, space)
    count_visits(geometry, work, space)
    for s in range(geometry.levels):
        _look_at_level(geometry, work, space, s)
    for p in range(geometry.spaces):
        for s in range(geometry.levels):
            linked = may_pass_on(geometry, work, space, s, p)
            if s == 0 and work.block_end[0] == 0:
                add_entry(work, 0, p, 1, 1, work.counters[1], 0.0, 0.0)
            elif s == 0 and not linked:
                enter_points(geometry, work, space, p)
            else:
                if same_children(geometry, work, space, s, p):
                    count_again(geometry, work, space, s, p)
                elif not count_classes(geometry, work, space, s, p, linked):
                    return False
                enter_classes(geometry, work, space, s, p)
    return _is_exact(geometry, work)


@kernel
def _look_at_level(geometry: Geometry, work: Workspace, space: WalkSpace, s: int) -> None:
    """Which dims' bits the boxes of the children and the block of level s depend on, and which survive an entry."""
    space.shape_seen[s] = (
        bits_seen(geometry, space, work.boundary[s - 1], work.boundary[s - 1]) if s > 0 else 0
    )
    space.block_seen[s] = 0
    first, end = work.block_first[s], work.block_end[s]
    if first != end:
        free = bits_seen(geometry, space, end - 1, end - 1)
        for k in range(first, end):
            if work.loop_residual[k] != work.loop_bound[k]:
                space.block_seen[s] |= free & (1 << work.loop_dim[k])
    bits = ALL_BITS
    for j in range(space.begin[s], space.steps[0]):
        space.ones[s, j] = bits
        k = space.step_loop[j]
        if work.loop_residual[k] > 1:
            bits &= ~(1 << work.loop_dim[k])
    space.ones[s, space.steps[0]] = bits


@kernel
def _is_exact(geometry: Geometry, work: Workspace) -> bool:
    """Whether no sum that something is computed from is so large that its order could matter."""
    largest = work.counters[1]
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            largest = max(largest, work.links[s, p])
            for e in range(work.entries[s, p]):
                largest = max(largest, work.accesses[s, p, e])
                if geometry.hops_needed or geometry.explicit_blocks:
                    scatter = float(work.scatter[s, p, e])
                    largest = max(largest, work.hops[s, p, e] * scatter)
                    largest = max(largest, work.unicast[s, p, e] * scatter)
    return largest < EXACT


@kernel
def prepare_walk(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Extents of every loop level and the largest boxes of every storage level (section 2), before anything is walked.

    A box is largest at the first visit: a dim shows its residual tile there only if no loop outside iterates.
    """
    loops, dims = work.loops[0], geometry.dims
    for d in range(dims):
        space.x[d] = 0
        space.imperfect[d] = loops
        work.stride[d] = 0  # loops of d outside that iterate, their last time round included
    for k in range(loops):
        work.stride[work.loop_dim[k]] += 1 if work.loop_residual[k] > 1 else 0
    for k in range(loops):
        for d in range(dims):
            space.full[k, d] = 1 if k == 0 else space.full[k - 1, d]
            space.residual[k, d] = 1 if k == 0 else space.residual[k - 1, d]
        d, n, r = work.loop_dim[k], work.loop_bound[k], work.loop_residual[k]
        space.full[k, d] *= n
        space.residual[k, d] += work.loop_stride[k] * (r - 1)
        if n != r and space.imperfect[d] == loops:
            space.imperfect[d] = k
        work.stride[d] -= 1 if r > 1 else 0
        s = work.loop_level[k]
        if k != work.boundary[s] and k + 1 != work.block_end[s]:
            continue
        for d in range(dims):
            work.reach[d] = space.full[k, d] if work.stride[d] > 0 else space.residual[k, d]
        for p in range(geometry.spaces):
            if k == work.boundary[s]:
                work.tile[s, p] = hull_words(geometry, p, work.reach)
            else:
                work.block_tile[s, p] = hull_words(geometry, p, work.reach)

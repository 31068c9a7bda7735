"""The exact walk over a loop nest (section 6), visit by visit: what ``walk`` counts by classes, and its oracle.

The real program visits loops recursively, each once for its first iteration, once for all the others together and,
where a residual bound lies inside, once or twice more for the last. Here the recursion is a table with one frame a
temporal loop. A spatial block is handled when the visit of the loop below it returns, because of its children only
child 0 is followed.
"""

from __future__ import annotations

from ..compiling import kernel
from .entries import add_entry, clear_entries
from .geometry import Geometry
from .layout import TEMPORAL, Workspace
from .walk_block import visit_block
from .walk_delta import box_delta
from .walk_space import WalkSpace

FIRST, BULK, LAST_BUT_ONE, LAST, DONE = 0, 1, 2, 3, 4
"""Stages of a loop's visit: which of its iterations comes next."""


@kernel
def walk_visits(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Fill the entries, link transfers and compute counters of the nest in ``work``; after ``prepare_walk``.

    Levels must not use more children than the machine has: fan-out checks come first.
    """
    clear_entries(geometry, work)
    _reset(geometry, work, space)
    top = work.loops[0] - 1
    space.epochs[top] = 1
    loop = top
    _enter(work, space, loop)
    computes = 0
    while True:
        if loop == 0:
            computes += space.end[0] * space.epochs[0]
        elif _next_visit(work, space, loop):
            child = _descend(work, space, loop)
            if child >= 0:
                loop = child
                _enter(work, space, loop)
            else:
                visit_block(geometry, work, space, 0, space.epochs[loop] * space.times[loop])
                _advance(work, space, loop)
            continue
        _leave(geometry, work, space, loop)
        if loop == top:
            break
        loop = _return_to_parent(geometry, work, space, loop)
    _count_level_0(geometry, work, computes)


@kernel
def _reset(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Nothing remembered, nothing counted."""
    space.last[work.loops[0]] = -1  # outside the nest every dim is in its last iteration
    work.counters[0] = 0.0
    work.counters[1] = 0.0
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            space.seen[s, p] = False
            space.moved[s, p] = False
            space.past_size[s, p] = 0
            for slot in range(space.known.shape[2]):
                space.known[s, p, slot] = False


@kernel
def _enter(work: Workspace, space: WalkSpace, k: int) -> None:
    """Begin a visit of loop k; ``epochs[k]`` and ``last[k + 1]`` are set."""
    d = work.loop_dim[k]
    last = (space.last[k + 1] >> d) & 1 != 0
    space.end[k] = work.loop_residual[k] if last else work.loop_bound[k]
    space.inner[k] = last and space.imperfect[d] < k
    space.own[k] = space.inner[k] and work.loop_residual[k] != work.loop_bound[k]
    space.iteration[k] = 0
    space.start[k] = space.x[d]
    space.stage[k] = FIRST
    for p in range(space.spaces):
        space.total[k, p] = 0
        space.bulk[k, p] = 0


@kernel
def _next_visit(work: Workspace, space: WalkSpace, k: int) -> bool:
    """Choose the next visit of the loop below k: set ``times`` and leave ``stage`` at it; false when none is left."""
    end, inner, own = space.end[k], space.inner[k], space.own[k]
    while space.stage[k] != DONE:
        stage = space.stage[k]
        space.times[k] = 1
        if stage == FIRST:
            return True
        if stage == BULK:
            count = end - 1 - (1 if inner else 0) - (1 if own else 0)
            if count >= 1:
                space.times[k] = count
                return True
        elif stage == LAST_BUT_ONE:
            if own and end >= 3:
                return True
        elif inner and end >= 2:
            return True
        space.stage[k] += 1
    space.x[work.loop_dim[k]] = space.start[k]
    return False


@kernel
def _descend(work: Workspace, space: WalkSpace, k: int) -> int:
    """Set the ``last`` flags of loop k and of the spatial loops below it; the temporal loop below these, or -1."""
    _flag_last(work, space, k, space.iteration[k])
    child = k - 1
    while child >= 0 and work.loop_kind[child] != TEMPORAL:
        _flag_last(work, space, child, 0)
        child -= 1
    if child >= 0:
        space.epochs[child] = space.epochs[k] * space.times[k]
    return child


@kernel
def _flag_last(work: Workspace, space: WalkSpace, k: int, index: int) -> None:
    space.last[k] = space.last[k + 1]
    if index + 1 < work.loop_residual[k]:
        space.last[k] &= ~(1 << work.loop_dim[k])


@kernel
def _leave(geometry: Geometry, work: Workspace, space: WalkSpace, k: int) -> None:
    """End the visit of loop k: account for what its child fetched, and at a boundary find what is new in the tile."""
    s = work.loop_level[k]
    if k > 0 and work.loop_kind[k - 1] == TEMPORAL and work.loop_level[k - 1] != s:
        for p in range(space.spaces):
            add_entry(work, s, p, 1, 1, float(space.total[k, p] * space.epochs[k]), 0.0, 0.0)
    if work.boundary[s] == k:
        for p in range(space.spaces):
            box_delta(geometry, work, space, s, p)


@kernel
def _return_to_parent(geometry: Geometry, work: Workspace, space: WalkSpace, k: int) -> int:
    """Hand the delta of loop k to the loop outside it, through the spatial block between them if there is one."""
    parent = k + 1
    if work.loop_kind[parent] != TEMPORAL:
        s = work.loop_level[parent]
        parent = work.block_end[s]
        visit_block(geometry, work, space, s, space.epochs[k])
    elif work.loop_level[parent] != work.loop_level[k]:
        _collect(space, parent)
    _advance(work, space, parent)
    return parent


@kernel
def _collect(space: WalkSpace, k: int) -> None:
    """Weigh the delta that the child of loop k just handed out; some count as if they were the bulk delta."""
    stage, end, own = space.stage[k], space.end[k], space.own[k]
    as_bulk = (stage == LAST_BUT_ONE and end >= 4) or (stage == LAST and end >= 3 and not own)
    for p in range(space.spaces):
        words = space.words[p]
        if stage == BULK:
            space.bulk[k, p] = words
        if as_bulk:
            words = space.bulk[k, p]
        space.total[k, p] += words * space.times[k]


@kernel
def _advance(work: Workspace, space: WalkSpace, k: int) -> None:
    """Step loop k over the iterations that were just visited."""
    space.iteration[k] += space.times[k]
    space.x[work.loop_dim[k]] += space.times[k] * work.loop_stride[k]
    space.stage[k] += 1


@kernel
def _count_level_0(geometry: Geometry, work: Workspace, computes: int) -> None:
    """Without a spatial block every compute step reads its operands from level 0."""
    if work.block_first[0] != work.block_end[0]:
        return
    work.counters[0] = 1.0
    work.counters[1] = float(computes)
    for p in range(geometry.spaces):
        add_entry(work, 0, p, 1, 1, float(computes), 0.0, 0.0)

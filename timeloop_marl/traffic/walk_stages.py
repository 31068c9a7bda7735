"""How often the loops of an imperfect nest are visited, dim by dim (section 6): what all levels and data spaces share.

A loop sees of the loops outside it only one bit for its dim: whether all of these are in their last iteration. Its
visits (*stages*: the first iteration, the bulk, up to two last ones) depend on that bit alone, and so does where it
leaves the position. Here *step* j is the j-th temporal loop with N > 1, inside-out.
"""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import TEMPORAL, Workspace
from .walk_space import WalkSpace


@kernel
def list_steps(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Temporal loops with N > 1, their stages for either value of the bit; after ``prepare_walk``."""
    loops, dims = work.loops[0], geometry.dims
    for d in range(dims):
        space.blocker[d] = -1
        space.exits[0, d, 0] = 0
        space.exits[0, d, 1] = 0
    for k in range(loops):
        if work.loop_kind[k] != TEMPORAL and work.loop_residual[k] > 1:
            space.blocker[work.loop_dim[k]] = k
    count, level = 0, 0
    for k in range(loops):
        if work.loop_kind[k] != TEMPORAL or work.loop_bound[k] == 1:
            continue
        while level <= work.loop_level[k]:
            space.begin[level] = count
            level += 1
        space.step_loop[count] = k
        _list_stages(work, space, count)
        _leave_position(dims, work, space, count)
        space.step_bits[count] = bits_seen(geometry, space, k, k)
        count += 1
    while level < geometry.levels:
        space.begin[level] = count
        level += 1
    space.steps[0] = count


@kernel
def bits_seen(geometry: Geometry, space: WalkSpace, least: int, loop: int) -> int:
    """Dims of which a visit needs the bit.

    Their innermost imperfect loop is not outside ``least``, and no spatial loop outside ``loop`` keeps the bit at zero:
    only child 0 is followed.
    """
    bits = 0
    for d in range(geometry.dims):
        if space.imperfect[d] <= least and space.blocker[d] <= loop:
            bits |= 1 << d
    return bits


@kernel
def _list_stages(work: Workspace, space: WalkSpace, j: int) -> None:
    """Iterations of each stage of step j, for bits 0 and 1."""
    k = space.step_loop[j]
    n, r = work.loop_bound[k], work.loop_residual[k]
    space.stages[j, 0] = 2
    space.repeats[j, 0, 0] = 1
    space.repeats[j, 0, 1] = n - 1
    inner = space.imperfect[work.loop_dim[k]] < k
    own = inner and n != r
    count = 1
    space.repeats[j, 1, 0] = 1
    bulk = r - 1 - (1 if inner else 0) - (1 if own else 0)
    if bulk >= 1:
        space.repeats[j, 1, count] = bulk
        count += 1
    if own and r >= 3:
        space.repeats[j, 1, count] = 1
        count += 1
    if inner and r >= 2:
        space.repeats[j, 1, count] = 1
        count += 1
    space.stages[j, 1] = count
    # In these cases the delta of the stage after the bulk is replaced by that of the bulk.
    space.replaces[j] = (own and r >= 4) or (inner and not own and r >= 3)


@kernel
def _leave_position(dims: int, work: Workspace, space: WalkSpace, j: int) -> None:
    """How far the steps up to j leave the position from where it was on entry."""
    k = space.step_loop[j]
    dim = work.loop_dim[k]
    for d in range(dims):
        space.exits[j + 1, d, 0] = space.exits[j, d, 0]
        space.exits[j + 1, d, 1] = space.exits[j, d, 1]
    for bit in range(2):
        seen = bit if space.blocker[dim] < k else 0
        last = space.stages[j, seen] - 1
        for i in range(last):
            space.exits[j + 1, dim, bit] += space.repeats[j, seen, i] * work.loop_stride[k]


@kernel
def count_visits(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Compute counters: the visits of every dim are independent of the others, so their numbers multiply.

    ``visits[d, bit]`` is left as the number of positions in dim d at which the block of level 0 is reached with a bit.
    """
    block = work.block_end[0]
    children, total = 1, 1
    for d in range(geometry.dims):
        space.visits[d, 0] = 0
        space.visits[d, 1] = 1
    for k in range(work.loops[0] - 1, block - 1, -1):
        d, n, r = work.loop_dim[k], work.loop_bound[k], work.loop_residual[k]
        if work.loop_kind[k] == TEMPORAL:
            space.visits[d, 0] = space.visits[d, 0] * n + space.visits[d, 1] * (r - 1)
        elif r > 1:
            space.visits[d, 0] += space.visits[d, 1]
            space.visits[d, 1] = 0
    for d in range(geometry.dims):
        most = 0
        counted = 0
        for bit in range(2):
            if space.visits[d, bit] > 0:
                width = block_width(work, 0, d, bit)
                most = max(most, width)
                counted += space.visits[d, bit] * width
        children *= most
        total *= counted
    work.counters[0] = float(children)
    work.counters[1] = float(total)


@kernel
def block_width(work: Workspace, s: int, d: int, bit: int) -> int:
    """Product of the ends of the loops of dim d in the block of level s."""
    width = 1
    for k in range(work.block_end[s] - 1, work.block_first[s] - 1, -1):
        if work.loop_dim[k] == d:
            width *= work.loop_residual[k] if bit else work.loop_bound[k]
            if work.loop_residual[k] > 1:
                bit = 0
    return width

"""Visits of one level's children counted by classes instead of one by one (section 6), for one data space.

What happens during a visit of a step (``walk_stages``) depends only on the bits of the dims inside it and on what is
remembered on entry: the motion of the last boxes, and what was fetched last. Visits that agree in these form a *node*;
it is followed once, and counted as often as it occurs. A nest of k steps has up to 4^k visits, but seldom more than a
few nodes a step.
"""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace
from .walk_moves import FULL, NONE, NOTHING, fetch_new, find_delta, find_shape, move_box, same_delta
from .walk_space import WalkSpace

ALL_BITS = -1


@kernel
def count_classes(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, linked: bool
) -> bool:
    """Sum what a child of level s fetches into ``pattern_words`` and ``served_words``; false if there is no room.

    ``begin``, ``ones``, ``shape_seen`` and ``block_seen`` of level s are set. With ``linked`` visits in which
    neighbours may pass data on are summed apart.
    """
    space.shape_count[0] = 0
    space.delta_count[0] = 1
    space.pattern_count[0] = 0
    space.served_count[0] = 0
    space.nodes[0] = 0
    first = _first_step(geometry, work, space, s, p, linked)
    steps = space.steps[0]
    for j in range(first, steps):
        space.head[j] = -1
    entry = space.ones[s, steps]
    shape = find_shape(geometry, work, space, s, p, entry & space.shape_seen[s] & space.dims_used[p])
    pattern = find_pattern(space, entry & space.block_seen[s])
    space.pattern_words[pattern] += space.shape_words[shape]
    space.state[0] = NONE
    space.state[1] = NOTHING
    if linked:
        space.cut[p] = False
        space.state[1] = find_delta(geometry, space, p, shape, shape, space.shape_words[shape])
    if first == steps:
        return True
    if not _follow(geometry, work, space, s, p, first, linked):
        return False
    _weigh(work, space, s, first)
    return True


@kernel
def count_again(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int) -> None:
    """As ``count_classes``, where ``same_children`` holds and level s - 1 was counted just before.

    The same boxes are visited in the same order; only the loop that hands on what they fetch may be another.
    """
    first = _first_step(geometry, work, space, s, p, False)
    space.pattern_words[0] = space.shape_words[0]  # the box of the first visit was the first to be looked for
    for node in range(space.nodes[0]):
        space.weight_of[node] = 0
    if first < space.steps[0]:
        _weigh(work, space, s, first)


@kernel
def same_children(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int) -> bool:
    """Whether the child of level s is as large, and visited as often, as that of level s - 1."""
    return (
        s >= 2
        and space.begin[s] == space.begin[s - 1]
        and work.block_first[s] == work.block_end[s]
        and work.block_first[s - 1] == work.block_end[s - 1]
        and geometry.no_temporal_reuse[s - 1, p] == geometry.no_temporal_reuse[s - 2, p]
    )


@kernel
def _first_step(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, linked: bool) -> int:
    """Step from which on something moves: below it all visits but the first find everything there."""
    j = space.begin[s]
    if linked or keeps_nothing(geometry, s, p):
        return j
    while j < space.steps[0] and not geometry.used[p, work.loop_dim[space.step_loop[j]]]:
        j += 1
    return j


@kernel
def keeps_nothing(geometry: Geometry, s: int, p: int) -> bool:
    """Whether a child of level s may fetch something though its box did not move."""
    return s == 0 or geometry.no_temporal_reuse[s - 1, p] != 0 or geometry.rules_2022


@kernel
def may_pass_on(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int) -> bool:
    """Whether neighbours may pass data on: not if a loop inside idles, as idle visits come before all others then."""
    if (
        work.block_first[s] == work.block_end[s]
        or not geometry.link_transfers
        or geometry.no_link_transfer[s, p]
    ):
        return False
    if keeps_nothing(geometry, s, p):
        return True
    for j in range(space.begin[s], space.steps[0]):
        k = space.step_loop[j]
        if geometry.used[p, work.loop_dim[k]]:
            return True
        if work.loop_residual[k] > 1:
            return False
    return False


@kernel
def find_pattern(space: WalkSpace, bits: int) -> int:
    """Number of the block whose loops end at their residuals in the dims of ``bits``; negative if there is no room."""
    count = space.pattern_count[0]
    for n in range(count):
        if space.pattern_bits[n] == bits:
            return n
    if count + 1 == len(space.pattern_bits):
        return FULL
    space.pattern_bits[count] = bits
    space.pattern_words[count] = 0
    space.pattern_count[0] = count + 1
    return count


@kernel
def _follow(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, first: int, linked: bool
) -> bool:
    """Follow each node once, with the transitions in it; false if there is no room."""
    top = space.steps[0] - 1
    j = top
    node = _find_node(space, j, ALL_BITS & space.step_bits[j])
    while True:
        stage = space.at_stage[node]
        bits = space.node_bits[node]
        k = space.step_loop[j]
        dim = work.loop_dim[k]
        bit = (bits >> dim) & 1
        last = stage + 1 == space.stages[j, bit]
        if j > first:
            inside = bits if last else bits & ~(1 << dim)
            child = _find_node(space, j - 1, inside & space.step_bits[j - 1])
            if child < 0:
                return False
            space.child[node, stage] = child
            if space.at_stage[child] == 0 and not space.done[child]:
                space.parent[child] = node
                j -= 1
                node = child
                continue
            space.state[0] = space.out_motion[child]
            space.state[1] = space.out_delta[child]
        # The stage is over; so may be the visits of steps outside.
        while last:
            space.out_motion[node] = space.state[0]
            space.out_delta[node] = space.state[1]
            space.done[node] = True
            if j == top:
                return True
            node = space.parent[node]
            j += 1
            bit = (space.node_bits[node] >> work.loop_dim[space.step_loop[j]]) & 1
            last = space.at_stage[node] + 1 == space.stages[j, bit]
        space.at_stage[node] += 1
        if not _go_on(geometry, work, space, s, p, j, node, linked):
            return False


@kernel
def _find_node(space: WalkSpace, j: int, bits: int) -> int:
    """The node of step j with these bits in the present state, a new one if need be; negative if there is no room."""
    node = space.head[j]
    motion, delta = space.state[0], space.state[1]
    while node >= 0:
        if (
            space.node_bits[node] == bits
            and space.node_motion[node] == motion
            and space.node_delta[node] == delta
        ):
            return node
        node = space.next_node[node]
    node = space.nodes[0]
    if node == len(space.next_node):
        return FULL
    space.nodes[0] = node + 1
    space.node_bits[node] = bits
    space.node_motion[node] = motion
    space.node_delta[node] = delta
    space.next_node[node] = space.head[j]
    space.head[j] = node
    space.at_stage[node] = 0
    space.done[node] = False
    space.weight_of[node] = 0
    return node


@kernel
def _go_on(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, j: int, node: int, linked: bool
) -> bool:
    """The transition of a node of step j to its next stage; false if there is no room."""
    bits, stage = space.node_bits[node], space.at_stage[node]
    dim = work.loop_dim[space.step_loop[j]]
    bit = (bits >> dim) & 1
    before = bits & ~(1 << dim)
    now = (bits if stage + 1 == space.stages[j, bit] else before) & space.ones[s, j]
    seen = space.shape_seen[s] & space.dims_used[p]
    shape = find_shape(geometry, work, space, s, p, now & seen)
    past = find_shape(geometry, work, space, s, p, before & seen)
    pattern = find_pattern(space, now & space.block_seen[s])
    if shape < 0 or past < 0 or pattern < 0:
        return False
    move_box(geometry, work, space, s, p, j, stage, bits)
    words = fetch_new(geometry, space, s, p, past, shape)
    space.node_words[node, stage] = words
    space.node_pattern[node, stage] = pattern
    space.node_served[node, stage] = -1
    if linked:
        delta = find_delta(geometry, space, p, past, shape, words)
        if delta < 0:
            return False
        if words > 0 and same_delta(geometry, space, s, p, space.state[1], delta):
            served = _find_served(geometry, space, p, pattern, before & space.block_seen[s])
            if served < 0:
                return False
            space.node_served[node, stage] = served
        space.state[1] = delta
    return True


@kernel
def _find_served(geometry: Geometry, space: WalkSpace, p: int, pattern: int, past: int) -> int:
    """Number of the class of visits whose delta is the one before, shifted by ``shift``; negative without room."""
    target = 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        target += space.weight[r] * space.shift[r]
    count = space.served_count[0]
    for n in range(count):
        if (
            space.served_pattern[n] == pattern
            and space.served_past[n] == past
            and space.served_shift[n] == target
        ):
            return n
    if count == len(space.served_pattern):
        return FULL
    space.served_pattern[count] = pattern
    space.served_past[count] = past
    space.served_shift[count] = target
    space.served_words[count] = 0
    space.served_count[0] = count + 1
    return count


@kernel
def _weigh(work: Workspace, space: WalkSpace, s: int, first: int) -> None:
    """Count how often each node is visited, from the outside in, and sum the words of its transitions."""
    top = space.steps[0] - 1
    # Without a block the loop just outside the children hands on some deltas in place of others.
    handing = (
        work.block_first[s] == work.block_end[s]
        and first == space.begin[s]
        and work.loop_level[space.step_loop[first]] == s
    )
    space.weight_of[space.head[top]] = 1
    for j in range(top, first - 1, -1):
        dim = work.loop_dim[space.step_loop[j]]
        node = space.head[j]
        while node >= 0:
            weight = space.weight_of[node]
            bit = (space.node_bits[node] >> dim) & 1
            for stage in range(space.stages[j, bit]):
                times = weight * space.repeats[j, bit, stage]
                if j > first:
                    space.weight_of[space.child[node, stage]] += times
                if stage == 0:
                    continue
                words = space.node_words[node, stage]
                if handing and j == first and stage == 2 and bit and space.replaces[j]:
                    words = space.node_words[node, 1]
                served = space.node_served[node, stage]
                if served >= 0:
                    space.served_words[served] += times * words
                else:
                    space.pattern_words[space.node_pattern[node, stage]] += times * words
            node = space.next_node[node]

"""Visits counted by classes instead of one by one (section 6): stages of loops, nodes, entries."""

from __future__ import annotations

from ...kernels.compiling import kernel
from ..geometry import Geometry
from ..workspace import TEMPORAL, Workspace, add_entry
from .groups import dim_weight, group_children
from .space import GROUPINGS, WalkSpace
from .visits import FULL, NONE, NOTHING, fetch_new, find_delta, find_shape, mark_served, move_box, same_delta


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


PLAIN, SHARED = 0, GROUPINGS
"""Places of the groupings of all children, and of those that no neighbour serves."""


@kernel
def enter_classes(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int) -> None:
    """Entries and link transfers of what ``count_classes`` summed up."""
    if work.block_first[s] == work.block_end[s]:
        add_entry(work, s, p, 1, 1, float(space.pattern_words[0]), 0.0, 0.0)
        return
    for pattern in range(space.pattern_count[0]):
        children = _set_ends(work, space, s, space.pattern_bits[pattern])
        _group_all(geometry, work, space, s, p, children)
        words = space.pattern_words[pattern]
        for n in range(space.served_count[0]):
            if space.served_pattern[n] == pattern and not _enter_served(
                geometry, work, space, s, p, n, children
            ):
                words += space.served_words[n]
        if words > 0:
            _enter_grouping(work, space, s, p, PLAIN, words)


@kernel
def enter_points(geometry: Geometry, work: Workspace, space: WalkSpace, p: int) -> None:
    """Entries of a block of level 0 whose children pass nothing on: every position fetches one word a child.

    Positions in different dims are independent, so how often a pattern of bounds occurs is a product.
    """
    bits = space.block_seen[0]
    pattern = bits
    while True:  # all subsets of ``bits``
        count = 1
        for d in range(geometry.dims):
            if (bits >> d) & 1:
                count *= space.visits[d, (pattern >> d) & 1]
            else:
                count *= space.visits[d, 0] + space.visits[d, 1]
        if count > 0:
            children = _set_ends(work, space, 0, pattern)
            _group_all(geometry, work, space, 0, p, children)
            _enter_grouping(work, space, 0, p, PLAIN, count)
        if pattern == 0:
            return
        pattern = (pattern - 1) & bits


@kernel
def _set_ends(work: Workspace, space: WalkSpace, s: int, bits: int) -> int:
    """Ends of the loops of the block of level s, in ``ends``; returns their product."""
    children = 1
    first = work.block_first[s]
    for k in range(work.block_end[s] - 1, first - 1, -1):
        d = work.loop_dim[k]
        space.ends[k - first] = work.loop_residual[k] if (bits >> d) & 1 else work.loop_bound[k]
        children *= space.ends[k - first]
        if work.loop_residual[k] > 1:
            bits &= ~(1 << d)
    return children


@kernel
def _group_all(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, children: int) -> None:
    """Group the children by what they receive: by formula where hops are free and there is one, else one by one."""
    shared, apart, ranks, pair = 1, 1, 0, -1
    first = work.block_first[s]
    walked = geometry.hops_needed or geometry.explicit_blocks
    for k in range(first, work.block_end[s]):
        d, end = work.loop_dim[k], space.ends[k - first]
        if end == 1 or geometry.no_multicast[s, p]:
            apart *= end
        elif not geometry.used[p, d]:
            shared *= end
        else:
            apart *= end
            bit = geometry.rank_bit[p, d]
            if ranks & bit != 0:
                walked = walked or pair >= 0
                pair = k
            walked = walked or bit == 0
            ranks |= bit
    if walked:
        group_children(geometry, work, space, s, p, children, PLAIN, False)
    elif pair >= 0:
        _group_pair(geometry, work, space, s, p, pair, shared, apart)
    else:
        _set_kind(space, s, p, 0, shared, apart)
        space.kinds[s, p, PLAIN] = 1


@kernel
def _set_kind(space: WalkSpace, s: int, p: int, e: int, size: int, count: int) -> None:
    """Write one group size, without hops."""
    space.kind_size[s, p, PLAIN, e] = size
    space.kind_count[s, p, PLAIN, e] = count
    space.kind_hops[s, p, PLAIN, e] = 0.0
    space.kind_unicast[s, p, PLAIN, e] = 0.0


@kernel
def _group_pair(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, pair: int, shared: int, apart: int
) -> None:
    """Group sizes where two loops, one of them ``pair``, move the same rank (5.4)."""
    first = work.block_first[s]
    bit = geometry.rank_bit[p, work.loop_dim[pair]]
    other = first
    while space.ends[other - first] == 1 or geometry.rank_bit[p, work.loop_dim[other]] != bit:
        other += 1
    n, m = space.ends[other - first], space.ends[pair - first]
    a = abs(geometry.rank_distance[p, work.loop_dim[other]]) * work.loop_stride[other]
    b = abs(geometry.rank_distance[p, work.loop_dim[pair]]) * work.loop_stride[pair]
    divisor, rest = a, b
    while rest != 0:
        divisor, rest = rest, divisor % rest
    a, b = a // divisor, b // divisor
    apart = apart // (n * m)
    kinds, k = 0, 1
    while n - (k - 1) * b > 0 and m - (k - 1) * a > 0:
        times = _chains(n, m, a, b, k) - 2 * _chains(n, m, a, b, k + 1) + _chains(n, m, a, b, k + 2)
        if times > 0:
            _set_kind(space, s, p, kinds, k * shared, times * apart)
            kinds += 1
        k += 1
    space.kinds[s, p, PLAIN] = kinds


@kernel
def _chains(n: int, m: int, a: int, b: int, k: int) -> int:
    """Index pairs from which the same sum can be reached k - 1 times more."""
    return max(0, n - (k - 1) * b) * max(0, m - (k - 1) * a)


@kernel
def _enter_served(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, n: int, children: int
) -> bool:
    """Enter class n of visits in which neighbours pass data on; false if that saves nothing."""
    bits = space.served_past[n]
    same = bits == space.pattern_bits[space.served_pattern[n]]
    if not _may_serve(geometry, work, space, s, p, children, space.served_shift[n], same):
        return False
    first = work.block_first[s]
    for k in range(work.block_end[s] - 1, first - 1, -1):
        d = work.loop_dim[k]
        space.past_ends[s, k - first] = work.loop_residual[k] if (bits >> d) & 1 else work.loop_bound[k]
        if work.loop_residual[k] > 1:
            bits &= ~(1 << d)
    served = mark_served(geometry, work, space, s, p, children, space.served_shift[n])
    if served == 0:
        return False
    group_children(geometry, work, space, s, p, children, SHARED, True)
    if _groups(space, s, p, SHARED) >= _groups(space, s, p, PLAIN):
        return False
    words = space.served_words[n]
    work.links[s, p] += float(served * words)
    _enter_grouping(work, space, s, p, SHARED, words)
    return True


@kernel
def _may_serve(
    geometry: Geometry,
    work: Workspace,
    space: WalkSpace,
    s: int,
    p: int,
    children: int,
    target: int,
    same: bool,
) -> bool:
    """Whether the data of some two grid neighbours may lie ``target`` apart; false only if none do (5.6).

    With the ``same`` ends as in the visit before, going to the next child advances one loop and sends those inside it
    back. Rows begin anew if they are used in full; otherwise only targets beyond the whole block are excluded.
    """
    columns = max(geometry.fanout_x[s], work.width[s])
    first = work.block_first[s]
    one_row = children <= columns
    count, back, span, rows = 1, 0, 0, False
    for k in range(first, work.block_end[s]):
        end = space.ends[k - first]
        if not one_row and not rows and count == columns:
            rows = True
            back = 0
        step = work.loop_stride[k] * dim_weight(geometry, space, p, work.loop_dim[k])
        if same and end > 1 and (step - back == target or back - step == target):
            return True
        back += (end - 1) * step
        span += (work.loop_bound[k] - 1) * abs(step)
        count *= end
    return not (same and (one_row or rows)) and abs(target) <= span


@kernel
def _groups(space: WalkSpace, s: int, p: int, place: int) -> int:
    """Number of groups: accesses per word of delta."""
    total = 0
    for e in range(space.kinds[s, p, place]):
        total += space.kind_count[s, p, place, e]
    return total


@kernel
def _enter_grouping(work: Workspace, space: WalkSpace, s: int, p: int, place: int, words: int) -> None:
    """Add an entry for each group size when every child fetches ``words`` words in all."""
    for e in range(space.kinds[s, p, place]):
        count = space.kind_count[s, p, place, e]
        accesses = float(count * words)
        add_entry(
            work,
            s,
            p,
            space.kind_size[s, p, place, e],
            count,
            accesses,
            space.kind_hops[s, p, place, e] * accesses / count,
            space.kind_unicast[s, p, place, e] * accesses / count,
        )

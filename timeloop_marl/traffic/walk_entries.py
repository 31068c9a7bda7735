"""From classes of visits to access entries (section 5): groups of children for every pattern of block bounds."""

from __future__ import annotations

from ..compiling import kernel
from .entries import add_entry
from .geometry import Geometry
from .layout import Workspace
from .walk_groups import dim_weight, group_children
from .walk_links import mark_served
from .walk_space import GROUPINGS, WalkSpace

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

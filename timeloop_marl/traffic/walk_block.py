"""One visit of a spatial block in the exact walk (section 5): multicast, scatter and link transfers."""

from __future__ import annotations

from ..compiling import kernel
from .entries import add_entry
from .geometry import Geometry
from .layout import Workspace
from .walk_groups import group_children
from .walk_links import find_served, remember_visit
from .walk_space import GROUPINGS, WalkSpace


@kernel
def visit_block(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, epochs: int) -> None:
    """Hand the delta of child 0 to all children of the block of level s, for every data space."""
    first, end = work.block_first[s], work.block_end[s]
    children, slot = 1, 0
    for k in range(first, end):
        last = (space.last[k + 1] >> work.loop_dim[k]) & 1 != 0
        space.ends[k - first] = work.loop_residual[k] if last else work.loop_bound[k]
        children *= space.ends[k - first]
        slot = 2 * slot + (1 if space.ends[k - first] != work.loop_bound[k] else 0)
    slot %= GROUPINGS
    if first == 0:
        work.counters[0] = max(work.counters[0], float(children))
        work.counters[1] += float(children * epochs)
    for p in range(geometry.spaces):
        if first == 0:
            _point(geometry, space, p)
        _spread(geometry, work, space, s, p, children, slot, epochs)
    for k in range(first, end):
        space.past_ends[s, k - first] = space.ends[k - first]


@kernel
def _point(geometry: Geometry, space: WalkSpace, p: int) -> None:
    """The delta of compute child 0: the one operand at the current position."""
    space.words[p] = 1
    space.cut[p] = False
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        low = 0
        for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
            low += geometry.term_coefficient[t] * space.x[geometry.term_dim[t]]
        space.new_low[r] = low
        space.new_high[r] = low + 1


@kernel
def _spread(
    geometry: Geometry,
    work: Workspace,
    space: WalkSpace,
    s: int,
    p: int,
    children: int,
    slot: int,
    epochs: int,
) -> None:
    words = space.words[p]
    if words == 0:
        remember_visit(geometry, space, s, p)
        return
    _plain_groups(geometry, work, space, s, p, children, slot)
    chosen = slot
    if geometry.link_transfers and not geometry.no_link_transfer[s, p]:
        served = find_served(geometry, work, space, s, p, children)
        if served > 0:
            shared = GROUPINGS  # the last place is for the grouping of this visit alone
            group_children(geometry, work, space, s, p, children, shared, True)
            if _groups(space, s, p, shared) < _groups(space, s, p, slot):
                chosen = shared
                work.links[s, p] += float(served * words * epochs)
    for e in range(space.kinds[s, p, chosen]):
        count = space.kind_count[s, p, chosen, e]
        accesses = float(count * words * epochs)
        # Product first, then the quotient: the other order differs in the last bit.
        hops = space.kind_hops[s, p, chosen, e] * accesses / count
        unicast = space.kind_unicast[s, p, chosen, e] * accesses / count
        add_entry(work, s, p, space.kind_size[s, p, chosen, e], count, accesses, hops, unicast)
    remember_visit(geometry, space, s, p)


@kernel
def _plain_groups(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, children: int, slot: int
) -> None:
    """Group all children, unless this was done for the same bounds before."""
    loops = work.block_end[s] - work.block_first[s]
    known = space.known[s, p, slot]
    for q in range(loops):
        known = known and space.known_ends[s, p, slot, q] == space.ends[q]
    if known:
        return
    group_children(geometry, work, space, s, p, children, slot, False)
    space.known[s, p, slot] = True
    for q in range(loops):
        space.known_ends[s, p, slot, q] = space.ends[q]


@kernel
def _groups(space: WalkSpace, s: int, p: int, slot: int) -> int:
    """Number of groups: accesses per word of delta."""
    total = 0
    for e in range(space.kinds[s, p, slot]):
        total += space.kind_count[s, p, slot, e]
    return total

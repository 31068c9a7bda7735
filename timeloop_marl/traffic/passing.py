"""Children that pass data on to their neighbours, by formula (sections 5 and 18).

Covers blocks without two loops in one rank, with full rows, multicast, and hops that cost nothing; the rest is walked.
"""

from __future__ import annotations

from ..kernels.compiling import kernel
from .explicit import fill_explicit, grid_width, linked_words, list_coded_events
from .geometry import Geometry
from .spatial import unpacked
from .workspace import SPATIAL_X, Workspace, add_entry

NOTHING_SAVED, ALL_SERVED, HARD = 0, -1, -2
"""Answers of ``_groups_served`` that are not a number of groups."""


@kernel
def fill_linked(geometry: Geometry, work: Workspace, s: int, p: int) -> None:
    """Entries and link transfers of a block in which some motion may bring a child to what a neighbour had."""
    scatter = _independent_groups(geometry, work, s, p)
    if scatter == 0 or not unpacked(geometry, work, s):
        fill_explicit(geometry, work, s, p)
        return
    children = work.width[s] * work.height[s]
    plain = list_coded_events(geometry, work, s, p)
    for j in range(work.events[0]):
        words = linked_words(work, j)
        if words == 0:
            continue
        served = _groups_served(geometry, work, s, p, work.event_code[j])
        if served == HARD:
            work.entries[s, p] = 0
            work.links[s, p] = 0.0
            fill_explicit(geometry, work, s, p)
            return
        if served == ALL_SERVED:
            work.links[s, p] += float(children * words)
            plain -= words
        elif served != NOTHING_SAVED:
            left = scatter - served
            add_entry(work, s, p, children // scatter, left, float(left * words), 0.0, 0.0)
            work.links[s, p] += float(served * (children // scatter) * words)
            plain -= words
    add_entry(work, s, p, children // scatter, scatter, float(scatter * plain), 0.0, 0.0)


@kernel
def _independent_groups(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Number of groups of children if every loop moves a rank of its own or none; 0 if there is no formula."""
    if geometry.no_multicast[s, p] or geometry.hops_needed:
        return 0
    groups, ranks = 1, 0
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        d = work.loop_dim[l]
        if geometry.used[p, d]:
            bit = geometry.rank_bit[p, d]
            if bit == 0 or ranks & bit != 0:
                return 0
            ranks |= bit
            groups *= work.loop_bound[l]
    return groups


@kernel
def _groups_served(geometry: Geometry, work: Workspace, s: int, p: int, motion: int) -> int:
    """How many groups find all they fetch at a neighbour.

    A step to the next child advances one loop and sends those inside it back. It leads to the data wanted if the boxes
    lie ``motion`` apart; then every child that has such a neighbour is served. A whole group is, if all loops inside
    the advancing one move the box.
    """
    one_row = work.width[s] != grid_width(geometry, work, s)
    rows = False
    back, inside, idle, matches, result = 0, 1, False, 0, NOTHING_SAVED
    groups = _independent_groups(geometry, work, s, p)
    for l in range(work.block_first[s], work.block_end[s]):  # noqa: E741
        if not one_row and not rows and work.loop_kind[l] != SPATIAL_X:
            rows = True
            back, inside, idle = 0, 1, False
        bound = work.loop_bound[l]
        step = geometry.motion[p, work.loop_dim[l]] * work.loop_stride[l]
        moves = geometry.used[p, work.loop_dim[l]] != 0
        if motion == 0 and back == 0 and not moves and not idle and inside == 1:
            return ALL_SERVED  # neighbours along the innermost loop always hold the same
        for distance in (step - back, back - step):
            if distance == motion:
                matches += 1
                if moves and not idle:
                    result = groups // (inside * bound) * (bound - 1)
        back += (bound - 1) * step
        inside *= bound if moves else 1
        idle = idle or not moves
    return result if matches <= 1 or result != NOTHING_SAVED else HARD

"""The closed form for perfect factors (sections 4 and 5), written out: every child is walked, nothing is assumed.

Serves projections for which the fast version (``accesses``) has no formula, and the tests as the oracle of the latter.
"""

from __future__ import annotations

from ..compiling import kernel
from .coded_children import fill_coded
from .entries import add_entry
from .geometry import Geometry
from .layout import Workspace
from .motions import linked_words, list_events, weigh_events
from .multicast import enter_groups, group_children, place_children, serve_children


@kernel
def fetch(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Words that one child of level s fetches over the whole run; its events are left in ``work``."""
    first_rank = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first_rank
    if s == 0:
        for r in range(ranks):
            work.extent[r] = 1
        list_events(geometry, work, p, 0)
        return weigh_events(geometry, work, p, 1, False)
    words = 1
    for r in range(ranks):
        work.extent[r] = work.tile_extent[s - 1, first_rank + r]
        words *= work.extent[r]
    list_events(geometry, work, p, work.boundary[s - 1] + 1)
    return weigh_events(geometry, work, p, words, not geometry.no_temporal_reuse[s - 1, p])


@kernel
def fill_explicit(geometry: Geometry, work: Workspace, s: int, p: int) -> None:
    """Entries and link transfers of the traffic from level s to its children."""
    if geometry.coded and not geometry.hops_needed and not geometry.explicit_blocks:
        fill_coded(geometry, work, s, p)
        return
    total = fetch(geometry, work, s, p)
    if work.block_first[s] == work.block_end[s]:
        add_entry(work, s, p, 1, 1, float(total), 0.0, 0.0)
        return
    count = place_children(geometry, work, s, p)
    plain = total
    if geometry.link_transfers and not geometry.no_link_transfer[s, p]:
        plain_groups = group_children(geometry, work, s, p, count)
        for event in range(work.events[0]):
            plain -= _enter_served(geometry, work, s, p, count, event, plain_groups)
        for i in range(count):
            work.child_served[i] = False
    group_children(geometry, work, s, p, count)
    enter_groups(work, s, p, float(plain))


@kernel
def _enter_served(
    geometry: Geometry, work: Workspace, s: int, p: int, count: int, event: int, plain_groups: int
) -> int:
    """Enter the visits in which neighbours pass on what they fetched before, moving as ``event``.

    Returns the words per child of these visits; 0 if there are none or it does not save accesses.
    """
    words = linked_words(work, event)
    if words == 0:
        return 0
    served = serve_children(geometry, work, s, p, count, event)
    if served == 0 or group_children(geometry, work, s, p, count) >= plain_groups:
        return 0
    enter_groups(work, s, p, float(words))
    work.links[s, p] += float(served * words)
    return words

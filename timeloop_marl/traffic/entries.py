"""Access entries: traffic of one level and data space by (multicast, scatter) signature (section 5)."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace


@kernel
def clear_entries(geometry: Geometry, work: Workspace) -> None:
    """Forget the traffic of the previous mapping."""
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            work.entries[s, p] = 0
            work.links[s, p] = 0.0
    work.status[0] = 0


@kernel
def add_entry(
    work: Workspace,
    s: int,
    p: int,
    multicast: int,
    scatter: int,
    accesses: float,
    hops: float,
    unicast: float,
) -> None:
    """Add to the entry of this signature, or insert it in key order; ``status`` is set if there is no room."""
    count = work.entries[s, p]
    e = 0
    while e < count and (
        work.multicast[s, p, e] < multicast
        or (work.multicast[s, p, e] == multicast and work.scatter[s, p, e] < scatter)
    ):
        e += 1
    known = e < count and work.multicast[s, p, e] == multicast and work.scatter[s, p, e] == scatter
    if not known:
        if count == work.multicast.shape[2]:
            work.status[0] = 1
            return
        _make_room(work, s, p, e, count)
        work.multicast[s, p, e] = multicast
        work.scatter[s, p, e] = scatter
        work.accesses[s, p, e] = 0.0
        work.hops[s, p, e] = 0.0
        work.unicast[s, p, e] = 0.0
    work.accesses[s, p, e] += accesses
    work.hops[s, p, e] += hops
    work.unicast[s, p, e] += unicast


@kernel
def _make_room(work: Workspace, s: int, p: int, place: int, count: int) -> None:
    """Shift the entries from ``place`` on by one."""
    for e in range(count, place, -1):
        work.multicast[s, p, e] = work.multicast[s, p, e - 1]
        work.scatter[s, p, e] = work.scatter[s, p, e - 1]
        work.accesses[s, p, e] = work.accesses[s, p, e - 1]
        work.hops[s, p, e] = work.hops[s, p, e - 1]
        work.unicast[s, p, e] = work.unicast[s, p, e - 1]
    work.entries[s, p] = count + 1

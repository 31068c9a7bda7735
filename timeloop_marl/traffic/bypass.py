"""Distributed multicast (section 8), bypass and no_coalesce (section 9)."""

from __future__ import annotations

from ..compiling import kernel
from .collapse import total_accesses
from .geometry import Geometry
from .layout import Workspace


@kernel
def distribute(geometry: Geometry, work: Workspace) -> bool:
    """Let the instances of a level whose network is M:N share what they would all get (section 8).

    False where the real program gives up: a multicast of several signatures.
    """
    fine = True
    for p in range(geometry.spaces):
        fine = fine and distribute_space(geometry, work, p)
    return fine


@kernel
def distribute_space(geometry: Geometry, work: Workspace, p: int) -> bool:
    """``distribute`` for one data space."""
    for inner in range(geometry.levels - 1):
        outer = inner + 1
        if not geometry.distributed[inner]:
            continue
        if work.entries[inner, p] != 1 or work.entries[outer, p] != 1:
            return False
        if work.multicast[outer, p, 0] > 1:
            _spread_out(work, inner, p)
            break
    return True


@kernel
def _spread_out(work: Workspace, inner: int, p: int) -> None:
    outer = inner + 1
    factor = work.multicast[outer, p, 0]
    work.spread[outer, p] = factor
    work.spread_scatter[outer, p] = work.scatter[outer, p, 0]
    work.spread_accesses[outer, p] = work.content[inner, p]
    work.spread_hops[outer, p] = work.hops[outer, p, 0] * work.content[inner, p] / work.accesses[outer, p, 0]
    work.multicast[outer, p, 0] = 1
    work.scatter[outer, p, 0] = factor * work.scatter[outer, p, 0]
    work.hops[outer, p, 0] = work.unicast[outer, p, 0]
    work.held[inner, p] = 1 + (work.held[inner, p] - 1) // factor
    work.partition[inner, p] = 1 + (work.partition[inner, p] - 1) // factor
    work.content[inner, p] = 1.0 + (work.content[inner, p] - 1.0) / float(factor)
    work.share[inner, p] = 1.0 + (work.share[inner, p] - 1.0) / float(factor)


@kernel
def bypass(geometry: Geometry, work: Workspace) -> None:
    """Pass the traffic of levels that do not keep a data space on to their parents; find peers' transfers."""
    for p in range(geometry.spaces):
        bypass_space(geometry, work, p)


@kernel
def bypass_space(geometry: Geometry, work: Workspace, p: int) -> None:
    """``bypass`` of one data space."""
    top = geometry.levels - 1
    for c in range(top + 1):
        if work.keep[c, p] and not geometry.no_coalesce[c, p]:
            continue
        if c == top:
            _clear(work, c, p)
        else:
            _pass_on(work, c, p)
            if not work.keep[c, p]:
                _clear(work, c, p)
    for s in range(top, -1, -1):
        if s > work.top[p]:
            _reset(work, s, p)
    work.share[work.top[p], p] = 0.0
    for c in range(top, 0, -1):
        if work.links[c, p] != 0.0:
            work.peer[c - 1, p] += work.links[c, p] / float(work.rep[c - 1])


@kernel
def _pass_on(work: Workspace, c: int, p: int) -> None:
    """Scale the traffic of the parent so that it carries what the children of level c ask for."""
    outer = c + 1
    delivered = 0.0
    for e in range(work.entries[outer, p]):
        delivered += work.accesses[outer, p, e] * work.multicast[outer, p, e]
    factor = (work.content[c, p] * work.fanout[outer, p]) / delivered
    for e in range(work.entries[outer, p]):
        work.accesses[outer, p, e] *= factor
    work.links[outer, p] = 0.0
    work.content[outer, p] = total_accesses(work, outer, p)


@kernel
def _clear(work: Workspace, s: int, p: int) -> None:
    """Level s holds nothing of p; its network still carries the traffic."""
    work.held[s, p] = 0
    work.partition[s, p] = 0
    work.content[s, p] = 0.0
    work.share[s, p] = 0.0


@kernel
def _reset(work: Workspace, s: int, p: int) -> None:
    """Nothing of p is left at level s, nor on its network, except for distributed traffic: that stays."""
    _clear(work, s, p)
    work.entries[s, p] = 0
    work.fanout[s, p] = 0
    work.links[s, p] = 0.0

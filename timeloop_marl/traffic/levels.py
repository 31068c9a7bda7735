"""From loops to storage levels (sections 7 to 10): instances, shares, distribution, bypass, reads, fills, updates."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .workspace import SPATIAL_X, TEMPORAL, Workspace

COMPUTES, COMPUTE_INSTANCES, STEPS, SPREAD_X, SPREAD_Y, CYCLES = 0, 1, 2, 3, 4, 5
"""Places in ``Workspace.counts``: of the compute level, and the cycles of the whole mapping."""

NOWHERE, ABORTS = 1, 2
"""Answers of ``mark_present``."""


@kernel
def mark_present(geometry: Geometry, keep: Bool[ndarray, "S P"], work: Workspace) -> int:
    """Where each data space really lives: kept, and not in the outer region that section 9 resets.

    Returns 0, ``NOWHERE`` if a data space is kept nowhere, ``ABORTS`` if the reset leaves none of its levels.
    """
    result = 0
    for p in range(geometry.spaces):
        work.top[p] = -1
        kept = False
        for s in range(geometry.levels - 1, -1, -1):
            kept = kept or keep[s, p]
            if work.top[p] < 0 and keep[s, p] and not geometry.no_coalesce[s, p]:
                work.top[p] = s
            work.keep[s, p] = keep[s, p]
            work.present[s, p] = keep[s, p] and work.top[p] >= 0
        if not kept:
            return NOWHERE
        if work.top[p] < 0:
            result = ABORTS
    return result


@kernel
def count_instances(geometry: Geometry, work: Workspace) -> bool:
    """Utilised instances of every level and of compute; product of the temporal bounds.

    An imperfect spatial loop counts as the average of its full and its residual bound over the loops outside it. False
    where the real program aborts, because there are none.
    """
    for d in range(geometry.dims):
        work.reach[d] = 1  # iterations of the loops of d outside, the last time round with their residuals
        work.stride[d] = 0  # whether there is such a loop
    used = 1.0
    across, down, steps = 1, 1, 1
    for l in range(work.loops[0] - 1, -1, -1):  # noqa: E741
        s = work.loop_level[l]
        if l == work.boundary[s]:
            work.rep[s] = int(used)
            work.spread_x[s] = across
            work.spread_y[s] = down
            if s == 0:
                fanout = work.width[0] * work.height[0]
                work.counts[COMPUTE_INSTANCES] = int(used * float(fanout))
        d, n, r = work.loop_dim[l], work.loop_bound[l], work.loop_residual[l]
        if work.loop_kind[l] == TEMPORAL:
            steps *= n
        elif r != n and work.stride[d] == 0:
            return False
        else:
            outside = work.reach[d]
            # The product comes first: the quotient alone is rounded, and the sum of roundings is cut off below.
            used = used * n if r == n else used * float(r + n * (outside - 1)) / float(outside)
            if work.loop_kind[l] == SPATIAL_X:
                across *= n
            else:
                down *= n
        if n > 1:
            work.reach[d] = r + n * (work.reach[d] - 1)
            work.stride[d] = 1
    work.counts[STEPS] = steps
    work.counts[SPREAD_X] = across
    work.counts[SPREAD_Y] = down
    return True


@kernel
def count_computes(work: Workspace, imperfect: bool) -> None:
    """Computes, and the cycles of the compute level (sections 7 and 12)."""
    instances = float(work.counts[COMPUTE_INSTANCES])
    work.counts[COMPUTES] = int(work.counters[1] / work.counters[0] * instances)
    if not imperfect:
        work.counts[STEPS] = int(np.ceil(float(work.counts[COMPUTES]) / instances))


@kernel
def share_out(geometry: Geometry, work: Workspace) -> None:
    """Contents, parents' shares and partitions of all levels before distribution and bypass."""
    for p in range(geometry.spaces):
        share_out_space(geometry, work, p)


@kernel
def share_out_space(geometry: Geometry, work: Workspace, p: int) -> None:
    """``share_out`` of one data space."""
    levels = geometry.levels
    for s in range(levels):
        work.held[s, p] = work.tile[s, p]
        work.fanout[s, p] = work.width[s] * work.height[s]
        work.peer[s, p] = 0.0
        work.spread[s, p] = 0
        work.content[s, p] = total_accesses(work, s, p)
    work.share[levels - 1, p] = 0.0
    work.partition[levels - 1, p] = work.tile[levels - 1, p]
    for c in range(levels - 2, -1, -1):
        work.share[c, p] = _parent_share(work, c, p)
        if geometry.read_write[p] or geometry.all_figures:
            work.partition[c, p] = _partition(work, c, p)


@kernel
def total_accesses(work: Workspace, s: int, p: int) -> float:
    """Sum over the entries, in key order."""
    total = 0.0
    for e in range(work.entries[s, p]):
        total += work.accesses[s, p, e]
    return total


@kernel
def _parent_share(work: Workspace, c: int, p: int) -> float:
    """Words that one instance of level c gets from its parent."""
    fanout = float(work.fanout[c + 1, p])
    share = 0.0
    for e in range(work.entries[c + 1, p]):
        share += (work.accesses[c + 1, p, e] * work.multicast[c + 1, p, e]) / fanout
    return share


@kernel
def _partition(work: Workspace, c: int, p: int) -> int:
    """Part of the data space that one instance of level c ever holds; unsigned arithmetic as in the real program."""
    children = work.tile[c, p]
    if work.block_first[c + 1] != work.block_end[c + 1]:
        children = work.block_tile[c + 1, p]
    product = np.uint64(work.partition[c + 1, p]) * np.uint64(work.tile[c, p])
    return int(np.int64(product // np.uint64(children)))


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


@kernel
def round_half_away(value: float) -> int:
    """Nearest integer, halves away from zero."""
    size = abs(value)
    whole = int(size)
    if size - float(whole) >= 0.5:
        whole += 1
    return whole if value >= 0.0 else -whole


@kernel
def count_traffic(geometry: Geometry, work: Workspace) -> bool:
    """Fill reads, fills and updates; false where the real program aborts on fewer reads than first updates."""
    fine = True
    for p in range(geometry.spaces):
        fine = count_space(geometry, work, p) and fine
    return fine


@kernel
def count_space(geometry: Geometry, work: Workspace, p: int) -> bool:
    """``count_traffic`` of one data space."""
    fine = True
    for s in range(geometry.levels):
        work.reads[s, p] = 0
        work.fills[s, p] = 0
        work.updates[s, p] = 0
        if work.held[s, p] == 0:
            continue
        incoming = work.share[s, p] + work.peer[s, p]
        outgoing = work.content[s, p] + work.peer[s, p]
        if not geometry.read_write[p]:
            work.reads[s, p] = round_half_away(outgoing)
            work.fills[s, p] = int(incoming)
        else:
            fine = _count_read_write(geometry, work, s, p, outgoing, incoming) and fine
    return fine


@kernel
def _count_read_write(
    geometry: Geometry, work: Workspace, s: int, p: int, outgoing: float, incoming: float
) -> bool:
    """Partial sums: every access updates; the first update of each word needs no read and no fill."""
    work.updates[s, p] = round_half_away(work.content[s, p])
    first = float(work.partition[s, p])
    if geometry.no_coalesce[s, p]:
        work.reads[s, p] = round_half_away(outgoing)
        work.fills[s, p] = work.reads[s, p]
    elif geometry.rmw_first_update[s, p] or not geometry.first_read_elision:
        work.reads[s, p] = round_half_away(outgoing)
        work.fills[s, p] = round_half_away(incoming)
    else:
        work.reads[s, p] = round_half_away(outgoing - first)
        elided = s != work.top[p] and not geometry.rules_2022
        work.fills[s, p] = round_half_away(incoming - first if elided else incoming)
    return not outgoing < first

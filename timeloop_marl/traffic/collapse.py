"""From loops to storage levels (section 7): instances, computes, partitions, parents' shares."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from ..compiling import kernel
from .geometry import Geometry
from .layout import SPATIAL_X, TEMPORAL, Workspace

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
            used *= float(n) if r == n else float(r + n * (outside - 1)) / float(outside)
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

"""Boxes, steps and the delta rule (sections 2 to 4) over all loops, those of one iteration too, for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .regular_groups import passes_groups
from .regular_links import NO_MOTION
from .regular_passing import any_near, count_meetings
from .workspace import Workspace


@kernel
def measure_boxes(geometry: Geometry, factors: Int64[ndarray, "m T D"], i: int, work: Workspace) -> None:
    """Boxes of all data spaces, their extents, and the strides of all loops."""
    for d in range(geometry.dims):
        work.reach[d] = 1
    for r in range(geometry.rank_start[geometry.spaces]):
        work.hull[r] = 1
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        for d in range(geometry.dims):
            work.inside[t, d] = work.reach[d]
            longer = work.reach[d] * factors[i, t, d]
            for m in range(geometry.moved_start[d], geometry.moved_start[d + 1]):
                work.hull[geometry.moved_rank[m]] += geometry.moved_distance[m] * (longer - work.reach[d])
            work.reach[d] = longer
        for p in range(geometry.spaces):
            words = 1
            for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
                words *= work.hull[r]
            if geometry.tile_spatial[t]:
                work.block_tile[s, p] = words
            else:
                work.tile[s, p] = words
        if not geometry.tile_spatial[t]:
            for r in range(geometry.rank_start[geometry.spaces]):
                work.tile_extent[s, r] = work.hull[r]


@kernel
def list_steps(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
) -> None:
    """Every loop's step of every box, and what a temporal loop moves when those inside jump back."""
    for p in range(geometry.spaces):
        work.jump[p] = 0
    for t in range(geometry.tiles):
        s = geometry.tile_storage[t]
        for d in range(geometry.dims):
            for p in range(geometry.spaces):
                if not geometry.coupled[p] and not geometry.tile_spatial[t]:
                    continue
                step = geometry.motion[p, d] * work.inside[t, d]
                work.step[t, d, p] = step if factors[i, t, d] > 1 else 0
        if geometry.tile_spatial[t]:
            continue
        for p in range(geometry.spaces):
            work.start[s, p] = work.jump[p]
            if not geometry.coupled[p]:
                continue
            for k in range(geometry.dims):
                step = work.step[t, order[i, t, k], p]
                work.lead[t, k, p] = step - work.jump[p]
                work.jump[p] += step


@kernel
def weigh_loops(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
) -> int:
    """Weights of the temporal loops, and each level's first loop that moves a box; returns all steps."""
    steps = 1
    for p in range(geometry.spaces):
        work.near_motion[p] = NO_MOTION
        work.near_dim[p] = -1
        work.near_stride[p] = 0
        work.near_again[p] = 0
        work.near_visits[p] = 1
    first, bound, advances = -1, 1, 0  # the innermost loop so far
    for back in range(geometry.tiles):
        t = geometry.tiles - 1 - back
        if geometry.tile_spatial[t]:
            continue
        for place in range(geometry.dims):
            k = geometry.dims - 1 - place
            d = order[i, t, k]
            n = factors[i, t, d]
            longer = steps * n
            work.weight[t, k] = longer - steps
            for p in range(geometry.spaces):
                _come_nearer(geometry, work, p, d, n, longer, t, k)
            steps = longer
            first = d if n > 1 else first
            bound = n if n > 1 else bound
            advances = work.weight[t, k] if n > 1 else advances
        s = geometry.tile_storage[t]
        work.outside[s] = steps
        work.first_dim[s] = first
        work.first_bound[s] = bound
        work.first_weight[s] = advances
        for p in range(geometry.spaces):
            work.motion[s, p] = work.near_motion[p]
            work.motion_dim[s, p] = work.near_dim[p]
            work.motion_stride[s, p] = work.near_stride[p]
            work.again[s, p] = work.near_again[p]
            work.visits[s, p] = work.near_visits[p]
    return steps


@kernel
def _come_nearer(
    geometry: Geometry, work: Workspace, p: int, d: int, n: int, longer: int, t: int, k: int
) -> None:
    """Go inwards by one loop; if it moves the box, it is the first that does.

    Where no two dims share a rank, a later motion equals that of the first loop only if all between that move the box
    are halves of one dim: loops of two iterations.
    """
    moves = geometry.used[p, d] and n > 1
    if geometry.coupled[p]:
        work.near_motion[p] = work.step[t, d, p] if moves else work.near_motion[p]
    else:
        halved = n == 2 and work.near_dim[p] == d
        again = work.weight[t, k] + (work.near_again[p] if halved else 0)
        work.near_again[p] = again if moves else work.near_again[p]
        work.near_visits[p] = longer if moves else work.near_visits[p]
    work.near_dim[p] = d if moves else work.near_dim[p]
    work.near_stride[p] = work.inside[t, d] if moves else work.near_stride[p]


@kernel
def _overlap(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Words that a child of level s shares with itself one step of its first motion further."""
    d, stride = work.motion_dim[s, p], work.motion_stride[s, p]
    words = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        words *= max(0, work.tile_extent[s - 1, r] - geometry.rank_step[r, d] * stride)
    return words


@kernel
def _count_motions(
    geometry: Geometry, order: Int8[ndarray, "m T D"], i: int, work: Workspace, s: int, p: int
) -> None:
    """How often the box of a child of level s moves as it did first, and how often it stays where it is."""
    motion = work.motion[s, p] - work.start[s, p]
    still = -work.start[s, p]
    same, none = 0, 0
    for t in range(geometry.tiles):
        if geometry.tile_storage[t] >= s and not geometry.tile_spatial[t]:
            for k in range(geometry.dims):
                same += work.weight[t, k] if work.lead[t, k, p] == motion else 0
                none += work.weight[t, k] if work.lead[t, k, p] == still else 0
    work.same[0] = same
    work.none[0] = none


@kernel
def fetch_regular(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    s: int,
    p: int,
    links: bool,
    paired: bool,
) -> int:
    """Words that one child of level s fetches over the whole run.

    Neighbours may have held ``held_words`` of them, for which the box stayed in place, and ``passed_words``, for which
    it moved as it did first; they did hold ``met_words``, for which it moved otherwise.
    """
    work.held_words[0] = 0
    work.passed_words[0] = 0
    work.met_words[0] = 0
    words = 1 if s == 0 else work.tile[s - 1, p]
    coupled = geometry.coupled[p] != 0
    if s == 0 or geometry.no_temporal_reuse[s - 1, p]:
        if links and not coupled:
            work.held_words[0] = words * (work.outside[s] - work.visits[s, p])
        if links and coupled:
            _count_motions(geometry, order, i, work, s, p)
            work.held_words[0] = words * work.none[0]
            work.passed_words[0] = words * work.same[0] if work.motion[s, p] != NO_MOTION else 0
            if _list_meetings(geometry, factors, order, i, work, s, p, paired):
                work.irregular[0] = True
            work.met_words[0] = words * work.meetings[0]
        return words * work.outside[s]
    partial = words - _overlap(geometry, work, s, p)
    if not coupled:
        again = work.again[s, p]
        return words + again * partial + (work.visits[s, p] - 1 - again) * words
    _count_motions(geometry, order, i, work, s, p)
    if links:
        crowded = _list_meetings(geometry, factors, order, i, work, s, p, paired)
        _link_events(geometry, work, s, p, words, partial, crowded)
    same, none = work.same[0], work.none[0]
    return words + same * partial + (work.outside[s] - 1 - same - none) * words


@kernel
def _list_meetings(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    i: int,
    work: Workspace,
    s: int,
    p: int,
    paired: bool,
) -> bool:
    """``count_meetings`` where groups may be served apart; elsewhere any chance that some are is irregular."""
    if passes_groups(geometry, s, p):
        return count_meetings(geometry, factors, order, i, work, s, p, paired)
    work.meetings[0] = 0
    work.met_way[0] = 0
    return any_near(geometry, order, i, work, s, p)


@kernel
def _link_events(
    geometry: Geometry, work: Workspace, s: int, p: int, words: int, partial: int, crowded: bool
) -> None:
    """Words of the events that may be linked (5.3): none unless the innermost loop moves the box."""
    bound, advances = work.first_bound[s], work.first_weight[s]
    same, none = work.same[0], work.none[0]
    moves = work.motion[s, p] != NO_MOTION and geometry.used[p, work.first_dim[s]] != 0
    whole = moves and partial == words
    linked = bound * (same - advances)
    after_whole = (bound - 1) * (work.outside[s] - advances - none) + same - advances
    linked = after_whole if whole else linked
    work.passed_words[0] = linked * partial if moves else 0
    work.met_words[0] = words * work.meetings[0] if whole else 0
    if whole and crowded:
        work.irregular[0] = True

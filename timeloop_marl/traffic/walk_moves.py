"""One transition between two visits of a tile (section 3): how the box moves, what is new, what a neighbour has."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace
from .walk_links import same_shape
from .walk_space import WalkSpace

NONE = -(2**63)
"""No motion is remembered."""
NOTHING = 0
"""Number of the delta without words."""
FULL = -1
"""A place for which there is no room in the scratch."""


@kernel
def find_shape(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, bits: int) -> int:
    """Number of the box of a child of level s: residual tiles in the dims of ``bits``, full ones in the others."""
    count = space.shape_count[0]
    for n in range(count):
        if space.shape_bits[n] == bits:
            return n
    if count == len(space.shape_bits):
        return FULL
    k = work.boundary[s - 1] if s > 0 else 0
    words = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        low, reach, centre = 0, 1, 1
        for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
            d = geometry.term_dim[t]
            size = 1
            if s > 0:
                size = space.residual[k, d] if (bits >> d) & 1 else space.full[k, d]
            span = geometry.term_coefficient[t] * (size - 1)
            low += min(span, 0)
            reach += abs(span)
            centre += span
        space.shape_low[count, r] = low
        space.shape_reach[count, r] = reach
        space.shape_centre[count, r] = centre
        words *= reach
    space.shape_bits[count] = bits
    space.shape_words[count] = words
    space.shape_count[0] = count + 1
    return count


@kernel
def move_box(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, j: int, stage: int, bits: int
) -> None:
    """Motion of the position, rank by rank, when step j goes on to a stage and the steps inside it start anew."""
    k = space.step_loop[j]
    dim = work.loop_dim[k]
    bit = (bits >> dim) & 1
    advance = space.repeats[j, bit, stage - 1] * work.loop_stride[k]
    begin = space.begin[s]
    bits &= ~(1 << dim)  # in all stages but the last
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        moved = 0
        for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
            d = geometry.term_dim[t]
            seen = (bits >> d) & 1
            distance = space.exits[begin, d, seen] - space.exits[j, d, seen]
            if d == dim:
                distance += advance
            moved += geometry.term_coefficient[t] * distance
        space.moves[r] = moved


@kernel
def fetch_new(geometry: Geometry, space: WalkSpace, s: int, p: int, before: int, now: int) -> int:
    """Words that are new after ``move_box`` from one shape to another; steps the remembered motion on.

    Leaves in ``state[0]`` the motion remembered, in ``cut[p]`` whether part of the box was there before.
    """
    space.cut[p] = False
    words = space.shape_words[now]
    if s == 0 or geometry.no_temporal_reuse[s - 1, p]:
        return words
    still, code, overlap = True, 0, 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        moved = space.moves[r]
        low = moved + space.shape_low[now, r]
        old = space.shape_low[before, r]
        high = min(low + space.shape_reach[now, r], old + space.shape_reach[before, r])
        overlap *= max(0, high - max(low, old))
        if before != now:
            twice = 2 * moved + space.shape_centre[now, r] - space.shape_centre[before, r]
            moved = (abs(twice) + 1) // 2 * (1 if twice >= 0 else -1)  # half away from zero
        still = still and moved == 0
        code += space.weight[r] * moved
    # The rules of 2022 know no exemption for a box that did not move (section 19).
    if not still or geometry.rules_2022:
        if space.state[0] != NONE and space.state[0] != code:
            space.state[0] = NONE
            return words
        space.state[0] = code
    space.cut[p] = overlap > 0
    return words - overlap


@kernel
def find_delta(geometry: Geometry, space: WalkSpace, p: int, before: int, now: int, words: int) -> int:
    """Number of what the visit after ``fetch_new`` fetches: equal numbers for equal boxes, seen from the position."""
    if words == 0:
        return NOTHING
    cut = space.cut[p] != 0
    shift = 0
    if cut:
        for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
            shift += space.weight[r] * space.moves[r]
    else:
        before = now
    count = space.delta_count[0]
    for n in range(1, count):
        if (
            space.delta_now[n] == now
            and space.delta_before[n] == before
            and space.delta_shift[n] == shift
            and (space.delta_cut[n] != 0) == cut
        ):
            return n
    if count == len(space.delta_now):
        return FULL
    space.delta_now[count] = now
    space.delta_before[count] = before
    space.delta_shift[count] = shift
    space.delta_cut[count] = cut
    space.delta_words[count] = words
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        moved = space.moves[r] if cut else 0
        space.delta_old[count, r] = space.shape_low[before, r] - moved
    space.delta_count[0] = count + 1
    return count


@kernel
def same_delta(geometry: Geometry, space: WalkSpace, s: int, p: int, past: int, now: int) -> bool:
    """Whether a delta is the one of the visit before, shifted; the shift is left in ``shift``."""
    if past == NOTHING or space.delta_words[past] != space.delta_words[now]:
        return False
    a, b = space.delta_now[past], space.delta_now[now]
    if not space.delta_cut[past] and not space.delta_cut[now]:
        for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
            if space.shape_reach[a, r] != space.shape_reach[b, r]:
                return False
            space.shift[r] = space.moves[r] + space.shape_low[b, r] - space.shape_low[a, r]
        return True
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        space.past_new_low[s, r] = space.shape_low[a, r]
        space.past_new_high[s, r] = space.shape_low[a, r] + space.shape_reach[a, r]
        space.past_old_low[s, r] = space.delta_old[past, r]
        space.past_old_high[s, r] = space.delta_old[past, r] + space.shape_reach[space.delta_before[past], r]
        space.new_low[r] = space.moves[r] + space.shape_low[b, r]
        space.new_high[r] = space.new_low[r] + space.shape_reach[b, r]
        space.old_low[r] = space.moves[r] + space.delta_old[now, r]
        space.old_high[r] = space.old_low[r] + space.shape_reach[space.delta_before[now], r]
    space.past_cut[s, p] = space.delta_cut[past]
    space.cut[p] = space.delta_cut[now]
    return same_shape(geometry, space, s, p)

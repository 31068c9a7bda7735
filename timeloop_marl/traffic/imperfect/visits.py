"""The exact walk, visit by visit (section 6): what each visit fetches, and which children neighbours can serve."""

from __future__ import annotations

from ...kernels.compiling import kernel
from ..geometry import Geometry
from ..workspace import TEMPORAL, Workspace, add_entry, clear_entries
from .groups import child_codes, group_children
from .space import GROUPINGS, WalkSpace


@kernel
def box_delta(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int) -> None:
    """Compare the tile of level s with that of the visit before; leave the delta in ``size``, ``new_*``, ``old_*``."""
    k = work.boundary[s]
    volume = _make_box(geometry, space, k, p)
    space.words[p] = volume
    space.cut[p] = False
    if geometry.no_temporal_reuse[s, p]:
        return
    first, end = geometry.rank_start[p], geometry.rank_start[p + 1]
    if space.seen[s, p] and _reuses(geometry, space, s, p):
        overlap = 1
        for r in range(first, end):
            low, high = max(space.new_low[r], space.low[s, r]), min(space.new_high[r], space.high[s, r])
            overlap *= max(0, high - low)
            space.old_low[r] = space.low[s, r]
            space.old_high[r] = space.high[s, r]
        space.words[p] = volume - overlap
        space.cut[p] = overlap > 0
    space.seen[s, p] = True
    for r in range(first, end):
        space.low[s, r] = space.new_low[r]
        space.high[s, r] = space.new_high[r]


@kernel
def _make_box(geometry: Geometry, space: WalkSpace, k: int, p: int) -> int:
    """Box of data space p at loop k at the current position, into ``new_low``/``new_high``; its volume (section 2)."""
    volume = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        low = 0
        reach = 1
        for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
            d, c = geometry.term_dim[t], geometry.term_coefficient[t]
            last = (space.last[k + 1] >> d) & 1 != 0
            span = c * ((space.residual[k, d] if last else space.full[k, d]) - 1)
            low += c * space.x[d] + min(span, 0)
            reach += abs(span)
        space.new_low[r] = low
        space.new_high[r] = low + reach
        volume *= reach
    return volume


@kernel
def _reuses(geometry: Geometry, space: WalkSpace, s: int, p: int) -> bool:
    """Whether the motion of the box allows reuse of the last one; updates the remembered motion (section 3)."""
    still, same = True, True
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        twice = space.new_low[r] + space.new_high[r] - space.low[s, r] - space.high[s, r]
        motion = (abs(twice) + 1) // 2 * (1 if twice >= 0 else -1)  # half away from zero
        still = still and motion == 0
        same = same and motion == space.motion[s, r]
        space.shift[r] = motion
    # The rules of 2022 know no exemption for a box that did not move (section 19).
    if still and not geometry.rules_2022:
        return True
    if space.moved[s, p] and not same:
        space.moved[s, p] = False
        return False
    space.moved[s, p] = True
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        space.motion[s, r] = space.shift[r]
    return True


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


@kernel
def remember_visit(geometry: Geometry, space: WalkSpace, s: int, p: int) -> None:
    """Keep this visit's delta for the next visit of the block."""
    space.past_size[s, p] = space.words[p]
    space.past_cut[s, p] = space.cut[p]
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        space.past_new_low[s, r] = space.new_low[r]
        space.past_new_high[s, r] = space.new_high[r]
        space.past_old_low[s, r] = space.old_low[r]
        space.past_old_high[s, r] = space.old_high[r]


@kernel
def find_served(geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, children: int) -> int:
    """Mark in ``served`` the children that a neighbour can serve; how many there are."""
    if space.past_size[s, p] != space.words[p] or not same_shape(geometry, space, s, p):
        return 0
    target = 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        target += space.weight[r] * space.shift[r]
    return mark_served(geometry, work, space, s, p, children, target)


@kernel
def mark_served(
    geometry: Geometry, work: Workspace, space: WalkSpace, s: int, p: int, children: int, target: int
) -> int:
    """Mark the children that a neighbour can serve when the delta is the previous one shifted by ``target``, coded."""
    # A child i is served by its neighbour n if offset(n) then minus offset(i) now is the shift of the delta.
    child_codes(geometry, work, space, s, p, space.ends, space.code)
    past = child_codes(geometry, work, space, s, p, space.past_ends[s], space.past_code)
    h = max(geometry.fanout_x[s], work.width[s])
    v = max(geometry.fanout_y[s], work.height[s])
    total = 0
    for i in range(children):
        column, row = i % h, i // h
        wanted = target + space.code[i]
        space.served[i] = (
            (column > 0 and i - 1 < past and space.past_code[i - 1] == wanted)
            or (column + 1 < h and i + 1 < past and space.past_code[i + 1] == wanted)
            or (row > 0 and i - h < past and space.past_code[i - h] == wanted)
            or (row + 1 < v and i + h < past and space.past_code[i + h] == wanted)
        )
        total += space.served[i]
    return total


@kernel
def same_shape(geometry: Geometry, space: WalkSpace, s: int, p: int) -> bool:
    """Whether this visit's delta is the previous one shifted; the shift, if so."""
    first, end = geometry.rank_start[p], geometry.rank_start[p + 1]
    if not space.cut[p] and not space.past_cut[s, p]:
        for r in range(first, end):
            space.shift[r] = space.new_low[r] - space.past_new_low[s, r]
            if space.new_high[r] - space.past_new_high[s, r] != space.shift[r]:
                return False
        return True
    ranks = end - first
    for r in range(first, end):
        _side(space, 0, r - first, space.new_low[r], space.new_high[r])
        _side(space, 1, r - first, space.past_new_low[s, r], space.past_new_high[s, r])
    now = _cut(geometry, space, s, p, 0) if space.cut[p] else 1
    past = _cut(geometry, space, s, p, 1) if space.past_cut[s, p] else 1
    if now != past:
        return False
    low_now, low_past = _lowest(space, 0, now, ranks), _lowest(space, 1, now, ranks)
    for r in range(ranks):
        space.shift[first + r] = space.pieces[0, low_now, 0, r] - space.pieces[1, low_past, 0, r]
    found = 0
    for a in range(now):
        found += _occurs(space, a, now, first, ranks)
    return found == now


@kernel
def _side(space: WalkSpace, which: int, r: int, low: int, high: int) -> None:
    """Rank r of the box that list ``which`` starts from."""
    space.pieces[which, 0, 0, r] = low
    space.pieces[which, 0, 1, r] = high


@kernel
def _cut(geometry: Geometry, space: WalkSpace, s: int, p: int, which: int) -> int:
    """Cut the older box out of piece 0 of the list, rank by rank (section 3); the number of pieces."""
    first = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first
    pieces = space.pieces[which]
    count = 0
    for r in range(ranks):
        if which == 0:
            low, high = space.old_low[first + r], space.old_high[first + r]
        else:
            low, high = space.past_old_low[s, first + r], space.past_old_high[s, first + r]
        # Piece ``count`` is what is left; a part cut off takes its place and the rest moves on.
        for side in range(2):
            if (pieces[count, 0, r] < low) if side == 0 else (pieces[count, 1, r] > high):
                for q in range(ranks):
                    pieces[count + 1, 0, q] = pieces[count, 0, q]
                    pieces[count + 1, 1, q] = pieces[count, 1, q]
                pieces[count, 1 - side, r] = low if side == 0 else high
                pieces[count + 1, side, r] = low if side == 0 else high
                count += 1
    return count


@kernel
def _lowest(space: WalkSpace, which: int, count: int, ranks: int) -> int:
    """The piece whose low corner comes first in lexicographic order; pieces never share a corner."""
    best = 0
    for a in range(1, count):
        for r in range(ranks):
            difference = space.pieces[which, a, 0, r] - space.pieces[which, best, 0, r]
            if difference != 0:
                if difference < 0:
                    best = a
                break
    return best


@kernel
def _occurs(space: WalkSpace, a: int, count: int, first: int, ranks: int) -> bool:
    """Whether piece a of this visit is, shifted back, a piece of the previous one."""
    for b in range(count):
        same = True
        for r in range(ranks):
            shift = space.shift[first + r]
            same = same and space.pieces[0, a, 0, r] - shift == space.pieces[1, b, 0, r]
            same = same and space.pieces[0, a, 1, r] - shift == space.pieces[1, b, 1, r]
        if same:
            return True
    return False


FIRST, BULK, LAST_BUT_ONE, LAST, DONE = 0, 1, 2, 3, 4
"""Stages of a loop's visit: which of its iterations comes next."""


@kernel
def walk_visits(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Fill the entries, link transfers and compute counters of the nest in ``work``; after ``prepare_walk``.

    Levels must not use more children than the machine has: fan-out checks come first.
    """
    clear_entries(geometry, work)
    _reset(geometry, work, space)
    top = work.loops[0] - 1
    space.epochs[top] = 1
    loop = top
    _enter(work, space, loop)
    computes = 0
    while True:
        if loop == 0:
            computes += space.end[0] * space.epochs[0]
        elif _next_visit(work, space, loop):
            child = _descend(work, space, loop)
            if child >= 0:
                loop = child
                _enter(work, space, loop)
            else:
                visit_block(geometry, work, space, 0, space.epochs[loop] * space.times[loop])
                _advance(work, space, loop)
            continue
        _leave(geometry, work, space, loop)
        if loop == top:
            break
        loop = _return_to_parent(geometry, work, space, loop)
    _count_level_0(geometry, work, computes)


@kernel
def _reset(geometry: Geometry, work: Workspace, space: WalkSpace) -> None:
    """Nothing remembered, nothing counted."""
    space.last[work.loops[0]] = -1  # outside the nest every dim is in its last iteration
    work.counters[0] = 0.0
    work.counters[1] = 0.0
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            space.seen[s, p] = False
            space.moved[s, p] = False
            space.past_size[s, p] = 0
            for slot in range(space.known.shape[2]):
                space.known[s, p, slot] = False


@kernel
def _enter(work: Workspace, space: WalkSpace, k: int) -> None:
    """Begin a visit of loop k; ``epochs[k]`` and ``last[k + 1]`` are set."""
    d = work.loop_dim[k]
    last = (space.last[k + 1] >> d) & 1 != 0
    space.end[k] = work.loop_residual[k] if last else work.loop_bound[k]
    space.inner[k] = last and space.imperfect[d] < k
    space.own[k] = space.inner[k] and work.loop_residual[k] != work.loop_bound[k]
    space.iteration[k] = 0
    space.start[k] = space.x[d]
    space.stage[k] = FIRST
    for p in range(space.spaces):
        space.total[k, p] = 0
        space.bulk[k, p] = 0


@kernel
def _next_visit(work: Workspace, space: WalkSpace, k: int) -> bool:
    """Choose the next visit of the loop below k: set ``times`` and leave ``stage`` at it; false when none is left."""
    end, inner, own = space.end[k], space.inner[k], space.own[k]
    while space.stage[k] != DONE:
        stage = space.stage[k]
        space.times[k] = 1
        if stage == FIRST:
            return True
        if stage == BULK:
            count = end - 1 - (1 if inner else 0) - (1 if own else 0)
            if count >= 1:
                space.times[k] = count
                return True
        elif stage == LAST_BUT_ONE:
            if own and end >= 3:
                return True
        elif inner and end >= 2:
            return True
        space.stage[k] += 1
    space.x[work.loop_dim[k]] = space.start[k]
    return False


@kernel
def _descend(work: Workspace, space: WalkSpace, k: int) -> int:
    """Set the ``last`` flags of loop k and of the spatial loops below it; the temporal loop below these, or -1."""
    _flag_last(work, space, k, space.iteration[k])
    child = k - 1
    while child >= 0 and work.loop_kind[child] != TEMPORAL:
        _flag_last(work, space, child, 0)
        child -= 1
    if child >= 0:
        space.epochs[child] = space.epochs[k] * space.times[k]
    return child


@kernel
def _flag_last(work: Workspace, space: WalkSpace, k: int, index: int) -> None:
    space.last[k] = space.last[k + 1]
    if index + 1 < work.loop_residual[k]:
        space.last[k] &= ~(1 << work.loop_dim[k])


@kernel
def _leave(geometry: Geometry, work: Workspace, space: WalkSpace, k: int) -> None:
    """End the visit of loop k: account for what its child fetched, and at a boundary find what is new in the tile."""
    s = work.loop_level[k]
    if k > 0 and work.loop_kind[k - 1] == TEMPORAL and work.loop_level[k - 1] != s:
        for p in range(space.spaces):
            add_entry(work, s, p, 1, 1, float(space.total[k, p] * space.epochs[k]), 0.0, 0.0)
    if work.boundary[s] == k:
        for p in range(space.spaces):
            box_delta(geometry, work, space, s, p)


@kernel
def _return_to_parent(geometry: Geometry, work: Workspace, space: WalkSpace, k: int) -> int:
    """Hand the delta of loop k to the loop outside it, through the spatial block between them if there is one."""
    parent = k + 1
    if work.loop_kind[parent] != TEMPORAL:
        s = work.loop_level[parent]
        parent = work.block_end[s]
        visit_block(geometry, work, space, s, space.epochs[k])
    elif work.loop_level[parent] != work.loop_level[k]:
        _collect(space, parent)
    _advance(work, space, parent)
    return parent


@kernel
def _collect(space: WalkSpace, k: int) -> None:
    """Weigh the delta that the child of loop k just handed out; some count as if they were the bulk delta."""
    stage, end, own = space.stage[k], space.end[k], space.own[k]
    as_bulk = (stage == LAST_BUT_ONE and end >= 4) or (stage == LAST and end >= 3 and not own)
    for p in range(space.spaces):
        words = space.words[p]
        if stage == BULK:
            space.bulk[k, p] = words
        if as_bulk:
            words = space.bulk[k, p]
        space.total[k, p] += words * space.times[k]


@kernel
def _advance(work: Workspace, space: WalkSpace, k: int) -> None:
    """Step loop k over the iterations that were just visited."""
    space.iteration[k] += space.times[k]
    space.x[work.loop_dim[k]] += space.times[k] * work.loop_stride[k]
    space.stage[k] += 1


@kernel
def _count_level_0(geometry: Geometry, work: Workspace, computes: int) -> None:
    """Without a spatial block every compute step reads its operands from level 0."""
    if work.block_first[0] != work.block_end[0]:
        return
    work.counters[0] = 1.0
    work.counters[1] = float(computes)
    for p in range(geometry.spaces):
        add_entry(work, 0, p, 1, 1, float(computes), 0.0, 0.0)

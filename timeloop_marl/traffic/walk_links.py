"""Link transfers in the exact walk (section 5): children whose data a grid neighbour had in the previous visit."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace
from .walk_groups import child_codes
from .walk_space import WalkSpace


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

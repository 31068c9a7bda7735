"""The delta rule of the exact walk (sections 2 and 3): which part of a level's tile is new at this visit."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace
from .walk_space import WalkSpace


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

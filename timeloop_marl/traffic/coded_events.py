"""Events of the delta rule (section 4) with motions as single integers."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace
from .motions import EMPTY, PARTIAL, WHOLE


@kernel
def list_coded_events(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Events of a child of level s with motions as codes; returns the words that it fetches over the whole run."""
    first = work.outer_start[s]
    count = work.outers[0] - first
    words = 1 if s == 0 else work.tile[s - 1, p]
    reuse = s > 0 and geometry.no_temporal_reuse[s - 1, p] == 0
    motion, partial = 0, words
    reference = first  # the loop whose motion is remembered
    if reuse and not geometry.rules_2022:
        while reference < work.outers[0] and not geometry.used[p, work.outer_dim[reference]]:
            reference += 1
    if reuse and reference < work.outers[0]:
        d, stride = work.outer_dim[reference], work.outer_stride[reference]
        motion = geometry.motion[p, d] * stride
        partial = words - overlap(geometry, work, s - 1, p, d, stride)
    jump = 0
    total = words
    for j in range(count):
        outer = first + j
        step = geometry.motion[p, work.outer_dim[outer]] * work.outer_stride[outer]
        leap = step - jump
        jump += step
        fetched = words
        if reuse and leap == 0 and not geometry.rules_2022:
            fetched = 0
        elif reuse and leap == motion:
            fetched = partial
        work.event_kind[j] = EMPTY if fetched == 0 else WHOLE if fetched == words else PARTIAL
        work.event_words[j] = fetched
        work.event_weight[j] = work.outer_weight[outer]
        work.event_bound[j] = work.outer_bound[outer]
        work.event_code[j] = leap
        total += work.outer_weight[outer] * fetched
    work.events[0] = count
    return total


@kernel
def overlap(geometry: Geometry, work: Workspace, c: int, p: int, d: int, stride: int) -> int:
    """Words that the tile of level c shares with itself ``stride`` steps further in dim d."""
    words = work.tile[c, p]
    for o in range(geometry.occurrence_start[p, d], geometry.occurrence_end[p, d]):
        size = work.tile_extent[c, geometry.occurrence_rank[o]]
        left = size - geometry.occurrence_distance[o] * stride
        if left <= 0:
            return 0
        words = words // size * left
    return words

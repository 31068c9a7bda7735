# ruff: noqa: SIM110  (compiled code has no generators)
"""The delta rule in closed form (sections 3 and 4), rank by rank: the explicit version.

A tile of a child is visited once and then once per *event*: loop j advances and all loops inside it jump back. Only the
first repetition of a loop is really looked at; it stands for all of them.
"""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import TEMPORAL, Workspace

EMPTY, PARTIAL, WHOLE = 0, 1, 2
"""What an event fetches: nothing, the tile without its overlap after the innermost motion, or the whole tile."""


@kernel
def motion_of(geometry: Geometry, p: int, r: int, d: int, distance: int) -> int:
    """How far rank r of the box moves when the position in dim d grows by ``distance``."""
    steps = 0
    for t in range(geometry.term_start[r], geometry.term_start[r + 1]):
        if geometry.term_dim[t] == d:
            steps += geometry.term_coefficient[t] * distance
    return steps


@kernel
def list_events(geometry: Geometry, work: Workspace, p: int, first_loop: int) -> None:
    """Motions and weights of the events caused by temporal loops from ``first_loop`` on, inside-out."""
    first_rank = geometry.rank_start[p]
    ranks = geometry.rank_start[p + 1] - first_rank
    for r in range(ranks):
        work.jump[r] = 0
    count = 0
    for l in range(first_loop, work.loops[0]):  # noqa: E741
        if work.loop_kind[l] != TEMPORAL or work.loop_bound[l] < 2:
            continue
        for r in range(ranks):
            step = motion_of(geometry, p, first_rank + r, work.loop_dim[l], work.loop_stride[l])
            work.event_motion[count, r] = step - work.jump[r]
            work.jump[r] += step
        work.event_bound[count] = work.loop_bound[l]
        count += 1
    work.events[0] = count
    outer = 1
    for j in range(count - 1, -1, -1):
        work.event_weight[j] = (work.event_bound[j] - 1) * outer
        outer *= work.event_bound[j]


@kernel
def same_motion(work: Workspace, a: int, b: int, ranks: int) -> bool:
    """Whether two events move the box alike."""
    for r in range(ranks):
        if work.event_motion[a, r] != work.event_motion[b, r]:
            return False
    return True


@kernel
def moves(work: Workspace, j: int, ranks: int) -> bool:
    """Whether event j moves the box at all."""
    for r in range(ranks):
        if work.event_motion[j, r] != 0:
            return True
    return False


@kernel
def overlap(work: Workspace, j: int, ranks: int) -> int:
    """Words that the box shares with itself after the motion of event j."""
    words = 1
    for r in range(ranks):
        words *= max(0, work.extent[r] - abs(work.event_motion[j, r]))
    return words


@kernel
def weigh_events(geometry: Geometry, work: Workspace, p: int, words: int, reuse: bool) -> int:
    """What each event fetches; returns the words fetched over the whole run.

    Args:
        geometry: constants.
        work: holds the events and, in ``extent``, the extents of the tile.
        p: data space.
        words: volume of the tile.
        reuse: false if every visit fetches the whole tile.
    """
    ranks = geometry.rank_start[p + 1] - geometry.rank_start[p]
    count = work.events[0]
    reference = 0  # the event whose motion is remembered
    if not geometry.rules_2022:
        while reference < count and not moves(work, reference, ranks):
            reference += 1
    total = words
    for j in range(count):
        kind = WHOLE
        fetched = words
        if reuse and same_motion(work, j, reference, ranks):
            kind = PARTIAL
            fetched = words - overlap(work, j, ranks)
        elif reuse and not geometry.rules_2022 and not moves(work, j, ranks):
            fetched = 0
        if fetched == 0:
            kind = EMPTY
        elif fetched == words:
            kind = WHOLE
        work.event_kind[j] = kind
        work.event_words[j] = fetched
        total += work.event_weight[j] * fetched
    return total


@kernel
def linked_words(work: Workspace, event: int) -> int:
    """Words fetched in visits that move as ``event`` and follow a visit with a delta of the same shape.

    The visit before any event is one of event 0 (or the very first, which fetches the whole tile). So an event above 0
    can be linked if it fetches what event 0 does. Event 0 can after the first visit if it fetches the whole tile, and
    after each event that fetches what it does itself.
    """
    kind = work.event_kind[event]
    if kind == EMPTY or work.event_kind[0] == EMPTY:
        return 0
    if event > 0:
        return work.event_weight[event] * work.event_words[event] if kind == work.event_kind[0] else 0
    visits = 1 if kind == WHOLE else 0
    for j in range(1, work.events[0]):
        if work.event_kind[j] == kind:
            visits += work.event_weight[j]
    return (work.event_bound[0] - 1) * visits * work.event_words[0]

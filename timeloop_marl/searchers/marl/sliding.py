"""Tiles that slide: windows of convolutions, which share words with the tile before and with their neighbours'.

A tile is compared with the one before (section 3 of the cost model): of inner loops the second iteration stands for all
others, and only motions that repeat the innermost one leave something to keep. Neighbours in an array may pass on what
they had in the visit before (section 5). All of this happens along the one rank that the innermost loop moves a tile
along: as soon as it moves along another one as well, everything is fetched anew.
"""

from __future__ import annotations

import numpy as np

from ...compiling import inlined
from .words import Loops, Shape


@inlined
def note_motions(shape: Shape, loops: Loops, p: int) -> None:
    """Which rank of data space p each loop moves (-1: none), and by how much one iteration moves it."""
    for k in range(loops.first[-1]):
        d = loops.dim[k]
        loops.rank[k] = shape.rank_of[p, d]
        loops.motion[k] = shape.weight[p, d] * loops.step[k]


@inlined
def first_slide(shape: Shape, loops: Loops, s: int, k: int) -> float:
    """Share of the tile at storage level s that is new when loop k, the innermost that moves it, goes on."""
    length = 1.0
    for m in range(shape.rank_term[loops.rank[k]], shape.rank_term[loops.rank[k] + 1]):
        length += shape.term_weight[m] * (loops.extent[s, shape.term_dim[m]] - 1.0)
    return min(1.0, loops.motion[k] / length)


@inlined
def visits(loops: Loops, moving: int, share: float) -> float:
    """Tiles that one child fetches, ``share`` of one whenever loop ``moving``, the innermost that moves it, goes on."""
    slide = moved = loops.motion[moving]
    total = 1.0 + (loops.size[moving] - 1.0) * share
    for k in range(moving + 1, loops.first[-1]):
        if loops.spatial[k]:
            continue
        if loops.rank[k] != loops.rank[moving] and loops.rank[k] != -1:
            return total * loops.time[k]
        f, by = loops.size[k], _by(loops, k, moved)
        total = 1.0 + f * (total - 1.0) + (f - 1.0) * _fetched(by, slide, share)
        moved += loops.motion[k] if loops.rank[k] >= 0 else 0.0
    return total


@inlined
def _by(loops: Loops, k: int, moved: float) -> float:
    """Motion from one visit to the next when loop k goes on, after inner loops that moved the tile by ``moved``."""
    return (loops.motion[k] if loops.rank[k] >= 0 else 0.0) - moved


@inlined
def _fetched(by: float, slide: float, share: float) -> float:
    """Share of a tile that is new after such a motion, where ``share`` is after the innermost one, ``slide``."""
    if by == 0.0:
        return 0.0
    return share if by == slide else 1.0


@inlined
def places(loops: Loops, t: int) -> float:
    """How many different tiles the array of tiling level t holds."""
    return _places(loops, t, -1, 0.0, 0)


@inlined
def _places(loops: Loops, t: int, rank: int, by: float, columns: int) -> float:
    """The same without the loops to whose next iteration a tile moves, ``by`` along ``rank``, if a neighbour does that.

    Per rank the motions of the loops, from the smallest on: one that continues where those before end adds to their
    row of places, any other multiplies it.
    """
    number = 1.0
    for k in range(loops.first[t], loops.first[t + 1]):
        if loops.rank[k] == -1 or _next_door(loops, t, k, rank, by, columns):
            continue
        alone, earlier = True, False
        for other in range(loops.first[t], loops.first[t + 1]):
            if other != k and loops.rank[other] == loops.rank[k]:
                alone = False
                earlier = earlier or (other < k and not _next_door(loops, t, other, rank, by, columns))
        if alone or loops.rank[k] < 0:
            number *= loops.size[k]
        elif not earlier:
            number *= _along(loops, t, loops.rank[k], rank, by, columns)
    return number


@inlined
def _along(loops: Loops, t: int, along: int, rank: int, by: float, columns: int) -> float:
    """Places along one rank."""
    number, row, unit, before, at = 1.0, 1.0, 0.0, 0.0, -1
    while True:
        motion, next_one = np.inf, -1
        for k in range(loops.first[t], loops.first[t + 1]):
            if loops.rank[k] == along and not _next_door(loops, t, k, rank, by, columns):
                m = loops.motion[k]
                if (m > before or (m == before and k > at)) and m < motion:
                    motion, next_one = m, k
        if next_one < 0:
            return number * row
        before, at = motion, next_one
        f = loops.size[next_one]
        if unit > 0.0 and motion % unit == 0.0 and motion <= row * unit:
            row += (f - 1.0) * motion / unit
        else:
            number *= row
            row, unit = f, motion


@inlined
def _next_door(loops: Loops, t: int, k: int, rank: int, by: float, columns: int) -> bool:
    """Whether the neighbour along loop k of an array is ``by`` away along ``rank``."""
    return by != 0.0 and loops.rank[k] == rank and loops.motion[k] == abs(by) and beside(loops, t, k, columns)


@inlined
def beside(loops: Loops, t: int, k: int, columns: int) -> bool:
    """Whether loop k of an array of so many columns goes from a child to its neighbour in the same row or column."""
    if not loops.vertical[k]:
        return k == loops.first[t]
    row = 1.0
    for inner in range(loops.first[t], k):
        row *= loops.size[inner]
        if loops.vertical[inner]:
            return False
    # In a packed array the neighbour above is another one.
    return k == loops.first[t] or row == columns


@inlined
def twins(shape: Shape, loops: Loops, p: int, t: int) -> bool:
    """Whether every child of an array has a neighbour with the same words."""
    for k in range(loops.first[t], loops.first[t + 1]):
        if not shape.relevant[p, loops.dim[k]] and beside(loops, t, k, shape.grid[t, 0]):
            return True
    return False


@inlined
def _left(loops: Loops, t: int, rank: int, by: float, columns: int, everywhere: float) -> float:
    """Places that no neighbour serves."""
    for k in range(loops.first[t], loops.first[t + 1]):
        if _next_door(loops, t, k, rank, by, columns):
            return _places(loops, t, rank, by, columns)
    return everywhere


@inlined
def sent(loops: Loops, t: int, moving: int, share: float, columns: int, everywhere: float) -> float:
    """Tiles that are sent into the array of tiling level t, the innermost one outside of them.

    Neighbours pass on what they had in the visit before, if the same share of a tile was new then.

    Args:
        moving: the first temporal loop, which moves the tiles.
        share: of a tile that is new when that loop goes on.
        columns: of the array.
        everywhere: different tiles in it.
    """
    rank, slide = loops.rank[moving], loops.motion[moving]
    moved, full = slide, share == 1.0
    aside = _left(loops, t, rank, slide, columns, everywhere)
    again = (loops.size[moving] - 1.0) * share
    at_first = everywhere + again * (aside if full else everywhere)
    later = 0.0
    for k in range(moving + 1, loops.first[-1]):
        if loops.spatial[k]:
            continue
        if loops.rank[k] != rank and loops.rank[k] != -1:
            event = everywhere + again * (aside if full else everywhere)
            return at_first + later + (loops.time[k] - 1.0) * (later + event)
        f, by = loops.size[k], _by(loops, k, moved)
        fetched = _fetched(by, slide, share)
        event = again * everywhere
        if fetched > 0.0:
            alike = full or by == slide
            event = fetched * (_left(loops, t, rank, by, columns, everywhere) if alike else everywhere)
            event += again * (aside if alike else everywhere)
        later = f * later + (f - 1.0) * event
        moved += loops.motion[k] if loops.rank[k] >= 0 else 0.0
    return at_first + later


@inlined
def sent_to_compute(loops: Loops, t: int, columns: int, everywhere: float, twin: bool) -> float:
    """``sent`` to compute, which asks for every word anew.

    Args:
        twin: whether every child has a neighbour with the same words.
    """
    rank, moved, later = -1, 0.0, 0.0
    for k in range(loops.first[t + 1], loops.first[-1]):
        if loops.spatial[k]:
            continue
        if loops.rank[k] != -1 and rank == -1:
            rank = loops.rank[k]
        elif loops.rank[k] != rank and loops.rank[k] != -1:
            return everywhere + later + (loops.time[k] - 1.0) * (later + everywhere)
        f, by = loops.size[k], _by(loops, k, moved)
        event = _left(loops, t, rank, by, columns, everywhere)
        if by == 0.0 and twin:
            event = 0.0
        later = f * later + (f - 1.0) * event
        moved += loops.motion[k] if loops.rank[k] >= 0 else 0.0
    return everywhere + later

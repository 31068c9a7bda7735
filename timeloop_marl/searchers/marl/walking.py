"""Words that move between two levels.

A tile is fetched again for every iteration of the loops outside it, except of the innermost run of loops that its data
space does not depend on. Compute holds nothing and asks for every word anew.
"""

from __future__ import annotations

from ...compiling import inlined, kernel
from .sliding import first_slide, note_motions, places, sent, sent_to_compute, twins, visits
from .words import Loops, Shape, volume


@inlined
def look_outside(shape: Shape, loops: Loops, p: int) -> None:
    """Note what is outside of each loop, for ``walk`` of data space p."""
    if shape.sliding[p]:
        note_motions(shape, loops, p)
    end = loops.first[-1]
    loops.time[end] = loops.copies[end] = loops.instances[end] = 1.0
    loops.moving[end] = end
    for k in range(end - 1, -1, -1):
        f = loops.size[k]
        relevant = shape.relevant[p, loops.dim[k]]
        spatial = loops.spatial[k]
        loops.time[k] = loops.time[k + 1] * (1.0 if spatial else f)
        loops.instances[k] = loops.instances[k + 1] * (f if spatial else 1.0)
        loops.copies[k] = loops.copies[k + 1] * (f if spatial and not relevant else 1.0)
        loops.moving[k] = k if relevant and not spatial else loops.moving[k + 1]


@inlined
def walk(
    shape: Shape, loops: Loops, p: int, child: int, parent: int
) -> tuple[float, float, float, float, float]:
    """Words that reach all instances of ``child`` (-1 = compute); words that leave ``parent`` (-1 = nobody) for them,
    one read serving all equal copies; words that the children pass on to each other instead; instances of the child,
    and how many of these hold the same words."""
    first = shape.temporal_of[child] + 1 if child >= 0 else 0
    border = shape.temporal_of[parent] if parent >= 0 else first - 1
    start, end = loops.first[first], loops.first[border + 1]
    instances, copies = loops.instances[start], loops.copies[start]
    tile = volume(shape, loops.extent, p, child)
    block = border >= first and shape.spatial[first] and loops.first[first + 1] > start
    passing = block and shape.passing[child + 1, p]
    if shape.sliding[p]:
        fetched, leaving, share = _slides(shape, loops, p, child, first, border, passing)
        arriving = fetched * tile * instances
        return arriving, leaving * tile * loops.instances[end], arriving * share, instances, copies
    fetched = loops.time[loops.moving[start]]
    arriving = fetched * tile * instances
    leaving = arriving / copies * loops.copies[end]
    if child >= 0:
        return arriving, leaving, 0.0, instances, copies
    # What a neighbour asked for a moment ago it passes on.
    asked = loops.time[start] / fetched
    if passing and twins(shape, loops, p, first):
        return arriving * asked, leaving, arriving * (asked - 1.0), instances, copies
    return arriving * asked, leaving * asked, 0.0, instances, copies


@kernel
def _slides(
    shape: Shape, loops: Loops, p: int, child: int, first: int, border: int, passing: bool
) -> tuple[float, float, float]:
    """Tiles of a sliding data space that one child fetches, and that leave the parent for all of its children; share
    that they pass on to each other."""
    start = loops.first[first]
    inner = places(loops, first) if passing else 1.0
    groups = 1.0
    for t in range(first + 1 if passing else first, border + 1):
        if shape.spatial[t]:
            groups *= places(loops, t)
    leaving = 0.0
    if child < 0:
        fetched = loops.time[start]
        if passing:
            twin = twins(shape, loops, p, first)
            leaving = sent_to_compute(loops, first, shape.grid[first, 0], inner, twin)
    else:
        moving = loops.moving[start]
        if moving == loops.first[-1]:
            return 1.0, groups * inner, 0.0
        share = first_slide(shape, loops, child, moving)
        fetched = visits(loops, moving, share)
        if passing and loops.time[start] == loops.time[moving]:
            leaving = sent(loops, first, moving, share, shape.grid[first, 0], inner)
        else:
            passing = False
    if not passing:
        return fetched, groups * inner * fetched, 0.0
    return fetched, groups * leaving, 1.0 - leaving / (inner * fetched)

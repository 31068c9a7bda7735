"""Networks: what words meet on their way from one storage level to the next one inside."""

from __future__ import annotations

import numpy as np

from ...compiling import inlined, kernel
from .words import HOPS_KEPT, Loops, Shape


@inlined
def hop_words(
    shape: Shape,
    loops: Loops,
    p: int,
    s: int,
    moved: tuple[float, float, float, float, float],
    kept: bool,
    below: float,
) -> tuple[float, float, float]:
    """Words of data space p that come through the network below storage level s: times the hops of each, times the
    routers that each comes through, and their number.

    A packet enters an array at the middle of its rows, goes along to the last column that wants it, and up and down
    from there in each of these. It comes through one router more than it makes whole hops. From
    neighbour to neighbour it is one hop and two routers. A level that does not keep
    the data space hands on what those below it ask for; hops are counted as if it kept it (section 14).

    Args:
        moved: ``walk`` from the next level inside to s.
        kept: whether the next level inside keeps the data space.
        below: words that come through the network below that level.
    """
    hops = 0.0
    for t in range(shape.temporal_of[s - 1] + 1 if s > 0 else 0, shape.temporal_of[s]):
        if shape.spatial[t] and loops.first[t + 1] > loops.first[t]:
            hops += _hops(shape, loops, p, t)
    arriving, leaving, passed, _, _ = moved
    wire, crossing = leaving * hops, leaving
    if not kept:
        crossing, passed = leaving * below / arriving, 0.0
    routers = crossing * (1.0 + np.floor(wire / crossing))
    return wire + passed, routers + 2.0 * passed, crossing


@kernel
def _hops(shape: Shape, loops: Loops, p: int, t: int) -> float:
    """Hops of a packet of data space p in the array of tiling level t, on average over those that hold different words;
    looked up, if an array like this one came by lately."""
    key = np.uint64(t + 1)
    for k in range(loops.first[t], loops.first[t + 1]):
        relevant = 1 if shape.relevant[p, loops.dim[k]] else 0
        vertical = 2 if loops.vertical[k] else 0
        key = key * np.uint64(0x9E3779B97F4A7C15) + np.uint64(4 * int(loops.size[k]) + vertical + relevant)
    place = np.int64(key >> np.uint64(64 - HOPS_KEPT))
    if loops.hop_keys[place] != key:
        loops.hop_keys[place], loops.hop_values[place] = key, _count_hops(shape, loops, p, t)
    return loops.hop_values[place]


@inlined
def _count_hops(shape: Shape, loops: Loops, p: int, t: int) -> float:
    """Children are numbered along the loops, inside-out, and lie in the array row after row."""
    across, along, groups, members = 1, 1, 1, 1
    for k in range(loops.first[t], loops.first[t + 1]):
        f = int(loops.size[k])
        along *= 1 if loops.vertical[k] else f
        across *= f if loops.vertical[k] else 1
        groups *= f if shape.relevant[p, loops.dim[k]] else 1
        members *= 1 if shape.relevant[p, loops.dim[k]] else f
    columns = max(shape.grid[t, 0], along)
    middle = (max(shape.grid[t, 1], across) - 1) / 2.0
    total = 0.0
    for group in range(groups):
        last = 0
        loops.lowest[:columns], loops.highest[:columns] = np.int64(1) << 40, -1
        for member in range(members):
            child, stride, of_group, of_members = 0, 1, group, member
            for k in range(loops.first[t], loops.first[t + 1]):
                f = int(loops.size[k])
                if shape.relevant[p, loops.dim[k]]:
                    child += stride * (of_group % f)
                    of_group //= f
                else:
                    child += stride * (of_members % f)
                    of_members //= f
                stride *= f
            row, column = child // columns, child % columns
            last = max(last, column)
            loops.lowest[column] = min(loops.lowest[column], row)
            loops.highest[column] = max(loops.highest[column], row)
        total += last
        for column in range(last + 1):
            if loops.highest[column] >= 0:
                total += max(0.0, middle - loops.lowest[column]) + max(0.0, loops.highest[column] - middle)
    return total / groups

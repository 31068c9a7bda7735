"""Words that a mapping moves, counted in one walk over its loops: what the critic's features and its foresight share.

The counts are the textbook estimate: a tile is fetched again for every iteration of the loops outside it, except of the
innermost run of loops that its data space does not depend on; of a sliding window only what is new. Compute holds
nothing and asks for every word anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...compiling import allocating, inlined, kernel


class Shape(NamedTuple):
    """The machine and the data spaces as the kernels read them. T tiling levels, S storage levels, P data spaces."""

    spatial: Bool[ndarray, "T"]
    grid: Int64[ndarray, "T 2"]  # columns and rows of the array of a spatial tiling level
    temporal_of: Int64[ndarray, "S"]
    relevant: Bool[ndarray, "P D"]  # the data space depends on the dim
    written: Bool[ndarray, "P"]  # the data space is read and written
    space_rank: Int64[ndarray, "P+1"]
    rank_term: Int64[ndarray, "ranks+1"]
    term_dim: Int64[ndarray, "terms"]
    term_weight: Int64[ndarray, "terms"]


class Loops(NamedTuple):
    """Scratch: the loops of one mapping that have more than one iteration, inside-out, and its tiles."""

    factors: Int64[ndarray, "T D"]
    residuals: Int64[ndarray, "T D"]
    dim: Int64[ndarray, "loops"]
    key: Int64[ndarray, "loops"]
    spatial: Bool[ndarray, "loops"]
    vertical: Bool[ndarray, "loops"]  # along the rows of an array
    level: Int64[ndarray, "loops"]
    size: Float64[ndarray, "loops"]
    step: Float64[ndarray, "loops"]  # by which one iteration moves in its dim
    first: Int64[ndarray, "T+1"]  # the first loop of each tiling level; the last entry is their number
    inside: Float64[ndarray, "D"]  # iterations of all loops
    extent: Float64[ndarray, "S D"]  # iterations inside each storage level
    flows: Float64[ndarray, "3*S"]


@allocating
def fresh_loops(T: int, D: int, S: int) -> Loops:
    """Scratch for a machine of so many tiling and storage levels and a problem of so many dims."""
    return Loops(
        factors=np.ones((T, D), np.int64),
        residuals=np.ones((T, D), np.int64),
        dim=np.zeros(T * D, np.int64),
        key=np.zeros(T * D, np.int64),
        spatial=np.zeros(T * D, np.bool_),
        vertical=np.zeros(T * D, np.bool_),
        level=np.zeros(T * D, np.int64),
        size=np.zeros(T * D),
        step=np.zeros(T * D),
        first=np.zeros(T + 1, np.int64),
        inside=np.ones(D),
        extent=np.ones((S, D)),
        flows=np.zeros(3 * S),
    )


@inlined
def volume(shape: Shape, extent: ndarray, p: int, s: int) -> float:
    """Words of the tile of data space p at storage level s; 1 at compute (s = -1)."""
    volume = 1.0
    if s >= 0:
        for r in range(shape.space_rank[p], shape.space_rank[p + 1]):
            length = 1.0
            for k in range(shape.rank_term[r], shape.rank_term[r + 1]):
                length += shape.term_weight[k] * (extent[s, shape.term_dim[k]] - 1.0)
            volume *= length
    return volume


@inlined
def overlap(shape: Shape, extent: ndarray, p: int, s: int, dim: int, step: float) -> float:
    """Words that the tile of data space p at storage level s shares with itself ``step`` further along ``dim``."""
    volume = 1.0
    for r in range(shape.space_rank[p], shape.space_rank[p + 1]):
        length = 1.0
        for k in range(shape.rank_term[r], shape.rank_term[r + 1]):
            length += shape.term_weight[k] * (extent[s, shape.term_dim[k]] - 1.0)
        for k in range(shape.rank_term[r], shape.rank_term[r + 1]):
            if shape.term_dim[k] == dim:
                length -= shape.term_weight[k] * step
        volume *= max(0.0, length)
    return volume


@inlined
def walk(shape: Shape, loops: Loops, p: int, child: int, parent: int) -> tuple[float, float, float, float]:
    """Words that reach all instances of ``child`` (-1 = compute), words that leave ``parent`` (-1 = nobody) for them,
    one read serving all equal copies; instances of the child, and how many of these hold the same words."""
    first = shape.temporal_of[child] + 1 if child >= 0 else 0
    border = shape.temporal_of[parent] if parent >= 0 else -1
    tile = volume(shape, loops.extent, p, child)
    arriving, leaving, instances, copies = tile, tile, 1.0, 1.0
    stationary = child >= 0
    for k in range(loops.first[first], loops.first[-1]):
        f = loops.size[k]
        relevant = shape.relevant[p, loops.dim[k]]
        if loops.spatial[k]:
            arriving *= f
            instances *= f
            if not relevant:
                copies *= f
            if relevant or loops.level[k] > border:
                leaving *= f
        elif not stationary:
            arriving *= f
            leaving *= f
        elif relevant:
            # A window that slides by less than its length: only what is new is fetched.
            stationary = False
            new = tile - overlap(shape, loops.extent, p, child, loops.dim[k], loops.step[k])
            arriving *= 1.0 + (f - 1.0) * new / tile
            leaving *= 1.0 + (f - 1.0) * new / tile
    return arriving, leaving, instances, copies


@kernel
def hop_words(shape: Shape, loops: Loops, p: int, s: int) -> float:
    """Words that storage level s would hand to the next one inside if both kept data space p, times hops of each.

    A packet enters an array at the middle of its rows, goes along to the last column that wants it, and up and down
    from there in each of these.
    """
    hops = 0.0
    for t in range(shape.temporal_of[s - 1] + 1 if s > 0 else 0, shape.temporal_of[s]):
        if shape.spatial[t] and loops.first[t + 1] > loops.first[t]:
            hops += _hops(shape, loops, p, t)
    if hops == 0.0:
        return 0.0
    _, leaving, _, _ = walk(shape, loops, p, s - 1, s)
    return leaving * hops


@kernel
def _hops(shape: Shape, loops: Loops, p: int, t: int) -> float:
    """Hops of a packet of data space p in the array of tiling level t, on average over those that hold different words.

    Children that fill only some columns of a row lie row after row in fact; here each row begins anew.
    """
    used, all_used = 1.0, 1.0
    for k in range(loops.first[t], loops.first[t + 1]):
        all_used *= loops.size[k]
        if not loops.vertical[k]:
            used *= loops.size[k]
    columns, rows = float(shape.grid[t, 0]), shape.grid[t, 1]
    in_a_row = used < columns and all_used <= columns
    stride, last, copies = 1.0, 0.0, 1.0
    for k in range(loops.first[t], loops.first[t + 1]):
        if in_a_row or not loops.vertical[k]:
            f = loops.size[k]
            relevant = shape.relevant[p, loops.dim[k]]
            last += (f - 1.0) * stride * (0.5 if relevant else 1.0)
            copies *= 1.0 if relevant else f
            stride *= f
    middle = (rows - 1) / 2.0
    if in_a_row or all_used == used:
        return last + copies * middle
    return last + copies * _rise(shape, loops, p, t, middle)


@inlined
def _rise(shape: Shape, loops: Loops, p: int, t: int, middle: float) -> float:
    """Hops up and down one column, on average over the first rows of those that hold different words."""
    height = 1
    span, stride = 0.0, 1.0
    for k in range(loops.first[t], loops.first[t + 1]):
        if loops.vertical[k]:
            if not shape.relevant[p, loops.dim[k]]:
                span += (loops.size[k] - 1.0) * stride
            stride *= loops.size[k]
            height *= int(loops.size[k])
    total, count = 0.0, 0
    for row in range(height):
        rest, first = row, True
        for k in range(loops.first[t], loops.first[t + 1]):
            if loops.vertical[k]:
                f = int(loops.size[k])
                first = first and (shape.relevant[p, loops.dim[k]] or rest % f == 0)
                rest //= f
        if first:
            count += 1
            total += max(0.0, middle - row) + max(0.0, row + span - middle)
    return total / count


@inlined
def add_loop(shape: Shape, loops: Loops, k: int, t: int, d: int, size: float, vertical: bool) -> None:
    """Loop number k, outside of those before."""
    loops.level[k], loops.dim[k], loops.size[k], loops.step[k] = t, d, size, loops.inside[d]
    loops.spatial[k], loops.vertical[k] = shape.spatial[t], vertical
    loops.inside[d] *= size


@inlined
def note_tile(shape: Shape, loops: Loops, s: int, t: int) -> None:
    """The tile of storage level s, if its temporal loops are those of tiling level t, which are all there."""
    if shape.temporal_of[s] == t:
        for d in range(loops.inside.shape[0]):
            loops.extent[s, d] = loops.inside[d]

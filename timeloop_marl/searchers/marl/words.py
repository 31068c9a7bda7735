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

from ...compiling import allocating, inlined


class Shape(NamedTuple):
    """The machine and the data spaces as the kernels read them. T tiling levels, S storage levels, P data spaces."""

    spatial: Bool[ndarray, "T"]
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


@inlined
def add_loop(shape: Shape, loops: Loops, k: int, t: int, d: int, size: float) -> None:
    """Loop number k, outside of those before."""
    loops.level[k], loops.dim[k], loops.size[k], loops.step[k] = t, d, size, loops.inside[d]
    loops.spatial[k] = shape.spatial[t]
    loops.inside[d] *= size


@inlined
def note_tile(shape: Shape, loops: Loops, s: int, t: int) -> None:
    """The tile of storage level s, if its temporal loops are those of tiling level t, which are all there."""
    if shape.temporal_of[s] == t:
        for d in range(loops.inside.shape[0]):
            loops.extent[s, d] = loops.inside[d]

"""Words that a mapping moves, counted in one walk over its loops: what the critic's features and its foresight share.

Here: what the loops of a mapping are. ``walking.py`` counts words, ``sliding.py`` those of sliding windows, ``hops.py``
what they meet on their way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64
from numpy import ndarray

from ...compiling import allocating, inlined

HOPS_KEPT = 10  # arrays whose hops are kept, as a power of 2


class Shape(NamedTuple):
    """The machine and the data spaces as the kernels read them. T tiling levels, S storage levels, P data spaces."""

    spatial: Bool[ndarray, "T"]
    grid: Int64[ndarray, "T 2"]  # columns and rows of the array of a spatial tiling level
    temporal_of: Int64[ndarray, "S"]
    relevant: Bool[ndarray, "P D"]  # the data space depends on the dim
    written: Bool[ndarray, "P"]  # the data space is read and written
    rank_of: Int64[ndarray, "P D"]  # rank of the data space that the dim moves: -1 none, -2 several
    weight: Float64[ndarray, "P D"]  # by which it moves there
    sliding: Bool[ndarray, "P"]  # several dims move its tiles along the same rank
    passing: Bool[ndarray, "S P"]  # neighbours in the array of a storage level pass words on
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
    time: Float64[ndarray, "loops+1"]  # iterations of the temporal loops from one loop on
    copies: Float64[
        ndarray, "loops+1"
    ]  # the same of the spatial loops that do not move the data space at hand
    instances: Float64[ndarray, "loops+1"]  # and of all spatial loops
    moving: Int64[ndarray, "loops+1"]  # the first temporal loop from one loop on that moves the data space
    flows: Float64[ndarray, "3*S"]
    hop_keys: UInt64[ndarray, "kept"]  # arrays that came by lately, and the hops in them
    hop_values: Float64[ndarray, "kept"]
    lowest: Int64[ndarray, "columns"]  # rows of one packet in each column
    highest: Int64[ndarray, "columns"]
    rank: Int64[ndarray, "loops"]  # of a sliding data space at hand that the loop moves: -1 none, -2 several
    motion: Float64[ndarray, "loops"]  # by one iteration


@allocating
def fresh_loops(shape: Shape, D: int) -> Loops:
    """Scratch for a machine and a problem of D dims."""
    T, S = len(shape.spatial), len(shape.temporal_of)
    columns = 1
    for t in range(T):
        columns = max(columns, shape.grid[t].prod())
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
        time=np.ones(T * D + 1),
        copies=np.ones(T * D + 1),
        instances=np.ones(T * D + 1),
        moving=np.zeros(T * D + 1, np.int64),
        flows=np.zeros(3 * S),
        hop_keys=np.zeros(1 << HOPS_KEPT, np.uint64),
        hop_values=np.zeros(1 << HOPS_KEPT),
        lowest=np.zeros(columns, np.int64),
        highest=np.zeros(columns, np.int64),
        rank=np.zeros(T * D, np.int64),
        motion=np.zeros(T * D),
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

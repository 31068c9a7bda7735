"""What the critic sees of a mapping: words moved per level and data space, tile sizes, spatial use, bypasses.

The counts are the textbook estimate: a tile is fetched again for every iteration of the loops outside it, except of the
innermost run of loops that its data space does not depend on; of a sliding window only what is new; of partial sums
nothing the first time. Compute holds nothing and asks for every word anew. Nothing here knows energies, bandwidths,
block sizes or networks: what these do to the cost is learnt from samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

from ...mapping import MappingBatch
from ...mapspace.axes import LearnersMapspace


class Shape(NamedTuple):
    """The machine and the data spaces as the kernel reads them. T tiling levels, S storage levels, P data spaces."""

    spatial: Bool[ndarray, "T"]
    temporal_of: Int64[ndarray, "S"]
    relevant: Bool[ndarray, "P D"]  # the data space depends on the dim
    written: Bool[ndarray, "P"]  # the data space is read and written
    space_rank: Int64[ndarray, "P+1"]
    rank_term: Int64[ndarray, "ranks+1"]
    term_dim: Int64[ndarray, "terms"]
    term_weight: Int64[ndarray, "terms"]


class Nest(NamedTuple):
    """The loops of one mapping that have more than one iteration, inside-out."""

    level: Int64[ndarray, "loops"]
    dim: Int64[ndarray, "loops"]
    size: Float64[ndarray, "loops"]
    step: Float64[ndarray, "loops"]  # by which one iteration moves in its dim
    first: Int64[ndarray, "T+1"]  # the first loop of each tiling level; the last entry is their number
    inside: Float64[ndarray, "D"]  # scratch: iterations so far


@dataclass(frozen=True)
class Features:
    """Of m mappings. ``words``: moved words per part of the machine, all linear parts of energy; ``flows``: words read,
    written and both per instance of each storage level; ``logs``: inputs of the Gaussian process, base-2 logarithms
    and 0/1 flags; ``steps``: natural logarithm of the temporal iterations.
    """

    words: Float64[ndarray, "m parts"]
    flows: Float64[ndarray, "m 3*S"]
    logs: Float64[ndarray, "m features"]
    steps: Float64[ndarray, "m"]

    def __getitem__(self, index: Int64[ndarray, "k"]) -> Features:
        return Features(self.words[index], self.flows[index], self.logs[index], self.steps[index])

    def joined(self, more: Features) -> Features:
        """These and more mappings."""
        return Features(
            np.concatenate([self.words, more.words]),
            np.concatenate([self.flows, more.flows]),
            np.concatenate([self.logs, more.logs]),
            np.concatenate([self.steps, more.steps]),
        )


class FeatureMaker:
    """Features of the rows of one mapspace."""

    def __init__(self, space: LearnersMapspace) -> None:
        self.space = space
        tables = space.tables
        levels = space.spec.architecture.tiling_levels
        spaces = space.spec.problem.data_spaces
        relevant = np.zeros((len(spaces), len(tables.bounds)), np.bool_)
        for p in range(len(spaces)):
            relevant[p, list(spaces[p].dims)] = True
        self.shape = Shape(
            spatial=np.array([level.spatial for level in levels], np.bool_),
            temporal_of=tables.temporal_of,
            relevant=relevant,
            written=np.array([space.read_write for space in spaces], np.bool_),
            space_rank=tables.space_rank,
            rank_term=tables.rank_term,
            term_dim=tables.term_dim,
            term_weight=tables.term_weight,
        )

    @property
    def parts(self) -> int:
        """Number of parts of ``words``."""
        levels = len(self.shape.temporal_of)
        return 2 * levels + 1 + 2 * levels * len(self.shape.relevant)

    def __call__(self, rows: Int64[ndarray, "m axes"]) -> Features:
        """Features of canonical rows."""
        return self.of(self.space.decode(rows))

    def of(self, batch: MappingBatch) -> Features:
        """Features of mappings."""
        m, S, P = batch.keep.shape
        T = len(self.shape.spatial)
        words = np.zeros((m, 2 * S + 1 + 2 * S * P))
        logs = np.empty((m, 4 * S * P + 2 * T))
        flows, steps = np.zeros((m, 3 * S)), np.empty(m)
        describe(self.shape, batch.factors, batch.order, batch.keep, words, flows, logs, steps)
        return Features(words, flows, logs, steps)


@njit(cache=True, nogil=True, error_model="numpy")
def describe(
    shape: Shape,
    factors: ndarray,
    order: ndarray,
    keep: ndarray,
    words: ndarray,
    flows: ndarray,
    logs: ndarray,
    steps: ndarray,
) -> None:
    """Fill the features of m mappings.

    Parts of ``words``: reads (S), writes (S), one constant, fills (S P), reads (S P).
    """
    m, S, P = keep.shape
    T, D = factors.shape[1], factors.shape[2]
    loops, sizes = np.empty((2, T * D), np.int64), np.empty((2, T * D))
    nest = Nest(loops[0], loops[1], sizes[0], sizes[1], np.empty(T + 1, np.int64), np.empty(D))
    extent = np.empty((S, D))
    for i in range(m):
        total = _extents(shape, factors[i], extent)
        _collect(factors[i], order[i], nest)
        steps[i] = _level_logs(shape, factors[i], logs[i, 4 * S * P :])
        for p in range(P):
            child = -1  # nearest inner level that keeps the data space, -1 = compute
            for s in range(S):
                own = s * P + p
                # Fills of s: what s would be handed if it kept the data space.
                fill, _ = _moved(shape, nest, extent, p, s, s)
                # Reads of s: what the child takes from s, copies over the array made on the way counted once.
                _, read = _moved(shape, nest, extent, p, child, s)
                kept = keep[i, s, p]
                logs[i, own] = np.log2(fill)
                logs[i, S * P + own] = np.log2(read)
                logs[i, 2 * S * P + own] = np.log2(volume(shape, extent, p, s))
                logs[i, 3 * S * P + own] = 4.0 if kept else 0.0
                if kept:
                    child = s
                    words[i, 2 * S + 1 + own] = fill / total
                    words[i, 2 * S + 1 + S * P + own] = read / total
                    _add_flows(shape, nest, extent, p, s, fill, read, total, words[i], flows[i])
        words[i, 2 * S] = 1.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _add_flows(
    shape: Shape,
    nest: Nest,
    extent: ndarray,
    p: int,
    s: int,
    fill: float,
    read: float,
    total: float,
    words: ndarray,
    flows: ndarray,
) -> None:
    """Add data space p to the words that level s reads and writes, all its instances together and each by itself."""
    S = extent.shape[0]
    instances, copies = 1.0, 1.0
    for k in range(nest.first[shape.temporal_of[s] + 1], nest.first[-1]):
        if shape.spatial[nest.level[k]]:
            instances *= nest.size[k]
            if not shape.relevant[p, nest.dim[k]]:
                copies *= nest.size[k]
    written = fill if s < S - 1 else 0.0
    if shape.written[p]:
        # The first time that a partial sum is updated there is nothing to read.
        fresh = volume(shape, extent, p, S - 1) * copies
        written = max(0.0, written - fresh) + read
        read = max(0.0, read - fresh)
    words[s] += read / total
    words[S + s] += written / total
    flows[s] += read / instances
    flows[S + s] += written / instances
    flows[2 * S + s] += (read + written) / instances


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _extents(shape: Shape, factors: ndarray, extent: ndarray) -> float:
    """Iterations of every dim inside each storage level; returns those of the whole problem."""
    S, D = extent.shape
    total = 1.0
    for d in range(D):
        size = 1.0
        t = 0
        for s in range(S):
            while t <= shape.temporal_of[s]:
                size *= factors[t, d]
                t += 1
            extent[s, d] = size
        total *= size
    return total


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _collect(factors: ndarray, order: ndarray, nest: Nest) -> None:
    """The loops of more than one iteration, inside-out."""
    T, D = factors.shape
    count = 0
    nest.inside[:] = 1.0
    for t in range(T):
        nest.first[t] = count
        for k in range(D):
            d = order[t, k]
            if factors[t, d] > 1:
                nest.level[count], nest.dim[count], nest.size[count] = t, d, factors[t, d]
                nest.step[count] = nest.inside[d]
                nest.inside[d] *= factors[t, d]
                count += 1
    nest.first[T] = count


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _level_logs(shape: Shape, factors: ndarray, out: ndarray) -> float:
    """Two per tiling level: logarithm of all its iterations and of its largest loop; returns ln of temporal ones."""
    T, D = factors.shape
    time = 1.0
    for t in range(T):
        level, widest = 1.0, 1.0
        for d in range(D):
            f = float(factors[t, d])
            level *= f
            widest = max(widest, f)
        out[2 * t], out[2 * t + 1] = np.log2(level), np.log2(widest)
        if not shape.spatial[t]:
            time *= level
    return np.log(time)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
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


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _moved(shape: Shape, nest: Nest, extent: ndarray, p: int, child: int, parent: int) -> tuple[float, float]:
    """Words that reach all children, and words that leave all parents (one read serves all equal copies)."""
    first = shape.temporal_of[child] + 1 if child >= 0 else 0
    border = shape.temporal_of[parent]
    tile = volume(shape, extent, p, child)
    arriving, leaving = tile, tile
    stationary = child >= 0  # compute holds nothing: it asks for every word anew
    for k in range(nest.first[first], nest.first[-1]):
        t, f = nest.level[k], nest.size[k]
        relevant = shape.relevant[p, nest.dim[k]]
        if shape.spatial[t]:
            arriving *= f
            if t > border or relevant:
                leaving *= f
        elif relevant and stationary:
            # A window that slides by less than its length: only what is new is fetched.
            stationary = False
            new = tile - overlap(shape, extent, p, child, nest.dim[k], nest.step[k])
            arriving *= 1.0 + (f - 1.0) * new / tile
            leaving *= 1.0 + (f - 1.0) * new / tile
        elif not stationary:
            arriving *= f
            leaving *= f
    return arriving, leaving

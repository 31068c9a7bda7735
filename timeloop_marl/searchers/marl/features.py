"""What the critic sees of a mapping: words moved per level and data space, tile sizes, spatial use, bypasses.

The counts are the textbook estimate: a tile is fetched again for every iteration of the loops outside it, except of the
innermost run of loops that its data space does not depend on. Nothing here knows energies, bandwidths, block sizes,
networks or overlaps of neighbouring tiles: what these do to the cost is learnt from samples.
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
    space_rank: Int64[ndarray, "P+1"]
    rank_term: Int64[ndarray, "ranks+1"]
    term_dim: Int64[ndarray, "terms"]
    term_weight: Int64[ndarray, "terms"]


@dataclass(frozen=True)
class Features:
    """Of m mappings. ``words``: moved words per part of the machine, all linear parts of energy; ``logs``: inputs of
    the Gaussian process, base-2 logarithms and 0/1 flags; ``steps``: natural logarithm of the temporal iterations.
    """

    words: Float64[ndarray, "m parts"]
    logs: Float64[ndarray, "m features"]
    steps: Float64[ndarray, "m"]


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
            space_rank=tables.space_rank,
            rank_term=tables.rank_term,
            term_dim=tables.term_dim,
            term_weight=tables.term_weight,
        )

    def __call__(self, rows: Int64[ndarray, "m axes"]) -> Features:
        """Features of canonical rows."""
        return self.of(self.space.decode(rows))

    def of(self, batch: MappingBatch) -> Features:
        """Features of mappings."""
        m, S, P = batch.keep.shape
        T = len(self.shape.spatial)
        words = np.empty((m, 2 * S * P + 1))
        logs = np.empty((m, 4 * S * P + 2 * T))
        steps = np.empty(m)
        describe(self.shape, batch.factors, batch.order, batch.keep, words, logs, steps)
        return Features(words, logs, steps)


@njit(cache=True, nogil=True, error_model="numpy")
def describe(
    shape: Shape,
    factors: ndarray,
    order: ndarray,
    keep: ndarray,
    words: ndarray,
    logs: ndarray,
    steps: ndarray,
) -> None:
    """Fill the features of m mappings. Parts of ``words``: fills (S P), reads (S P), one constant."""
    m, S, P = keep.shape
    T, D = factors.shape[1], factors.shape[2]
    extent = np.empty((S, D))
    for i in range(m):
        total = 1.0
        for d in range(D):
            size = 1.0
            t = 0
            for s in range(S):
                while t <= shape.temporal_of[s]:
                    size *= factors[i, t, d]
                    t += 1
                extent[s, d] = size
            total *= size
        time = 0.0
        for t in range(T):
            level = 0.0
            widest = 0.0
            for d in range(D):
                bits = np.log2(factors[i, t, d])
                level += bits
                widest = max(widest, bits)
            logs[i, 4 * S * P + 2 * t] = level
            logs[i, 4 * S * P + 2 * t + 1] = widest
            if not shape.spatial[t]:
                time += level
        steps[i] = time * np.log(2.0)
        for p in range(P):
            child = -1  # nearest inner level that keeps the data space, -1 = compute
            for s in range(S):
                own = s * P + p
                # Fills of s: what s would be handed if it kept the data space.
                fill, _ = _moved(shape, factors, order, extent, i, p, s, s)
                # Reads of s: what the child takes from s, copies over the array made on the way counted once.
                _, read = _moved(shape, factors, order, extent, i, p, child, s)
                volume = _volume(shape, extent, p, s)
                kept = keep[i, s, p]
                logs[i, own] = np.log2(fill)
                logs[i, S * P + own] = np.log2(read)
                logs[i, 2 * S * P + own] = np.log2(volume)
                logs[i, 3 * S * P + own] = 4.0 if kept else 0.0
                words[i, own] = fill / total if kept else 0.0
                words[i, S * P + own] = read / total if kept else 0.0
                if kept:
                    child = s
        words[i, 2 * S * P] = 1.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _volume(shape: Shape, extent: ndarray, p: int, s: int) -> float:
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
def _moved(
    shape: Shape, factors: ndarray, order: ndarray, extent: ndarray, i: int, p: int, child: int, parent: int
) -> tuple[float, float]:
    """Words that reach all children, and words that leave all parents (one read serves all equal copies)."""
    T, D = factors.shape[1], factors.shape[2]
    first = shape.temporal_of[child] + 1 if child >= 0 else 0
    border = shape.temporal_of[parent]
    arriving = _volume(shape, extent, p, child)
    leaving = arriving
    stationary = True
    for t in range(first, T):
        for k in range(D):
            d = order[i, t, k]
            f = float(factors[i, t, d])
            if f == 1.0:
                continue
            if shape.spatial[t]:
                arriving *= f
                if t > border or shape.relevant[p, d]:
                    leaving *= f
            else:
                stationary = stationary and not shape.relevant[p, d]
                if not stationary:
                    arriving *= f
                    leaving *= f
    return arriving, leaving

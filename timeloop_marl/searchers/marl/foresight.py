"""The critic's trend of one candidate, compiled: a row to log cost without any array in between.

The same quantities as ``features.describe``, but only those that have a price: words of the data spaces that a level
keeps, in one walk over the loops outside of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...compiling import inlined, kernel
from ...mapspace.learners.decoding import bounds
from ...mapspace.learners.tables import Tables, Work
from .features import Shape, overlap, volume

_TINY = 1e-300


class Foresight(NamedTuple):
    """Prices of a word per computation, and of the limiting paths. S storage levels, P data spaces.

    ``constant[0]`` is the price of the computations themselves; ``delay`` the cycles per word, 0 where a path never
    limits; ``matter`` whether words and whether iterations count.
    """

    reads: Float64[ndarray, "S"]
    writes: Float64[ndarray, "S"]
    constant: Float64[ndarray, "1"]
    fills: Float64[ndarray, "S P"]
    taken: Float64[ndarray, "S P"]
    delay: Float64[ndarray, "3*S"]
    matter: Int64[ndarray, "2"]

    @classmethod
    def of(
        cls,
        prices: Float64[ndarray, "parts"],
        delay: Float64[ndarray, "3*S"],
        S: int,
        P: int,
        words: bool,
        steps: bool,
    ) -> Foresight:
        """From prices by part, in the order of ``features.describe``."""
        reads, writes, constant, fills, taken = np.split(prices, [S, 2 * S, 2 * S + 1, 2 * S + 1 + S * P])
        return cls(
            reads.copy(),
            writes.copy(),
            constant.copy(),
            fills.reshape(S, P).copy(),
            taken.reshape(S, P).copy(),
            delay,
            np.array([words, steps], np.int64),
        )


class Loops(NamedTuple):
    """Scratch: the loops of one candidate that have more than one iteration, inside-out, and its tiles."""

    factors: Int64[ndarray, "T D"]
    residuals: Int64[ndarray, "T D"]
    dim: Int64[ndarray, "loops"]
    key: Int64[ndarray, "loops"]
    level: Int64[ndarray, "loops"]
    spatial: Int64[ndarray, "loops"]
    size: Float64[ndarray, "loops"]
    step: Float64[ndarray, "loops"]
    first: Int64[ndarray, "T+1"]
    inside: Float64[ndarray, "D"]
    extent: Float64[ndarray, "S D"]
    flows: Float64[ndarray, "3*S"]


def loops_of(tables: Tables) -> Loops:
    """Fresh scratch."""
    T, D = tables.base_factor.shape
    S = len(tables.temporal_of)
    return Loops(
        factors=np.ones((T, D), np.int64),
        residuals=np.ones((T, D), np.int64),
        dim=np.zeros(T * D, np.int64),
        key=np.zeros(T * D, np.int64),
        level=np.zeros(T * D, np.int64),
        spatial=np.zeros(T * D, np.int64),
        size=np.zeros(T * D),
        step=np.zeros(T * D),
        first=np.zeros(T + 1, np.int64),
        inside=np.ones(D),
        extent=np.ones((S, D)),
        flows=np.zeros(3 * S),
    )


@inlined
def _collect(tables: Tables, shape: Shape, work: Work, row: np.ndarray, loops: Loops) -> float:
    """Loops in order, tiles of every storage level; returns the temporal iterations."""
    T, D = loops.factors.shape
    bounds(tables, work, loops.factors, loops.residuals)
    loops.inside[:] = 1.0
    count, time = 0, 1.0
    for t in range(T):
        loops.first[t] = count
        for d in range(D):
            f = loops.factors[t, d]
            if f == 1:
                continue
            axis = tables.rank_axis[t, d]
            key = (tables.position[t, d] * (D + 1) + (row[axis] if axis >= 0 else 0)) * D + d
            k = count
            while k > loops.first[t] and loops.key[k - 1] > key:
                loops.key[k], loops.dim[k] = loops.key[k - 1], loops.dim[k - 1]
                k -= 1
            loops.key[k], loops.dim[k] = key, d
            count += 1
        for k in range(loops.first[t], count):
            d = loops.dim[k]
            f = float(loops.factors[t, d])
            loops.level[k], loops.size[k], loops.step[k] = t, f, loops.inside[d]
            loops.spatial[k] = 1 if shape.spatial[t] else 0
            loops.inside[d] *= f
            if not shape.spatial[t]:
                time *= f
        s = tables.storage_of[t]
        if tables.temporal_of[s] == t:
            for d in range(D):
                loops.extent[s, d] = loops.inside[d]
    loops.first[T] = count
    return time


@inlined
def _walk(shape: Shape, loops: Loops, p: int, child: int, parent: int) -> tuple[float, float, float, float]:
    """Words that reach all instances of ``child`` (-1 = compute), words that leave ``parent`` (-1 = nobody) for them;
    instances of the child, and how many of these hold the same words."""
    first = shape.temporal_of[child] + 1 if child >= 0 else 0
    border = shape.temporal_of[parent] if parent >= 0 else -1
    tile = volume(shape, loops.extent, p, child)
    arriving, leaving, instances, copies = tile, tile, 1.0, 1.0
    stationary = child >= 0
    for k in range(loops.first[first], loops.first[-1]):
        f = loops.size[k]
        relevant = shape.relevant[p, loops.dim[k]]
        if loops.spatial[k] == 1:
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
            stationary = False
            new = tile - overlap(shape, loops.extent, p, child, loops.dim[k], loops.step[k])
            arriving *= 1.0 + (f - 1.0) * new / tile
            leaving *= 1.0 + (f - 1.0) * new / tile
    return arriving, leaving, instances, copies


@kernel
def log_cost(
    tables: Tables, shape: Shape, known: Foresight, work: Work, row: np.ndarray, loops: Loops
) -> float:
    """Log cost by the trend, of the candidate whose factors, sides and keeps are in ``work`` and ranks in ``row``."""
    S, P = work.keep.shape
    steps = _collect(tables, shape, work, row, loops)
    total = 1.0
    for d in range(loops.inside.shape[0]):
        total *= loops.inside[d]
    loops.flows[:] = 0.0
    energy = 0.0
    for p in range(P):
        whole = volume(shape, loops.extent, p, S - 1)
        s = 0
        while s < S and work.keep[s, p] != 1:
            s += 1
        _, read, _, _ = _walk(shape, loops, p, -1, s if s < S else -1)
        while s < S:
            parent = s + 1
            while parent < S and work.keep[parent, p] != 1:
                parent += 1
            fill, handed, instances, copies = _walk(shape, loops, p, s, parent if parent < S else -1)
            written = fill if s < S - 1 else 0.0
            energy += known.fills[s, p] * fill + known.taken[s, p] * read
            if shape.written[p]:
                # The first time that a partial sum is updated there is nothing to read.
                fresh = whole * copies
                written = max(0.0, written - fresh) + read
                read = max(0.0, read - fresh)
            energy += known.reads[s] * read + known.writes[s] * written
            loops.flows[s] += read / instances
            loops.flows[S + s] += written / instances
            loops.flows[2 * S + s] += (read + written) / instances
            s, read = parent, handed
    cost = 0.0
    if known.matter[0] == 1:
        cost += np.log(max(known.constant[0] + energy / total, _TINY))
    if known.matter[1] == 1:
        for k in range(3 * S):
            if known.delay[k] > 0.0:
                steps = max(steps, loops.flows[k] * known.delay[k])
        cost += np.log(steps)
    return cost

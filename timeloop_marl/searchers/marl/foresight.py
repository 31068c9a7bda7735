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
from ...mapspace.learners.decoding import bounds, order_key
from ...mapspace.learners.tables import Tables, Work, Y
from .words import Loops, Shape, add_loop, hop_words, note_tile, volume, walk

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
    hops: Float64[ndarray, "S"]
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
        ends = np.cumsum([S, S, 1, S * P, S * P])
        reads, writes, constant, fills, taken, hops = np.split(prices, ends)
        return cls(
            reads.copy(),
            writes.copy(),
            constant.copy(),
            fills.reshape(S, P).copy(),
            taken.reshape(S, P).copy(),
            hops.copy(),
            delay,
            np.array([words, steps], np.int64),
        )


@inlined
def _collect(tables: Tables, shape: Shape, work: Work, row: ndarray, loops: Loops) -> float:
    """Loops of what is placed in ``work``, ranked as in ``row``, and its tiles; returns the temporal iterations."""
    T, D = loops.factors.shape
    bounds(tables, work, loops.factors, loops.residuals)
    loops.inside[:] = 1.0
    count, time = 0, 1.0
    for t in range(T):
        loops.first[t] = count
        for d in range(D):
            if loops.factors[t, d] == 1:
                continue
            key = order_key(tables, work, row, t, d)
            k = count
            while k > loops.first[t] and loops.key[k - 1] > key:
                loops.key[k], loops.dim[k] = loops.key[k - 1], loops.dim[k - 1]
                k -= 1
            loops.key[k], loops.dim[k] = key, d
            count += 1
        for k in range(loops.first[t], count):
            d = loops.dim[k]
            f = float(loops.factors[t, d])
            add_loop(shape, loops, k, t, d, f, work.side[t, d] == Y)
            if not shape.spatial[t]:
                time *= f
        note_tile(shape, loops, tables.storage_of[t], t)
    loops.first[T] = count
    return time


@kernel
def log_cost(tables: Tables, shape: Shape, known: Foresight, work: Work, row: ndarray, loops: Loops) -> float:
    """Log cost by the trend, of the candidate whose factors, sides and keeps are in ``work`` and ranks in ``row``."""
    S, P = work.keep.shape
    steps = _collect(tables, shape, work, row, loops)
    total = 1.0
    for d in range(loops.inside.shape[0]):
        total *= loops.inside[d]
    loops.flows[:] = 0.0
    energy = 0.0
    for p in range(P):
        for s in range(S):
            if known.hops[s] > 0.0:
                energy += known.hops[s] * hop_words(shape, loops, p, s)
        whole = volume(shape, loops.extent, p, S - 1)
        s = 0
        while s < S and work.keep[s, p] != 1:
            s += 1
        _, read, _, _ = walk(shape, loops, p, -1, s if s < S else -1)
        while s < S:
            parent = s + 1
            while parent < S and work.keep[parent, p] != 1:
                parent += 1
            fill, handed, instances, copies = walk(shape, loops, p, s, parent if parent < S else -1)
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

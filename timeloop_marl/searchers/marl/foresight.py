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
from .hops import hop_words
from .walking import look_outside, walk
from .words import Loops, Shape, add_loop, note_tile, volume

_TINY = 1e-300


class Foresight(NamedTuple):
    """Prices of a word per computation, and of the limiting paths. S storage levels, P data spaces.

    ``constant[0]`` is the price of the computations themselves; ``delay`` the cycles per word, 0 where a path never
    limits; ``matter`` the weights of log words and of log iterations.
    """

    reads: Float64[ndarray, "S"]
    writes: Float64[ndarray, "S"]
    constant: Float64[ndarray, "1"]
    fills: Float64[ndarray, "S P"]
    taken: Float64[ndarray, "S P"]
    hops: Float64[ndarray, "S"]
    routers: Float64[ndarray, "S"]
    networks: Int64[ndarray, "1"]  # levels up to the last one below which hops or routers have a price
    delay: Float64[ndarray, "3*S"]
    matter: Float64[ndarray, "2"]

    @classmethod
    def of(
        cls,
        prices: Float64[ndarray, "parts"],
        delay: Float64[ndarray, "3*S"],
        S: int,
        P: int,
        words: float,
        steps: float,
    ) -> Foresight:
        """From prices by part, in the order of ``features.describe``."""
        ends = np.cumsum([S, S, 1, S * P, S * P, S])
        reads, writes, constant, fills, taken, hops, routers = np.split(prices, ends)
        return cls(
            reads.copy(),
            writes.copy(),
            constant.copy(),
            fills.reshape(S, P).copy(),
            taken.reshape(S, P).copy(),
            hops.copy(),
            routers.copy(),
            np.array([np.max(np.flatnonzero((hops > 0) | (routers > 0)), initial=-1) + 1], np.int64),
            delay,
            np.array([words, steps]),
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
        note_tile(shape, loops, tables.geometry[0].tile_storage[t], t)
    loops.first[T] = count
    return time


@inlined
def _energy(shape: Shape, known: Foresight, work: Work, loops: Loops, p: int) -> float:
    """What moving data space p costs; notes its flows."""
    look_outside(shape, loops, p)
    S = work.keep.shape[0]
    energy, crossing = 0.0, 0.0
    child, read = -1, 0.0  # the last level that keeps it, and what is read there
    for s in range(S):
        kept = work.keep[s, p] == 1
        near = s < known.networks[0]
        moved = (0.0, 0.0, 0.0, 1.0, 1.0)
        if near:
            moved = walk(shape, loops, p, s - 1, s)
            below_kept = s == 0 or work.keep[s - 1, p] == 1
            wire, routers, crossing = hop_words(shape, loops, p, s, moved, below_kept, crossing)
            energy += known.hops[s] * wire + known.routers[s] * routers
        if kept:
            if not near or child < s - 1:
                moved = walk(shape, loops, p, child, s)
            if child >= 0:
                energy += _kept_words(shape, known, loops, p, child, read, moved, child == s - 1)
            child, read = s, moved[1]
    return energy + _kept_words(shape, known, loops, p, child, read, walk(shape, loops, p, child, -1), False)


@inlined
def _kept_words(
    shape: Shape,
    known: Foresight,
    loops: Loops,
    p: int,
    s: int,
    read: float,
    moved: tuple[float, float, float, float, float],
    beside: bool,
) -> float:
    """What data space p costs at level s, which keeps it; notes its flows.

    Args:
        read: words taken from it.
        moved: ``walk`` from there to the next level outside that keeps it.
        beside: whether that is the very next level.
    """
    fill, _, passed, instances, copies = moved
    written = fill if s < known.reads.shape[0] - 1 else 0.0
    energy = known.fills[s, p] * fill + known.taken[s, p] * read
    if shape.written[p]:
        # The first time that a partial sum is updated there is nothing to read.
        fresh = volume(shape, loops.extent, p, known.reads.shape[0] - 1) * copies
        written = max(0.0, written - fresh) + read
        read = max(0.0, read - fresh)
    if beside:
        read += passed
    S = known.reads.shape[0]
    loops.flows[s] += read / instances
    loops.flows[S + s] += written / instances
    loops.flows[2 * S + s] += (read + written) / instances
    return energy + known.reads[s] * read + known.writes[s] * written


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
        energy += _energy(shape, known, work, loops, p)
    cost = 0.0
    if known.matter[0] > 0.0:
        cost += known.matter[0] * np.log(max(known.constant[0] + energy / total, _TINY))
    if known.matter[1] > 0.0:
        for k in range(3 * S):
            if known.delay[k] > 0.0:
                steps = max(steps, loops.flows[k] * known.delay[k])
        cost += known.matter[1] * np.log(steps)
    return cost

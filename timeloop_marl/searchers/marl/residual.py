"""What the critic's Gaussian process adds to its trend, compiled, of the candidate whose trend was just computed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

from ...compiling import allocating, inlined, kernel
from ...mapspace.learners.tables import Work
from .features import KEPT
from .gaussian import covariances
from .walking import look_outside, walk
from .words import Loops, Shape, volume

_REMEMBERED = 4096  # candidates; a power of two. Chains come past a third of theirs again
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


class Residual(NamedTuple):
    """The process as the chains ask it; ``number[0]`` = 0: not asked.

    ``input_of``: which input every feature is, -1 none; ``shift`` and ``stretch`` by input. ``slack[0]``: how far below
    the trend the process is expected to go at most, log cost. ``hashes`` and ``values``: what was asked before.
    """

    number: Int64[ndarray, "1"]
    points: Float64[ndarray, "inputs capacity"]
    weights: Float64[ndarray, "capacity"]
    input_of: Int64[ndarray, "features"]
    shift: Float64[ndarray, "inputs"]
    stretch: Float64[ndarray, "inputs"]
    length: Float64[ndarray, "1"]
    centre: Float64[ndarray, "1"]
    slack: Float64[ndarray, "1"]
    hashes: UInt64[ndarray, "places"]
    values: Float64[ndarray, "places"]


def nobody() -> Residual:
    """A process that is not asked."""
    none, nothing = np.zeros(1), np.zeros(0, np.int64)
    return Residual(
        np.zeros(1, np.int64), np.zeros((1, 1)), none, nothing, none, none, none, none, none,
        np.zeros(1, np.uint64), none,
    )  # fmt: skip


def memory() -> tuple[UInt64[ndarray, "places"], Float64[ndarray, "places"]]:
    """``hashes`` and ``values`` of a process that has not been asked."""
    return np.zeros(_REMEMBERED, np.uint64), np.zeros(_REMEMBERED)


@kernel
def fingerprint(row: ndarray) -> np.uint64:
    """A hash of 64 bits (FNV-1a over the values, mixed at the end), never 0."""
    h = _BASIS
    for a in range(row.shape[0]):
        h = (h ^ np.uint64(row[a])) * _PRIME
    h = h ^ (h >> np.uint64(29))
    h = h * np.uint64(0xBF58476D1CE4E5B9)
    h = h ^ (h >> np.uint64(32))
    return h if h != np.uint64(0) else np.uint64(1)


@inlined
def _enter(residual: Residual, feature: int, log: float, x: ndarray) -> None:
    """A feature as an input, scaled."""
    f = residual.input_of[feature]
    x[f] = (log - residual.shift[f]) * residual.stretch[f]


@inlined
def _inputs(shape: Shape, work: Work, loops: Loops, residual: Residual, x: ndarray) -> None:
    """Inputs of the process as in ``features.describe``, but only those that vary."""
    S, P = work.keep.shape
    wanted = residual.input_of
    for p in range(P):
        look_outside(shape, loops, p)
        child = -1
        for s in range(S):
            own = s * P + p
            if wanted[own] >= 0:
                fill, _, _, _, _ = walk(shape, loops, p, s, s)
                _enter(residual, own, np.log2(fill), x)
            if wanted[S * P + own] >= 0:
                _, read, _, _, _ = walk(shape, loops, p, child, s)
                _enter(residual, S * P + own, np.log2(read), x)
            if wanted[2 * S * P + own] >= 0:
                _enter(residual, 2 * S * P + own, np.log2(volume(shape, loops.extent, p, s)), x)
            kept = work.keep[s, p] == 1
            if wanted[3 * S * P + own] >= 0:
                _enter(residual, 3 * S * P + own, KEPT if kept else 0.0, x)
            if kept:
                child = s
    for t in range(loops.first.shape[0] - 1):
        own = 4 * S * P + 2 * t
        if wanted[own] < 0 and wanted[own + 1] < 0:
            continue
        level, widest = 1.0, 1.0
        for k in range(loops.first[t], loops.first[t + 1]):
            level *= loops.size[k]
            widest = max(widest, loops.size[k])
        if wanted[own] >= 0:
            _enter(residual, own, np.log2(level), x)
        if wanted[own + 1] >= 0:
            _enter(residual, own + 1, np.log2(widest), x)


@allocating
def residual_of(shape: Shape, work: Work, loops: Loops, residual: Residual, row: ndarray) -> float:
    """What the process adds to the trend of the canonical row whose loops are in ``loops``, bypasses in ``work``."""
    h = fingerprint(row)
    place = np.int64(h >> np.uint64(1)) & (residual.hashes.shape[0] - 1)
    if residual.hashes[place] == h:
        return residual.values[place]
    n = residual.number[0]
    x, column = np.empty(residual.shift.shape[0]), np.empty(n)
    _inputs(shape, work, loops, residual, x)
    covariances(residual.points, n, x, residual.length[0], column)
    total = residual.centre[0]
    for j in range(n):
        total += column[j] * residual.weights[j]
    residual.hashes[place], residual.values[place] = h, total
    return total

"""Annealing chains on the critic, compiled: thousands of candidates a call.

Metropolis et al. 1953, Kirkpatrick et al. 1983; neighbours on a ladder of heats change places as in parallel tempering
(Geyer 1991). A step changes one candidate, asks the trend, and only if that leaves a chance of being taken, the
Gaussian process.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...compiling import allocating, inlined, kernel
from ...mapspace.learners.decoding import place_literally
from ...mapspace.learners.drawing import draw
from ...mapspace.learners.moves import move_row
from ...mapspace.learners.repair import place_row, write_row
from ...mapspace.learners.tables import Tables, Work
from .foresight import Foresight, log_cost
from .residual import Residual, fingerprint, residual_of
from .words import Loops, Shape

_SAME = 1e-9  # log cost
_HALF = 1 << 30  # draw() in two halves makes a uniform number


class Chains(NamedTuple):
    """Where the chains are: canonical feasible rows, their predicted log costs, and the heat of each, log cost."""

    rows: Int64[ndarray, "chains axes"]
    heights: Float64[ndarray, "chains"]
    heats: Float64[ndarray, "chains"]


class Shelf(NamedTuple):
    """The best new candidates that were passed. ``order`` lists the ``used[0]`` places in use, lowest height first."""

    rows: Int64[ndarray, "places axes"]
    heights: Float64[ndarray, "places"]
    order: Int64[ndarray, "places"]
    used: Int64[ndarray, "1"]


@inlined
def _uniform(state: np.ndarray) -> float:
    """In (0, 1)."""
    return (draw(state, _HALF) + 0.5) / _HALF


@kernel
def is_known(known: np.ndarray, h: np.uint64) -> bool:
    """Whether the open-addressed table (a power of two of uint64) holds the hash."""
    mask = known.shape[0] - 1
    k = np.int64(h >> np.uint64(1)) & mask
    while known[k] != np.uint64(0):
        if known[k] == h:
            return True
        k = (k + 1) & mask
    return False


@kernel
def fingerprints(rows: np.ndarray, out: np.ndarray) -> None:
    """The hash of every row."""
    for i in range(rows.shape[0]):
        out[i] = fingerprint(rows[i])


@kernel
def enter(known: np.ndarray, hashes: np.ndarray) -> None:
    """Add hashes; the table must stay less than full."""
    mask = known.shape[0] - 1
    for i in range(hashes.shape[0]):
        h = hashes[i]
        k = np.int64(h >> np.uint64(1)) & mask
        while known[k] != np.uint64(0) and known[k] != h:
            k = (k + 1) & mask
        known[k] = h


@kernel
def put_up(shelf: Shelf, row: np.ndarray, height: float, known: np.ndarray) -> None:
    """Keep the row if it is among the lowest, new, and nothing of its height is on the shelf.

    Rows of one height are nearly always one mapping in the critic's eyes: a batch of them would teach it nothing.
    """
    places, count = shelf.heights.shape[0], shelf.used[0]
    if count == places and height >= shelf.heights[shelf.order[count - 1]]:
        return
    at = count
    while at > 0 and shelf.heights[shelf.order[at - 1]] > height + _SAME:
        at -= 1
    if at > 0 and shelf.heights[shelf.order[at - 1]] > height - _SAME:
        return
    if is_known(known, fingerprint(row)):
        return
    place = count if count < places else shelf.order[count - 1]
    last = count if count < places else count - 1
    for k in range(last, at, -1):
        shelf.order[k] = shelf.order[k - 1]
    shelf.order[at] = place
    shelf.heights[place] = height
    for a in range(row.shape[0]):
        shelf.rows[place, a] = row[a]
    shelf.used[0] = min(places, count + 1)


@kernel
def put_all(shelf: Shelf, rows: np.ndarray, heights: np.ndarray, known: np.ndarray) -> None:
    """``put_up`` of every row."""
    for i in range(rows.shape[0]):
        put_up(shelf, rows[i], heights[i], known)


@inlined
def _adopt(state: np.ndarray, row: np.ndarray, donor: np.ndarray, owner: np.ndarray) -> int:
    """One block of the donor's choices, among those that differ; returns a changed column, -1 if none differs."""
    axes = row.shape[0]
    start = draw(state, axes)
    for k in range(axes):
        a = (start + k) % axes
        if row[a] != donor[a]:
            for b in range(axes):
                if owner[b] == owner[a]:
                    row[b] = donor[b]
            return a
    return -1


@allocating
def assess(
    tables: Tables,
    shape: Shape,
    trend: Foresight,
    residual: Residual,
    work: Work,
    loops: Loops,
    rows: np.ndarray,
    heights: np.ndarray,
) -> None:
    """Predicted log costs of canonical rows."""
    for i in range(rows.shape[0]):
        place_literally(tables, work, rows[i])
        heights[i] = log_cost(tables, shape, trend, work, rows[i], loops)
        if residual.number[0] > 0:
            heights[i] += residual_of(shape, work, loops, residual, rows[i])


@allocating
def climb(
    tables: Tables,
    shape: Shape,
    trend: Foresight,
    residual: Residual,
    work: Work,
    loops: Loops,
    chains: Chains,
    shelf: Shelf,
    known: np.ndarray,
    donors: np.ndarray,
    owner: np.ndarray,
    weights: np.ndarray,
    exchange: float,
    steps: int,
    seed: int,
) -> None:
    """``steps`` candidates on every chain; after each, two neighbouring chains may change places.

    Args:
        known: hashes of the rows that are not to be put on the shelf.
        owner: agent of every axis.
        weights: chances of the kinds of local move.
        exchange: chance that an agent takes over its choices from a donor or a row on the shelf instead.
    """
    count, axes = chains.rows.shape
    trial = np.empty(axes, np.int64)
    work.state[0] = seed
    for _ in range(steps):
        for c in range(count):
            trial[:] = chains.rows[c]
            first = -1
            others = shelf.used[0] + donors.shape[0]
            if others > 0 and _uniform(work.state) < exchange:
                k = draw(work.state, others)
                donor = shelf.rows[shelf.order[k]] if k < shelf.used[0] else donors[k - shelf.used[0]]
                first = _adopt(work.state, trial, donor, owner)
            if first < 0:
                number = 1
                while number < 4 and draw(work.state, 3) == 0:
                    number += 1
                first = move_row(tables, work, trial, number, weights)
            limit = chains.heights[c] - chains.heats[c] * np.log(_uniform(work.state))
            if not place_literally(tables, work, trial):
                if not place_row(tables, work, trial, first):
                    continue
                write_row(tables, work, trial)
                height = log_cost(tables, shape, trend, work, trial, loops)
            else:
                height = log_cost(tables, shape, trend, work, trial, loops)
                if height - residual.slack[0] <= limit:
                    write_row(tables, work, trial)
            if height - residual.slack[0] > limit:
                continue
            if residual.number[0] > 0:
                height += residual_of(shape, work, loops, residual, trial)
            if height <= limit:
                chains.rows[c] = trial
                chains.heights[c] = height
                put_up(shelf, trial, height, known)
        if count > 1:
            c = draw(work.state, count - 1)
            gain = (1.0 / chains.heats[c] - 1.0 / chains.heats[c + 1]) * (
                chains.heights[c] - chains.heights[c + 1]
            )
            if gain >= 0.0 or _uniform(work.state) < np.exp(gain):
                trial[:] = chains.rows[c]
                height = chains.heights[c]
                chains.rows[c], chains.heights[c] = chains.rows[c + 1], chains.heights[c + 1]
                chains.rows[c + 1], chains.heights[c + 1] = trial, height

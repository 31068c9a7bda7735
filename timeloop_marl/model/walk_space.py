"""Scratch arrays of the exact walk (section 6): one frame a loop, remembered boxes, grouped children."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from .layout import Tables, flags, floats, ints

GROUPINGS = 4
"""Groupings remembered per (level, data space): of different combinations of full and residual spatial bounds."""


class WalkSpace(NamedTuple):
    """Scratch of one thread, allocated once.

    G remembered groupings, K group sizes a grouping, C children of one block, H hash slots; others as in ``layout``.
    The last of G + 1 groupings is scratch.
    """

    # frames: state of the visit of loop l (temporal loops only)
    iteration: Int64[ndarray, "L"]
    end: Int64[ndarray, "L"]
    stage: Int64[ndarray, "L"]
    times: Int64[ndarray, "L"]  # iterations that the visit under way stands for
    epochs: Int64[ndarray, "L"]
    start: Int64[ndarray, "L"]  # x of the loop's dim on entry
    inner: Bool[ndarray, "L"]  # the dim has an imperfect loop inside l, and is in its last tile
    own: Bool[ndarray, "L"]  # ... and l is imperfect itself
    last: Int64[ndarray, "L+1"]  # bit d: all loops of dim d from here outwards are in their last iteration
    total: Int64[ndarray, "L P"]  # words fetched by the child in this visit
    bulk: Int64[ndarray, "L P"]  # words that the bulk visit of the child fetched
    # geometry
    x: Int64[ndarray, "D"]
    full: Int64[ndarray, "L D"]  # M: tile extents with full bounds
    residual: Int64[ndarray, "L D"]  # Q: tile extents of the last tile
    imperfect: Int64[ndarray, "D"]  # innermost imperfect loop of d, L if none
    # section 3: the box of the last visit and the motion that led to it, per level and rank
    seen: Bool[ndarray, "S P"]
    low: Int64[ndarray, "S ranks"]
    high: Int64[ndarray, "S ranks"]
    moved: Bool[ndarray, "S P"]
    motion: Int64[ndarray, "S ranks"]
    # the delta that the last visit handed out: box ``new`` without box ``old`` (or all of ``new``)
    size: Int64[ndarray, "P"]
    cut: Bool[ndarray, "P"]
    new_low: Int64[ndarray, "ranks"]
    new_high: Int64[ndarray, "ranks"]
    old_low: Int64[ndarray, "ranks"]
    old_high: Int64[ndarray, "ranks"]
    # the same of the previous visit of a spatial block
    past_size: Int64[ndarray, "S P"]
    past_cut: Bool[ndarray, "S P"]
    past_new_low: Int64[ndarray, "S ranks"]
    past_new_high: Int64[ndarray, "S ranks"]
    past_old_low: Int64[ndarray, "S ranks"]
    past_old_high: Int64[ndarray, "S ranks"]
    past_ends: Int64[ndarray, "S D"]
    ends: Int64[ndarray, "D"]
    pieces: Int64[ndarray, "2 pieces 2 ranks"]  # two deltas as lists of boxes
    shift: Int64[ndarray, "ranks"]
    # groups of children with equal data
    weight: Int64[ndarray, "ranks"]  # codes a vector over the ranks of one data space as one number
    known: Bool[ndarray, "S P G"]
    known_ends: Int64[ndarray, "S P G D"]
    kinds: Int64[ndarray, "S P G+1"]
    kind_size: Int64[ndarray, "S P G+1 K"]
    kind_count: Int64[ndarray, "S P G+1 K"]
    kind_hops: Float64[ndarray, "S P G+1 K"]
    kind_unicast: Float64[ndarray, "S P G+1 K"]
    code: Int64[ndarray, "C"]
    past_code: Int64[ndarray, "C"]
    served: Bool[ndarray, "C"]
    group: Int64[ndarray, "C"]
    members: Int64[ndarray, "C"]
    column: Int64[ndarray, "C"]
    row: Int64[ndarray, "C"]
    group_hops: Float64[ndarray, "C"]
    group_unicast: Float64[ndarray, "C"]
    slot_code: Int64[ndarray, "H"]
    slot_group: Int64[ndarray, "H"]  # -1 = free


def walk_space(tables: Tables) -> WalkSpace:
    """Scratch for one thread walking mappings of ``tables``."""
    levels, spaces = tables.no_multicast.shape
    dims, ranks = len(tables.bounds), len(tables.term_start) - 1
    loops = len(tables.tile_storage) * dims + levels
    children = int(tables.compute[0])
    slots = _prime(2 * children + 1)
    # Distinct sizes add up to at most the number of children, so there are fewer than sqrt(2 children) + 1 of them.
    kinds = int(np.sqrt(2 * children)) + 2
    return WalkSpace(
        iteration=ints(loops),
        end=ints(loops),
        stage=ints(loops),
        times=ints(loops),
        epochs=ints(loops),
        start=ints(loops),
        inner=flags(loops),
        own=flags(loops),
        last=ints(loops + 1),
        total=ints(loops, spaces),
        bulk=ints(loops, spaces),
        x=ints(dims),
        full=ints(loops, dims),
        residual=ints(loops, dims),
        imperfect=ints(dims),
        seen=flags(levels, spaces),
        low=ints(levels, ranks),
        high=ints(levels, ranks),
        moved=flags(levels, spaces),
        motion=ints(levels, ranks),
        size=ints(spaces),
        cut=flags(spaces),
        new_low=ints(ranks),
        new_high=ints(ranks),
        old_low=ints(ranks),
        old_high=ints(ranks),
        past_size=ints(levels, spaces),
        past_cut=flags(levels, spaces),
        past_new_low=ints(levels, ranks),
        past_new_high=ints(levels, ranks),
        past_old_low=ints(levels, ranks),
        past_old_high=ints(levels, ranks),
        past_ends=ints(levels, dims),
        ends=ints(dims),
        pieces=ints(2, 2 * ranks + 1, 2, ranks),
        shift=ints(ranks),
        weight=rank_weights(tables),
        known=flags(levels, spaces, GROUPINGS),
        known_ends=ints(levels, spaces, GROUPINGS, dims),
        kinds=ints(levels, spaces, GROUPINGS + 1),
        kind_size=ints(levels, spaces, GROUPINGS + 1, kinds),
        kind_count=ints(levels, spaces, GROUPINGS + 1, kinds),
        kind_hops=floats(levels, spaces, GROUPINGS + 1, kinds),
        kind_unicast=floats(levels, spaces, GROUPINGS + 1, kinds),
        code=ints(children),
        past_code=ints(children),
        served=flags(children),
        group=ints(children),
        members=ints(children),
        column=ints(children),
        row=ints(children),
        group_hops=floats(children),
        group_unicast=floats(children),
        slot_code=ints(slots),
        slot_group=np.full(slots, -1, np.int64),
    )


def _prime(least: int) -> int:
    """The first prime from ``least`` on: codes are multiples of large numbers, but spread evenly modulo a prime."""
    while any(least % divisor == 0 for divisor in range(2, int(least**0.5) + 1)):
        least += 1
    return least


def rank_weights(tables: Tables) -> Int64[ndarray, "ranks"]:
    """Weight per rank so that vectors over the ranks of a data space compare as one integer (section 18)."""
    weights = ints(len(tables.term_start) - 1)
    # Where the exact code would not fit 64 bits, odd multipliers modulo 2^64 make clashes of codes as unlikely as
    # those of a 64-bit hash.
    hashes = np.random.default_rng(2**61 - 1).integers(1, 2**62, len(weights), dtype=np.int64) * 2 + 1
    for p in range(len(tables.rank_start) - 1):
        weight = 1
        ranks = range(int(tables.rank_start[p]), int(tables.rank_start[p + 1]))
        for r in ranks:
            terms = slice(int(tables.term_start[r]), int(tables.term_start[r + 1]))
            coefficients = np.abs(tables.term_coefficient[terms]).tolist()
            bounds = tables.bounds[tables.term_dim[terms]].tolist()
            extent = 1 + sum(c * b for c, b in zip(coefficients, bounds, strict=True))
            weights[r] = weight if weight < 2**62 else 0
            # Full bounds of imperfect loops reach beyond the problem's bounds, hence the wide margin.
            weight *= 64 * extent
        if weight >= 2**62:
            weights[ranks.start : ranks.stop] = hashes[ranks.start : ranks.stop]
    return weights

"""Scratch arrays of the exact walk (section 6): one frame a loop, remembered boxes, grouped children."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...kernels.record import allocate, fill
from ..geometry import Geometry
from ..workspace import workspace_sizes

GROUPINGS = 4
"""Groupings remembered per (level, data space): of different combinations of full and residual spatial bounds."""

CLASSES = {"shapes": 32, "deltas": 64, "nodes": 1000, "patterns": 32, "served": 64}
"""Room for classes of visits; a nest with more is walked visit by visit. Sizes keep the arrays of the nodes apart in
the cache: with powers of two all fields of a node lie in the same few of its lines."""


class WalkSpace:
    """Scratch of one thread, allocated once.

    G remembered groupings, K group sizes a grouping, C children of one block, H hash slots; others as in ``layout``.
    The last of G + 1 groupings is scratch.
    """

    spaces: int
    slots: int  # how many of the H hash slots are used
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
    low: Int64[ndarray, "S R"]
    high: Int64[ndarray, "S R"]
    moved: Bool[ndarray, "S P"]
    motion: Int64[ndarray, "S R"]
    # the delta that the last visit handed out: box ``new`` without box ``old`` (or all of ``new``)
    words: Int64[ndarray, "P"]
    cut: Bool[ndarray, "P"]
    new_low: Int64[ndarray, "R"]
    new_high: Int64[ndarray, "R"]
    old_low: Int64[ndarray, "R"]
    old_high: Int64[ndarray, "R"]
    # the same of the previous visit of a spatial block
    past_size: Int64[ndarray, "S P"]
    past_cut: Bool[ndarray, "S P"]
    past_new_low: Int64[ndarray, "S R"]
    past_new_high: Int64[ndarray, "S R"]
    past_old_low: Int64[ndarray, "S R"]
    past_old_high: Int64[ndarray, "S R"]
    past_ends: Int64[ndarray, "S D"]
    ends: Int64[ndarray, "D"]
    pieces: Int64[ndarray, "2 pieces 2 R"]  # two deltas as lists of boxes
    shift: Int64[ndarray, "R"]
    # groups of children with equal data
    exact: bool  # no two vectors have the same code
    dims_used: Int64[ndarray, "P"]  # bits of the dims in the projection
    weight: Int64[ndarray, "R"]  # codes a vector over the ranks of one data space as one number
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
    slot_group: Int64[ndarray, "H"]  # group + 1; 0 = free
    group_slot: Int64[ndarray, "C"]
    # steps: temporal loops with N > 1 inside-out, their stages for either value of the bit (``walk_stages``)
    steps: Int64[ndarray, "1"]
    step_loop: Int64[ndarray, "L"]
    step_bits: Int64[ndarray, "L"]  # dims whose bits a visit of the step depends on
    stages: Int64[ndarray, "L 2"]  # how many
    repeats: Int64[ndarray, "L 2 4"]  # iterations of each
    replaces: Bool[ndarray, "L"]  # the stage after the bulk hands on the bulk's delta
    exits: Int64[ndarray, "L+1 D 2"]  # motion in dim d through the steps inside j
    blocker: Int64[ndarray, "D"]  # outermost spatial loop with R > 1, -1 without
    begin: Int64[ndarray, "S+1"]  # first step of level s or further out
    visits: Int64[ndarray, "D 2"]
    # of each level
    # dims whose bits are still set after the first iterations of all steps inside j:
    ones: Int64[ndarray, "S L+1"]
    shape_seen: Int64[ndarray, "S"]  # dims whose bits the boxes of the children depend on
    block_seen: Int64[ndarray, "S"]  # dims whose bits the ends of the block depend on
    # of the level and data space at hand: boxes of a child, by the bits of the dims with residual tiles
    shape_count: Int64[ndarray, "1"]
    shape_bits: Int64[ndarray, "shapes"]
    shape_words: Int64[ndarray, "shapes"]
    shape_low: Int64[ndarray, "shapes R"]  # relative to the position
    shape_reach: Int64[ndarray, "shapes R"]
    shape_centre: Int64[ndarray, "shapes R"]  # twice the centre
    # .. what a visit fetches: box ``now`` without box ``before``; number 0 is nothing
    delta_count: Int64[ndarray, "1"]
    delta_now: Int64[ndarray, "deltas"]
    delta_before: Int64[ndarray, "deltas"]
    delta_shift: Int64[ndarray, "deltas"]  # coded motion from one to the other
    delta_cut: Bool[ndarray, "deltas"]
    delta_words: Int64[ndarray, "deltas"]
    delta_old: Int64[ndarray, "deltas R"]  # low corner of ``before``, relative to the position
    # .. nodes
    state: Int64[ndarray, "2"]  # remembered motion, number of the last delta
    moves: Int64[ndarray, "R"]  # motion of the position in a transition
    nodes: Int64[ndarray, "1"]
    head: Int64[ndarray, "L"]  # a node of step j
    next_node: Int64[ndarray, "nodes"]  # another of the same step
    parent: Int64[ndarray, "nodes"]
    done: Bool[ndarray, "nodes"]
    at_stage: Int64[ndarray, "nodes"]
    node_bits: Int64[ndarray, "nodes"]
    node_motion: Int64[ndarray, "nodes"]
    node_delta: Int64[ndarray, "nodes"]
    out_motion: Int64[ndarray, "nodes"]
    out_delta: Int64[ndarray, "nodes"]
    weight_of: Int64[ndarray, "nodes"]  # visits
    child: Int64[ndarray, "nodes 4"]
    node_words: Int64[ndarray, "nodes 4"]  # of a child of the level, in the first visit after a transition
    node_pattern: Int64[ndarray, "nodes 4"]
    node_served: Int64[ndarray, "nodes 4"]
    # .. sums: words by the pattern of block ends; words that neighbours may pass on, by pattern and motion
    pattern_count: Int64[ndarray, "1"]
    pattern_bits: Int64[ndarray, "patterns"]
    pattern_words: Int64[ndarray, "patterns"]
    served_count: Int64[ndarray, "1"]
    served_pattern: Int64[ndarray, "served"]
    served_past: Int64[ndarray, "served"]
    served_shift: Int64[ndarray, "served"]
    served_words: Int64[ndarray, "served"]


def walk_space(geometry: Geometry) -> WalkSpace:
    """Scratch for one thread walking mappings of ``geometry``."""
    work = workspace_sizes(geometry)
    children = work["C"]
    space = allocate(
        WalkSpace,
        {
            **work,
            "G": GROUPINGS,
            # Distinct sizes add up to at most the number of children, so there are fewer than sqrt(2 children) + 1.
            "K": math.isqrt(2 * children) + 2,
            "pieces": 2 * work["R"] + 1,
            **CLASSES,
            "H": _prime(2 * children),
        },
    )
    slots = _prime(2 * int(geometry.compute[0]))
    weight, exact = rank_weights(geometry)
    bits = geometry.used.astype(np.int64) @ (1 << np.arange(geometry.used.shape[1]))
    fill(
        space,
        {"spaces": geometry.spaces, "slots": slots, "weight": weight, "exact": exact, "dims_used": bits},
    )
    return space


def _prime(least: int) -> int:
    """The first prime from ``least`` on: codes are multiples of large numbers, but spread evenly modulo a prime."""
    least = max(least, 3)
    while any(least % divisor == 0 for divisor in range(2, int(least**0.5) + 1)):
        least += 1
    return least


def rank_weights(geometry: Geometry) -> tuple[Int64[ndarray, "R"], bool]:
    """Weight per rank so that vectors over the ranks of a data space compare as one integer (section 18).

    Also whether that is so for certain: where 64 bits are too few, the integer is a hash.
    """
    exact = True
    weights = np.zeros(int(geometry.rank_start[geometry.spaces]), np.int64)
    # Where the exact code would not fit 64 bits, odd multipliers modulo 2^64 make clashes of codes as unlikely as
    # those of a 64-bit hash.
    hashes = np.random.default_rng(2**61 - 1).integers(1, 2**62, len(weights), dtype=np.int64) * 2 + 1
    for p in range(geometry.spaces):
        weight = 1
        ranks = range(int(geometry.rank_start[p]), int(geometry.rank_start[p + 1]))
        for r in ranks:
            terms = slice(int(geometry.term_start[r]), int(geometry.term_start[r + 1]))
            coefficients = np.abs(geometry.term_coefficient[terms]).tolist()
            bounds = geometry.bounds[geometry.term_dim[terms]].tolist()
            extent = 1 + sum(c * b for c, b in zip(coefficients, bounds, strict=True))
            weights[r] = weight if weight < 2**62 else 0
            # Full bounds of imperfect loops reach beyond the problem's bounds, hence the wide margin.
            weight *= 64 * extent
        if weight >= 2**62:
            exact = False
            weights[ranks.start : ranks.stop] = hashes[ranks.start : ranks.stop]
    return weights, exact

"""What the bounds read and write: one record (``Desk``) and a few large arrays (``Stock``).

An *edge* (a, p) is the traffic of data space p into level a from the level above that keeps it; its index is a + 1, so
that edge 0 leads to the compute level. Records, because kernels get a pointer to one: the same arrays one by one make
compilation take minutes.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

EDP, ENERGY, DELAY = 0, 1, 2
"""Values of ``Desk.goal``; whatever is linear in accesses is an ``ENERGY``."""

SLACK = 1e-9
"""A bound is lowered by this share before it prunes: far above all rounding in a bound or in the model."""

MOST = 8
"""Loops of one rank for which all sums of steps are tried; more count as a coincidence."""


class Desk:
    """Constants of one search for the optimum, one choice of bypasses and spatial factors, and scratch.

    D dims, P data spaces, R ranks of all data spaces, S storage levels (0 innermost), K divisors of a bound, Q distinct
    primes of a bound, B bandwidths that are finite.
    """

    # how much of each axis is used
    dims: int
    spaces: int
    ranks: int
    levels: int
    primes: int
    bands: int
    goal: int
    # problem and lattice of tiles
    bounds: Int64[ndarray, "D"]
    count: Int64[ndarray, "D"]
    divisor: Int64[ndarray, "D K"]
    quotient: Int64[ndarray, "D K K"]
    product: Int64[ndarray, "D K K"]
    prime: Int64[ndarray, "D Q"]
    least_prime: Int64[ndarray, "D"]
    weight: Int64[ndarray, "D"]
    rank_start: Int64[ndarray, "P+1"]
    distance: Int64[ndarray, "R D"]  # motion of a rank when a dim grows by 1
    relevant: Int64[ndarray, "P"]  # bits of dims
    alone: Int64[ndarray, "P"]  # bits of dims that have a rank to themselves
    coupled: Bool[ndarray, "P"]
    read_write: Bool[ndarray, "P"]
    words: Float64[ndarray, "P"]  # of the whole data space
    allowed: Bool[ndarray, "S D K"]  # temporal factors
    # costs per level (section 13), linear in accesses
    read_cost: Float64[ndarray, "S"]
    fill_cost: Float64[ndarray, "S"]
    update_cost: Float64[ndarray, "S"]
    address_cost: Float64[ndarray, "S"]
    clusters: Int64[ndarray, "S"]
    leak_cost: Float64[ndarray, "S"]
    gate: Int64[ndarray, "S"]
    instances: Int64[ndarray, "S"]
    ingress_cost: Float64[ndarray, "S"]  # least network energy of a word that level s sends, pJ
    compute_cost: float
    latency: float
    # bandwidths: level, words/cycle, what they serve
    band_level: Int64[ndarray, "B"]
    band_words: Float64[ndarray, "B"]
    band_reads: Bool[ndarray, "B"]
    band_writes: Bool[ndarray, "B"]
    band_scale: Float64[ndarray, "S P"]
    # reuse switches
    elided: Bool[ndarray, "S P"]  # first updates need no read and no fill
    reuse: Bool[ndarray, "S P"]  # tiles are kept from one step to the next
    multicast: Bool[ndarray, "S P"]
    passing: Bool[ndarray, "S P"]  # neighbours below level s may pass words on
    bounded: Bool[ndarray, "P"]  # false: nothing is claimed about the traffic of this data space
    hops: bool  # networks charge for hops: where loops lie and what bypassed levels would fetch matters, too
    # the choice of bypasses
    keep: Bool[ndarray, "S P"]
    reach: Int64[ndarray, "S D"]  # first level above a (index a + 1) where a dim may have a loop
    merged: Bool[ndarray, "S"]  # more than one level above a (index a + 1) may have loops
    parent: Int64[ndarray, "S+1 P"]  # level that edge (a, p) reads from, -1 if there is no such edge
    first: Int64[ndarray, "S+1"]  # tiles of level s: first[s] .. first[s + 1] - 1
    # the spatial factors
    spatial: Int64[ndarray, "S D"]  # factors of the block of level s
    inner: Int64[ndarray, "S D"]  # the same as divisor indices
    outside: Int64[ndarray, "S+1 D"]  # divisor index of the spatial factors of the blocks of levels >= s
    way: Float64[ndarray, "S P"]  # least pJ for hops and routers when the children of a level get a word each
    price: Float64[ndarray, "S P"]  # of one word on an edge, pJ
    linked: Float64[ndarray, "S P"]  # by how much neighbours can thin an edge out
    steady: Bool[ndarray, "S P"]  # the edge carries words at every step, whatever the order
    load: Float64[ndarray, "B S P"]  # cycles per word of an edge
    least: Float64[ndarray, "S P"]  # words that an edge carries at least
    start: Float64[ndarray, "B"]  # least cycles of each bandwidth
    cheapest: Float64[ndarray, "P"]  # words on the edges into one tile in the best order
    steps: float  # temporal steps
    fixed: float  # constant part of the energy
    leak: float  # pJ/cycle
    bound: float  # of all mappings with these spatial factors
    # the descent
    place: Int64[ndarray, "S"]  # position among the sorted tiles at each level
    choice: Int64[ndarray, "S"]  # class of order at each level
    chosen: Int64[ndarray, "S"]  # tile at each level
    mask: Int64[ndarray, "S"]  # dims with a loop at each level
    loop: Int64[ndarray, "S D"]  # temporal loop bounds at each level
    stride: Int64[ndarray, "S D"]
    rest: Int64[ndarray, "S D"]  # product of the temporal loops outside each level
    begins: Int64[ndarray, "S+1 P"]  # first level whose edge no loop has settled yet
    spent: Float64[ndarray, "S+1"]  # cost of all edges into levels below, at their least if not settled
    cycles: Float64[ndarray, "S+1 B"]
    motions: Int64[ndarray, "8"]


class Stock(NamedTuple):
    """Large arrays. n tiles of all levels, inside-out; C classes of orders."""

    tiles: Int64[ndarray, "n D+R+1"]  # divisor indices, extents; last: tiles of each level by rising value
    worth: Float64[
        ndarray, "n P+2"
    ]  # volumes; least cost of the edges into this tile; that and all further out
    table: Float64[ndarray, "S size"]  # least own cost of the tiles that a shape divides
    class_first: Int64[ndarray, "S+1 2^D+1"]  # of each level and set of loops; the last level: no constraints
    class_free: Int64[ndarray, "C P"]

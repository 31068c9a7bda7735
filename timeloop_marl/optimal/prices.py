"""What words, steps and hops cost: the prices by which a search for the optimum turns counts into an objective.

A plain record of arguments: the true rates of a machine, or ones that somebody has learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float64, Int64
from numpy import ndarray

EDP, ENERGY, DELAY = 0, 1, 2
"""Values of ``Prices.goal``; whatever is linear in counts is an ``ENERGY``."""


class Bandwidth(NamedTuple):
    """So many words per cycle and instance of a level, for its reads, its writes or both."""

    level: int
    words: float
    reads: bool
    writes: bool


@dataclass(frozen=True)
class Prices:
    """S storage levels (0 innermost), P data spaces. Prices are in pJ, or in whatever else is to be minimised.

    All must be at least 0, or bounds are none.
    """

    goal: int  # EDP, ENERGY or DELAY
    # of one word in one instance (section 13)
    read: Float64[ndarray, "S"]
    fill: Float64[ndarray, "S"]
    update: Float64[ndarray, "S"]
    address: Float64[ndarray, "S"]  # of an access by a cluster of instances
    clusters: Int64[ndarray, "S"]
    compute: float  # of one multiply-accumulate
    # of one cycle of an instance that works, and the level that switches it off (itself if none)
    leak: Float64[ndarray, "S"]
    gate: Int64[ndarray, "S"]
    # of the networks that the levels feed (section 14)
    ingress: Float64[ndarray, "S"]  # of a word sent, at least
    hop: Float64[ndarray, "S"]
    routed: bool  # some network charges for routers: their passes are not monotone in words
    placed: bool  # some network charges for the way: it matters where spatial loops lie
    # time (section 12)
    latency: float  # cycles beside those of steps and bandwidths
    bandwidths: tuple[Bandwidth, ...]
    bandwidth_scale: Float64[ndarray, "S P"]

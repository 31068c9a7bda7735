"""What the bounds read and write: beside ``Geometry`` one record (``ProblemData``) and large arrays (``TileTable``).

An *edge* (a, p) is the traffic of data space p into level a from the level above that keeps it; its index is a + 1, so
that edge 0 leads to the compute level. Records, because kernels get a pointer to one: the same arrays one by one make
compilation take minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..kernels.record import allocate, boxed, fill, rounded, views
from ..mapspace.kernels import hull_extents, hull_volumes
from ..specs.spec import Spec
from ..traffic.geometry import geometry_of
from .choices import Choices, Lattice, Layout, shapes
from .orders import OrderRule, Tensor, classes
from .prices import Prices

SLACK = 1e-9
"""A bound is lowered by this share before it prunes: far above all rounding in a bound or in the model."""

MOST = 8
"""Loops of one rank for which all sums of steps are tried; more count as a coincidence."""


class ProblemData:
    """Constants of one search for the optimum, one choice of bypasses and spatial factors, and scratch.

    D dims, P data spaces, S storage levels (0 innermost), K divisors of a bound, Q distinct primes of a bound, B
    bandwidths. ``Geometry`` holds what does not depend on the search.
    """

    primes: int
    bands: int
    goal: int
    # lattice of tiles
    count: Int64[ndarray, "D"]
    divisor: Int64[ndarray, "D K"]
    quotient: Int64[ndarray, "D K K"]
    product: Int64[ndarray, "D K K"]
    prime: Int64[ndarray, "D Q"]
    least_prime: Int64[ndarray, "D"]
    weight: Int64[ndarray, "D"]
    allowed: Bool[ndarray, "S D K"]  # temporal factors
    # data spaces
    relevant: Int64[ndarray, "P"]  # bits of dims
    alone: Int64[ndarray, "P"]  # bits of dims that have a rank to themselves
    coupled: Bool[ndarray, "P"]
    words: Float64[ndarray, "P"]  # of the whole data space
    bounded: Bool[ndarray, "P"]  # false: nothing is claimed about the traffic of this data space
    # prices
    read_cost: Float64[ndarray, "S"]
    fill_cost: Float64[ndarray, "S"]
    update_cost: Float64[ndarray, "S"]
    address_cost: Float64[ndarray, "S"]
    clusters: Int64[ndarray, "S"]
    leak_cost: Float64[ndarray, "S"]
    gate: Int64[ndarray, "S"]
    ingress_cost: Float64[ndarray, "S"]
    compute_cost: float
    latency: float
    hops: bool  # networks charge for the way: where loops lie matters, too
    band_level: Int64[ndarray, "B"]
    band_words: Float64[ndarray, "B"]
    band_reads: Bool[ndarray, "B"]
    band_writes: Bool[ndarray, "B"]
    band_scale: Float64[ndarray, "S P"]
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
    hop_bound: Float64[ndarray, "S P"]  # least pJ for hops when the children of a level get a word each
    price: Float64[ndarray, "S P"]  # of one word on an edge
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


class TileTable(NamedTuple):
    """Large arrays. n tiles of all levels, inside-out; C classes of orders."""

    rows: Int64[ndarray, "n D+R+1"]  # divisor indices, extents; last: tiles of each level by rising value
    worth: Float64[ndarray, "n P+2"]  # volumes; least cost of the edges into it; that and all further out
    outer: Float64[ndarray, "S size"]  # least own cost of the tiles that a shape divides
    class_first: Int64[ndarray, "S+1 2^D+1"]  # of each level and set of loops; the last level: no constraints
    class_free: Int64[ndarray, "C P"]


def make_problem(
    spec: Spec, prices: Prices, lattice: Lattice, choices: Choices, tensors: tuple[Tensor, ...]
) -> ProblemData:
    """Constants of a search for the optimum.

    Raises:
        UnsupportedFeatureError: the problem has something for which there is no bound.
    """
    _require_bounds(spec)
    geometry = views(geometry_of(spec))
    S, P = choices.S, choices.P
    strange = (geometry.no_coalesce[:S, :P] != 0).any(axis=0) | bool(geometry.distributed[:S].any())
    whole = np.array([spec.problem.bounds], np.int64)
    values: dict[str, object] = {
        "primes": lattice.prime.shape[1],
        "count": lattice.divisors,
        **{name: getattr(lattice, name) for name in (
            "divisor", "quotient", "product", "prime", "least_prime", "weight",
        )},
        "allowed": choices.allowed[choices.temporal],
        "relevant": np.array([t.relevant for t in tensors], np.int64),
        "alone": np.array([t.alone for t in tensors], np.int64),
        "coupled": np.array([t.coupled for t in tensors], np.bool_),
        "words": hull_volumes(boxed(geometry_of(spec)), whole)[0].astype(np.float64),
        "bounded": ~strange,
        **_price_values(prices),
        **_places_of_loops(choices),
    }  # fmt: skip
    least = {"D": 12, "P": 4, "S": 16, "K": 32, "Q": 4, "B": 32}
    used = {
        "D": choices.D, "P": P, "S": S, "K": lattice.divisor.shape[1], "Q": lattice.prime.shape[1],
        "B": len(prices.bandwidths),
    }  # fmt: skip
    data = allocate(ProblemData, {axis: rounded(size, least[axis]) for axis, size in used.items()})
    fill(data, values)
    return data


def _require_bounds(spec: Spec) -> None:
    for space in spec.problem.data_spaces:
        for rank in space.ranks:
            if len({term.dim for term in rank}) > 1 and any(term.coefficient < 0 for term in rank):
                raise UnsupportedFeatureError(
                    f"data space {space.name} adds a dimension with a negative coefficient to another: "
                    "its traffic has no bound here",
                    remedy="search instead (timeloop-marl search)",
                )


def _price_values(prices: Prices) -> dict[str, object]:
    bands = prices.bandwidths
    return {
        "goal": prices.goal,
        **{f"{name}_cost": getattr(prices, name) for name in (
            "read", "fill", "update", "address", "leak", "ingress", "compute",
        )},
        "clusters": prices.clusters,
        "gate": prices.gate,
        "latency": prices.latency,
        "hops": prices.placed,
        "bands": len(bands),
        "band_level": np.array([band.level for band in bands], np.int64),
        "band_words": np.array([band.words for band in bands], np.float64),
        "band_reads": np.array([band.reads for band in bands], np.bool_),
        "band_writes": np.array([band.writes for band in bands], np.bool_),
        "band_scale": prices.bandwidth_scale,
    }  # fmt: skip


def _places_of_loops(choices: Choices) -> dict[str, ndarray]:
    """Where loops outside each level may be (``ProblemData.reach``, ``merged``)."""
    able = np.array([choices.allowed[t, :, 1:].any(axis=1) for t in choices.temporal], np.bool_)
    reach = np.full((choices.S, choices.D), choices.S - 1, np.int64)
    merged = np.zeros(choices.S, np.bool_)
    for above in range(choices.S):
        merged[above] = able[above:].any(axis=1).sum() > 1
        for d in range(choices.D):
            levels = np.flatnonzero(able[above:, d])
            if len(levels):
                reach[above, d] = above + levels[0]
    return {"reach": reach, "merged": merged}


def class_arrays(spec: Spec, choices: Choices, tensors: tuple[Tensor, ...]) -> tuple[ndarray, ndarray]:
    """Classes of orders of every level and set of loops; the last level is any nest without constraints."""
    rules = [OrderRule(*choices.order_rule(t)) for t in choices.temporal] + [OrderRule()]
    able = [_able(spec, choices.allowed[t]) for t in choices.temporal] + [_able(spec, None)]
    first = np.zeros((len(rules), (1 << choices.D) + 1), np.int64)
    rows: list[Sequence[int]] = []
    for s, (rule, most) in enumerate(zip(rules, able)):
        for mask in range(1 << choices.D):
            first[s, mask] = len(rows)
            if mask & ~most == 0:
                rows += classes(tensors, rule, mask)
        first[s, -1] = len(rows)
    return first, np.array(rows, np.int64).reshape(-1, choices.P)


def _able(spec: Spec, allowed: Bool[ndarray, "D K"] | None) -> int:
    """Dims (bits) that can have a loop."""
    return sum(
        1 << d
        for d, bound in enumerate(spec.problem.bounds)
        if bound > 1 and (allowed is None or allowed[d, 1:].any())
    )


@dataclass(frozen=True)
class Route:
    """One choice of bypasses: who keeps what, and from where each edge is read (arrays as in ``ProblemData``)."""

    keep: Bool[ndarray, "S P"]
    parent: Int64[ndarray, "S+1 P"]

    def enter(self, data: ProblemData) -> None:
        """Make it the choice that kernels look at."""
        fill(data, {"keep": self.keep, "parent": self.parent})


@dataclass(frozen=True)
class TileOrder:
    """A route and the tiles that fit then (``ProblemData`` and ``TileTable`` say what the arrays are)."""

    route: Route
    first: Int64[ndarray, "S+1"]
    rows: Int64[ndarray, "n D+R+1"]
    worth: Float64[ndarray, "n P+2"]

    def enter(self, data: ProblemData) -> None:
        """Make it the choice that kernels look at."""
        self.route.enter(data)
        fill(data, {"first": self.first})


def route_of(keep: Bool[ndarray, "S P"]) -> Route:
    """The edges that are left where these data spaces are kept."""
    S, P = keep.shape
    parent = np.full((S + 1, P), -1, np.int64)
    for p in range(P):
        above = -1
        for s in range(S - 1, -1, -1):
            parent[s + 1, p] = above if keep[s, p] else -1
            above = s if keep[s, p] else above
        parent[0, p] = above
    return Route(keep, parent)


class TileOrders:
    """Tiles of every level for each choice of bypasses."""

    def __init__(self, spec: Spec, lattice: Lattice, choices: Choices) -> None:
        self.spec, self.lattice, self.choices = spec, lattice, choices
        self._shapes = shapes(lattice)
        sizes = np.take_along_axis(lattice.divisor.T, self._shapes, axis=0)
        geometry = boxed(geometry_of(spec))
        self._extent = hull_extents(geometry, sizes)
        self._volume = hull_volumes(geometry, sizes).astype(np.float64)
        self._possible = self._reachable()

    def _reachable(self) -> list[ndarray]:
        """Per level the shapes whose every size is a product of factors that the constraints allow inside it."""
        lattice, choices = self.lattice, self.choices
        D, K = lattice.divisor.shape
        inside = np.zeros((D, K), np.bool_)
        inside[:, 0] = True
        found = []
        for t, level in enumerate(choices.levels):
            grown = np.zeros_like(inside)
            for d in range(D):
                for i in np.flatnonzero(inside[d]):
                    for j in np.flatnonzero(choices.allowed[t, d]):
                        if lattice.product[d, i, j] >= 0:
                            grown[d, lattice.product[d, i, j]] = True
            inside = grown
            if not level.spatial:
                found.append(inside[np.arange(D), self._shapes].all(axis=1))
        return found

    def of(self, keep: Bool[ndarray, "S P"]) -> TileOrder:
        """Tiles that fit where these data spaces are kept."""
        S = len(keep)
        parts, first = [], [0]
        whole = self.lattice.size - 1
        for s, level in enumerate(self.spec.architecture.storage):
            fits = self._possible[s].copy()
            if s == S - 1:
                fits &= np.arange(self.lattice.size) == whole
            if level.effective_size is not None:
                words = self._volume[:, keep[s]].sum(axis=1)
                fits &= (words <= level.effective_size) & (
                    words >= level.effective_size * level.min_utilization
                )
            parts.append(np.flatnonzero(fits))
            first.append(first[-1] + len(parts[-1]))
        rows = np.concatenate(parts)
        tiles = np.zeros((len(rows), self._shapes.shape[1] + self._extent.shape[1] + 1), np.int64)
        tiles[:, :-1] = np.concatenate([self._shapes[rows], self._extent[rows]], axis=1)
        worth = np.concatenate([self._volume[rows], np.zeros((len(rows), 2))], axis=1)
        return TileOrder(route_of(keep), np.array(first, np.int64), tiles, worth)


class HopBounds:
    """Least price of the hops of one word to each group of children: of the best layout of every block (5.2, 14).

    0 where words may take shorter ways, so that nothing is sure. That is where a loop of the block moves a rank that
    other dims move, too, and where neighbours may pass words on because nothing is kept below.
    """

    def __init__(
        self,
        spec: Spec,
        choices: Choices,
        lattice: Lattice,
        tensors: tuple[Tensor, ...],
        hop: Float64[ndarray, "S"],
    ) -> None:
        self._spec, self._choices, self._lattice, self._tensors = spec, choices, lattice, tensors
        self._hop = hop
        self._known: dict[tuple[int, tuple[int, ...]], list[float]] = {}

    def of(self, inner: Sequence[tuple[int, ...]]) -> Float64[ndarray, "S P"]:
        """Per level and data space for the spatial factors of all levels (divisor indices)."""
        return np.array([self._level(s, tuple(indices)) for s, indices in enumerate(inner)], np.float64)

    def _level(self, s: int, indices: tuple[int, ...]) -> list[float]:
        if (s, indices) not in self._known:
            self._known[s, indices] = [self._least(s, indices, p) for p in range(self._choices.P)]
        return self._known[s, indices]

    def _least(self, s: int, indices: tuple[int, ...], p: int) -> float:
        block, switches = self._choices.spatial[s], self._spec.constraints.switches
        if self._hop[s] == 0.0 or block is None:
            return 0.0
        relevant = self._tensors[p].relevant
        overlapping = relevant & ~self._tensors[p].alone
        factors = [int(self._lattice.divisor[d, i]) for d, i in enumerate(indices)]
        shared = any(n > 1 and not relevant >> d & 1 for d, n in enumerate(factors))
        kept = s > 0 and (s - 1, p) not in switches.no_temporal_reuse
        near = any(n > 1 and overlapping >> d & 1 for d, n in enumerate(factors))
        if math.prod(factors) == 1 or near or (shared and not kept):
            return 0.0
        if (s, p) in switches.no_multicast:
            relevant = -1
        layouts = self._choices.layouts(block, indices)
        return self._hop[s] * min(self._hops(s, layout, factors, relevant) for layout in layouts)

    def _hops(self, s: int, layout: Layout, factors: Sequence[int], relevant: int) -> float:
        """Sum over the groups of children of the hops of one packet to each (5.2)."""
        loops = [(d, factors[d], k < layout.split) for k, d in enumerate(layout.order) if factors[d] > 1]
        across = math.prod(n for _, n, x in loops if x)
        down = math.prod(n for _, n, x in loops if not x)
        columns = max(self._spec.architecture.fanout_x(s), across)
        centre = (max(self._spec.architecture.fanout_y(s), down) - 1) / 2
        groups: dict[tuple[int, ...], dict[int, list[int]]] = {}
        for child in range(across * down):
            left, digits = child, []
            for d, n, _ in loops:
                if relevant >> d & 1:
                    digits.append(left % n)
                left //= n
            groups.setdefault(tuple(digits), {}).setdefault(child % columns, []).append(child // columns)
        total = 0.0
        for group in groups.values():
            total += max(group)
            for rows in group.values():
                total += max(0.0, centre - min(rows)) + max(0.0, max(rows) - centre)
        return total

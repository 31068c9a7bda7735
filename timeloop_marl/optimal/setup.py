"""From a Spec to the arrays that the bounds read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..cost.networks import LEGACY
from ..cost.rates import Rates, paid_for, rates_of
from ..errors import UnsupportedFeatureError, UsageError
from ..objective import Objective
from ..specs.spec import Spec
from ..traffic.geometry import Geometry, geometry_of
from ..traffic.record import allocate, fill, rounded, views
from .choices import Choices
from .lattice import Lattice, shapes
from .orders import Rule, Tensor, classes
from .program import DELAY, EDP, ENERGY, Desk

GOALS = {"edp": EDP, "energy": ENERGY, "delay": DELAY}


def make_desk(
    spec: Spec, objective: Objective, lattice: Lattice, choices: Choices, tensors: tuple[Tensor, ...]
) -> Desk:
    """Constants of a search for the optimum.

    Raises:
        UnsupportedFeatureError: the problem has something for which there is no bound.
        UsageError: several objectives.
    """
    _require_bounds(spec)
    if len(objective.metrics) != 1:
        raise UsageError(f"an optimum has one objective, not {objective.name}: a tolerance is no order")
    geometry, rates = views(paid_for(geometry_of(spec), spec)), views(rates_of(spec))
    values: dict[str, Any] = {
        **_problem_values(spec, lattice, tensors),
        **_costs(spec, objective, rates, tensors),
        **_bands(rates, choices),
        **_switches(geometry, choices),
        "levels": choices.S,
        **_places_of_loops(choices),
        "allowed": choices.allowed[choices.temporal],
        "clusters": _used(rates.clusters, choices.S),
        "gate": _used(rates.gate, choices.S),
        "instances": _used(geometry.instances, choices.S),
        "latency": float(rates.latency),
    }
    least = {"D": 12, "P": 4, "R": 24, "S": 16, "K": 32, "Q": 4, "B": 32}
    used = {
        "D": choices.D, "P": choices.P, "R": int(values["ranks"]), "S": choices.S, "K": lattice.divisor.shape[1],
        "Q": lattice.prime.shape[1], "B": int(values["bands"]),
    }  # fmt: skip
    desk = allocate(Desk, {axis: rounded(size, least[axis]) for axis, size in used.items()})
    fill(desk, values)
    return desk


def _places_of_loops(choices: Choices) -> dict[str, ndarray]:
    """Where loops outside each level may be (``Desk.reach``, ``Desk.merged``)."""
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


def _problem_values(spec: Spec, lattice: Lattice, tensors: tuple[Tensor, ...]) -> dict[str, object]:
    distance = _distances(spec)
    spaces = spec.problem.data_spaces
    return {
        "dims": len(spec.problem.dims),
        "spaces": len(spaces),
        "ranks": len(distance),
        "primes": lattice.prime.shape[1],
        "bounds": np.array(spec.problem.bounds, np.int64),
        **{name: getattr(lattice, name) for name in (
            "divisor", "quotient", "product", "prime", "least_prime", "weight",
        )},
        "count": lattice.divisors,
        "rank_start": np.cumsum([0, *(len(space.ranks) for space in spaces)]).astype(np.int64),
        "distance": distance,
        "relevant": np.array([t.relevant for t in tensors], np.int64),
        "alone": np.array([t.alone for t in tensors], np.int64),
        "coupled": np.array([t.coupled for t in tensors], np.bool_),
        "read_write": np.array([space.read_write for space in spaces], np.bool_),
        "words": _tensor_words(spec),
    }  # fmt: skip


def _used(array: ndarray, *sizes: int) -> ndarray:
    return np.ascontiguousarray(array[tuple(slice(size) for size in sizes)])


def _require_bounds(spec: Spec) -> None:
    for space in spec.problem.data_spaces:
        for rank in space.ranks:
            if len({term.dim for term in rank}) > 1 and any(term.coefficient < 0 for term in rank):
                raise UnsupportedFeatureError(
                    f"data space {space.name} adds a dimension with a negative coefficient to another: "
                    "its traffic has no bound here",
                    remedy="search instead (timeloop-marl search)",
                )


def _distances(spec: Spec) -> ndarray:
    rows = []
    for space in spec.problem.data_spaces:
        for rank in space.ranks:
            row = [0] * len(spec.problem.dims)
            for term in rank:
                row[term.dim] += term.coefficient
            rows.append([abs(value) for value in row])
    return np.array(rows, np.int64)


def extents(spec: Spec, tiles: ndarray) -> ndarray:
    """Extents of all ranks of tiles given by their sizes (model section 2.3), shape (n, R)."""
    columns = []
    for space in spec.problem.data_spaces:
        for rank in space.ranks:
            size = np.ones(len(tiles), np.int64)
            for term in rank:
                size += abs(term.coefficient) * (tiles[:, term.dim] - 1)
            columns.append(size)
    return np.stack(columns, axis=1)


def volumes(spec: Spec, extent: ndarray) -> ndarray:
    """Words of all data spaces, shape (n, P)."""
    columns, first = [], 0
    for space in spec.problem.data_spaces:
        columns.append(extent[:, first : first + len(space.ranks)].astype(np.float64).prod(axis=1))
        first += len(space.ranks)
    return np.stack(columns, axis=1)


def _tensor_words(spec: Spec) -> ndarray:
    return volumes(spec, extents(spec, np.array([spec.problem.bounds], np.int64)))[0]


def _costs(spec: Spec, objective: Objective, rates: Rates, tensors: tuple[Tensor, ...]) -> dict[str, object]:
    """Prices of accesses (section 13): energies, or 1 for accesses of the level that the objective counts."""
    S = len(spec.architecture.storage)
    metric = objective.metrics[0]
    if metric in GOALS:
        block = _used(rates.block, S).astype(np.float64)
        return {
            "goal": GOALS[metric],
            "read_cost": _used(rates.read_energy, S) / block,
            "fill_cost": _used(rates.fill_energy, S) / block,
            "update_cost": _used(rates.update_energy, S) / block,
            "address_cost": _used(rates.address_energy, S),
            "leak_cost": _used(rates.leak, S),
            "compute_cost": float(rates.compute_energy),
            "ingress_cost": _ingress(rates, S, any(
                space.read_write and tensor.coupled for space, tensor in zip(spec.problem.data_spaces, tensors)
            )),
        }  # fmt: skip
    level = S - 1 if metric == "last_level_accesses" else int(metric.split("-")[1])
    one = (np.arange(S) == level).astype(np.float64)
    return {
        "goal": ENERGY, "read_cost": one, "fill_cost": one, "update_cost": one, "address_cost": np.zeros(S),
        "leak_cost": np.zeros(S), "compute_cost": 0.0, "ingress_cost": np.zeros(S),
    }  # fmt: skip


def _ingress(rates: Rates, levels: int, unsure: bool) -> ndarray:
    """What each word that a level sends costs on its network at least: its ingress, and one router."""
    cost = np.zeros(levels)
    for n in range(rates.networks):
        if rates.net_kind[n] == LEGACY and not (unsure and rates.net_doubles[n]):
            cost[rates.net_outer[n]] += rates.net_ingress[n]
    return cost


def _bands(rates: Rates, choices: Choices) -> dict[str, object]:
    """Finite bandwidths (section 12). One of 0 words is none: its quotient is not finite, and counts as 0 cycles."""
    rows = []
    for s in range(choices.S):
        for words, reads, writes in (
            (rates.read_bandwidth[s], True, False),
            (rates.write_bandwidth[s], False, True),
            (rates.shared_bandwidth[s], True, True),
        ):
            if 1e-6 < words < np.inf:
                rows.append((s, float(words), reads, writes))
    return {
        "bands": len(rows),
        "band_level": np.array([row[0] for row in rows], np.int64),
        "band_words": np.array([row[1] for row in rows], np.float64),
        "band_reads": np.array([row[2] for row in rows], np.bool_),
        "band_writes": np.array([row[3] for row in rows], np.bool_),
        "band_scale": _used(rates.bandwidth_scale, choices.S, choices.P),
    }


def _switches(geometry: Geometry, choices: Choices) -> dict[str, object]:
    S, P = choices.S, choices.P
    no = {name: _used(getattr(geometry, name), S, P) != 0 for name in (
        "no_temporal_reuse", "rmw_first_update", "no_coalesce", "no_multicast", "no_link_transfer",
    )}  # fmt: skip
    strange = no["no_coalesce"].any(axis=0) | bool((_used(geometry.distributed, S) != 0).any())
    return {
        "elided": ~no["rmw_first_update"] & bool(geometry.first_read_elision),
        "reuse": ~no["no_temporal_reuse"],
        "multicast": ~no["no_multicast"],
        "passing": ~no["no_link_transfer"] & bool(geometry.link_transfers),
        "hops": bool(geometry.hops_needed),
        "bounded": ~strange,
    }


def class_arrays(spec: Spec, choices: Choices, tensors: tuple[Tensor, ...]) -> tuple[ndarray, ndarray]:
    """Classes of orders of every level and set of loops; the last level is any nest without constraints."""
    rules = [Rule(*choices.order_rule(t)) for t in choices.temporal] + [Rule()]
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
    """One choice of bypasses: who keeps what, and from where each edge is read (``Desk`` says what the arrays are)."""

    keep: Bool[ndarray, "S P"]
    parent: Int64[ndarray, "S+1 P"]

    def lay_out(self, desk: Desk) -> None:
        """Put it on the desk."""
        fill(desk, {"keep": self.keep, "parent": self.parent})


@dataclass(frozen=True)
class Shelf:
    """A route and the tiles that fit then (``Desk`` and ``Stock`` say what the arrays are)."""

    route: Route
    first: Int64[ndarray, "S+1"]
    tiles: Int64[ndarray, "n D+R+1"]
    worth: Float64[ndarray, "n P+2"]

    def lay_out(self, desk: Desk) -> None:
        """Put it on the desk."""
        self.route.lay_out(desk)
        fill(desk, {"first": self.first})


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


class Shelves:
    """Tiles of every level for each choice of bypasses."""

    def __init__(self, spec: Spec, lattice: Lattice, choices: Choices) -> None:
        self.spec, self.lattice, self.choices = spec, lattice, choices
        self._shapes = shapes(lattice)
        sizes = np.take_along_axis(lattice.divisor.T, self._shapes, axis=0)
        self._extent = extents(spec, sizes)
        self._volume = volumes(spec, self._extent)
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

    def shelf(self, keep: Bool[ndarray, "S P"]) -> Shelf:
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
        return Shelf(route_of(keep), np.array(first, np.int64), tiles, worth)

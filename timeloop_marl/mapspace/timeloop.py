"""Timeloop's mapspace: four sub-spaces with Timeloop's own sizes and ids (mapspace section 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..errors import UsageError
from ..kernels.record import boxed
from ..specs.constraints import LoopConstraint
from ..specs.mapping import MappingBatch
from ..specs.spec import Spec
from ..traffic.geometry import Geometry, geometry_of
from .factorization import (
    FactorCounts,
    FactorList,
    count_tuples,
    enumerate_tuples,
    factor_tables_ruby,
    factor_tables_uber,
)
from .kernels import capacity_failures, construction_failures, decode_rows, level_radices, unpack_dim
from .patterns import bypass_choices, constraint_of, level_label, level_tables, permutation_patterns

LARGEST_SPACE = 2**128


@dataclass(frozen=True)
class MapspaceIds:
    """A mapping as Timeloop numbers it. The ids of the pruned forms depend on the index factorisation."""

    index_factorization: int
    loop_permutation: int
    spatial: int
    datatype_bypass: int


class TimeloopMapspace:
    """The four sub-spaces of a Spec.

    A candidate is a row of digits (``axes`` columns): [pruned, factor index per dim, order index per tiling level,
    split index per spatial tiling level, bypass id]. With ``pruned`` = 1 orders and splits are numbered after the unit
    loops were taken out (mapspace sections 1.2, 1.3), as linear_pruned, hybrid and random_pruned do.

    ``template``: ``uber`` or ``ruby``; None = that of the mapper options.
    """

    def __init__(self, spec: Spec, template: str | None = None) -> None:
        self.spec = spec
        self.template = template or spec.mapper.template
        if self.template not in ("uber", "ruby"):
            raise UsageError(f"unknown mapspace template {self.template!r}: expected uber or ruby")
        self.problem, self.architecture, self.constraints = spec.problem, spec.architecture, spec.constraints
        self.dims = len(self.problem.dims)
        self.tiling_levels = self.architecture.tiling_levels
        self.patterns = permutation_patterns(self.problem, self.architecture, self.constraints, self.template)
        self.bypass = bypass_choices(self.problem, self.architecture, self.constraints)
        self.choices = level_tables(
            self.architecture, self.constraints, self.patterns, self.bypass, self.dims,
            spec.mapper.max_temporal_loops_in_a_mapping,
            spec.sparsity is not None and spec.sparsity.spatial,
        )  # fmt: skip
        self.counts: tuple[FactorCounts, ...] = ()
        self.lists: tuple[FactorList, ...] = ()
        self._list_factors()

    def _limits(self, kind: str, dim: int) -> dict[int, int]:
        """One kind of loop constraint of a dim: tiling level -> value."""
        found: dict[int, int] = {}
        for index, level in enumerate(self.tiling_levels):
            values = getattr(constraint_of(self.constraints, level), kind)
            if dim in values:
                found[index] = values[dim]
        return found

    def _list_factors(self) -> None:
        levels, bounds = len(self.tiling_levels), self.problem.bounds
        limits = [
            (self._limits("fixed", d), self._limits("maximum", d), self._limits("minimum", d))
            for d in range(self.dims)
        ]
        if self.template == "uber":
            self.counts = tuple(
                count_tuples(bound, levels, fixed, most, least)
                for bound, (fixed, most, least) in zip(bounds, limits)
            )
            self.factors = factor_tables_uber(bounds, list(self.counts), levels)
            return
        users = [constraint_of(self.constraints, level) for level in self.tiling_levels]
        remainders = {t: user.remainders for t, user in enumerate(users) if user.remainders is not None}
        self.lists = tuple(
            enumerate_tuples(bound, levels, fixed, remainders, most, least)
            for bound, (fixed, most, least) in zip(bounds, limits)
        )
        self.factors = factor_tables_ruby(bounds, list(self.lists), levels)

    # Sizes

    @cached_property
    def factorization_sizes(self) -> tuple[int, ...]:
        """Length of each dimension's factor list, as timeloop-mapper prints them."""
        return tuple(int(size) for size in self.factors.sizes)

    @cached_property
    def spatial_levels(self) -> tuple[int, ...]:
        """Indices of the spatial tiling levels."""
        return tuple(t for t, level in enumerate(self.tiling_levels) if level.spatial)

    def mesh(self, tiling_level: int) -> tuple[int, int]:
        """Children of a spatial tiling level in X and in Y."""
        storage = self.tiling_levels[tiling_level].storage
        return self.architecture.fanout_x(storage), self.architecture.fanout_y(storage)

    def room(self, storage: int) -> int | None:
        """Words that the tiles of a storage level may have; ``None`` = unlimited. M:N networks pool all instances."""
        level = self.architecture.storage[storage]
        pooled = level.instances if level.network.distributed else 1
        return None if level.effective_size is None else level.effective_size * pooled

    @cached_property
    def sizes(self) -> MapspaceIds:
        """Size of each sub-space, unpruned."""
        splits = [1 if self.choices.user_split[t] >= 0 else self.dims + 1 for t in self.spatial_levels]
        return MapspaceIds(
            math.prod(self.factorization_sizes),
            math.prod(pattern.size for pattern in self.patterns),
            math.prod(splits),
            2 ** len(self.bypass.free),
        )

    @property
    def geometry(self) -> Geometry:
        """Of the Spec. Not kept: a record that was copied or pickled no longer lies in its box."""
        return geometry_of(self.spec)

    @property
    def size(self) -> int:
        """Product of the four sizes; Timeloop refuses spaces of 2^128 and more."""
        sizes = self.sizes
        return sizes.index_factorization * sizes.loop_permutation * sizes.spatial * sizes.datatype_bypass

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What Timeloop remarks while it builds the space, and what it would refuse."""
        found = [
            f"Imperfect constraint detected: {self.problem.dims[d]}={counts.given.factors[t]} at "
            f"{level_label(self.architecture, self.tiling_levels[t])} does not divide what is left of its bound"
            for d, counts in enumerate(self.counts)
            for t in counts.given.imperfect
        ]
        if self.size >= LARGEST_SPACE:
            found.append("the mapspace has 2^128 mappings or more: the real timeloop-mapper refuses it")
        return tuple(found)

    def share(self, thread: int, threads: int) -> int:
        """Number of index factorisations of one thread: global id = local id * threads + thread."""
        return max(0, -(-(self.sizes.index_factorization - thread) // threads))

    # Candidates

    @property
    def axes(self) -> int:
        """Columns of a candidate row."""
        return 2 + self.dims + len(self.tiling_levels) + len(self.spatial_levels)

    @cached_property
    def radices(self) -> Int64[ndarray, "axes"]:
        """Number of values of each digit in the unpruned form (the first column takes 0)."""
        splits = [1 if self.choices.user_split[t] >= 0 else self.dims + 1 for t in self.spatial_levels]
        orders = [pattern.size for pattern in self.patterns]
        return np.array(
            [1, *self.factorization_sizes, *orders, *splits, self.sizes.datatype_bypass], np.int64
        )

    def warm_up(self) -> None:
        """Compile (or load from the cache) what a search would on its first rows."""
        batch = self.decode(np.zeros((1, self.axes), np.int64))
        self.construction_failures(batch)
        self.capacity_failures(batch)

    def decode(self, candidates: Int64[ndarray, "m axes"]) -> MappingBatch:
        """The mappings of candidate rows. Digits must be in range (see ``check``)."""
        rows = np.ascontiguousarray(candidates, np.int64)
        if rows.ndim != 2 or rows.shape[1] != self.axes:
            raise UsageError(
                f"candidates have shape {rows.shape}, expected (m, {self.axes}): [pruned, {self.dims} factor lists, "
                f"{len(self.tiling_levels)} orders, {len(self.spatial_levels)} splits, bypass]"
            )
        shape = (len(rows), len(self.tiling_levels), self.dims)
        kept = (len(rows), len(self.architecture.storage), len(self.problem.data_spaces))
        batch = MappingBatch(
            np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int8),
            np.empty(shape[:2], np.int8), np.empty(kept, np.bool_),
        )  # fmt: skip
        decode_rows(
            self.factors, self.choices, rows,
            batch.factors, batch.residuals, batch.order, batch.split, batch.keep,
        )  # fmt: skip
        return batch

    def digit_radices(self, candidate: Int64[ndarray, "axes"]) -> Int64[ndarray, "axes"]:
        """Number of values of each digit of a candidate, its pruned form taken into account."""
        radices = self.radices.copy()
        if candidate[0] == 0:
            return radices
        raw = self._raw_factors(candidate)
        _, orders, splits, bypass, _ = self._cuts()
        level_radices(self.choices, True, raw, radices[orders:splits], radices[splits:bypass])
        radices[0] = 2
        return radices

    def _raw_factors(self, candidate: Int64[ndarray, "axes"]) -> Int64[ndarray, "T D"]:
        raw, factors, residuals = (np.ones((len(self.tiling_levels), self.dims), np.int64) for _ in range(3))
        for d in range(self.dims):
            unpack_dim(self.factors, d, int(candidate[1 + d]), raw, factors, residuals)
        return raw

    def sample(self, generator: np.random.Generator, n: int) -> Int64[ndarray, "n axes"]:
        """n candidates, uniform over the unpruned space (not filtered for fan-out or capacity)."""
        return generator.integers(0, self.radices, size=(n, self.axes), dtype=np.int64)

    # Ids

    def ids(self, candidate: Int64[ndarray, "axes"]) -> MapspaceIds:
        """Timeloop's ids of a candidate; those of the pruned sub-spaces if the candidate is pruned."""
        digits, radices = [int(x) for x in candidate], [int(x) for x in self.digit_radices(candidate)]
        cuts = self._cuts()
        numbers = [_number(digits[low:high], radices[low:high]) for low, high in pairwise(cuts)]
        return MapspaceIds(*numbers)

    def candidate(self, ids: MapspaceIds, pruned: bool = False) -> Int64[ndarray, "axes"]:
        """The candidate row of ids; ``UsageError`` if an id is not below its size."""
        row = np.zeros(self.axes, np.int64)
        cuts = self._cuts()
        row[0] = int(pruned)
        row[1 : cuts[1]] = _digits(
            "index factorisation", ids.index_factorization, [int(x) for x in self.radices[1 : cuts[1]]]
        )
        radices = [int(x) for x in self.digit_radices(row)]
        names = ("loop permutation", "spatial", "datatype bypass")
        values = (ids.loop_permutation, ids.spatial, ids.datatype_bypass)
        for name, value, low, high in zip(names, values, cuts[1:-1], cuts[2:]):
            row[low:high] = _digits(name, value, radices[low:high])
        return row

    def _cuts(self) -> tuple[int, int, int, int, int]:
        """Column borders of the four sub-spaces."""
        orders = 1 + self.dims
        splits = orders + len(self.tiling_levels)
        return 1, orders, splits, self.axes - 1, self.axes

    # Filters

    def construction_failures(self, batch: MappingBatch) -> Int64[ndarray, "m"]:
        """Fan-out filter: -1 = constructible, t = tiling level t too wide, T = parallelism, T + 1 = too many loops."""
        return construction_failures(
            boxed(self.geometry), self.choices, batch.factors, batch.order, batch.split
        )

    def capacity_failures(self, batch: MappingBatch) -> Int64[ndarray, "m"]:
        """Pre-check: -1 = fits, s = storage level s too full or too empty, S = a data space is kept nowhere."""
        return capacity_failures(boxed(self.geometry), batch.factors, batch.keep)

    def constraint(self, tiling_level: int) -> LoopConstraint:
        """The user's loop constraint of a tiling level."""
        return constraint_of(self.constraints, self.tiling_levels[tiling_level])


def _number(digits: list[int], radices: list[int]) -> int:
    """Mixed radix number, first digit least significant."""
    value = 0
    for digit, radix in zip(reversed(digits), reversed(radices)):
        value = value * radix + digit
    return value


def _digits(name: str, value: int, radices: list[int]) -> list[int]:
    digits, left = [], value
    for radix in radices:
        if radix == 0:
            break
        digits.append(left % radix)
        left //= radix
    if value < 0 or left or len(digits) < len(radices):
        raise UsageError(f"{name} id {value} is not below the size of its sub-space, {math.prod(radices)}")
    return digits

"""The mapspace as plain arrays, for the compiled kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..specs.architecture import Architecture
from ..specs.constraints import Constraints
from ..specs.problem import Problem
from .factorization import FactorCounts
from .patterns import BypassChoices, Pattern, constraint_of
from .ruby import FactorList


class FactorTables(NamedTuple):
    """Factor lists of D dims over T tiling levels: as counts (``uber``) or written out (``ruby``)."""

    bounds: Int64[ndarray, "D"]
    sizes: Int64[ndarray, "D"]
    written_out: bool
    perfect: Bool[ndarray, "D"]  # all fixed factors divide: residuals equal bounds
    # uber: see FactorCounts; K free levels at most, n divisors at most
    given: Int64[ndarray, "D T"]  # 0 = free
    free: Int64[ndarray, "D T"]
    n_free: Int64[ndarray, "D"]
    divisors: Int64[ndarray, "D n"]
    quotient: Int64[ndarray, "D n n"]
    cumulative: Int64[ndarray, "D K n n+1"]
    n_divisors: Int64[ndarray, "D"]
    start: Int64[ndarray, "D"]
    # ruby: rows of dim d start at offset[d]
    offset: Int64[ndarray, "D"]
    list_factors: Int64[ndarray, "L T"]
    list_residuals: Int64[ndarray, "L T"]


class LevelTables(NamedTuple):
    """What may be chosen at each of T tiling levels. ``user_split`` -1 = none; fan-outs are 1 at temporal levels."""

    spatial: Bool[ndarray, "T"]
    fanout_x: Int64[ndarray, "T"]
    fanout_y: Int64[ndarray, "T"]
    split_column: Int64[ndarray, "T"]  # index among the spatial levels, -1 for temporal ones
    canonical: Bool[ndarray, "T"]
    prefix: Int64[ndarray, "T D"]
    n_prefix: Int64[ndarray, "T"]
    free: Int64[ndarray, "T D"]
    n_free: Int64[ndarray, "T"]
    suffix: Int64[ndarray, "T D"]
    n_suffix: Int64[ndarray, "T"]
    user_split: Int64[ndarray, "T"]
    keep_fixed: Bool[ndarray, "S P"]
    free_level: Int64[ndarray, "B"]  # bit k of a bypass id: storage level and data space
    free_space: Int64[ndarray, "B"]
    min_parallelism: float
    max_temporal_loops: int


class CapacityTables(NamedTuple):
    """The capacity pre-check (cost-model section 11). ``capacity`` -1 = unlimited; ranks as dense coefficients."""

    capacity: Int64[ndarray, "S"]
    smallest: Float64[ndarray, "S"]  # effective size times min_utilization, words
    boundary: Int64[ndarray, "S"]  # tiling level of the temporal loops of storage level s
    coefficients: Int64[ndarray, "P R D"]  # absolute values; ranks beyond a data space's own are 0


def factor_tables_uber(bounds: tuple[int, ...], counts: list[FactorCounts], levels: int) -> FactorTables:
    """Pack the counted lists of all dims."""
    dims, most = len(bounds), max(len(c.divisors) for c in counts)
    given = np.zeros((dims, levels), np.int64)
    free = np.zeros((dims, levels), np.int64)
    divisors = np.ones((dims, most), np.int64)
    quotient = np.full((dims, most, most), -1, np.int64)
    cumulative = np.zeros((dims, levels, most, most + 1), np.int64)
    for d, c in enumerate(counts):
        n = len(c.divisors)
        for level, factor in c.given.factors.items():
            given[d, level] = factor
        free[d, : len(c.free)] = c.free
        divisors[d, :n] = c.divisors
        quotient[d, :n, :n] = c.quotient
        cumulative[d, : len(c.free), :n, : n + 1] = c.cumulative
    return FactorTables(
        np.array(bounds, np.int64), np.array([c.size for c in counts], np.int64), False,
        np.array([not c.given.imperfect for c in counts], np.bool_),
        given, free, np.array([len(c.free) for c in counts], np.int64), divisors, quotient, cumulative,
        np.array([len(c.divisors) for c in counts], np.int64), np.array([c.start for c in counts], np.int64),
        np.zeros(dims, np.int64), np.ones((0, levels), np.int64), np.ones((0, levels), np.int64),
    )  # fmt: skip


def factor_tables_ruby(bounds: tuple[int, ...], lists: list[FactorList], levels: int) -> FactorTables:
    """Pack the written-out lists of all dims."""
    dims = len(bounds)
    sizes = np.array([len(entry.factors) for entry in lists], np.int64)
    zeros = np.zeros(dims, np.int64)
    return FactorTables(
        np.array(bounds, np.int64), sizes, True, np.zeros(dims, np.bool_),
        np.zeros((dims, levels), np.int64), np.zeros((dims, levels), np.int64), zeros,
        np.ones((dims, 1), np.int64), np.zeros((dims, 1, 1), np.int64), np.zeros((dims, levels, 1, 2), np.int64),
        zeros, zeros, np.cumsum(sizes) - sizes,
        np.concatenate([entry.factors for entry in lists]),
        np.concatenate([entry.residuals for entry in lists]),
    )  # fmt: skip


def level_tables(
    architecture: Architecture,
    constraints: Constraints,
    patterns: tuple[Pattern, ...],
    bypass: BypassChoices,
    dims: int,
    max_temporal_loops: int,
) -> LevelTables:
    """Pack fan-outs, patterns, splits and bypass choices."""
    levels = architecture.tiling_levels
    spatial = np.array([level.spatial for level in levels], np.bool_)
    splits = [constraint_of(constraints, level).split if level.spatial else None for level in levels]

    def packed(rows: list[tuple[int, ...]]) -> Int64[ndarray, "T D"]:
        table = np.zeros((len(rows), dims), np.int64)
        for index, row in enumerate(rows):
            table[index, : len(row)] = row
        return table

    def lengths(rows: list[tuple[int, ...]]) -> Int64[ndarray, "T"]:
        return np.array([len(row) for row in rows], np.int64)

    prefix, free, suffix = ([getattr(p, name) for p in patterns] for name in ("prefix", "free", "suffix"))
    return LevelTables(
        spatial,
        np.array([architecture.fanout_x(v.storage) if v.spatial else 1 for v in levels], np.int64),
        np.array([architecture.fanout_y(v.storage) if v.spatial else 1 for v in levels], np.int64),
        np.where(spatial, np.cumsum(spatial) - 1, -1).astype(np.int64),
        np.array([p.canonical for p in patterns], np.bool_),
        packed(prefix), lengths(prefix), packed(free), lengths(free), packed(suffix), lengths(suffix),
        np.array([-1 if split is None else split for split in splits], np.int64),
        np.array(bypass.fixed, np.bool_),
        np.array([s for s, _ in bypass.free], np.int64),
        np.array([p for _, p in bypass.free], np.int64),
        float(constraints.min_parallelism),
        max_temporal_loops,
    )  # fmt: skip


def capacity_tables(problem: Problem, architecture: Architecture) -> CapacityTables:
    """Pack the capacities and the projections. Levels with an M:N read network pool all instances."""
    levels = architecture.tiling_levels
    capacity, smallest = [], []
    for level in architecture.storage:
        size = level.effective_size
        pooled = level.instances if level.network.distributed else 1
        capacity.append(-1 if size is None else size * pooled)
        smallest.append(0.0 if size is None else size * level.min_utilization)
    ranks = max(len(space.ranks) for space in problem.data_spaces)
    coefficients = np.zeros((len(problem.data_spaces), ranks, len(problem.dims)), np.int64)
    for p, space in enumerate(problem.data_spaces):
        for r, rank in enumerate(space.ranks):
            for term in rank:
                coefficients[p, r, term.dim] += abs(term.coefficient)
    boundary = [t for t, level in enumerate(levels) if not level.spatial]
    return CapacityTables(
        np.array(capacity, np.int64),
        np.array(smallest, np.float64),
        np.array(boundary, np.int64),
        coefficients,
    )

"""Compiled decoding of mapspace digits: one candidate row to factors, orders, splits and keep flags.

Columns of a row: 0 = pruned form (0 or 1); then one factor-list index per dim; one order index per tiling level; one
split index per spatial tiling level; last the bypass id. ``raw`` are the factors as listed, before they are cut to
what is left of the bound (only imperfect fixed factors differ): pruning looks at those.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from .jit import kernel
from .tables import CapacityTables, FactorTables, LevelTables


@kernel
def unpack_dim(
    tables: FactorTables,
    dim: int,
    index: int,
    raw: Int64[ndarray, "T D"],
    factors: Int64[ndarray, "T D"],
    residuals: Int64[ndarray, "T D"],
) -> None:
    """Write the tuple ``index`` of one dimension into its column."""
    levels = raw.shape[0]
    if tables.written_out:
        row = tables.offset[dim] + index
        for t in range(levels):
            raw[t, dim] = tables.list_factors[row, t]
            factors[t, dim] = tables.list_factors[row, t]
            residuals[t, dim] = tables.list_residuals[row, t]
        return
    for t in range(levels):
        raw[t, dim] = tables.given[dim, t]
    m = tables.start[dim]
    left = index
    for k in range(tables.n_free[dim] - 1, -1, -1):
        low, high = 0, tables.n_divisors[dim]
        while high - low > 1:
            middle = (low + high) // 2
            if tables.cumulative[dim, k, m, middle] <= left:
                low = middle
            else:
                high = middle
        left -= tables.cumulative[dim, k, m, low]
        raw[tables.free[dim, k], dim] = tables.divisors[dim, low]
        m = tables.quotient[dim, m, low]
    remainder = tables.bounds[dim]
    for t in range(levels):
        loop = min(raw[t, dim], remainder)
        left_over = remainder % loop
        factors[t, dim] = loop
        residuals[t, dim] = loop if left_over == 0 else left_over
        remainder = (remainder + loop - 1) // loop


@kernel
def is_pruned_level(tables: LevelTables, t: int, pruned: bool) -> bool:
    """Whether the order of this level is taken in pruned form."""
    return pruned and not tables.canonical[t] and tables.user_split[t] < 0


@kernel
def order_radix(tables: LevelTables, t: int, pruned: bool, raw: Int64[ndarray, "T D"]) -> int:
    """Number of orders of a level, given its factors if pruned."""
    free = tables.n_free[t]
    if is_pruned_level(tables, t, pruned):
        for k in range(tables.n_free[t]):
            if raw[t, tables.free[t, k]] == 1:
                free -= 1
    radix = 1
    for k in range(2, free + 1):
        radix *= k
    return radix


@kernel
def unit_factors(t: int, raw: Int64[ndarray, "T D"]) -> int:
    """How many dims have factor 1 at a level."""
    units = 0
    for d in range(raw.shape[1]):
        if raw[t, d] == 1:
            units += 1
    return units


@kernel
def split_radix(tables: LevelTables, t: int, pruned: bool, raw: Int64[ndarray, "T D"]) -> int:
    """Number of splits of a spatial level."""
    if tables.user_split[t] >= 0:
        return 1
    return raw.shape[1] + 1 - (unit_factors(t, raw) if pruned else 0)


@kernel
def unpack_split(tables: LevelTables, t: int, pruned: bool, raw: Int64[ndarray, "T D"], digit: int) -> int:
    """The split of a spatial level."""
    if tables.user_split[t] >= 0:
        return tables.user_split[t]
    return digit + (unit_factors(t, raw) if pruned else 0)


@kernel
def unpack_order(
    tables: LevelTables,
    t: int,
    pruned: bool,
    raw: Int64[ndarray, "T D"],
    digit: int,
    order: Int8[ndarray, "D"],
) -> None:
    """Write the order of a level, innermost first. Factorial digits: the first selects the innermost free dim."""
    cut = is_pruned_level(tables, t, pruned)
    n = 0
    if cut:
        for d in range(raw.shape[1]):
            if raw[t, d] == 1:
                order[n] = d
                n += 1
    for k in range(tables.n_prefix[t]):
        if not (cut and raw[t, tables.prefix[t, k]] == 1):
            order[n] = tables.prefix[t, k]
            n += 1
    first = n
    for k in range(tables.n_free[t]):
        if not (cut and raw[t, tables.free[t, k]] == 1):
            order[n] = tables.free[t, k]
            n += 1
    radix = 1
    for k in range(2, n - first + 1):
        radix *= k
    left = digit
    for position in range(first, n - 1):
        radix //= n - position
        pick = position + left // radix
        left %= radix
        chosen = order[pick]
        for k in range(pick, position, -1):
            order[k] = order[k - 1]
        order[position] = chosen
    for k in range(tables.n_suffix[t]):
        if not (cut and raw[t, tables.suffix[t, k]] == 1):
            order[n] = tables.suffix[t, k]
            n += 1


@kernel
def unpack_bypass(tables: LevelTables, bypass: int, keep: Bool[ndarray, "S P"]) -> None:
    """Write the keep flags of a bypass id: bit k is the k-th free flag, 0 = bypass."""
    keep[:] = tables.keep_fixed
    for k in range(tables.free_level.shape[0]):
        keep[tables.free_level[k], tables.free_space[k]] = (bypass >> k) & 1 == 1


@kernel
def spatial_extent(
    t: int, factors: Int64[ndarray, "T D"], order: Int8[ndarray, "T D"], split: int, along_x: bool
) -> int:
    """Product of the X (or Y) loop bounds of a spatial level."""
    product = 1
    for k in range(factors.shape[1]):
        if (k < split) == along_x:
            product *= factors[t, order[t, k]]
    return product


@kernel
def construction_failure(
    tables: LevelTables,
    factors: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
) -> int:
    """Why a mapping cannot be constructed (mapspace section 3.1).

    -1 = it can; t = tiling level t is too wide; T = parallelism too low; T + 1 = too many temporal loops.
    """
    levels = factors.shape[0]
    parallelism = 1.0
    loops = 0
    for t in range(levels):
        if not tables.spatial[t]:
            for d in range(factors.shape[1]):
                if factors[t, d] > 1:
                    loops += 1
            continue
        x = spatial_extent(t, factors, order, split[t], True)
        y = spatial_extent(t, factors, order, split[t], False)
        if x > tables.fanout_x[t] or y > tables.fanout_y[t]:
            return t
        parallelism *= float(x * y) / float(tables.fanout_x[t] * tables.fanout_y[t])
    if parallelism < tables.min_parallelism:
        return levels
    if tables.max_temporal_loops > 0 and loops > tables.max_temporal_loops:
        return levels + 1
    return -1


@kernel
def tile_volumes(
    tables: CapacityTables, factors: Int64[ndarray, "T D"], volumes: Int64[ndarray, "S P"]
) -> None:
    """Words of every data space in a tile of every storage level, bypass ignored (cost-model section 2)."""
    dims = factors.shape[1]
    inside = np.ones(dims, np.int64)
    t = 0
    for s in range(volumes.shape[0]):
        while t <= tables.boundary[s]:
            for d in range(dims):
                inside[d] *= factors[t, d]
            t += 1
        for p in range(volumes.shape[1]):
            volume = 1
            for r in range(tables.coefficients.shape[1]):
                extent = 1
                for d in range(dims):
                    extent += tables.coefficients[p, r, d] * (inside[d] - 1)
                volume *= extent
            volumes[s, p] = volume


@kernel
def capacity_failure(
    tables: CapacityTables, volumes: Int64[ndarray, "S P"], keep: Bool[ndarray, "S P"]
) -> int:
    """First storage level that fails the pre-check, S if a data space is kept nowhere, -1 if none fails."""
    levels, spaces = volumes.shape
    for p in range(spaces):
        kept = False
        for s in range(levels):
            kept = kept or keep[s, p]
        if not kept:
            return levels
    for s in range(levels):
        if tables.capacity[s] < 0:
            continue
        tile = 0
        for p in range(spaces):
            if keep[s, p]:
                tile += volumes[s, p]
        if tile > tables.capacity[s] or tile < tables.smallest[s]:
            return s
    return -1


@kernel
def decode_rows(
    lists: FactorTables,
    choices: LevelTables,
    rows: Int64[ndarray, "m axes"],
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
) -> None:
    """Decode candidate rows into the arrays of a batch."""
    levels, dims = factors.shape[1], factors.shape[2]
    raw = np.ones((levels, dims), np.int64)
    for i in range(rows.shape[0]):
        pruned = rows[i, 0] == 1
        for d in range(dims):
            unpack_dim(lists, d, rows[i, 1 + d], raw, factors[i], residuals[i])
        for t in range(levels):
            unpack_order(choices, t, pruned, raw, rows[i, 1 + dims + t], order[i, t])
            split[i, t] = dims
            if choices.spatial[t]:
                digit = rows[i, 1 + dims + levels + choices.split_column[t]]
                split[i, t] = unpack_split(choices, t, pruned, raw, digit)
        unpack_bypass(choices, rows[i, rows.shape[1] - 1], keep[i])


@kernel
def construction_failures(
    tables: LevelTables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
) -> Int64[ndarray, "m"]:
    """``construction_failure`` of every mapping of a batch."""
    failures = np.empty(factors.shape[0], np.int64)
    for i in range(factors.shape[0]):
        failures[i] = construction_failure(tables, factors[i], order[i], split[i])
    return failures


@kernel
def capacity_failures(
    tables: CapacityTables, factors: Int64[ndarray, "m T D"], keep: Bool[ndarray, "m S P"]
) -> Int64[ndarray, "m"]:
    """``capacity_failure`` of every mapping of a batch."""
    failures = np.empty(factors.shape[0], np.int64)
    volumes = np.empty(keep.shape[1:], np.int64)
    for i in range(factors.shape[0]):
        tile_volumes(tables, factors[i], volumes)
        failures[i] = capacity_failure(tables, volumes, keep[i])
    return failures

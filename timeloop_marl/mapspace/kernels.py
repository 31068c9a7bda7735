"""Compiled decoding of mapspace digits: one candidate row to factors, orders, splits and keep flags.

Columns of a row: 0 = pruned form (0 or 1); then one factor-list index per dim; one order index per tiling level; one
split index per spatial tiling level; last the bypass id. ``raw`` are the factors as listed, before they are cut to
what is left of the bound (only imperfect fixed factors differ): pruning looks at those.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import allocating, inlined, kernel
from ..kernels.record import Box
from ..traffic.geometry import Geometry, extent, hull_words
from .factorization import FactorTables
from .patterns import LevelTables


@inlined
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
    if tables.perfect[dim]:
        for t in range(levels):
            factors[t, dim] = raw[t, dim]
            residuals[t, dim] = raw[t, dim]
        return
    remainder = tables.bounds[dim]
    for t in range(levels):
        loop = min(raw[t, dim], remainder)
        left_over = remainder % loop
        factors[t, dim] = loop
        residuals[t, dim] = loop if left_over == 0 else left_over
        remainder = (remainder + loop - 1) // loop


@kernel
def level_radices(
    tables: LevelTables,
    pruned: bool,
    raw: Int64[ndarray, "T D"],
    order_radix: Int64[ndarray, "T"],
    split_radix: Int64[ndarray, "C"],
) -> None:
    """Number of orders of every level and of splits of every spatial level, for these factors if pruned."""
    levels, dims = raw.shape
    free, n_free, user_split = tables.free, tables.n_free, tables.user_split
    for t in range(levels):
        units = 0
        for d in range(dims):
            if pruned and raw[t, d] == 1:
                units += 1
        left = n_free[t]
        if pruned and not tables.canonical[t] and user_split[t] < 0:
            for k in range(n_free[t]):
                if raw[t, free[t, k]] == 1:
                    left -= 1
        radix = 1
        for k in range(2, left + 1):
            radix *= k
        order_radix[t] = radix
        if tables.split_column[t] >= 0:
            split_radix[tables.split_column[t]] = 1 if user_split[t] >= 0 else dims + 1 - units


@kernel
def unpack_orders(
    tables: LevelTables,
    only_spatial: bool,
    raw: Int64[ndarray, "T D"],
    row: Int64[ndarray, "axes"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
) -> None:
    """Write orders, innermost first, and splits of all levels, or of the spatial ones only.

    An order is prefix, permuted free dims, suffix; pruned: unit dims first, and taken out of the three parts. The digit
    counts the orders of the free dims lexicographically (factorial number system). All levels are done in one call,
    without calls inside: numba would count references to every table at each of them.
    """
    levels, dims = raw.shape
    prefix, free, suffix = tables.prefix, tables.free, tables.suffix
    n_prefix, n_free, n_suffix = tables.n_prefix, tables.n_free, tables.n_suffix
    column, canonical, user_split = tables.split_column, tables.canonical, tables.user_split
    pruned = row[0] == 1
    for t in range(levels):
        if only_spatial and column[t] < 0:
            continue
        cut = pruned and not canonical[t] and user_split[t] < 0
        n = 0
        if cut:
            for d in range(dims):
                if raw[t, d] == 1:
                    order[t, n] = d
                    n += 1
        for k in range(n_prefix[t]):
            if not cut or raw[t, prefix[t, k]] != 1:
                order[t, n] = prefix[t, k]
                n += 1
        first = n
        for k in range(n_free[t]):
            if not cut or raw[t, free[t, k]] != 1:
                order[t, n] = free[t, k]
                n += 1
        left = np.uint64(row[1 + dims + t])
        radix = np.uint64(1)
        if left > 0:
            for k in range(2, n - first + 1):
                radix *= np.uint64(k)
        position = first
        while left > 0:
            radix //= np.uint64(n - position)
            step = left // radix
            left -= step * radix
            pick = position + np.int64(step)
            chosen = order[t, pick]
            for k in range(pick, position, -1):
                order[t, k] = order[t, k - 1]
            order[t, position] = chosen
            position += 1
        for k in range(n_suffix[t]):
            if not cut or raw[t, suffix[t, k]] != 1:
                order[t, n] = suffix[t, k]
                n += 1
        split[t] = dims
        if column[t] >= 0:
            split[t] = user_split[t]
            if user_split[t] < 0:
                digit = row[1 + dims + levels + column[t]]
                if pruned:
                    for d in range(dims):
                        if raw[t, d] == 1:
                            digit += 1
                split[t] = digit


@inlined
def unpack_bypass(tables: LevelTables, bypass: int, keep: Bool[ndarray, "S P"]) -> None:
    """Write the keep flags of a bypass id: bit k is the k-th free flag, 0 = bypass."""
    for s in range(keep.shape[0]):  # numba's own array copy is slower by far on such small arrays
        for p in range(keep.shape[1]):
            keep[s, p] = tables.keep_fixed[s, p]
    for k in range(tables.free_level.shape[0]):
        keep[tables.free_level[k], tables.free_space[k]] = (bypass >> k) & 1 == 1


@kernel
def construction_failure(
    geometry: Geometry,
    tables: LevelTables,
    factors: Int64[ndarray, "T D"],
    order: Int8[ndarray, "T D"],
    split: Int8[ndarray, "T"],
) -> int:
    """Why a mapping cannot be constructed (mapspace section 3.1).

    -1 = it can; t = tiling level t is too wide; T = parallelism too low; T + 1 = too many temporal loops.
    """
    levels, dims = factors.shape
    parallelism = 1.0
    loops = 0
    for t in range(levels):
        if not geometry.tile_spatial[t]:
            for d in range(dims):
                if factors[t, d] > 1:
                    loops += 1
            continue
        x, y = 1, 1
        for k in range(dims):
            if k < split[t]:
                x *= factors[t, order[t, k]]
            else:
                y *= factors[t, order[t, k]]
        s = geometry.tile_storage[t]
        if not tables.any_width and (x > geometry.fanout_x[s] or y > geometry.fanout_y[s]):
            return t
        parallelism *= float(x * y) / float(geometry.fanout_x[s] * geometry.fanout_y[s])
    if parallelism < tables.min_parallelism:
        return levels
    if tables.max_temporal_loops > 0 and loops > tables.max_temporal_loops:
        return levels + 1
    return -1


@allocating
def tile_volumes(geometry: Geometry, factors: Int64[ndarray, "T D"], volumes: Int64[ndarray, "S P"]) -> None:
    """Words of every data space in a tile of every storage level, bypass ignored (cost-model section 2)."""
    inside = np.ones(factors.shape[1], np.int64)
    for t in range(factors.shape[0]):
        for d in range(factors.shape[1]):
            inside[d] *= factors[t, d]
        if not geometry.tile_spatial[t]:
            for p in range(volumes.shape[1]):
                volumes[geometry.tile_storage[t], p] = hull_words(geometry, p, inside)


@allocating
def hull_volumes(geometry_box: Box[Geometry], tiles: Int64[ndarray, "n D"]) -> Int64[ndarray, "n P"]:
    """Words of every data space in tiles given by their steps in each dim."""
    geometry = geometry_box[0]
    words = np.empty((tiles.shape[0], geometry.spaces), np.int64)
    for i in range(tiles.shape[0]):
        for p in range(geometry.spaces):
            words[i, p] = hull_words(geometry, p, tiles[i])
    return words


@allocating
def hull_extents(geometry_box: Box[Geometry], tiles: Int64[ndarray, "n D"]) -> Int64[ndarray, "n R"]:
    """Extents of all ranks of tiles given by their steps in each dim."""
    geometry = geometry_box[0]
    extents = np.empty((tiles.shape[0], geometry.rank_start[geometry.spaces]), np.int64)
    for i in range(tiles.shape[0]):
        for r in range(extents.shape[1]):
            extents[i, r] = extent(geometry, r, tiles[i])
    return extents


@inlined
def room(geometry: Geometry, s: int) -> int:
    """Words of all instances that share storage level s: those of an M:N read network pool theirs (section 11)."""
    return geometry.capacity[s] * (geometry.instances[s] if geometry.distributed[s] else 1)


@inlined
def capacity_failure(geometry: Geometry, volumes: Int64[ndarray, "S P"], keep: Bool[ndarray, "S P"]) -> int:
    """First storage level that fails the pre-check, S if a data space is kept nowhere, -1 if none fails."""
    levels, spaces = volumes.shape
    for p in range(spaces):
        kept = False
        for s in range(levels):
            kept = kept or keep[s, p]
        if not kept:
            return levels
    for s in range(levels):
        if geometry.capacity[s] < 0:
            continue
        tile = 0
        for p in range(spaces):
            if keep[s, p]:
                tile += volumes[s, p]
        if tile > room(geometry, s) or tile < geometry.least[s]:
            return s
    return -1


@allocating
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
        for d in range(dims):
            unpack_dim(lists, d, rows[i, 1 + d], raw, factors[i], residuals[i])
        unpack_orders(choices, False, raw, rows[i], order[i], split[i])
        unpack_bypass(choices, rows[i, rows.shape[1] - 1], keep[i])


@allocating
def construction_failures(
    geometry_box: Box[Geometry],
    tables: LevelTables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
) -> Int64[ndarray, "m"]:
    """``construction_failure`` of every mapping of a batch."""
    failures = np.empty(factors.shape[0], np.int64)
    for i in range(factors.shape[0]):
        failures[i] = construction_failure(geometry_box[0], tables, factors[i], order[i], split[i])
    return failures


@allocating
def capacity_failures(
    geometry_box: Box[Geometry], factors: Int64[ndarray, "m T D"], keep: Bool[ndarray, "m S P"]
) -> Int64[ndarray, "m"]:
    """``capacity_failure`` of every mapping of a batch."""
    failures = np.empty(factors.shape[0], np.int64)
    volumes = np.empty(keep.shape[1:], np.int64)
    for i in range(factors.shape[0]):
        tile_volumes(geometry_box[0], factors[i], volumes)
        failures[i] = capacity_failure(geometry_box[0], volumes, keep[i])
    return failures

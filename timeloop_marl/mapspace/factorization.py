"""Index factorisation: the ordered factor tuples of each dimension (mapspace sections 1.1 and 1.5).

Template ``uber``: the lists can have millions of entries, so none is built: counts of partial tuples turn an index into
its tuple. Limits act on single factors, so they only lower the counts and the order of what remains is Timeloop's.

Template ``ruby``: tuples of factors and residuals. Timeloop enumerates a huge cartesian product and keeps what fits.
Here the same lists are walked depth first in the same order: walking a dimension inside-out, the residual of a level
follows from its factor (``position mod factor``), so a branch ends at the first level that cannot fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
from ..kernels.compiling import allocating
from ..specs.primes import divisors

LARGEST_LIST = 2**62


@dataclass(frozen=True)
class Given:
    """What is left of a bound once the fixed factors are taken out of it.

    ``factors``: tiling level -> fixed factor. ``imperfect``: levels whose factor did not divide what was left.
    """

    factors: dict[int, int]
    remainder: int
    imperfect: tuple[int, ...]


@dataclass(frozen=True)
class FactorCounts:
    """One dimension's tuples as counts. ``n`` divisors in Timeloop's order, K free levels (ascending).

    ``cumulative[k, m, j]``: tuples over the free levels 0..k with product ``divisors[m]`` whose factor at free level k
    is one of the first j divisors. ``quotient[m, j]``: index of divisors[m] / divisors[j], -1 if it does not divide.
    """

    given: Given
    free: tuple[int, ...]
    divisors: Int64[ndarray, "n"]
    quotient: Int64[ndarray, "n n"]
    cumulative: Int64[ndarray, "K n n+1"]
    start: int  # index of the remainder among the divisors
    size: int


def timeloop_divisors(number: int) -> list[int]:
    """Divisors in the order of the mapspace: 12 -> 1, 12, 2, 6, 3, 4."""
    ascending = divisors(number)
    found: list[int] = []
    for small, large in zip(ascending, reversed(ascending)):
        if small > large:
            break
        found += [small] if small == large else [small, large]
    return found


def take_given(bound: int, fixed: Mapping[int, int]) -> Given:
    """Divide the bound by the fixed factors, inside-out, rounding up where one does not divide."""
    remainder, imperfect = bound, []
    for level in sorted(fixed):
        if remainder % fixed[level]:
            imperfect.append(level)
        remainder = -(-remainder // fixed[level])
    return Given(dict(sorted(fixed.items())), remainder, tuple(imperfect))


def within(factor: int, level: int, maximum: Mapping[int, int], minimum: Mapping[int, int]) -> bool:
    """Whether a factor keeps the limits of a level."""
    return minimum.get(level, factor) <= factor <= maximum.get(level, factor)


def count_tuples(
    bound: int,
    tiling_levels: int,
    fixed: Mapping[int, int],
    maximum: Mapping[int, int],
    minimum: Mapping[int, int],
) -> FactorCounts:
    """Count the factor tuples of one dimension. The maps are keyed by tiling level.

    Raises ``UnsupportedFeatureError`` where a list is longer than 2^62.
    """
    given = take_given(bound, fixed)
    free = tuple(level for level in range(tiling_levels) if level not in fixed)
    divisors = timeloop_divisors(given.remainder)
    position = {divisor: index for index, divisor in enumerate(divisors)}
    quotient = np.array(
        [[position[m // f] if m % f == 0 else -1 for f in divisors] for m in divisors], dtype=np.int64
    )
    cumulative = _cumulative(free, divisors, quotient, maximum, minimum)
    possible = all(within(factor, level, maximum, minimum) for level, factor in fixed.items())
    start = position[given.remainder]
    size = int(cumulative[-1, start, -1]) if free else int(given.remainder == 1)
    return FactorCounts(
        given, free, np.array(divisors, np.int64), quotient, cumulative, start, size if possible else 0
    )


def _cumulative(
    free: tuple[int, ...],
    divisors: list[int],
    quotient: Int64[ndarray, "n n"],
    maximum: Mapping[int, int],
    minimum: Mapping[int, int],
) -> Int64[ndarray, "K n n+1"]:
    n = len(divisors)
    table = np.zeros((len(free), n, n + 1), np.int64)
    inner = np.zeros(n, np.int64)
    inner[0] = 1  # no level left: only the product 1 (divisors[0]) remains
    estimate = inner.astype(np.float64)
    for k, level in enumerate(free):
        allowed = np.array([within(f, level, maximum, minimum) for f in divisors])
        usable = (quotient >= 0) & allowed[None, :]
        table[k, :, 1:] = np.cumsum(np.where(usable, inner[quotient], 0), axis=1)
        inner = table[k, :, -1].copy()
        estimate = np.where(usable, estimate[quotient], 0.0).sum(axis=1)
        if estimate.max() > LARGEST_LIST:
            raise UnsupportedFeatureError(
                f"a dimension has more than 2^62 factorisations over {len(free)} tiling levels",
                remedy="fix some of its factors, or use the real timeloop-mapper",
            )
    return table


LONGEST_WRITTEN = 8_000_000


@dataclass(frozen=True)
class _GivenRuby:
    """Fixed factors and residuals by tiling level, and what is left of the bound."""

    factors: dict[int, int]
    residuals: dict[int, int]
    remainder: int


@dataclass(frozen=True)
class FactorList:
    """One dimension's tuples, written out: ``factors`` and ``residuals`` over T tiling levels, innermost first."""

    factors: Int64[ndarray, "L T"]
    residuals: Int64[ndarray, "L T"]


def _take_given_ruby(bound: int, fixed: Mapping[int, int]) -> _GivenRuby:
    """Step 1: divide the bound by the fixed factors, keeping what does not divide as residual."""
    factors: dict[int, int] = {}
    residuals: dict[int, int] = {}
    remainder = bound
    for level in sorted(fixed):
        factor = min(fixed[level], remainder)
        factors[level] = factor
        residuals[level] = remainder % factor or factor
        remainder = -(-remainder // factor)
    return _GivenRuby(factors, residuals, remainder)


def _candidates(remainder: int, limits: list[int]) -> list[int]:
    """Step 2: the candidate factors, ascending."""
    small = np.arange(1, remainder + 1)
    found = set(small[remainder % small == 0].tolist())
    for q in range(1, max(limits, default=0) + 1):
        goal = q * remainder * -(-remainder // q)
        divisors = small[goal % small == 0]
        partners = goal // divisors
        found.update(divisors[divisors < remainder].tolist())
        found.update(partners[(partners != divisors) & (partners < remainder)].tolist())
    return sorted(found)


def enumerate_tuples(
    bound: int,
    tiling_levels: int,
    fixed: Mapping[int, int],
    remainders: Mapping[int, int],
    maximum: Mapping[int, int],
    minimum: Mapping[int, int],
) -> FactorList:
    """All tuples of one dimension in Timeloop's order, duplicates included. Maps are keyed by tiling level.

    Raises ``UnsupportedFeatureError`` where a list has more than 8 million entries.
    """
    given = _take_given_ruby(bound, fixed)
    bounded = sorted(level for level in remainders if level not in fixed)
    # Timeloop's quirk: the bounds are listed outside-in, but handed out inside-out.
    limits = dict(zip(bounded, [remainders[level] for level in reversed(bounded)]))
    pool = _candidates(given.remainder, list(limits.values()))
    free = [level for level in range(tiling_levels) if level not in fixed]
    if not free:
        return _all_fixed(given, tiling_levels, maximum, minimum)
    # Indexed by tiling level: the fixed factor or 0, its residual, and the bound on a free residual or 0.
    fixed_factor = np.array([given.factors.get(t, 0) for t in range(tiling_levels)], np.int64)
    fixed_residual = np.array([given.residuals.get(t, 0) for t in range(tiling_levels)], np.int64)
    limit = np.array([max(limits[t], 1) if t in limits else 0 for t in range(tiling_levels)], np.int64)
    threshold = math.floor(math.sqrt(bound) + 1.5)
    parts = [
        _walk(
            bound, given.remainder, np.array(pool, np.int64), threshold, large, len(free),
            fixed_factor, fixed_residual, limit, LONGEST_WRITTEN,
        )
        for large in range(len(free))
    ]  # fmt: skip
    rows = np.concatenate(parts)
    if len(rows) >= LONGEST_WRITTEN:
        raise UnsupportedFeatureError(
            f"template ruby has more than {LONGEST_WRITTEN} factorisations of bound {bound}",
            remedy="fix some factors or lower the remainders",
        )
    return _limited(rows[:, 0], rows[:, 1], maximum, minimum)


def _all_fixed(
    given: _GivenRuby, tiling_levels: int, maximum: Mapping[int, int], minimum: Mapping[int, int]
) -> FactorList:
    count = int(given.remainder == 1)
    factors = np.array([[given.factors[t] for t in range(tiling_levels)]] * count, np.int64)
    residuals = np.array([[given.residuals[t] for t in range(tiling_levels)]] * count, np.int64)
    shape = (count, tiling_levels)
    return _limited(factors.reshape(shape), residuals.reshape(shape), maximum, minimum)


def _limited(
    factors: Int64[ndarray, "L T"],
    residuals: Int64[ndarray, "L T"],
    maximum: Mapping[int, int],
    minimum: Mapping[int, int],
) -> FactorList:
    """Step 7: limits apply to factor and residual."""
    good = np.ones(len(factors), np.bool_)
    for level in set(maximum) | set(minimum):
        for column in (factors[:, level], residuals[:, level]):
            good &= np.array([within(int(value), level, maximum, minimum) for value in column], np.bool_)
    return FactorList(factors[good], residuals[good])


@allocating
def _walk(
    bound: int,
    remainder: int,
    pool: Int64[ndarray, "A"],
    threshold: int,
    large: int,
    free_levels: int,
    fixed_factor: Int64[ndarray, "T"],
    fixed_residual: Int64[ndarray, "T"],
    limit: Int64[ndarray, "T"],
    most: int,
) -> Int64[ndarray, "L 2 T"]:
    """Steps 3 to 6 for one ``rec``: depth first, inside-out; free level ``large`` takes the large factors."""
    levels = fixed_factor.shape[0]
    rows = np.empty((64, 2, levels), np.int64)
    count = 0
    choice = np.full(levels, -1, np.int64)
    left = np.empty(
        levels + 1, np.int64
    )  # last position still to be covered by this level and those outside it
    spread = np.ones(levels + 1, np.int64)  # product of (factor - 1) over the factors chosen so far
    residual_sum = np.zeros(levels + 1, np.int64)
    factor = np.ones(levels, np.int64)
    residual = np.ones(levels, np.int64)
    free_index = np.cumsum((fixed_factor == 0).astype(np.int64)) - 1
    left[0] = bound - 1
    t = 0
    while t >= 0:
        if t == levels:
            if left[t] == 0 and residual_sum[t] <= remainder + free_levels:
                if count == rows.shape[0]:
                    grown = np.empty((2 * count, 2, levels), np.int64)
                    grown[:count] = rows
                    rows = grown
                rows[count, 0] = factor
                rows[count, 1] = residual
                count += 1
                if count >= most:
                    break
            t -= 1
            continue
        choice[t] += 1
        fixed = fixed_factor[t] > 0
        if choice[t] >= (1 if fixed else pool.shape[0]):
            choice[t] = -1
            t -= 1
            continue
        f = fixed_factor[t] if fixed else pool[choice[t]]
        if not fixed:
            if free_index[t] == large:
                if large > 0 and f < threshold:
                    continue
            elif f > threshold:
                continue
            spread[t + 1] = spread[t] * (f - 1) if f != 1 else spread[t]
            if spread[t + 1] > remainder:
                continue
        else:
            spread[t + 1] = spread[t]
        r = left[t] % f + 1
        residual_sum[t + 1] = residual_sum[t]
        if fixed:
            if r != fixed_residual[t]:
                continue
        elif limit[t] > 0:
            if f > limit[t] or r > limit[t]:
                continue
            residual_sum[t + 1] += r
        elif r != f:
            continue
        # Nothing outside this level moves: a residual smaller than the factor would have no full iteration.
        if left[t] // f == 0 and r != f:
            continue
        left[t + 1] = left[t] // f
        factor[t] = f
        residual[t] = r
        t += 1
    return rows[:count]


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

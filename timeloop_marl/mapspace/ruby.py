"""Index factorisation of template ``ruby``: factor and residual tuples (mapspace section 1.5).

Timeloop enumerates a huge cartesian product and keeps what fits. Here the same lists are walked depth first in the
same order: walking a dimension inside-out, the residual of a level follows from its factor (``position mod factor``),
so a branch ends at the first level that cannot fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..compiling import allocating
from ..errors import UnsupportedFeatureError
from .factorization import within

LARGEST_LIST = 8_000_000


@dataclass(frozen=True)
class GivenRuby:
    """Fixed factors and residuals by tiling level, and what is left of the bound."""

    factors: dict[int, int]
    residuals: dict[int, int]
    remainder: int


@dataclass(frozen=True)
class FactorList:
    """One dimension's tuples, written out: ``factors`` and ``residuals`` over T tiling levels, innermost first."""

    factors: Int64[ndarray, "L T"]
    residuals: Int64[ndarray, "L T"]


def take_given(bound: int, fixed: Mapping[int, int]) -> GivenRuby:
    """Step 1: divide the bound by the fixed factors, keeping what does not divide as residual."""
    factors: dict[int, int] = {}
    residuals: dict[int, int] = {}
    remainder = bound
    for level in sorted(fixed):
        factor = min(fixed[level], remainder)
        factors[level] = factor
        residuals[level] = remainder % factor or factor
        remainder = -(-remainder // factor)
    return GivenRuby(factors, residuals, remainder)


def candidates(remainder: int, limits: list[int]) -> list[int]:
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
    given = take_given(bound, fixed)
    bounded = sorted(level for level in remainders if level not in fixed)
    # Timeloop's quirk: the bounds are listed outside-in, but handed out inside-out.
    limits = dict(zip(bounded, [remainders[level] for level in reversed(bounded)]))
    pool = candidates(given.remainder, list(limits.values()))
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
            fixed_factor, fixed_residual, limit, LARGEST_LIST,
        )
        for large in range(len(free))
    ]  # fmt: skip
    rows = np.concatenate(parts)
    if len(rows) >= LARGEST_LIST:
        raise UnsupportedFeatureError(
            f"template ruby has more than {LARGEST_LIST} factorisations of bound {bound}",
            remedy="fix some factors or lower the remainders",
        )
    return _limited(rows[:, 0], rows[:, 1], maximum, minimum)


def _all_fixed(
    given: GivenRuby, tiling_levels: int, maximum: Mapping[int, int], minimum: Mapping[int, int]
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

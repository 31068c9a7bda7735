"""Index factorisation of template ``uber``: the ordered factor tuples of each dimension (mapspace section 1.1).

The lists can have millions of entries, so none is built: counts of partial tuples turn an index into its tuple and
back. Limits act on single factors, so they only lower the counts and the order of what remains is Timeloop's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..errors import UnsupportedFeatureError
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


def tuple_of(counts: FactorCounts, index: int, tiling_levels: int) -> list[int]:
    """The factor tuple at ``index``, innermost first."""
    factors = [1] * tiling_levels
    for level, factor in counts.given.factors.items():
        factors[level] = factor
    m = counts.start
    for k in range(len(counts.free) - 1, -1, -1):
        row = counts.cumulative[k, m]
        j = int(np.searchsorted(row, index, side="right")) - 1
        index -= int(row[j])
        factors[counts.free[k]] = int(counts.divisors[j])
        m = int(counts.quotient[m, j])
    return factors


def index_of(counts: FactorCounts, factors: list[int]) -> int | None:
    """The index of a factor tuple; ``None`` if it is not in the list."""
    if any(factors[level] != factor for level, factor in counts.given.factors.items()):
        return None
    position = {int(divisor): j for j, divisor in enumerate(counts.divisors)}
    index, m = 0, counts.start
    for k in range(len(counts.free) - 1, -1, -1):
        j = position.get(factors[counts.free[k]], -1)
        row = counts.cumulative[k, m]
        if j < 0 or row[j + 1] == row[j]:
            return None
        index += int(row[j])
        m = int(counts.quotient[m, j])
    return index if m == 0 and counts.size else None


def loops_of(bound: int, factors: list[int]) -> tuple[list[int], list[int]]:
    """Bounds and residuals of the loops of one dimension from its factor tuple (mapspace section 1.1)."""
    bounds, residuals, remainder = [], [], bound
    for factor in factors:
        loop = min(factor, remainder)
        left_over = remainder % loop
        bounds.append(loop)
        residuals.append(left_over or loop)
        remainder = -(-remainder // loop)
    return bounds, residuals

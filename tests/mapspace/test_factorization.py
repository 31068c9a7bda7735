"""Factor lists of template uber, against a literal enumeration of mapspace section 1.1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloop_marl.errors import UnsupportedFeatureError
from timeloop_marl.mapspace.factorization import (
    FactorCounts,
    count_tuples,
    factor_tables_uber,
    timeloop_divisors,
)
from timeloop_marl.mapspace.kernels import unpack_dim

Limits = dict[int, int]
Tuple = list[int]


def unpacked(bound: int, counts: FactorCounts, levels: int) -> Callable[[int], tuple[Tuple, Tuple, Tuple]]:
    """An index to the factors as listed, to the loop bounds and to the residuals."""
    tables = factor_tables_uber((bound,), [counts], levels)

    def one(index: int) -> tuple[Tuple, Tuple, Tuple]:
        raw, bounds, residuals = (np.ones((levels, 1), np.int64) for _ in range(3))
        unpack_dim(tables, 0, index, raw, bounds, residuals)
        return raw[:, 0].tolist(), bounds[:, 0].tolist(), residuals[:, 0].tolist()

    return one


def literal(bound: int, levels: int, fixed: Limits, maximum: Limits, minimum: Limits) -> list[list[int]]:
    """The list as the specification words it: recursion over all divisors of the remainder, then filters."""
    rest = bound
    for level in sorted(fixed):
        rest = -(-rest // fixed[level])
    divisors = timeloop_divisors(rest)

    def split(m: int, k: int) -> list[list[int]]:
        if k == 0:
            return [[]] if m == 1 else []
        if k == 1:
            return [[m]]
        return [[*inner, f] for f in divisors if m % f == 0 for inner in split(m // f, k - 1)]

    found = []
    for factors in split(rest, levels - len(fixed)):
        for level in sorted(fixed):
            factors.insert(level, fixed[level])
        if all(factors[t] <= most for t, most in maximum.items()) and all(
            factors[t] >= least for t, least in minimum.items()
        ):
            found.append(factors)
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, Limits, Limits, Limits]:
    bound, levels = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    level = st.integers(0, levels - 1)
    factor = st.integers(1, bound)
    fixed = draw(st.dictionaries(level, factor, max_size=2))
    maximum = draw(st.dictionaries(level, factor, max_size=2))
    minimum = draw(st.dictionaries(level, st.integers(1, 4), max_size=2))
    return bound, levels, fixed, maximum, minimum


def test_divisor_order() -> None:
    assert timeloop_divisors(12) == [1, 12, 2, 6, 3, 4]
    assert timeloop_divisors(16) == [1, 16, 2, 8, 4]


@given(cases())
def test_counts_and_order_equal_the_literal_list(case: tuple[int, int, Limits, Limits, Limits]) -> None:
    bound, levels, fixed, maximum, minimum = case
    counts = count_tuples(bound, levels, fixed, maximum, minimum)
    expected = literal(bound, levels, fixed, maximum, minimum)
    assert counts.size == len(expected)
    listed = unpacked(bound, counts, levels)
    assert [listed(index)[0] for index in range(counts.size)] == expected


@given(cases())
def test_loops_cover_the_bound_exactly(case: tuple[int, int, Limits, Limits, Limits]) -> None:
    bound, levels, fixed, _, _ = case
    counts = count_tuples(bound, levels, fixed, {}, {})
    listed = unpacked(bound, counts, levels)
    for index in range(counts.size):
        _, bounds, residuals = listed(index)
        last = 0
        for n, r in zip(reversed(bounds), reversed(residuals)):
            last = last * n + r - 1
        assert last == bound - 1


def test_long_lists_stay_compact() -> None:
    counts = count_tuples(2**10 * 3, 10, {}, {}, {})
    assert counts.size == 92378 * 10
    assert counts.cumulative.nbytes < 100_000
    listed = unpacked(2**10 * 3, counts, 10)
    assert np.prod(listed(654_321)[0]) == 2**10 * 3
    assert listed(654_321)[0] != listed(654_320)[0]


def test_lists_beyond_62_bits_are_refused() -> None:
    with pytest.raises(UnsupportedFeatureError, match="2\\^62"):
        count_tuples(2**60, 40, {}, {}, {})

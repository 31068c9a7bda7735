"""Factor lists of template ruby, against a literal enumeration of mapspace section 1.5."""

from __future__ import annotations

import math
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.mapspace.factorization import enumerate_tuples

Tuples = list[tuple[tuple[int, ...], tuple[int, ...]]]


def literal(bound: int, levels: int, fixed: dict[int, int], remainders: dict[int, int]) -> Tuples:
    """Steps 1 to 6 in the words of the specification: whole cartesian products, then filters."""
    rest, given_factor, given_residual = bound, {}, {}
    for level in sorted(fixed):
        f = min(fixed[level], rest)
        given_factor[level], given_residual[level] = f, rest % f or f
        rest = -(-rest // f)
    bounded = [level for level in sorted(remainders) if level not in fixed]
    bounds = [remainders[level] for level in reversed(bounded)]
    pool = {i for i in range(1, rest + 1) if rest % i == 0}
    for b in bounds:
        for q in range(1, b + 1):
            g = q * rest * -(-rest // q)
            for i in (i for i in range(1, rest + 1) if g % i == 0):
                pool |= {i} if i < rest else set()
                pool |= {g // i} if i * i != g and g // i < rest else set()
    candidates = sorted(pool)
    o = levels - len(fixed)
    threshold = math.floor(math.sqrt(bound) + 1.5)
    tuples: list[tuple[int, ...]] = []
    for rec in range(o):
        lists = []
        for i in range(o):
            if i == 0:
                lists.append([f for f in candidates if rec == 0 or f >= threshold])
            else:
                lists.append([f for f in candidates if f <= threshold])
        lists[0], lists[rec] = lists[rec], lists[0]
        tuples += list(product(*lists))
    tuples = [t for t in tuples if math.prod(p - 1 for p in t if p != 1) <= rest]
    choices = [r for r in product(*(range(1, max(b, 1) + 1) for b in bounds)) if sum(r) <= rest + o]
    found: Tuples = []
    for chosen in tuples:
        factors = list(chosen)
        for level in sorted(given_factor):
            factors.insert(level, given_factor[level])
        for residual_choice in choices:
            left = list(zip(residual_choice, bounds))
            residuals, ok = [], True
            for level, f in enumerate(factors):
                if level in given_residual:
                    residuals.append(given_residual[level])
                elif level in bounded:
                    r, b = left.pop(0)
                    ok = ok and f <= b
                    residuals.append(r)
                else:
                    residuals.append(f)
            a = 0
            for f, r in zip(reversed(factors), reversed(residuals)):
                ok = ok and r <= f and (a > 0 or r == f)
                a = f * a + r - 1
            if ok and a == bound - 1:
                found.append((tuple(factors), tuple(residuals)))
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, dict[int, int], dict[int, int]]:
    levels = draw(st.integers(1, 3))
    level = st.integers(0, levels - 1)
    fixed = draw(st.dictionaries(level, st.integers(1, 5), max_size=levels - 1))
    remainders = draw(st.dictionaries(level, st.integers(1, 4), max_size=2))
    return draw(st.integers(1, 13)), levels, fixed, remainders


@settings(deadline=None)
@given(cases())
def test_same_tuples_in_the_same_order(case: tuple[int, int, dict[int, int], dict[int, int]]) -> None:
    bound, levels, fixed, remainders = case
    entry = enumerate_tuples(bound, levels, fixed, remainders, {}, {})
    got = [(tuple(f), tuple(r)) for f, r in zip(entry.factors.tolist(), entry.residuals.tolist())]
    assert got == literal(bound, levels, fixed, remainders)


def test_limits_apply_to_factor_and_residual() -> None:
    free = enumerate_tuples(5, 3, {}, {1: 4}, {}, {})
    limited = enumerate_tuples(5, 3, {}, {1: 4}, {}, {1: 2})
    keep = (free.factors[:, 1] >= 2) & (free.residuals[:, 1] >= 2)
    assert 0 < len(limited.factors) == keep.sum() < len(free.factors)


def test_a_fully_fixed_dimension_has_one_tuple_or_none() -> None:
    assert len(enumerate_tuples(6, 2, {0: 2, 1: 3}, {}, {}, {}).factors) == 1
    assert len(enumerate_tuples(6, 2, {0: 2, 1: 2}, {}, {}, {}).factors) == 0

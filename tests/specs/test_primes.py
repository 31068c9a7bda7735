"""Prime factors and divisors against their definitions."""

import math

from hypothesis import given
from hypothesis import strategies as st

from timeloop_marl.specs.primes import divisors, prime_factors


@given(st.integers(1, 5000))
def test_divisors_are_all_divisors(number: int) -> None:
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]


@given(st.integers(1, 10**9))
def test_prime_factors_multiply_to_the_number(number: int) -> None:
    factors = prime_factors(number)
    assert math.prod(factors) == number
    assert factors == sorted(factors)
    assert all(prime_factors(prime) == [prime] for prime in set(factors))


def test_large_powers_are_quick() -> None:
    assert divisors(2**60) == [2**k for k in range(61)]


def test_large_primes_and_products_of_them() -> None:
    assert prime_factors(9_223_372_036_854_775_783) == [9_223_372_036_854_775_783]
    assert prime_factors(3_037_000_493 * 3_037_000_453) == [3_037_000_453, 3_037_000_493]
    assert prime_factors(65_537**2 * 6) == [2, 3, 65_537, 65_537]

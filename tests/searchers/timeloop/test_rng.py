"""Timeloop's random numbers: the engine, and its uniform integers of every size against a literal version."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.searchers.timeloop.rng import Uniform, multiply_add, new_engine, take_digit, uniform_pair

R = 2147483645


class Literal:
    """Mapspace section 4, word by word."""

    def __init__(self) -> None:
        self.x = 1

    def draw(self) -> int:
        self.x = 16807 * self.x % 2147483647
        return self.x - 1

    def uniform(self, u: int) -> int:
        if u == R:
            return self.draw()
        if u < R:
            c = R // (u + 1)
            while (g := self.draw()) >= (u + 1) * c:
                pass
            return g // c
        while True:
            base = self.uniform(u // (R + 1)) * (R + 1)
            value = (base + self.draw()) % 2**64
            if value <= u and value >= base:
                return value

    def below(self, size: int) -> int:
        if size <= 2**64:
            return self.uniform(size - 1)
        low = self.uniform(2**64 - 1)
        high = (size // (2**64 - 1) - 1) % 2**64  # a 64-bit number, which wraps for the size 2^128 - 1
        return low + self.uniform(high) * (2**64 - 1)


def numbers(size: int, count: int) -> list[int]:
    engine, limits, pair = new_engine(), Uniform.below(size).limits, np.zeros(2, np.uint64)
    found = []
    for _ in range(count):
        uniform_pair(engine, limits, pair)
        found.append((int(pair[0]) << 64) + int(pair[1]))
    return found


def test_the_ten_thousandth_draw_is_that_of_the_standard() -> None:
    literal = Literal()
    for _ in range(10_000):
        literal.draw()
    assert literal.x == 1043618065  # ISO C++, minstd_rand0


SIZES = st.one_of(
    st.integers(1, 100),
    st.sampled_from(
        [R - 1, R, R + 1, R + 2, 2 * (R + 1), (R + 1) ** 2, 2**62, 2**64 - 1, 2**64, 2**64 + 1, 2**127]
    ),
    st.integers(1, 2**128 - 1),
    st.integers(0, 127).map(lambda bits: 2**bits),
)


@settings(deadline=None)
@given(SIZES)
def test_uniform_integers_of_any_size(size: int) -> None:
    literal = Literal()
    drawn = numbers(size, 20)
    assert drawn == [literal.below(size) for _ in range(20)]
    assert all(0 <= value <= size for value in drawn)


@given(st.integers(0, 2**128 - 1), st.lists(st.integers(1, 2**62), min_size=1, max_size=6))
def test_digits_of_128_bit_numbers(number: int, radices: list[int]) -> None:
    pair = np.array([number >> 64, number & (2**64 - 1)], np.uint64)
    for radix in radices:
        assert take_digit(pair, radix) == number % radix
        number //= radix


@given(st.integers(0, 2**128 - 1), st.integers(1, 2**16), st.integers(0, 2**16))
def test_thread_ids_of_128_bit_numbers(number: int, factor: int, addend: int) -> None:
    pair = np.array([number >> 64, number & (2**64 - 1)], np.uint64)
    multiply_add(pair, factor, addend)
    assert (int(pair[0]) << 64) + int(pair[1]) == (number * factor + addend) % 2**128

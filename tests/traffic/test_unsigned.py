"""Conversions between doubles and unsigned counts as the real program's processor makes them."""

from __future__ import annotations

import pytest

from timeloop_marl.cost.pricing import divided, from_unsigned, to_unsigned
from timeloop_marl.kernels.compiling import plain

CASES = [
    (0.0, 0),
    (12.9, 12),
    (-1.0, 2**64 - 1),
    (-5.7, 2**64 - 5),
    (2.0**63, 2**63),
    (2.0**64 - 4096.0, 2**64 - 4096),
    (2.0**64, 0),  # from here on the conversion overflows
    (1e30, 0),
    (-(2.0**63), 2**63),
    (-1e30, 2**63),
]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("value", "count"), CASES)
def test_double_to_unsigned(value, count, compiled):
    convert = to_unsigned if compiled else plain(to_unsigned)
    assert convert(value) % 2**64 == count


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "count", [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 1025, 2**64 - 5, 2**63 + 1025]
)
def test_unsigned_to_double(count, compiled):
    convert = from_unsigned if compiled else plain(from_unsigned)
    bits = count - 2**64 if count >= 2**63 else count
    assert convert(bits) == float(count)


def test_a_wrapped_count_loses_its_low_bits_with_the_next_entry():
    """-5 additions, then 3 more: 2^64 - 5 as a double is 2^64, and 2^64 + 3 converts to 0."""
    assert to_unsigned(from_unsigned(to_unsigned(-5.0)) + 3.0) == 0


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("count", "block"), [(0, 4), (7, 4), (8, 4), (2**64 - 14, 1), (2**64 - 14, 4), (2**64 - 1, 3)]
)
def test_blocks_of_an_unsigned_count(count, block, compiled):
    divide = divided if compiled else plain(divided)
    bits = count - 2**64 if count >= 2**63 else count
    assert divide(bits, block) == float(-(-count // block))

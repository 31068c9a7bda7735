"""Numbers of 80 bits as x87 has them, by integers: 64 bits of mantissa, round half to even after each operation.

The real program computes probabilities in them, and some of its results are whole numbers only up to the last bit. Not
every platform's long double is this one, so the arithmetic is written out. A value is ``mantissa * 2**exponent`` with
2^63 <= mantissa < 2^64, or mantissa 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import total_ordering

DIGITS = 64
_PRECISION = Context(prec=60, Emin=-999999, Emax=999999)
SMALLEST = -16382
"""Exponent of two of the smallest normal number."""


@total_ordering
@dataclass(frozen=True)
class Extended:
    """One number. Operators round as the processor does; exponents are not limited."""

    mantissa: int
    exponent: int

    @classmethod
    def rounded(cls, mantissa: int, exponent: int, more: bool = False) -> Extended:
        """``mantissa * 2**exponent``, and a little ``more`` than that, rounded to 64 bits."""
        sign, size = (-1, -mantissa) if mantissa < 0 else (1, mantissa)
        excess = size.bit_length() - DIGITS
        if size == 0:
            return cls(0, 0)
        if excess <= 0:
            return cls(sign * (size << -excess), exponent + excess)
        whole, rest, half = size >> excess, size & ((1 << excess) - 1), 1 << (excess - 1)
        if rest > half or (rest == half and (more or whole & 1)):
            whole += 1
        if whole.bit_length() > DIGITS:
            whole, excess = whole >> 1, excess + 1
        return cls(sign * whole, exponent + excess)

    @classmethod
    def of(cls, value: float) -> Extended:
        """The double, exactly; or the integer, rounded."""
        top, bottom = value.as_integer_ratio()
        return cls.rounded(top, 1 - bottom.bit_length())

    @classmethod
    def decimal(cls, value: Decimal) -> Extended:
        """The decimal number, rounded."""
        top, bottom = value.as_integer_ratio()
        return cls.ratio(top, bottom)

    @classmethod
    def ratio(cls, top: int, bottom: int) -> Extended:
        """The quotient of two integers, rounded."""
        shift = max(0, 2 * DIGITS + bottom.bit_length() - top.bit_length())
        quotient, rest = divmod(abs(top) << shift, bottom)
        found = cls.rounded(quotient, -shift, rest != 0)
        return cls(-found.mantissa, found.exponent) if top < 0 else found

    def __mul__(self, other: Extended) -> Extended:
        return Extended.rounded(self.mantissa * other.mantissa, self.exponent + other.exponent)

    def __truediv__(self, other: Extended) -> Extended:
        found = Extended.ratio(self.mantissa, other.mantissa)
        return Extended(found.mantissa, found.exponent + self.exponent - other.exponent)

    def __add__(self, other: Extended) -> Extended:
        low = min(self.exponent, other.exponent)
        if self.mantissa == 0 or other.mantissa == 0:
            return other if self.mantissa == 0 else self
        if max(self.exponent, other.exponent) - low > 4 * DIGITS:
            return self if self.exponent > other.exponent else other
        return Extended.rounded(
            (self.mantissa << (self.exponent - low)) + (other.mantissa << (other.exponent - low)), low
        )

    def __sub__(self, other: Extended) -> Extended:
        return self + Extended(-other.mantissa, other.exponent)

    def __lt__(self, other: Extended) -> bool:
        return (self - other).mantissa < 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extended) and (self - other).mantissa == 0

    def __hash__(self) -> int:
        return hash((self.mantissa, self.exponent))

    def __float__(self) -> float:
        return to_double(self.mantissa, self.exponent)

    @property
    def subnormal(self) -> bool:
        """Whether it lies below the smallest normal number."""
        return self.mantissa == 0 or self.exponent + DIGITS - 1 < SMALLEST

    def as_decimal(self) -> Decimal:
        """The number with 60 digits."""
        return _PRECISION.multiply(
            Decimal(self.mantissa), _PRECISION.power(Decimal(2), Decimal(self.exponent))
        )


def exponential(value: Extended) -> Extended:
    """The exponential function, rounded correctly."""
    return Extended.decimal(_PRECISION.exp(value.as_decimal()))


def power(base: Extended, exponent: Extended) -> Extended:
    """``base ** exponent`` of positive numbers, rounded correctly."""
    logarithm = _PRECISION.multiply(exponent.as_decimal(), _PRECISION.ln(base.as_decimal()))
    return Extended.decimal(_PRECISION.exp(logarithm))


def root(value: Extended) -> Extended:
    """The square root, rounded correctly."""
    return Extended.decimal(_PRECISION.sqrt(value.as_decimal()))


def to_double(mantissa: int, exponent: int) -> float:
    """``mantissa * 2**exponent`` as the nearest double, ties to even, subnormal ones included."""
    excess = max(0, -1074 - exponent, mantissa.bit_length() - 53)
    if excess > 2 * DIGITS:
        return 0.0
    whole, rest = mantissa >> excess, mantissa & ((1 << excess) - 1)
    half = (1 << excess) >> 1
    if excess and (rest > half or (rest == half and whole & 1)):
        whole += 1
    return math.ldexp(whole, exponent + excess)

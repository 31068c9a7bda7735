"""Timeloop's random numbers: a minimal-standard engine and uniform integers of any size (mapspace section 4).

Values of up to 128 bits are pairs of 64-bit words (high, low).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt64
from numpy import ndarray

from ...kernels.compiling import inlined, kernel

MODULUS = 2147483647
RANGE = np.uint64(2147483645)  # largest draw, counted from 0
WORD = 2**64 - 1


@dataclass(frozen=True)
class Uniform:
    """Uniform integers below ``size`` as the kernels take them: ``[two words?, largest low, largest high]``."""

    limits: UInt64[ndarray, "3"]

    @classmethod
    def below(cls, size: int) -> Uniform:
        """The distribution over 0..size-1; sizes above 2^64 take a second draw for the high part."""
        if size > WORD + 1:
            return cls(np.array([1, WORD, (size // WORD - 1) & WORD], np.uint64))
        return cls(np.array([0, max(size, 1) - 1, 0], np.uint64))


def new_engine() -> Int64[ndarray, "1"]:
    """An engine in its default state."""
    return np.ones(1, np.int64)


@inlined
def next_draw(engine: Int64[ndarray, "1"]) -> np.uint64:
    """The next draw, 0..RANGE."""
    engine[0] = (engine[0] * 16807) % 2147483647
    return np.uint64(engine[0] - 1)


def uniform_fraction(engine: Int64[ndarray, "1"]) -> float:
    """A uniform double in [0, 1) of 53 random bits, made of two draws, the first one the less significant."""
    span = float(MODULUS - 1)
    low, high = float(next_draw(engine)), float(next_draw(engine))
    return (low + high * span) / (span * span)


@inlined
def _narrow(engine: Int64[ndarray, "1"], largest: np.uint64) -> np.uint64:
    """Uniform over 0..largest for largest <= RANGE."""
    if largest == RANGE:
        return next_draw(engine)
    scale = RANGE // (largest + np.uint64(1))
    past = (largest + np.uint64(1)) * scale
    draw = next_draw(engine)
    while draw >= past:
        draw = next_draw(engine)
    return draw // scale


@kernel
def _wide(engine: Int64[ndarray, "1"], largest: np.uint64) -> np.uint64:
    """Uniform over 0..largest for RANGE < largest < 2^62."""
    step = RANGE + np.uint64(1)
    while True:
        base = step * _narrow(engine, largest // step)
        value = base + next_draw(engine)
        if value <= largest and value >= base:
            return value


@kernel
def uniform_word(engine: Int64[ndarray, "1"], largest: np.uint64) -> np.uint64:
    """Uniform over 0..largest for any 64-bit number."""
    if largest <= RANGE:
        return _narrow(engine, largest)
    step = RANGE + np.uint64(1)
    if largest // step <= RANGE:
        return _wide(engine, largest)
    while True:
        base = step * _wide(engine, largest // step)
        value = base + next_draw(engine)
        if value <= largest and value >= base:
            return value


@kernel
def uniform_pair(
    engine: Int64[ndarray, "1"], limits: UInt64[ndarray, "3"], pair: UInt64[ndarray, "2"]
) -> None:
    """A uniform number as (high, low) words: low + high * (2^64 - 1)."""
    low = uniform_word(engine, limits[1])
    high = np.uint64(0)
    if limits[0] != np.uint64(0):
        factor = uniform_word(engine, limits[2])
        high = factor
        if factor > low:
            high -= np.uint64(1)
        low = low - factor
    pair[0] = high
    pair[1] = low


@inlined
def multiply_add(pair: UInt64[ndarray, "2"], factor: int, addend: int) -> None:
    """pair * factor + addend, modulo 2^128; both below 2^31."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    f = np.uint64(factor)
    carry = np.uint64(addend)
    lower = (pair[1] & mask) * f + carry
    upper = (pair[1] >> shift) * f + (lower >> shift)
    pair[0] = pair[0] * f + (upper >> shift)
    pair[1] = (upper << shift) | (lower & mask)


@inlined
def take_digit(pair: UInt64[ndarray, "2"], radix: int) -> int:
    """The remainder of the pair by ``radix`` (below 2^63); the pair becomes the quotient."""
    r = np.uint64(radix)
    if pair[0] == np.uint64(0):
        digit = pair[1] % r
        pair[1] = pair[1] // r
        return int(digit)
    left = pair[0] % r
    quotient = np.uint64(0)
    for bit in range(63, -1, -1):
        left = (left << np.uint64(1)) | ((pair[1] >> np.uint64(bit)) & np.uint64(1))
        if left >= r:
            left -= r
            quotient |= np.uint64(1) << np.uint64(bit)
    pair[0] = pair[0] // r
    pair[1] = quotient
    return int(left)

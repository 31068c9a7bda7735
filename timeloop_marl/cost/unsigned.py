"""Unsigned 64-bit counts of the real program, held in the bits of signed ones: what would be negative wraps."""

from __future__ import annotations

import numpy as np

from ..compiling import kernel

TWO_63 = 9223372036854775808.0
LOWEST, HIGHEST = -(2**63), 2**63 - 1


@kernel
def to_unsigned(value: float) -> int:
    """A double as 64-bit unsigned count the way x86-64 converts it, in the bits of a signed one.

    Negative values wrap; what does not fit becomes the indefinite integer of the processor, from 2^64 on then 0.
    """
    if value < TWO_63:
        return int(value) if value >= -TWO_63 else LOWEST
    rest = value - TWO_63
    return (int(rest) if rest < TWO_63 else LOWEST) ^ LOWEST


@kernel
def from_unsigned(bits: int) -> float:
    """The count that these bits mean when they are read as unsigned, rounded once."""
    if bits >= 0:
        return float(bits)
    return 2.0 * float(((bits >> 1) & HIGHEST) | (bits & 1))


@kernel
def divided(bits: int, block: int) -> float:
    """The count divided by ``block``, rounded up."""
    if bits >= 0:
        whole = bits // block
        return float(whole if bits == whole * block else whole + 1)
    count = np.uint64(np.int64(bits))
    blocks = count // np.uint64(block)
    more = 1.0 if count % np.uint64(block) != np.uint64(0) else 0.0
    return float(blocks) + more

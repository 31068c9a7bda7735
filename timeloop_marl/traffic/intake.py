"""Whether the arrays of a batch may be handed to kernels, which check no index and no product."""

from __future__ import annotations

from jaxtyping import Int64, UInt8
from numpy import ndarray

from ..compiling import kernel

SOUND, BOUND, DIM = 0, 1, 2
"""Answers of ``find_fault``."""


@kernel
def find_fault(
    factors: Int64[ndarray, "n"], residuals: Int64[ndarray, "n"], order: UInt8[ndarray, "n"], dims: int
) -> int:
    """``BOUND`` if a factor or residual is below 1, ``DIM`` if an order names a dim that there is not.

    ``order`` are signed numbers read as unsigned, so that negative ones are large.
    """
    signs = 0
    for k in range(factors.shape[0]):
        signs |= factors[k] | (factors[k] - 1) | residuals[k] | (residuals[k] - 1)
    if signs < 0:
        return BOUND
    largest = order[0] if order.shape[0] > 0 else 0
    for k in range(order.shape[0]):
        largest = max(largest, order[k])
    return DIM if largest >= dims else SOUND

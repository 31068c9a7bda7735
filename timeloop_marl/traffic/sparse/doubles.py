"""Doubles as the real program's processor divides, rounds and converts them."""

from __future__ import annotations

import math

MODULO = 2**64
INDEFINITE = 2**63


def unsigned(value: float) -> int:
    """A double as the real program converts it to an unsigned integer of 64 bits."""
    if math.isnan(value):
        return INDEFINITE
    if math.isinf(value):
        return 0 if value > 0 else INDEFINITE
    whole = int(value)
    if whole >= MODULO:
        return 0
    return whole % MODULO if whole >= -INDEFINITE else INDEFINITE


def quotient(a: float, b: float) -> float:
    """``a / b`` as a processor divides."""
    if b != 0.0:
        return a / b
    return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a)


def rounded_up(value: float) -> float:
    """The ceiling; what is not finite stays as it is."""
    return float(math.ceil(value)) if math.isfinite(value) else value

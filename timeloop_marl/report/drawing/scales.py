"""Axes of plots: from figures to px, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Maps ``low`` … ``high`` to ``start`` … ``end`` px, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Place of a value, clipped to the axis."""
        inside = min(max(value, self.low), self.high)
        share = (self._of(inside) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))
        return self.start + share * (self.end - self.start)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, most: int = 6) -> list[float]:
        """Round values on the axis, at most about ``most``."""
        found = (
            _log_ticks(self.low, self.high, most) if self.log else _linear_ticks(self.low, self.high, most)
        )
        return [value for value in found if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]


def spanning(values: Iterable[float], start: float, end: float, *, log: bool, margin: float = 0.06) -> Scale:
    """A scale over all finite values (positive ones if ``log``), with a margin; a single value gets room around it."""
    kept = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = (min(kept), max(kept)) if kept else (1.0, 10.0)
    if log:
        if high / low < 1.02:
            low, high = low / 1.3, high * 1.3
        factor = (high / low) ** margin
        return Scale(low / factor, high * factor, start, end, log=True)
    if high - low <= 1e-12 * max(abs(high), 1.0):
        low, high = low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0)
    room = margin * (high - low)
    return Scale(low - room, high + room, start, end)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in _STEPS if s * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, every other one if there are too many, with 2 and 5 or all digits between if too few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first) / most))
    for digits in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        found = [d * 10.0**k for k in range(first, last + 1) if k % stride == 0 for d in digits]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= 3:
            return inside if len(inside) <= 2 * most else inside[:: math.ceil(len(inside) / most)]
    return _linear_ticks(low, high, min(most, 5))

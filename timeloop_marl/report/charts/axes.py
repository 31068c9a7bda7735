"""What plots share: scales with their ticks, frames, legends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..drawing.shapes import Drawing, Line, Marker, Rect, Text, text_width, wrapped

_TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


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
    step = next(s * power for s in _TICK_STEPS if s * power >= raw * (1 - 1e-9))
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


SMALL, BODY = 11.0, 12.0  # px
_SWATCH = 11.0
_GAP = 16.0


def draw_swatches(
    drawing: Drawing, entries: Iterable[tuple[str, str, int]], y: float, left: float = 0.0
) -> float:
    """A legend of coloured squares, (name, role, hatch) each, in as many rows as needed; returns the y below it."""
    x = left
    for name, role, hatch in entries:
        lines = wrapped(name, drawing.width - left - _SWATCH - 6, SMALL)
        width = _SWATCH + 5 + max(text_width(line, SMALL) for line in lines)
        if x > left and x + width > drawing.width:
            x, y = left, y + 17
        drawing.add(Rect(x, y + 2, _SWATCH, _SWATCH, role, radius=2, hatch=hatch))
        for line in lines:
            drawing.add(Text(x + _SWATCH + 5, y + 11.5, line, SMALL, "muted"))
            y += 15 if line is not lines[-1] else 0
        x += width + _GAP
    return y + 20


def draw_keys(
    drawing: Drawing, entries: Iterable[tuple[str, str, tuple[float, ...], str]], y: float
) -> float:
    """A legend of lines, (text, role, dashes, marker or "") each, in as many rows as needed; returns the y below it."""
    x = 0.0
    for text, role, dash, marker in entries:
        lines = wrapped(text, drawing.width - 30, SMALL)
        width = 27 + max(text_width(line, SMALL) for line in lines)
        if x > 0 and x + width > drawing.width:
            x, y = 0.0, y + 17
        drawing.add(Line([(x, y + 8), (x + 22, y + 8)], role, 2, dash))
        if marker:
            drawing.add(Marker(x + 11, y + 8, 4, role, marker))
        for line in lines:
            drawing.add(Text(x + 27, y + 12, line, SMALL, "muted"))
            y += 15 if line is not lines[-1] else 0
        x += width + _GAP
    return y + 20


def draw_frame(
    drawing: Drawing,
    across: Scale,
    up: Scale,
    labels: tuple[Callable[[float], str], Callable[[float], str]],
    titles: tuple[str, str],
) -> None:
    """Grid lines, tick labels and titles of a plot; the title of the upright axis stands above it, unturned."""
    left, right, bottom, top = across.start, across.end, up.start, up.end
    for value in up.ticks(max(3, int((bottom - top) / 42))):
        y = up(value)
        drawing.add(Line([(left, y), (right, y)], "grid"))
        drawing.add(Text(left - 6, y + 4, labels[1](value), SMALL, "muted", "end"))
    for x, text in _placed(across, labels[0]):
        drawing.add(Line([(x, bottom), (x, bottom + 4)], "faint"))
        drawing.add(Text(x, bottom + 16, text, SMALL, "muted", "middle"))
    drawing.add(Line([(left, bottom), (right, bottom)], "faint"))
    for number, line in enumerate(wrapped(titles[1], right, SMALL)):
        drawing.add(Text(0, top - 10 + 14 * number, line, SMALL, "muted"))
    drawing.add(Text(right, bottom + 31, titles[0], SMALL, "muted", "end"))


def label_room(scale: Scale, label: Callable[[float], str], most: int = 6) -> float:
    """Width in px that the labels of an upright axis need."""
    return max((text_width(label(value), SMALL) for value in scale.ticks(most)), default=20.0) + 8


def _placed(scale: Scale, label: Callable[[float], str]) -> list[tuple[float, str]]:
    """Ticks of the axis from left to right whose labels do not touch."""
    placed: list[tuple[float, str]] = []
    free = -1e9
    for value in scale.ticks(max(2, int((scale.end - scale.start) / 60))):
        text, x = label(value), scale(value)
        half = text_width(text, SMALL) / 2
        if x - half > free and x + half <= scale.end + 8:
            placed.append((x, text))
            free = x + half + 8
    return placed


def lettered(right: float, y: float, text: str, role: str) -> tuple[Rect, Text]:
    """A small text that ends at ``right``, on a patch of paper: lines behind it do not strike it through."""
    width = text_width(text, SMALL)
    patch = Rect(right - width - 2, y - 10, width + 4, 13, "surface", opacity=0.85)
    return patch, Text(right, y, text, SMALL, role, "end")


def steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a staircase that keeps each y until the next x."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners

"""Several drawings as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .shapes import Drawing, Line, Shape, Text

_MARGIN, _GAP, _HEAD = 18.0, 36.0, 34.0


def beside(drawings: Sequence[Drawing], title: str = "") -> Drawing:
    """Side by side, each under its own title, with a margin around and a heading above."""
    heading = _HEAD if title else 0.0
    width = 2 * _MARGIN + sum(d.width for d in drawings) + _GAP * (len(drawings) - 1)
    height = 2 * _MARGIN + heading + 26 + max(d.height for d in drawings)
    whole = Drawing(width, height, title, "; ".join(f"{d.title}: {d.description}" for d in drawings))
    if title:
        whole.add(Text(_MARGIN, _MARGIN + 16, title, 17, bold=True))
    x = _MARGIN
    for drawing in drawings:
        whole.add(Text(x, _MARGIN + heading + 12, drawing.title, 13, bold=True))
        whole.add(*(moved(shape, x, _MARGIN + heading + 26) for shape in drawing.shapes))
        x += drawing.width + _GAP
    return whole


def moved(shape: Shape, x: float, y: float) -> Shape:
    """The same shape elsewhere."""
    if isinstance(shape, Line):
        return replace(shape, points=[(a + x, b + y) for a, b in shape.points])
    return replace(shape, x=shape.x + x, y=shape.y + y)

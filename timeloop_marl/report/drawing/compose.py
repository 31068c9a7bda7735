"""Several drawings as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .metrics import wrapped
from .shapes import Drawing, Line, Shape, Text

_MARGIN, _GAP = 18.0, 36.0
_TITLE, _NAME = 22.0, 26.0  # heights of a line of the title, and of the name of a drawing


def beside(drawings: Sequence[Drawing], title: str = "", line: str = "") -> Drawing:
    """Side by side, each under its own title, with a margin around; ``title`` and ``line`` above all."""
    width = 2 * _MARGIN + sum(d.width for d in drawings) + _GAP * (len(drawings) - 1)
    whole = Drawing(
        width, title=title, description="; ".join(f"{d.title}: {d.description}" for d in drawings)
    )
    y = _MARGIN
    for text in wrapped(title, width - 2 * _MARGIN, 17, bold=True) if title else []:
        whole.add(Text(_MARGIN, y + 16, text, 17, bold=True))
        y += _TITLE
    for text in wrapped(line, width - 2 * _MARGIN, 12) if line else []:
        whole.add(Text(_MARGIN, y + 14, text, 12, "muted"))
        y += 18
    y += 12 if title or line else 0
    x, deepest = _MARGIN, 0.0
    for drawing in drawings:
        named = below([drawing]) if drawing.title else drawing
        whole.add(*(moved(shape, x, y) for shape in named.shapes))
        x, deepest = x + drawing.width + _GAP, max(deepest, named.height)
    whole.height = y + deepest + _MARGIN
    return whole


def below(drawings: Sequence[Drawing]) -> Drawing:
    """One below the other, each under its own title."""
    whole = Drawing(max(d.width for d in drawings))
    for drawing in drawings:
        whole.height += 14 if whole.shapes else 0
        if drawing.title:
            for text in wrapped(drawing.title, drawing.width, 13, bold=True):
                whole.add(Text(0, whole.height + 12, text, 13, bold=True))
                whole.height += 16
            whole.height += _NAME - 16
        whole.add(*(moved(shape, 0, whole.height) for shape in drawing.shapes))
        whole.height += drawing.height
    return whole


def moved(shape: Shape, x: float, y: float) -> Shape:
    """The same shape elsewhere."""
    if isinstance(shape, Line):
        return replace(shape, points=[(a + x, b + y) for a, b in shape.points])
    return replace(shape, x=shape.x + x, y=shape.y + y)

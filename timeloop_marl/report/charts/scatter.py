"""Picture: points in two figures of which less is better, and the staircase of those that no other point beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..drawing.shapes import Drawing, Line, Marker, Text, text_width
from .axes import BODY, SMALL, Scale, draw_frame, label_room, spanning

_HEIGHT = 260.0
_NUMBERED = 40  # points that get their number beside them


@dataclass(frozen=True)
class ScatterPoint:
    """A point; ``front``: no other is at least as good in both figures and better in one."""

    number: int
    name: str
    x: float
    y: float
    front: bool


@dataclass(frozen=True)
class ScatterLabels:
    """Titles of picture and axes, and how values are written."""

    title: str
    across: str
    up: str
    x: Callable[[float], str]
    y: Callable[[float], str]


def scatter_plot(points: Sequence[ScatterPoint], labels: ScatterLabels, width: float) -> Drawing:
    """Numbered points; those of the front filled and joined by the staircase that bounds what they dominate."""
    drawing = Drawing(width, title=labels.title, description=_words(points, labels))
    if not points:
        drawing.add(Text(0, 14, "There are no points.", BODY, "muted"))
        drawing.height = 24
        return drawing
    up = _scale([p.y for p in points], 26 + _HEIGHT, 26)
    span = _scale([p.x for p in points], 0, 1)
    across = Scale(span.low, span.high, label_room(up, labels.y), width - 10, span.log)
    draw_frame(drawing, across, up, (labels.x, labels.y), (labels.across, labels.up))
    front = sorted((p for p in points if p.front), key=lambda p: (p.x, -p.y))
    drawing.add(Line(_staircase(front, across, up), "series-0", 1.5, (4, 3)))
    taken: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda p: not p.front):
        _draw(drawing, point, labels, (across, up), taken if len(points) <= _NUMBERED else None)
    drawing.height = 26 + _HEIGHT + 36
    return drawing


def _scale(values: Sequence[float], start: float, end: float) -> Scale:
    low = min(values)
    return spanning(values, start, end, log=low > 0 and max(values) / low > 3, margin=0.1)


def _staircase(front: Sequence[ScatterPoint], across: Scale, up: Scale) -> list[tuple[float, float]]:
    corners: list[tuple[float, float]] = []
    for point in front:
        if corners:
            corners.append((across(point.x), corners[-1][1]))
        corners.append((across(point.x), up(point.y)))
    return corners


def _draw(
    drawing: Drawing,
    point: ScatterPoint,
    labels: ScatterLabels,
    scales: tuple[Scale, Scale],
    taken: list[tuple[float, float, float]] | None,
) -> None:
    """The point, and its number where it does not lie on another."""
    x, y = scales[0](point.x), scales[1](point.y)
    tip = f"{point.number}: {point.name}, {labels.x(point.x)}, {labels.y(point.y)}"
    role = "series-0" if point.front else "series-6"
    drawing.add(
        Marker(x, y, 5.0 if point.front else 3.5, role, "circle" if point.front else "diamond", tip=tip)
    )
    text = str(point.number)
    length = text_width(text, SMALL)
    place = (x + 7, y - 6, length)
    free = taken is not None and place[0] + length < drawing.width
    if (
        free
        and taken is not None
        and all(abs(y - 6 - b) > 11 or x + 7 > a + w + 2 or x + 7 + length < a - 2 for a, b, w in taken)
    ):
        drawing.add(Text(x + 7, y - 6, text, SMALL, "muted"))
        taken.append(place)


def _words(points: Sequence[ScatterPoint], labels: ScatterLabels) -> str:
    front = [point for point in points if point.front]
    told = "; ".join(f"{p.number}: {labels.x(p.x)}, {labels.y(p.y)}" for p in front[:20])
    return f"{len(points)} points, {len(front)} of them beaten by none: {told}"

"""Picture: the best cost so far of several searchers, against samples or seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import palette
from ..contest import ContestLine
from ..drawing.scales import Scale, spanning
from ..drawing.shapes import Drawing, Line, Marker, Text
from .parts import BODY, draw_frame, draw_keys, label_room, steps

_HEIGHT = 250.0


@dataclass(frozen=True)
class Labels:
    """What the axes say, and how their values are written."""

    title: str
    across: str
    up: str
    place: Callable[[float], str]
    cost: Callable[[float], str]


def contest_plot(lines: Sequence[ContestLine], labels: Labels, width: float, scale: float = 1.0) -> Drawing:
    """Both axes logarithmic. Costs are multiplied by ``scale`` first."""
    drawing = Drawing(width, title=labels.title, description=_words(lines, labels, scale))
    keys = [(_text(line, labels, scale), *_look(i, line), "") for i, line in enumerate(lines)]
    top = draw_keys(drawing, keys, 0.0) + 26
    values = [scale * v for line in lines for v in (*line.low, *line.high) if np.isfinite(v)]
    if not values:
        drawing.add(Text(0, top, "None of them found a valid mapping.", BODY, "warning"))
        drawing.height = top + 14
        return drawing
    up = spanning(values, top + _HEIGHT, top, log=True)
    place = lines[0].place
    across = Scale(float(place[0]), float(place[-1]), label_room(up, labels.cost), width - 8, log=True)
    draw_frame(drawing, across, up, (labels.place, labels.cost), (labels.across, labels.up))
    for number, line in reversed(list(enumerate(lines))):
        _draw(drawing, number, line, (across, up), scale)
    drawing.height = top + _HEIGHT + 36
    return drawing


def _look(number: int, line: ContestLine) -> tuple[str, tuple[float, ...]]:
    """Ours solid, Timeloop's dashed; the real program's dotted."""
    dash = (
        ()
        if line.ours
        else (1.5, 2.5)
        if line.real
        else palette.DASHES[1 + number % (len(palette.DASHES) - 1)]
    )
    return palette.series_role(number), dash


def _draw(
    drawing: Drawing, number: int, line: ContestLine, scales: tuple[Scale, Scale], scale: float
) -> None:
    across, up = scales
    role, dash = _look(number, line)
    band = np.isfinite(line.high) & np.isfinite(line.low)
    if line.ours and (line.high[band] > line.low[band]).any():
        lower = steps(
            [(across(x), up(scale * y)) for x, y in zip(line.place[band], line.low[band], strict=True)]
        )
        upper = steps(
            [(across(x), up(scale * y)) for x, y in zip(line.place[band], line.high[band], strict=True)]
        )
        drawing.add(Line([*lower, *reversed(upper)], "none", 0, (), role, 0.2))
    found = np.isfinite(line.middle)
    points = [(across(x), up(scale * y)) for x, y in zip(line.place[found], line.middle[found], strict=True)]
    if points:
        drawing.add(Line(steps(_corners(points)), role, 2.2 if line.ours else 1.6, dash))
        drawing.add(Marker(*points[-1], 4.0 if line.ours else 3.0, role))


def _corners(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Only where the line steps, and its end."""
    kept = [p for i, p in enumerate(points) if i == 0 or abs(p[1] - points[i - 1][1]) > 1e-9]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _text(line: ContestLine, labels: Labels, scale: float) -> str:
    return (
        f"{line.label}: {labels.cost(scale * line.final)}"
        if np.isfinite(line.final)
        else f"{line.label}: nothing"
    )


def _words(lines: Sequence[ContestLine], labels: Labels, scale: float) -> str:
    return f"{labels.up} in the end: " + "; ".join(_text(line, labels, scale) for line in lines)

"""Pictures: which choices belong together, and how sure the agents of a team have become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..drawing.metrics import shortened, text_width
from ..drawing.scales import Scale
from ..drawing.shapes import Drawing, Line, Marker, Rect, Text
from ..units import short_count
from .parts import BODY, draw_frame, label_room

_ROW = 13.0  # height of a row of the matrix
_NAME = 10.0  # px of the letters of axis names
_HEIGHT = 190.0
_TOLD = 0.7  # root of the share from which on a pair is told under the pointer


@dataclass(frozen=True)
class Dependencies:
    """``strength[a][b]``: how strongly axes a and b belong together; ``groups``: axes of each agent."""

    names: Sequence[str]
    groups: Sequence[Sequence[int]]
    strength: Sequence[Sequence[float]]


def dependency_matrix(data: Dependencies, width: float) -> Drawing:
    """Every pair of choices, the stronger the darker; choices of one agent stand together in a frame."""
    order = [axis for group in data.groups for axis in group]
    drawing = Drawing(width, title="Which choices belong together", description=_words(data))
    label = min(max((text_width(data.names[axis], _NAME) for axis in order), default=0.0), 0.38 * width) + 6
    cell = min((width - label - 1) / max(len(order), 1), 2.2 * _ROW)
    top = max((max(row, default=0.0) for row in data.strength), default=0.0)
    for place, axis in enumerate(order):
        name = shortened(data.names[axis], label - 6, _NAME)
        drawing.add(Text(label - 5, _ROW * place + 10, name, _NAME, "muted", "end", tip=data.names[axis]))
        for column, other in enumerate(order):
            share = (data.strength[axis][other] / top) ** 0.5 if top > 0 and axis != other else 0.0
            if share > 0.1:
                tip = f"{data.names[axis]} and {data.names[other]}: {share**2:.0%} of the strongest"
                x, y = label + cell * column, _ROW * place
                tip = tip if share > _TOLD else ""
                drawing.add(Rect(x, y, cell, _ROW, "series-0", opacity=min(round(share, 1), 0.99), tip=tip))
    begin = 0
    for group in data.groups:
        x, y = label + cell * begin, _ROW * begin
        drawing.add(Rect(x, y, cell * len(group), _ROW * len(group), "none", "ink", 1.2))
        begin += len(group)
    side = label + cell * len(order), _ROW * len(order)
    drawing.add(Rect(label, 0, side[0] - label, side[1], "none", "faint"))
    drawing.height = side[1] + 1
    return drawing


def entropy_plot(history: Sequence[dict[str, Any]], width: float) -> Drawing:
    """Mean entropy of the agents' choices against samples, with the range of the agents."""
    points = [(entry["samples"], [e for e in entry["entropy"] if e > 0]) for entry in history]
    points = [(samples, values) for samples, values in points if values]
    drawing = Drawing(width, title="How sure the agents are")
    if not points:
        drawing.add(Text(0, 14, "The agents did not learn in this search.", BODY, "muted"))
        drawing.height = 22
        return drawing
    highest = max(max(values) for _, values in points)
    up = Scale(0.0, highest * 1.06, 26 + _HEIGHT, 26)
    first = max(1, points[0][0])
    across = Scale(first, max(points[-1][0], first + 1), label_room(up, _plain), width - 8, log=True)
    draw_frame(
        drawing, across, up, (short_count, _plain), ("samples (logarithmic)", "entropy [nats per choice]")
    )
    band = [(across(s), up(max(v))) for s, v in points] + [
        (across(s), up(min(v))) for s, v in reversed(points)
    ]
    drawing.add(Line(band, "none", 0, (), "series-0", 0.18))
    mean = [(across(s), up(sum(v) / len(v))) for s, v in points]
    drawing.add(Line(mean, "series-0", 2.0), Marker(*mean[-1], 4.0, "series-0"))
    drawing.height = 26 + _HEIGHT + 36
    start, end = (sum(v) / len(v) for v in (points[0][1], points[-1][1]))
    drawing.description = (
        f"mean entropy from {start:.2f} to {end:.2f} nats per choice; the band spans the agents"
    )
    return drawing


def _plain(value: float) -> str:
    return f"{value:.2g}"


def _words(data: Dependencies) -> str:
    return "; ".join(
        f"agent {number}: {', '.join(data.names[axis] for axis in group)}"
        for number, group in enumerate(data.groups, 1)
    )

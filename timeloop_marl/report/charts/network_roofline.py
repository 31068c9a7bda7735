"""Picture: all layers of a network under the roofs of one machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .. import palette
from ..drawing.scales import Scale, spanning
from ..drawing.shapes import Drawing, Line, Marker, Text
from ..roofline import LevelLimit, Roofline
from ..units import short_count
from .parts import BODY, draw_frame, draw_keys, label_room, lettered

_HEIGHT = 250.0


@dataclass(frozen=True)
class NetworkPoint:
    """A layer and its limits."""

    name: str
    limits: Roofline

    @property
    def tightest(self) -> LevelLimit | None:
        """The level with the busiest port; ``None`` if no level has a bandwidth."""
        limited = [level for level in self.limits.levels if math.isfinite(level.limit)]
        return max(limited, key=lambda level: level.share, default=None)


def network_roofline(points: Sequence[NetworkPoint], width: float) -> Drawing:
    """Computes per cycle against computes per word at each layer's busiest level."""
    drawing = Drawing(width, title="Roofline of all layers", description=_words(points))
    placed = [(point, level) for point in points if (level := point.tightest) is not None]
    peak = max(point.limits.peak for point in points)
    if not placed:
        drawing.add(Text(0, 14, "No level of this machine has a bandwidth.", BODY, "muted"))
        drawing.height = 24
        return drawing
    roofs = {level.name: (level.limit, level.port) for _, level in placed}
    looks = {name: _look(number) for number, name in enumerate(roofs)}
    keys = [
        (f"{name} ({short_count(limit)} words/cycle {port})", *looks[name])
        for name, (limit, port) in roofs.items()
    ]
    top = draw_keys(drawing, keys, 0.0) + 26
    across, up = _scales(placed, roofs, peak, width, top)
    draw_frame(
        drawing,
        across,
        up,
        (short_count, short_count),
        ("computes per word (logarithmic)", "computes per cycle"),
    )
    for name, (limit, _) in roofs.items():
        _draw_roof(drawing, limit, peak, looks[name], (across, up))
    drawing.add(Line([(across.start, up(peak)), (across.end, up(peak))], "ink", 2.0))
    drawing.add(*lettered(across.end, up(peak) - 10, f"peak {short_count(peak)} computes/cycle", "ink"))
    for point, level in placed:
        role, _, shape = looks[level.name]
        tip = f"{point.name}: {short_count(point.limits.achieved)} computes/cycle, {level.share:.0%} of {level.name}"
        drawing.add(
            Marker(across(level.computes_per_word), up(point.limits.achieved), 5, role, shape, tip=tip)
        )
    drawing.height = top + _HEIGHT + 38
    return drawing


def _scales(
    placed: Sequence[tuple[NetworkPoint, LevelLimit]],
    roofs: dict[str, tuple[float, str]],
    peak: int,
    width: float,
    top: float,
) -> tuple[Scale, Scale]:
    heights = [point.limits.achieved for point, _ in placed]
    up = spanning([*heights, min(heights) / 2, peak * 1.7], top + _HEIGHT, top, log=True, margin=0.02)
    ridges = [peak / limit for limit, _ in roofs.values()]
    span = spanning([*(level.computes_per_word for _, level in placed), *ridges], 0, 1, log=True, margin=0.1)
    return Scale(span.low, span.high, label_room(up, short_count), width - 8, log=True), up


def _look(number: int) -> tuple[str, tuple[float, ...], str]:
    dash = palette.DASHES[number % len(palette.DASHES)]
    return palette.series_role(number), dash, palette.MARKERS[number % len(palette.MARKERS)]


def _draw_roof(
    drawing: Drawing,
    limit: float,
    peak: int,
    look: tuple[str, tuple[float, ...], str],
    scales: tuple[Scale, Scale],
) -> None:
    across, up = scales
    start, end = max(across.low, up.low / limit), min(across.high, peak / limit)
    if start < end:
        drawing.add(Line([(across(x), up(x * limit)) for x in (start, end)], look[0], 2.0, look[1]))


def _words(points: Sequence[NetworkPoint]) -> str:
    bound = [point for point in points if point.limits.binding is not None]
    return f"{len(bound)} of {len(points)} layers are bound by a bandwidth, the others by the compute units"

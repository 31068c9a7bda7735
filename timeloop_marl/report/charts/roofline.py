"""Rooflines: where each level's limit lies, and how near a mapping, or all layers of a network, come to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...run.units import short_count
from ..drawing import palette
from ..drawing.shapes import Drawing, Line, Marker, Text, text_width
from ..views import LevelLimit, Roofline
from .axes import BODY, SMALL, Scale, draw_frame, draw_keys, label_room, lettered, spanning

_HEIGHT, _NETWORK_HEIGHT = 230.0, 250.0
_NEAR = 12.0  # px within which points share a name
_TITLES = "computes per word (logarithmic)", "computes per cycle"
Look = tuple[str, tuple[float, ...], str]  # role, dashes, marker


def roofline_plot(data: Roofline, width: float) -> Drawing:
    """Computes per cycle against computes per word: a roof and a point for every level with a bandwidth."""
    limited = [level for level in data.levels if math.isfinite(level.limit) and level.moved > 0]
    drawing = Drawing(width, title="Roofline", description=_words(data))
    keys = [
        (f"{level.name} ({short_count(level.limit)} words/cycle)", *_look(i))
        for i, level in enumerate(limited)
    ]
    y = draw_keys(drawing, keys, 0.0) if keys else 0.0
    top = y + 30
    intensities = [level.computes_per_word for level in limited] or [1.0]
    ridges = [data.peak / level.limit for level in limited]
    heights = [data.achieved, data.peak, *(min(data.peak, x * v.limit) for x, v in zip(intensities, limited))]
    up = spanning([*heights, min(heights) / 8, data.peak * 2], top + _HEIGHT, top, log=True, margin=0.02)
    span = spanning([*intensities, *ridges], 0, 1, log=True, margin=0.12)
    across = Scale(span.low, span.high, label_room(up, short_count), width - 8, log=True)
    draw_frame(drawing, across, up, (short_count, short_count), _TITLES)
    for number, level in enumerate(limited):
        _draw_roof(drawing, level.limit, data.peak, _look(number), (across, up))
    _draw_flat(drawing, data, across, up)
    for number, level in enumerate(limited):
        _draw_point(drawing, level, number, data, across, up)
    drawing.height = top + _HEIGHT + 38
    return drawing


def _look(number: int) -> Look:
    dash = palette.DASHES[number % len(palette.DASHES)]
    return palette.series_role(number), dash, palette.MARKERS[number % len(palette.MARKERS)]


def _draw_roof(drawing: Drawing, limit: float, peak: int, look: Look, scales: tuple[Scale, Scale]) -> None:
    """The slanted part of a roof, cut off where it leaves the plot."""
    across, up = scales
    start, end = max(across.low, up.low / limit), min(across.high, peak / limit)
    if start < end:
        drawing.add(Line([(across(x), up(x * limit)) for x in (start, end)], look[0], 2.0, look[1]))


def _draw_peak(drawing: Drawing, peak: int, across: Scale, up: Scale) -> None:
    y = up(peak)
    drawing.add(Line([(across.start, y), (across.end, y)], "ink", 2.0))
    drawing.add(*lettered(across.end, y - 10, f"peak {short_count(peak)} computes/cycle", "ink"))


def _draw_flat(drawing: Drawing, data: Roofline, across: Scale, up: Scale) -> None:
    _draw_peak(drawing, data.peak, across, up)
    y = up(data.achieved)
    drawing.add(Line([(across.start, y), (across.end, y)], "muted", 1.0, (2, 3)))
    share = data.achieved / data.peak if data.peak else 0.0
    text = f"this mapping {short_count(data.achieved)} ({share:.0%})"
    drawing.add(*lettered(across.end, y + 17, text, "muted"))


def _draw_point(
    drawing: Drawing, level: LevelLimit, number: int, data: Roofline, across: Scale, up: Scale
) -> None:
    role, _, shape = _look(number)
    x = across(level.computes_per_word)
    roof = min(float(data.peak), level.computes_per_word * level.limit)
    tip = (
        f"{level.name}: {short_count(level.computes_per_word)} computes per word, "
        f"{level.share:.0%} of its {level.port} bandwidth in use"
    )
    drawing.add(Line([(x, up(data.achieved)), (x, up(roof))], role, 1.0, (1, 2)))
    drawing.add(Marker(x, up(data.achieved), 5.5, role, shape, tip=tip))


def _words(data: Roofline) -> str:
    binding = data.binding
    what = f"the bandwidth of {binding.name} sets the pace" if binding else "the compute units set the pace"
    return f"{data.achieved:.4g} of {data.peak:,} computes per cycle; {what}; " + ", ".join(
        f"{level.name} {level.share:.0%} of its bandwidth" for level in data.levels
    )


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
    drawing = Drawing(width, title="Roofline of all layers", description=_network_words(points))
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
    across, up = _network_scales(placed, roofs, peak, width, top)
    draw_frame(drawing, across, up, (short_count, short_count), _TITLES)
    for name, (limit, _) in roofs.items():
        _draw_roof(drawing, limit, peak, looks[name], (across, up))
    _draw_peak(drawing, peak, across, up)
    named = []
    for point, level in placed:
        role, _, shape = looks[level.name]
        tip = f"{point.name}: {short_count(point.limits.achieved)} computes/cycle, {level.share:.0%} of {level.name}"
        x, y = across(level.computes_per_word), up(point.limits.achieved)
        drawing.add(Marker(x, y, 5, role, shape, tip=tip))
        named.append((x, y, point.name))
    _name_points(drawing, named, across.start)
    drawing.height = top + _NETWORK_HEIGHT + 38
    return drawing


def _name_points(drawing: Drawing, points: Sequence[tuple[float, float, str]], left: float) -> None:
    """Write names beside points where there is room; of points that lie together the first and how many more."""
    groups: list[tuple[float, float, list[str]]] = []
    for x, y, name in sorted(points):
        near = next(
            (group for group in groups if abs(group[0] - x) < _NEAR and abs(group[1] - y) < _NEAR), None
        )
        if near is None:
            groups.append((x, y, [name]))
        else:
            near[2].append(name)
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y, _ in points]
    for x, y, names in groups:
        text = names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "")
        length = text_width(text, SMALL)
        for begin, base in (
            (x + 9, y + 4), (x - 9 - length, y + 4), (x - length / 2, y + 19), (x - length / 2, y - 10),
            (x - length + 6, y + 19), (x - 6, y + 19), (x - length / 2, y + 33),
        ):  # fmt: skip
            box = (begin, base - 10, begin + length, base + 2)
            free = all(box[0] > b[2] or box[2] < b[0] or box[1] > b[3] or box[3] < b[1] for b in taken)
            if free and left <= box[0] and box[2] <= drawing.width:
                drawing.add(Text(begin, base, text, SMALL, "ink"))
                taken.append(box)
                break


def _network_scales(
    placed: Sequence[tuple[NetworkPoint, LevelLimit]],
    roofs: dict[str, tuple[float, str]],
    peak: int,
    width: float,
    top: float,
) -> tuple[Scale, Scale]:
    heights = [point.limits.achieved for point, _ in placed]
    up = spanning([*heights, min(heights) / 2, peak * 1.7], top + _NETWORK_HEIGHT, top, log=True, margin=0.02)
    ridges = [peak / limit for limit, _ in roofs.values()]
    span = spanning([*(level.computes_per_word for _, level in placed), *ridges], 0, 1, log=True, margin=0.1)
    return Scale(span.low, span.high, label_room(up, short_count), width - 8, log=True), up


def _network_words(points: Sequence[NetworkPoint]) -> str:
    bound = [point for point in points if point.limits.binding is not None]
    return f"{len(bound)} of {len(points)} layers are bound by a bandwidth, the others by the compute units"

"""Picture: the best cost found so far and the share of invalid samples, against samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import palette
from ..drawing.scales import Scale, spanning
from ..drawing.shapes import Drawing, Line, Marker, Text
from ..trajectory import Trajectory
from ..units import plain_number, short_count
from .parts import SMALL, draw_frame, draw_keys, label_room, steps

_POINTS = 300
_BEST, _SHARE = 170.0, 46.0  # heights of the two plots


def convergence(
    courses: Sequence[Trajectory], width: float, label: Callable[[float], str] = plain_number
) -> Drawing:
    """Best so far above (both axes logarithmic), invalid samples below.

    Args:
        courses: one line each.
        label: writes a cost, e.g. for the upright axis.
    """
    drawing = Drawing(width, title="Convergence", description=_words(courses, label))
    thin = [course.thinned(_POINTS) for course in courses]
    y = 0.0
    if len(courses) > 1:
        y = draw_keys(drawing, [_key(i, course, label) for i, course in enumerate(courses)], y)
    first = courses[0]
    title = f"best {first.objective} so far" + (f" [{first.unit}]" if first.unit else "")
    found = [value for course in thin for value in course.best if np.isfinite(value)]
    if not found:
        drawing.add(Text(0, y + 20, "No valid mapping was found.", 12, "warning"))
        drawing.height = y + 34
        return drawing
    top = y + 26
    up = spanning(found, top + _BEST, top, log=min(found) > 0)
    end = max(int(course.samples[-1]) for course in courses if len(course.samples))
    begin = min(
        int(course.samples[np.isfinite(course.best)][0]) for course in thin if np.isfinite(course.best).any()
    )
    across = Scale(
        begin / 2 if begin > 20 else 1.0, max(end, 2), max(label_room(up, label), 44.0), width - 8, log=True
    )
    draw_frame(drawing, across, up, (short_count, label), ("", title))
    for number, course in enumerate(thin):
        _draw_best(drawing, course, number, across, up)
    drawing.height = _draw_shares(drawing, thin, across, top + _BEST + 46)
    return drawing


def _key(
    number: int, course: Trajectory, label: Callable[[float], str]
) -> tuple[str, str, tuple[float, ...], str]:
    best = course.best[-1] if len(course.best) else np.inf
    text = f"{course.label}: {label(float(best))}" if np.isfinite(best) else f"{course.label}: nothing valid"
    return text, palette.series_role(number), palette.DASHES[number % len(palette.DASHES)], ""


def _draw_best(drawing: Drawing, course: Trajectory, number: int, across: Scale, up: Scale) -> None:
    role = palette.series_role(number)
    found = np.isfinite(course.best)
    points = [(across(s), up(b)) for s, b in zip(course.samples[found], course.best[found], strict=True)]
    if not points:
        return
    drawing.add(Line(steps(points), role, 2.0, palette.DASHES[number % len(palette.DASHES)]))
    drawing.add(Marker(*points[-1], 4.0, role))


def _draw_shares(drawing: Drawing, courses: Sequence[Trajectory], across: Scale, top: float) -> float:
    """The lower plot; returns the y below it."""
    up = Scale(0.0, 1.0, top + _SHARE, top)
    for value, text in ((0.0, "0"), (0.5, "50 %"), (1.0, "100 %")):
        drawing.add(Line([(across.start, up(value)), (across.end, up(value))], "grid"))
        drawing.add(Text(across.start - 6, up(value) + 4, text, SMALL, "muted", "end"))
    drawing.add(Text(0, top - 10, "invalid samples", SMALL, "muted"))
    for number, course in enumerate(courses):
        role = palette.series_role(number)
        places = [(across(s), up(i / s)) for s, i in zip(course.samples, course.invalid, strict=True)]
        if len(places) > 1:
            area = [(places[0][0], up.start), *places, (places[-1][0], up.start)]
            drawing.add(Line(area, "none", 0, (), role, 0.18), Line(places, role, 1.5))
    drawing.add(Text(across.end, top + _SHARE + 16, "samples evaluated (logarithmic)", SMALL, "muted", "end"))
    return top + _SHARE + 24


def _words(courses: Sequence[Trajectory], label: Callable[[float], str]) -> str:
    parts = []
    for course in courses:
        if len(course.best) and np.isfinite(course.best[-1]):
            parts.append(
                f"{course.label} reaches {course.objective} {label(float(course.best[-1]))} "
                f"after {int(course.samples[-1]):,} samples"
            )
        else:
            parts.append(f"{course.label} finds nothing valid")
    return "; ".join(parts)

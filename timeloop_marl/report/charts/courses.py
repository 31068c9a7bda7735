"""Pictures of how something gets better in time: a search, several searchers, a proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...run.units import objective_label, plain_number, short_count
from ...validation.comparison.runs import OURS, PROGRAM
from ..drawing import palette
from ..drawing.shapes import Drawing, Line, Marker, Text
from .axes import BODY, SMALL, Scale, draw_frame, draw_keys, label_room, spanning, steps


@dataclass(frozen=True)
class Trajectory:
    """Best cost and invalid samples against samples.

    ``samples`` (k,) ascending 1-based counts of evaluated samples; ``best`` (k,) best objective so far, ``inf`` while
    nothing valid was found; ``invalid`` (k,) invalid samples so far. ``objective`` and ``unit`` name the axis.
    """

    samples: Int64[ndarray, "k"]
    best: Float64[ndarray, "k"]
    invalid: Int64[ndarray, "k"]
    objective: str = "EDP"
    unit: str = ""
    label: str = ""

    def thinned(self, points: int = 2000) -> Trajectory:
        """At most about ``points`` points: every improvement (the best ones if too many) and a logarithmic grid."""
        if len(self.samples) <= points:
            return self
        grid = np.unique(np.geomspace(1, len(self.samples), points // 2).astype(np.int64) - 1)
        before = np.concatenate(([np.inf], self.best[:-1]))
        steps = np.flatnonzero(self.best < before)[-points // 2 :]
        rows = np.union1d(grid, steps)
        return Trajectory(
            self.samples[rows], self.best[rows], self.invalid[rows], self.objective, self.unit, self.label
        )


_DRAWN = 300
_BEST, _SHARE = 170.0, 46.0  # heights of the two plots


def convergence(
    courses: Sequence[Trajectory], width: float, label: Callable[[float], str] = plain_number
) -> Drawing:
    """Best so far above (both axes logarithmic), invalid samples below.

    Args:
        courses: one line each.
        label: writes a cost, e.g. for the upright axis.
    """
    drawing = Drawing(width, title="Convergence", description=_convergence_words(courses, label))
    thin = [course.thinned(_DRAWN) for course in courses]
    y = 0.0
    if len(courses) > 1:
        y = draw_keys(drawing, [_course_key(i, course, label) for i, course in enumerate(courses)], y)
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
    if len(courses) == 1:  # several are said in their keys
        last = float(first.best[-1])
        drawing.add(Text(across.end, up(last) - 9, label(last), SMALL, "ink", "end"))
    drawing.height = _draw_shares(drawing, thin, across, top + _BEST + 46)
    return drawing


def _course_key(
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


def _convergence_words(courses: Sequence[Trajectory], label: Callable[[float], str]) -> str:
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


_GRID = 240


@dataclass(frozen=True)
class ContestLine:
    """Best cost so far on a grid: median, and quartiles where there are several runs; NaN before anything valid."""

    searcher: str
    label: str
    ours: bool
    real: bool  # the real timeloop-mapper
    place: Float64[ndarray, "k"]
    low: Float64[ndarray, "k"]
    middle: Float64[ndarray, "k"]
    high: Float64[ndarray, "k"]

    @property
    def final(self) -> float:
        """The median at the end; NaN if nothing was found."""
        return float(self.middle[-1])


def contest_lines(
    runs: Sequence[Mapping[str, Any]], column: str, least: float, most: float
) -> list[ContestLine]:
    """The lines, ours first.

    Args:
        runs: as in ``compare.json``.
        column: ``samples`` or ``seconds``.
        least, most: ends of the logarithmic grid; it reaches to the end of the longest run.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["kind"], run["searcher"]), []).append(run)
    most = max([most, *(float(run[column]) for run in runs)])
    place = np.geomspace(least, most, _GRID)
    place[-1] = most
    lines = []
    for (kind, searcher), group in groups.items():
        curves = np.array([_best_at(run, column, place) for run in group])
        low, middle, high = (_sorted_at(curves, share) for share in (0.25, 0.5, 0.75))
        lines.append(
            ContestLine(
                searcher,
                _contest_label(kind, searcher, len(group)),
                kind == OURS,
                kind == PROGRAM,
                place,
                low,
                middle,
                high,
            )
        )
    return sorted(lines, key=lambda line: not line.ours)


def _contest_label(kind: str, searcher: str, runs: int) -> str:
    if kind == OURS:
        return searcher if runs == 1 else f"{searcher}, median of {runs} and quartiles"
    return f"Timeloop {searcher}" + (" (timeloop-mapper)" if kind == PROGRAM else "")


def _best_at(run: Mapping[str, Any], column: str, grid: Float64[ndarray, "k"]) -> Float64[ndarray, "k"]:
    """Cost of the best mapping known at every point of the grid; NaN before the first valid one."""
    points = run["trajectory"]
    places = np.array([point[column] for point in points], np.float64)
    costs = np.array([np.nan, *(point["cost"] for point in points)])
    return costs[np.searchsorted(places, grid, side="right")]


def _sorted_at(curves: Float64[ndarray, "runs k"], share: float) -> Float64[ndarray, "k"]:
    """A quantile that occurred; a run that has nothing yet counts as infinite and is drawn as a gap."""
    ranked = np.sort(np.where(np.isnan(curves), np.inf, curves), axis=0)
    row = ranked[max(0, int(np.ceil(share * len(curves))) - 1)]
    return np.where(np.isfinite(row), row, np.nan)


_CONTEST = 250.0


@dataclass(frozen=True)
class ContestLabels:
    """What the axes say, and how their values are written."""

    title: str
    across: str
    up: str
    place: Callable[[float], str]
    cost: Callable[[float], str]


def contest_plot(
    lines: Sequence[ContestLine], labels: ContestLabels, width: float, scale: float = 1.0
) -> Drawing:
    """Both axes logarithmic. Costs are multiplied by ``scale`` first."""
    drawing = Drawing(width, title=labels.title, description=_contest_words(lines, labels, scale))
    keys = [(_contest_key(line, labels, scale), *_contest_look(i, line), "") for i, line in enumerate(lines)]
    top = draw_keys(drawing, keys, 0.0) + 26
    values = [scale * v for line in lines for v in (*line.low, *line.high) if np.isfinite(v)]
    if not values:
        drawing.add(Text(0, top, "None of them found a valid mapping.", BODY, "warning"))
        drawing.height = top + 14
        return drawing
    up = spanning(values, top + _CONTEST, top, log=True)
    place = lines[0].place
    across = Scale(float(place[0]), float(place[-1]), label_room(up, labels.cost), width - 8, log=True)
    draw_frame(drawing, across, up, (labels.place, labels.cost), (labels.across, labels.up))
    for number, line in reversed(list(enumerate(lines))):
        _draw_contest(drawing, number, line, (across, up), scale)
    drawing.height = top + _CONTEST + 36
    return drawing


def _contest_look(number: int, line: ContestLine) -> tuple[str, tuple[float, ...]]:
    """Ours solid, Timeloop's dashed; the real program's dotted."""
    dash = (
        ()
        if line.ours
        else (1.5, 2.5)
        if line.real
        else palette.DASHES[1 + number % (len(palette.DASHES) - 1)]
    )
    return palette.series_role(number), dash


def _draw_contest(
    drawing: Drawing, number: int, line: ContestLine, scales: tuple[Scale, Scale], scale: float
) -> None:
    across, up = scales
    role, dash = _contest_look(number, line)
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


def _contest_key(line: ContestLine, labels: ContestLabels, scale: float) -> str:
    return (
        f"{line.label}: {labels.cost(scale * line.final)}"
        if np.isfinite(line.final)
        else f"{line.label}: nothing"
    )


def _contest_words(lines: Sequence[ContestLine], labels: ContestLabels, scale: float) -> str:
    return f"{labels.up} in the end: " + "; ".join(_contest_key(line, labels, scale) for line in lines)


@dataclass(frozen=True)
class GapCourse:
    """A proof in time: seconds, best cost (infinite before the first) and bound, in the objective's unit."""

    seconds: Sequence[float]
    cost: Sequence[float]
    bound: Sequence[float]


def gap_plot(course: GapCourse, objective: str, proven: bool, width: float) -> Drawing:
    """Cost of the best mapping and bound of all others against time; what lies between them is still open."""
    label = objective_label(objective)
    places = [
        (seconds, cost * label.scale, bound * label.scale)
        for seconds, cost, bound in zip(course.seconds, course.cost, course.bound, strict=True)
    ]
    found = [place for place in places if np.isfinite(place[1])]
    title = "Optimum proven" if proven else _open_title(course)
    drawing = Drawing(width, title=title, description=title)
    keys = (("best mapping", "series-0", (), ""), ("no mapping costs less than this", "series-1", (6, 3), ""))
    top = draw_keys(drawing, keys, 0.0) + 26
    bounds = [bound for _, _, bound in places if bound > 0]
    up = spanning([*bounds, *(cost for _, cost, _ in found)], top + _CONTEST, top, log=False)
    across = Scale(0.0, max([1e-3, *course.seconds]), label_room(up, plain_number), width - 8)
    unit = f" [{label.unit}]" if label.unit else ""
    draw_frame(drawing, across, up, (plain_number, plain_number), ("seconds", f"{label.name}{unit}"))
    best = steps([(across(seconds), up(cost)) for seconds, cost, _ in found])
    least = steps([(across(seconds), up(bound)) for seconds, _, bound in found])
    if found:
        drawing.add(
            Line([*least, *reversed(best)], "none", 0, (), "faint", 0.35), Line(best, "series-0", 2.0)
        )
    drawing.add(
        Line(steps([(across(seconds), up(bound)) for seconds, _, bound in places]), "series-1", 2.0, (6, 3))
    )
    drawing.height = top + _CONTEST + 36
    return drawing


def _open_title(course: GapCourse) -> str:
    if not course.cost or not np.isfinite(course.cost[-1]):
        return "No valid mapping yet"
    gap = (course.cost[-1] - course.bound[-1]) / course.cost[-1]
    return f"Open: a mapping up to {gap:.2%} better may exist"

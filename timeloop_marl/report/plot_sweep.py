"""Plot: area, latency and energy of the machines of a sweep, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..networks.sweep_result import SweepPoint, SweepResult
from ..run.units import energy_unit
from .drawing import palette
from .plots import STYLE
from .scaling import log_axis

_NUMBERED = 40  # points that get their number beside the mark; more would be a blur
_NEAR = 0.025  # of the spread of the points, in both directions
_LISTED = 30  # points that are named beside the plot
_LINE, _LETTER, _HEAD = (
    0.19,
    0.075,
    0.9,
)  # inches: line and letter of that list; title and labels above and below
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "h")
_COLOURS = (palette.BLUE, palette.VERMILION, palette.GREEN, palette.PURPLE, palette.ORANGE, palette.BLACK)
_LABELS = {"cycles": "latency [cycles]", "area_um2": "area [mm²]"}


def sweep_figure(result: SweepResult) -> Figure:
    """Every pair of the figures that are known of all points, both axes logarithmic.

    Full marks: no other point is at least as good in all these figures and better in one. Points are numbered as in
    the table and listed beside the plots. Machines have colours and marks of their own; of one machine, the values of
    the first list have colours and those of the second marks.
    """
    points = result.done
    figures = [name for name in ("cycles", "energy_pj", "area_um2") if name in result.figures]
    pairs = [(0, 1)] if len(figures) < 3 else [(0, 1), (0, 2), (1, 2)]
    values, labels = _readable(points, figures)
    styles = point_styles(result, points)
    with rc_context(STYLE):
        height = max(4.4, _HEAD + _LINE * (min(len(points), _LISTED) + 3))
        listed = [_text(result, i, point) for i, point in enumerate(points[:_LISTED])]
        beside = 0.7 + _LETTER * max(map(len, listed))
        panel = 5.0 * len(pairs) ** -0.2
        figure = Figure(figsize=(panel * len(pairs) + beside, height), layout="constrained")
        FigureCanvasAgg(figure)
        what = "area, latency and energy" if len(figures) == 3 else "latency and energy"
        figure.suptitle(f"{result.network}: {what} of {_counted(points)}", fontsize=12, fontweight="bold")
        grid = figure.add_gridspec(1, len(pairs) + 1, width_ratios=[*[panel] * len(pairs), beside])
        for place, (x, y) in enumerate(pairs):
            axes = figure.add_subplot(grid[0, place])
            _draw(axes, points, values[:, (x, y)], styles, staircase=len(figures) == 2)
            axes.set_xlabel(labels[x])
            axes.set_ylabel(labels[y])
        _legend(figure.add_subplot(grid[0, -1]), points, listed, styles, _LINE / (height - _HEAD))
    return figure


def _counted(points: Sequence[SweepPoint]) -> str:
    return f"{len(points)} machines" if len(points) != 1 else "1 machine"


def _readable(points: Sequence[SweepPoint], figures: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Figures in units that suit them, and the labels of their axes."""
    values = np.array([[float(getattr(point, name)) for name in figures] for point in points])
    labels = []
    for column, name in enumerate(figures):
        if name == "energy_pj":
            scale, unit = energy_unit(float(values[:, column].max()))
            values[:, column] /= scale
            labels.append(f"energy [{unit}]")
        else:
            values[:, column] /= 1e6 if name == "area_um2" else 1.0
            labels.append(_LABELS[name])
    return values, labels


def _draw(
    axes: Axes,
    points: Sequence[SweepPoint],
    values: np.ndarray,
    styles: Sequence[tuple[str, str]],
    *,
    staircase: bool,
) -> None:
    front = np.array([point.front for point in points])
    if staircase:
        order = np.argsort(values[front, 0])
        axes.plot(*values[front][order].T, drawstyle="steps-post", color=palette.GREY, linewidth=1.1)
    for i, point in enumerate(points):
        colour, marker = styles[i]
        face = colour if point.front else "white"
        axes.plot(*values[i], marker, color=colour, markerfacecolor=face, markersize=7 if point.front else 6)
    for group in _together(values) if len(points) <= _NUMBERED else []:
        numbers = ", ".join(str(i + 1) for i in group)
        weight = "bold" if any(points[i].best for i in group) else "normal"
        axes.annotate(
            numbers, values[group[0]], (5, 4), textcoords="offset points", fontsize=7.5, fontweight=weight
        )
    for axis, column in ((axes.xaxis, 0), (axes.yaxis, 1)):
        log_axis(axes, axis, values[:, column])
    axes.grid(True, which="major", color=palette.LIGHT_GREY)
    axes.set_axisbelow(True)
    axes.margins(0.09)


def _together(values: np.ndarray) -> list[list[int]]:
    """Points in groups that are so near each other that their numbers would lie on one another."""
    places = np.log(values)
    places /= np.maximum(np.ptp(places, axis=0), 1e-9)
    groups: list[list[int]] = []
    for i, place in enumerate(places):
        near = (g for g in groups if (np.abs(places[g[0]] - place) < _NEAR).all())
        found = next(near, None)
        if found is None:
            groups.append([i])
        else:
            found.append(i)
    return groups


def point_styles(result: SweepResult, points: Sequence[SweepPoint]) -> list[tuple[str, str]]:
    """Colour and mark of every point."""
    swept = [name for name, values in result.axes.items() if len(values) > 1]
    if len(result.machines) > 1 or not swept:
        keys = [(point.machine, point.machine) for point in points]
    else:
        second = swept[1] if len(swept) > 1 else swept[0]
        keys = [(point.values.get(swept[0], ""), point.values.get(second, "")) for point in points]
    colours, marks = (list(dict.fromkeys(part)) for part in zip(*keys))
    return [
        (_COLOURS[colours.index(colour) % len(_COLOURS)], _MARKERS[marks.index(mark) % len(_MARKERS)])
        for colour, mark in keys
    ]


def _legend(
    axes: Axes,
    points: Sequence[SweepPoint],
    listed: Sequence[str],
    styles: Sequence[tuple[str, str]],
    step: float,
) -> None:
    """Numbers and names of the points, a line each of height ``step``; without axes."""
    axes.set_axis_off()
    axes.text(0, 1, "full mark: not beaten in all figures", fontsize=8, va="center", color=palette.INK)
    for i, (point, text) in enumerate(zip(points, listed)):
        height = 1 - (i + 1.4) * step
        face = styles[i][0] if point.front else "white"
        axes.plot([0.03], [height], styles[i][1], color=styles[i][0], markerfacecolor=face, markersize=6)
        axes.text(0.09, height, text, fontsize=8, va="center", fontweight="bold" if point.best else "normal")
    if len(points) > _LISTED:
        text = f"… and {len(points) - _LISTED} more, in sweep.csv"
        axes.text(0.09, 1 - (_LISTED + 1.4) * step, text, fontsize=8, va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _text(result: SweepResult, i: int, point: SweepPoint) -> str:
    return f"{i + 1}  {point.name}" + (f"  (least {_objective(result)})" if point.best else "")


def _objective(result: SweepResult) -> str:
    name = result.objective.split(",")[0]
    return {"edp": "EDP", "delay": "latency"}.get(name, name)

"""Best cost so far against samples and against seconds, Timeloop's mappers and ours in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy import ndarray

from ..report import palette
from ..report.plots import STYLE
from .compare import Comparison
from .course import OURS, PROGRAM, Course

_OURS = (palette.BLUE, palette.VERMILION, palette.GREEN, palette.PURPLE)
_THEIRS = {
    "random": (palette.ORANGE, "--"),
    "random_pruned": (palette.SKY, "--"),
    "linear_pruned": (palette.PURPLE, "-."),
    "hybrid": (palette.BLACK, "--"),
    "exhaustive": (palette.GREY, "-."),
}
_POINTS = 400
_UNITS = {"edp": " [pJ·cycles]", "energy": " [pJ]", "delay": " [cycles]"}


def comparison_figure(comparison: Comparison) -> Figure:
    """Left: equal samples; right: equal time. Medians of ours with their quartiles as a band."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12.4, 6.2), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _draw(left, comparison.by_samples, "samples", 1.0, float(comparison.samples))
        _draw(right, comparison.by_seconds, "seconds", 1e-3, comparison.seconds)
        left.set_xlabel("samples (every mapping drawn)")
        right.set_xlabel("seconds, one thread each")
        left.set_ylabel(f"best {comparison.objective.name} so far{_UNITS.get(comparison.objective.name, '')}")
        left.set_title(f"Equal samples: {comparison.samples:,}", loc="left")
        right.set_title(f"Equal time: {comparison.seconds:g} s", loc="left")
        figure.suptitle(comparison.spec.problem.name or "comparison", x=0.01, ha="left", fontweight="bold")
    return figure


def _draw(axes: Axes, courses: Sequence[Course], column: str, least: float, most: float) -> None:
    grid = np.geomspace(least, most, _POINTS)
    ours = list(dict.fromkeys(course.searcher for course in courses if course.kind == OURS))
    for name, colour in zip(ours, _OURS * len(ours)):
        group = [c for c in courses if c.searcher == name and c.kind == OURS]
        curves = np.array([_best_at(course, column, grid) for course in group])
        low, middle, high = (_sorted_at(curves, share) for share in (0.25, 0.5, 0.75))
        label = f"{name}: median of {len(group)}, quartiles"
        axes.plot(grid, middle, color=colour, linewidth=2.0, label=label, zorder=3)
        axes.fill_between(grid, low, high, where=np.isfinite(high), color=colour, alpha=0.2, linewidth=0)
    for course in courses:
        if course.kind != OURS:
            colour, dashes = _THEIRS.get(course.searcher, (palette.INK, ":"))
            suffix = " (timeloop-mapper)" if course.kind == PROGRAM else " (reproduced)"
            style = ":" if course.kind == PROGRAM else dashes
            label = f"Timeloop {course.searcher}{suffix}" + ("" if course.points else ": nothing valid")
            axes.plot(
                grid,
                _best_at(course, column, grid),
                color=colour,
                linestyle=style,
                label=label,
                linewidth=1.3,
            )
    axes.set_xscale("log")
    if any(course.points for course in courses):
        axes.set_yscale("log")
    axes.grid(True, which="major", color=palette.LIGHT_GREY)
    axes.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    axes.margins(y=0.15)


def _best_at(course: Course, column: str, grid: Float64[ndarray, "k"]) -> Float64[ndarray, "k"]:
    """Cost of the best mapping known at every point of the grid; NaN before the first valid one."""
    places = np.array([getattr(point, column) for point in course.points], np.float64)
    costs = np.array([np.nan, *(point.cost for point in course.points)])
    return costs[np.searchsorted(places, grid, side="right")]


def _sorted_at(curves: Float64[ndarray, "runs k"], share: float) -> Float64[ndarray, "k"]:
    """A quantile that occurred; a run that has nothing yet counts as infinite and is drawn as a gap."""
    ranked = np.sort(np.where(np.isnan(curves), np.inf, curves), axis=0)
    row = ranked[max(0, int(np.ceil(share * len(curves))) - 1)]
    return np.where(np.isfinite(row), row, np.nan)

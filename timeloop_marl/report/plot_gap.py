"""Plot: cost of the best mapping and bound of all others against time; the space between them is the gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ..run.units import objective_label
from .drawing import palette


@dataclass(frozen=True)
class Course:
    """Points in time: seconds, best cost (infinite before the first) and bound, in the objective's unit."""

    seconds: Sequence[float]
    cost: Sequence[float]
    bound: Sequence[float]


def gap_figure(course: Course, objective: str, proven: bool) -> Figure:
    """The gap curve of one proof."""
    label = objective_label(objective)
    unit = f" [{label.unit}]" if label.unit else ""
    seconds = np.array(course.seconds, np.float64)
    cost = np.array(course.cost, np.float64) * label.scale
    bound = np.array(course.bound, np.float64) * label.scale
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    known = np.isfinite(cost)
    axes.plot(seconds[known], cost[known], color=palette.BLUE, drawstyle="steps-post", label="best mapping")
    axes.plot(seconds, bound, color=palette.VERMILION, drawstyle="steps-post", label="no mapping is below")
    if known.any():
        axes.fill_between(
            seconds[known], bound[known], cost[known], step="post", color=palette.LIGHT_GREY, label="open"
        )
        positive = bound[bound > 0]
        low = positive.min() if len(positive) else 0.0
        margin = 0.05 * (cost[known].max() - low) or 0.05 * cost[known].max() or 1.0
        axes.set_ylim(low - margin, cost[known].max() + margin)
    axes.set_xlabel("seconds")
    axes.set_ylabel(f"{label.name}{unit}")
    axes.set_title("Optimum proven" if proven else _open_title(cost, bound), loc="left")
    axes.grid(True, color=palette.LIGHT_GREY)
    axes.legend(facecolor="white", framealpha=1.0, edgecolor="none", fontsize="small")
    return figure


def _open_title(cost: np.ndarray, bound: np.ndarray) -> str:
    if not len(cost) or not np.isfinite(cost[-1]):
        return "No valid mapping yet"
    return f"Open: {(cost[-1] - bound[-1]) / cost[-1]:.2%} below the best mapping"

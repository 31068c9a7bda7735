"""Plot: the front of a search for several figures at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..run.units import energy_unit
from .drawing import palette
from .plots import STYLE
from .scaling import round_ticks

_NAMES = {"cycles": "cycles", "energy": "energy", "buffer": "on-chip buffers"}
_NUMBERED = 24  # members that get their number beside the point; more would be a blur


def front_figure(points: np.ndarray, figures: Sequence[str], units: Mapping[str, str], title: str) -> Figure:
    """Every pair of figures against each other, both axes logarithmic; members numbered as in front.json.

    With two figures the staircase bounds what the front dominates; with three the colour shows the third one.
    """
    points, units = _readable(points, figures, units)
    pairs = [(0, 1)] if len(figures) == 2 else [(0, 1), (0, 2), (1, 2)]
    with rc_context(STYLE):
        figure = Figure(figsize=(6.2 * len(pairs) ** 0.75, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        count = f"{len(points)} mappings" if len(points) != 1 else "1 mapping"
        figure.suptitle(f"{title}: {count} on the front", fontsize=12, fontweight="bold")
        for place, (x, y) in enumerate(pairs, 1):
            axes = figure.add_subplot(1, len(pairs), place)
            _draw(axes, points, figures, (x, y))
            for axis, column in ((axes.xaxis, x), (axes.yaxis, y)):
                unit = units[figures[column]]
                name = _NAMES[figures[column]]
                axis.set_label_text(name if unit == name else f"{name} [{unit}]")
    return figure


def _readable(
    points: np.ndarray, figures: Sequence[str], units: Mapping[str, str]
) -> tuple[np.ndarray, Mapping[str, str]]:
    """Energies in a unit that suits them."""
    if "energy" not in figures:
        return points, units
    column = list(figures).index("energy")
    scale, unit = energy_unit(float(points[:, column].max()))
    scaled = points.copy()
    scaled[:, column] /= scale
    return scaled, {**units, "energy": unit}


def _draw(axes: Axes, points: np.ndarray, figures: Sequence[str], columns: tuple[int, int]) -> None:
    x, y = points[:, columns[0]], points[:, columns[1]]
    _scale(axes.set_xscale, x)
    _scale(axes.set_yscale, y)
    if len(figures) == 2:
        axes.plot(x, y, drawstyle="steps-post", color=palette.SKY, linewidth=1.2)
        axes.plot(x, y, "o", color=palette.BLUE, markersize=5)
    else:
        third = ({0, 1, 2} - set(columns)).pop()
        shade = points[:, third]
        axes.scatter(x, y, c=np.log(np.maximum(shade, _least(shade) / 2)), cmap="viridis", s=26)
        axes.set_title(f"darker = less {_NAMES[figures[third]]}", loc="left", fontsize=9, fontweight="normal")
    if len(points) <= _NUMBERED and len(figures) == 2:
        for number, (a, b) in enumerate(zip(x, y), 1):
            axes.annotate(str(number), (a, b), (4, 4), textcoords="offset points", fontsize=7.5)
    axes.grid(True, which="major", color=palette.LIGHT_GREY)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    for axis, values in ((axes.xaxis, x), (axes.yaxis, y)):
        if values.min() > 0:
            round_ticks(axis, float(values.min()), float(values.max()))


def _least(values: np.ndarray) -> float:
    """The smallest value above 0, 1 if there is none."""
    return float(values[values > 0].min(initial=np.inf)) if (values > 0).any() else 1.0


def _scale(set_scale: Callable[..., None], values: np.ndarray) -> None:
    """Logarithmic; with a linear piece at the end where a figure is 0 (a mapping may use no buffer)."""
    if values.min() > 0:
        set_scale("log")
    else:
        set_scale("symlog", linthresh=_least(values), linscale=0.5)

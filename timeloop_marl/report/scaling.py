"""Logarithmic axes with a few round numbers on them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..run.units import short_count


def log_axis(axes: Axes, axis: Axis, values: np.ndarray) -> None:
    """Make ``axis`` (one of ``axes``) logarithmic, with marks that suit how far the values, all above 0, spread."""
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    round_ticks(axis, float(values.min()), float(values.max()))


def round_ticks(axis: Axis, least: float, most: float) -> None:
    """Round numbers at the marks of a logarithmic axis."""
    ratio = most / least
    if ratio > 3:
        subs = (1.0, 2.0, 5.0) if ratio > 20 else (1.0, 2.0, 3.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    else:  # too little of a decade for round multiples of its powers
        axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axis.set_minor_formatter(NullFormatter())

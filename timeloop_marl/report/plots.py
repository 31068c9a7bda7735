"""The pictures of a result. Drawn without pyplot: no global state, no display needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..mapping import Mapping
from ..model.outcome import Statistics
from ..specs.spec import Spec
from .energy_shares import component_energies
from .plot_convergence import draw_convergence
from .plot_energy import draw_energy
from .plot_nest import ROW, draw_nest, nest_rows
from .trajectory import Trajectory
from .units import energy_text

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "hatch.linewidth": 0.6,
}
# inches
_WIDTH, _NEST_WIDTH = 12.4, 6.5
_HEAD = 1.0  # headline and the titles of the upper plots
_CURVES_LEAST, _CURVES_MOST = 3.3, 5.0

Box = tuple[float, float, float, float]  # left, bottom, width, height


def summary_figure(
    spec: Spec,
    mapping: Mapping,
    statistics: Statistics,
    trajectories: Trajectory | Sequence[Trajectory] | None = None,
    title: str = "",
) -> Figure:
    """One picture of a result: the loop nest, the energy by component and, given trajectories, the convergence."""
    courses = [trajectories] if isinstance(trajectories, Trajectory) else list(trajectories or [])
    nest = nest_rows(spec, mapping, statistics) * ROW
    bars = 0.3 * len(component_energies(spec, statistics)) + 1.1
    curves = min(max(_CURVES_LEAST, nest - bars), _CURVES_MOST) if courses else 0.0
    height = max(nest, bars + curves) + _HEAD + 0.2
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        _write_headline(figure, spec, statistics, title)
        rectangle = (0.15, height - _HEAD - nest, _NEST_WIDTH, nest)
        axes = figure.add_axes(_fractions(figure, *rectangle))
        draw_nest(axes, spec, mapping, statistics, _NEST_WIDTH)
        right = (
            _NEST_WIDTH + 0.3,
            height - _HEAD - bars - curves,
            _WIDTH - _NEST_WIDTH - 0.4,
            bars + curves + 0.3,
        )
        _draw_right(figure, _fractions(figure, *right), courses, (curves, bars), spec, statistics)
    return figure


def _fractions(figure: Figure, left: float, bottom: float, width: float, height: float) -> Box:
    """A rectangle in inches as fractions of the figure."""
    across, up = figure.get_size_inches()
    return left / across, bottom / up, width / across, height / up


def _draw_right(
    figure: Figure,
    box: Box,
    courses: Sequence[Trajectory],
    heights: tuple[float, float],
    spec: Spec,
    statistics: Statistics,
) -> None:
    """Convergence above energy, in the part of the figure that ``box`` leaves to the layout engine."""
    figure.set_layout_engine("constrained", rect=box)
    curves, bars = heights
    if not courses:
        draw_energy(figure.add_subplot(), spec, statistics)
        return
    grid = figure.add_gridspec(3, 1, height_ratios=[0.72 * curves, 0.28 * curves, bars])
    best = figure.add_subplot(grid[0])
    draw_convergence(best, figure.add_subplot(grid[1], sharex=best), courses)
    draw_energy(figure.add_subplot(grid[2]), spec, statistics)


def save_figure(figure: Figure, path: Path | BinaryIO) -> None:
    """Write a figure as its file ending says (.png, .svg or .pdf); a stream gets a PNG."""
    with rc_context(STYLE):
        figure.savefig(path, dpi=150)


def _write_headline(figure: Figure, spec: Spec, statistics: Statistics, title: str) -> None:
    edp = statistics.energy_pj * 1e-12 * statistics.cycles
    figures = (
        f"{statistics.cycles:,} cycles",
        energy_text(statistics.energy_pj),
        f"EDP {edp:.4g} J·cycle",
        f"utilisation {statistics.utilization:.1%}",
        f"{statistics.energy_pj / statistics.computes:.4g} pJ/compute",
    )
    height = figure.get_size_inches()[1]
    left = 0.2 / _WIDTH
    figure.text(
        left, 1 - 0.25 / height, title or spec.problem.name, fontsize=13, fontweight="bold", va="center"
    )
    figure.text(left, 1 - 0.52 / height, "   ·   ".join(figures), fontsize=10, va="center")

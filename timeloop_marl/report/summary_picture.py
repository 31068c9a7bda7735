"""One picture of a result: key figures, the nested tiles, and beside them the search and the energy."""

from __future__ import annotations

from collections.abc import Sequence

from ..cost.outcome import Statistics
from ..mapping import Mapping
from ..specs.spec import Spec
from .charts.convergence import convergence
from .charts.energy import energy_bars
from .charts.nest import nest_tiles
from .drawing import Drawing, below, beside
from .energy_shares import component_energies
from .trajectory import Trajectory
from .units import edp_text, energy_text
from .view import nest_view

_WIDTH = 520.0  # of either half


def summary_picture(
    spec: Spec,
    mapping: Mapping,
    statistics: Statistics,
    courses: Sequence[Trajectory] = (),
    title: str = "",
) -> Drawing:
    """Left the mapping, right the courses of the search, if any are given, above the energy by level."""
    tensors = [space.name for space in spec.problem.data_spaces]
    right = [energy_bars(component_energies(spec, statistics), tensors, _WIDTH)]
    if courses:
        right.insert(0, convergence(courses, _WIDTH))
    nest = nest_tiles(nest_view(spec, mapping, statistics), _WIDTH)
    return beside([nest, below(right)], title or spec.problem.name, _figures(statistics))


def _figures(statistics: Statistics) -> str:
    return "   ·   ".join(
        (
            f"{statistics.cycles:,} cycles",
            energy_text(statistics.energy_pj),
            f"EDP {edp_text(statistics.energy_pj * statistics.cycles)} J·cycle",
            f"utilisation {statistics.utilization:.1%}",
            f"{statistics.energy_pj / statistics.computes:.4g} pJ/compute",
        )
    )

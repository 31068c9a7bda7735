"""Results on the terminal: the key figures, the energy by component and the loop nest."""

from __future__ import annotations

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..cost.outcome import Statistics
from ..mapping import Mapping
from ..specs.spec import Spec
from .energy_shares import component_energies
from .map_text import map_text
from .units import energy_text, energy_unit, share_text

_BAR = 16  # cells of the longest energy bar


def result_view(spec: Spec, mapping: Mapping, statistics: Statistics) -> RenderableType:
    """Key figures, energy table and loop nest, one below the other."""
    nest = Text(map_text(spec, mapping, statistics), no_wrap=True, overflow="ignore")
    return Group(figures_table(spec, statistics), Text(), energy_table(spec, statistics), Text(), nest)


def figures_table(spec: Spec, statistics: Statistics) -> Table:
    """Cycles, energy, EDP, utilisation and the source of the energies."""
    edp = statistics.energy_pj * 1e-12 * statistics.cycles
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("cycles", f"{statistics.cycles:,}")
    table.add_row("energy", energy_text(statistics.energy_pj))
    table.add_row("EDP", f"{edp:.6g} J·cycle")
    table.add_row("pJ/compute", f"{statistics.energy_pj / statistics.computes:.3f}")
    table.add_row(
        "utilisation",
        f"{statistics.utilization:.1%} "
        f"({statistics.compute.utilized_instances} of {spec.architecture.compute.instances} units)",
    )
    table.add_row("computes", f"{statistics.computes:,}")
    if spec.energies.origin:
        table.add_row("energies", Text(spec.energies.origin))
    return table


def energy_table(spec: Spec, statistics: Statistics) -> Table:
    """Energy by component, data space by data space, with the share of the total as a bar."""
    components = component_energies(spec, statistics)
    parts = list(dict.fromkeys(part for c in components for part, energy in c.parts.items() if energy > 0))
    largest = max((component.total for component in components), default=1.0)
    scale, unit = energy_unit(largest)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(f"energy [{unit}]"), no_wrap=True)
    for part in (*parts, "total", "share"):
        table.add_column(Text(part), justify="right", no_wrap=True)
    table.add_column(max_width=_BAR)  # gives way first on a narrow terminal
    for component in components:
        energies = [component.parts.get(part, 0.0) for part in parts]
        cells = [f"{energy / scale:.4g}" if energy else "" for energy in (*energies, component.total)]
        share = share_text(component.total, statistics.energy_pj)
        table.add_row(Text(component.name), *cells, share, Bar(largest, 0.0, component.total, color="cyan"))
    return table

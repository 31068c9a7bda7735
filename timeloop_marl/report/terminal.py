"""Results on the terminal: of a mapping, a network, a sweep."""

from __future__ import annotations

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..cost.components import component_energies
from ..cost.outcome import Statistics
from ..networks.result import LayerResult, NetworkResult, Totals
from ..networks.sweep_result import DONE, SweepPoint, SweepResult
from ..run.units import energy_text, energy_unit, share_text, short_count
from ..specs.mapping import Mapping
from ..specs.spec import Spec
from .maps import map_text

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
    share = statistics.computes / spec.problem.operations
    counted = (
        ""
        if share == 1.0
        else f" ({share:.2%} of the layer's {spec.problem.operations:,}: imperfect factors)"
    )
    table.add_row("computes", f"{statistics.computes:,}{counted}")
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


def network_view(result: NetworkResult) -> RenderableType:
    """Everything, one below the other; without totals if a layer has no mapping."""
    parts: list[RenderableType] = [layer_table(result)]
    if result.totals is not None:
        parts += [Text(), network_energy_table(result.totals), Text(), totals_table(result, result.totals)]
    return Group(*parts)


def totals_table(result: NetworkResult, totals: Totals) -> Table:
    """Latency, energy, EDP and utilisation of one inference."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row(
        "network", Text(f"{result.name}: {result.layer_count} layers, {len(result.layers)} distinct")
    )
    table.add_row("cycles", f"{totals.cycles:,}")
    table.add_row("energy", energy_text(totals.energy_pj))
    table.add_row("EDP", f"{totals.edp * 1e-12:.6g} J·cycle")
    table.add_row("pJ/compute", f"{totals.energy_pj / totals.computes:.3f}")
    table.add_row("utilisation", f"{totals.utilization:.1%}")
    table.add_row("computes", f"{totals.computes:,}")
    if result.energies:
        table.add_row("energies", Text(result.energies))
    return table


def layer_table(result: NetworkResult) -> Table:
    """A line per distinct layer; shares are those of the network."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer", no_wrap=True)
    for name in ("×", "cycles", "share", "energy", "share", "EDP", "utilised", "samples", "valid"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in result.layers:
        table.add_row(Text(layer.name), str(layer.count), *_layer_cells(layer, result.totals))
    return table


def _layer_cells(layer: LayerResult, totals: Totals | None) -> list[str]:
    counts = [f"{layer.samples:,}", f"{layer.valid:,}"]
    if not layer.found:
        return ["no valid mapping", "", "", "", "", "", *counts]
    cycles = share_text(layer.count * layer.cycles, totals.cycles) if totals else ""
    energy = share_text(layer.count * layer.energy_pj, totals.energy_pj) if totals else ""
    edp = f"{layer.edp * 1e-12:.4g}"
    return [
        f"{layer.cycles:,}",
        cycles,
        energy_text(layer.energy_pj),
        energy,
        edp,
        f"{layer.utilization:.0%}",
        *counts,
    ]


def network_energy_table(totals: Totals) -> Table:
    """Energy of one inference by component and tensor."""
    parts = list(dict.fromkeys(part for energies in totals.energy.values() for part in energies))
    sums = {name: sum(energies.values()) for name, energies in totals.energy.items()}
    scale, unit = energy_unit(max(sums.values(), default=1.0))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(f"energy [{unit}]"), no_wrap=True)
    for part in (*parts, "total", "share"):
        table.add_column(Text(part), justify="right", no_wrap=True)
    for name, energies in totals.energy.items():
        cells = [f"{energies[part] / scale:.4g}" if part in energies else "" for part in parts]
        table.add_row(
            Text(name), *cells, f"{sums[name] / scale:.4g}", share_text(sums[name], totals.energy_pj)
        )
    return table


def one_line(result: NetworkResult) -> str:
    """The totals in a line, for logs."""
    if result.totals is None:
        missing = [layer.name for layer in result.layers if not layer.found]
        return f"no valid mapping of {', '.join(missing)}"
    totals = result.totals
    return f"{short_count(totals.cycles)} cycles, {energy_text(totals.energy_pj)}, EDP {totals.edp * 1e-12:.6g} J·cycle"


_POINTS_NAMED = 4  # points named in one line
_MESSAGE = 60  # letters of an error in the table; all of it is in sweep.json


def sweep_table(result: SweepResult) -> Table:
    """Settings that differ, figures, EDP against the best; ``*``: no other point is at least as good in all figures."""
    swept = [name for name, values in result.axes.items() if len(values) > 1]
    several = len(result.machines) > 1 or not swept
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    if several:
        table.add_column("machine", no_wrap=True)
    for name in swept:
        table.add_column(Text(name.lstrip("+")), justify="right")
    for title in ("area [mm²]", "cycles", "energy", "EDP [J·cycle]", "× least", "utilised", "front"):
        table.add_column(title, justify="right" if title != "front" else "left", no_wrap=True)
    least = min((point.edp for point in result.done if point.edp is not None), default=None)
    for number, point in enumerate(result.points, 1):
        head = [Text(point.machine)] if several else []
        table.add_row(
            str(number),
            *head,
            *(Text(point.values.get(name, "")) for name in swept),
            *_point_cells(point, least),
        )
    return table


def _point_cells(point: SweepPoint, least: float | None) -> list[Text | str]:
    area = "unknown" if point.area_um2 is None else f"{point.area_um2 * 1e-6:.4g}"
    if point.status != DONE or point.cycles is None or point.energy_pj is None or point.edp is None:
        said = point.message.splitlines()[0] if point.message else ""
        said = said if len(said) <= _MESSAGE else said[: _MESSAGE - 1] + "…"
        return [area, Text(f"{point.status}{': ' if said else ''}{said}"), "", "", "", "", ""]
    return [
        area,
        f"{point.cycles:,}",
        energy_text(point.energy_pj),
        f"{point.edp * 1e-12:.5g}",
        f"{point.edp / least:.3f}" if least else "",
        f"{point.utilization or 0:.0%}",
        ("*" if point.front else "") + (" best" if point.best else ""),
    ]


def area_notes(result: SweepResult) -> list[str]:
    """Why areas are not known, each reason once."""
    notes: dict[str, list[str]] = {}
    for point in result.points:
        if point.area_note:
            notes.setdefault(point.area_note, []).append(point.name)
    return [
        f"area unknown{_named_points(names, len(result.points))}: {note}" for note, names in notes.items()
    ]


def _named_points(names: list[str], points: int) -> str:
    """Which points, unless it is all."""
    if len(names) == points:
        return ""
    return " of " + ", ".join(names[:_POINTS_NAMED]) + (" …" if len(names) > _POINTS_NAMED else "")

"""A network's results on the terminal: totals, layers, energy by component and tensor."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..networks.result import LayerResult, NetworkResult, Totals
from .units import energy_text, energy_unit, share_text, short_count


def network_view(result: NetworkResult) -> RenderableType:
    """Everything, one below the other; without totals if a layer has no mapping."""
    parts: list[RenderableType] = [layer_table(result)]
    if result.totals is not None:
        parts += [Text(), energy_table(result.totals), Text(), totals_table(result, result.totals)]
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
        table.add_row(Text(layer.name), str(layer.count), *_figures(layer, result.totals))
    return table


def _figures(layer: LayerResult, totals: Totals | None) -> list[str]:
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


def energy_table(totals: Totals) -> Table:
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

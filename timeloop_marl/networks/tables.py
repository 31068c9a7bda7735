"""The layers of a network as a table in a file."""

from __future__ import annotations

import csv
import io

from .result import LayerResult, NetworkResult

_COLUMNS = (
    "layer", "count", "names", "bounds", "computes", "cycles", "energy_pj", "edp", "utilization",
    "total_cycles", "total_energy_pj", "samples", "valid", "sample", "folder",
)  # fmt: skip


def layers_csv(result: NetworkResult) -> str:
    """One line per distinct layer; energy by component and tensor in columns ``energy_pj:COMPONENT:PART``."""
    parts = list(
        dict.fromkeys(
            (component, part)
            for layer in result.layers
            for component, energies in layer.energy.items()
            for part in energies
        )
    )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"energy_pj:{component}:{part}" for component, part in parts)])
    for layer in result.layers:
        energies = [layer.energy.get(component, {}).get(part, 0.0) for component, part in parts]
        writer.writerow([*_cells(layer), *energies])
    return stream.getvalue()


def _cells(layer: LayerResult) -> list[object]:
    bounds = " ".join(f"{dim}={size}" for dim, size in layer.bounds.items())
    return [
        layer.name, layer.count, " ".join(layer.names), bounds, layer.computes, layer.cycles, layer.energy_pj,
        layer.edp, layer.utilization, layer.count * layer.cycles, layer.count * layer.energy_pj, layer.samples,
        layer.valid, layer.sample, layer.folder,
    ]  # fmt: skip

"""Sums over the layers of a network, each as often as it occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .result import LayerResult, Totals


def totals(layers: Sequence[LayerResult]) -> Totals | None:
    """The sums; ``None`` if a layer has no valid mapping, because a sum without it would mislead."""
    if not layers or not all(layer.found for layer in layers):
        return None
    cycles = sum(layer.count * layer.cycles for layer in layers)
    energy = math.fsum(layer.count * layer.energy_pj for layer in layers)
    used = math.fsum(layer.count * layer.cycles * layer.utilization for layer in layers)
    return Totals(
        cycles=cycles,
        energy_pj=energy,
        edp=energy * cycles,
        utilization=used / cycles,
        computes=sum(layer.count * layer.computes for layer in layers),
        energy=_energies(layers),
    )


def _energies(layers: Sequence[LayerResult]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    for layer in layers:
        for component, parts in layer.energy.items():
            for part, pj in parts.items():
                found.setdefault(component, {}).setdefault(part, []).append(layer.count * pj)
    return {
        component: {part: math.fsum(values) for part, values in parts.items()}
        for component, parts in found.items()
    }

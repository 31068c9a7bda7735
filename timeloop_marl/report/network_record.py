"""A searched network as a report shows it: its result, and the chosen mapping of every layer with all figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import TimeloopMarlError
from ..networks.result import LayerResult, NetworkResult, read_network
from ..specs.spec import Spec
from .roofline import Roofline, roofline
from .run_record import PREFIX, RULES, Ranked, read_evaluated
from .trajectory import Trajectory
from .units import objective_label


@dataclass(frozen=True)
class LayerRecord:
    """A distinct layer. ``mapped``: machine and layer, and the chosen mapping; ``None`` if there is none to show."""

    result: LayerResult
    mapped: tuple[Spec, Ranked] | None
    limits: Roofline | None

    @property
    def bound(self) -> str:
        """What sets the pace: the name of a level, or ``compute``; empty if it is not known."""
        if self.limits is None:
            return ""
        binding = self.limits.binding
        return binding.name if binding else "compute"


@dataclass(frozen=True)
class NetworkRecord:
    """The network and its layers, in the order of ``network.json``."""

    result: NetworkResult
    layers: tuple[LayerRecord, ...]

    @property
    def tensors(self) -> list[str]:
        """Names of all data spaces, in the order in which the layers declare them."""
        names = [
            space.name
            for layer in self.layers
            if layer.mapped
            for space in layer.mapped[0].problem.data_spaces
        ]
        return list(dict.fromkeys(names))


def read_network_record(folder: str | Path) -> NetworkRecord:
    """The record of the network in a folder. Errors as ``read_network``."""
    path = Path(folder)
    result = read_network(path)
    rules = "2022" if "2022" in result.evaluator else RULES
    return NetworkRecord(result, tuple(_layer(path, layer, rules) for layer in result.layers))


def _layer(path: Path, layer: LayerResult, rules: str) -> LayerRecord:
    file = path / layer.folder / f"{PREFIX}.model.yaml"
    if not layer.found or not file.exists():
        return LayerRecord(layer, None, None)
    try:
        spec, ranked = read_evaluated(file, rules)
    except TimeloopMarlError:  # a design that only the real program evaluates: its totals are in the result
        return LayerRecord(layer, None, None)
    return LayerRecord(layer, (spec, ranked), roofline(spec, ranked.statistics))


def total_course(result: NetworkResult) -> Trajectory:
    """The network's total against samples of all layers, after every round; each layer at its own best by then.

    The last point is the total of the mappings that were chosen, which may be better than that.
    """
    label = objective_label(result.objective)
    places, totals, invalid = [], [], []
    for after in result.rounds:
        spent = sum(after.values())
        places.append(spent)
        totals.append(_total(result, after))
        invalid.append(round(spent * (1 - result.valid / result.samples)) if result.samples else 0)
    if result.totals is not None:
        places.append(result.samples)
        totals.append(_objective(result.objective, result.totals.cycles, result.totals.energy_pj))
        invalid.append(result.samples - result.valid)
    best = np.minimum.accumulate(np.array(totals, np.float64)) if totals else np.zeros(0)
    return Trajectory(
        np.array(places, np.int64),
        label.scale * best,
        np.array(invalid, np.int64),
        f"total {label.name}",
        label.unit,
        result.searcher,
    )


def _total(result: NetworkResult, after: object) -> float:
    """Of the layers' bests after a round; infinite if one has none."""
    assert isinstance(after, dict)
    cycles, energy = 0, 0.0
    for layer in result.layers:
        steps = [step for step in layer.trajectory if step["samples"] <= after.get(layer.name, 0)]
        if not steps:
            return float("inf")
        cycles += layer.count * int(steps[-1]["cycles"])
        energy += layer.count * float(steps[-1]["energy_pj"])
    return _objective(result.objective, cycles, energy)


def _objective(name: str, cycles: int, energy_pj: float) -> float:
    """The total in the unit of a cost; other objectives than these three are shown as EDP."""
    return {"energy": energy_pj, "delay": float(cycles)}.get(name, energy_pj * cycles)

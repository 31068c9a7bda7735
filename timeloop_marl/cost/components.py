"""Who spends the energy: component by component, data space by data space."""

from __future__ import annotations

from dataclasses import dataclass

from ..specs.spec import Spec
from .outcome import LevelStatistics, NetworkStatistics, Statistics

LEAKAGE, OPERATIONS, NETWORKS = "leakage", "operations", "networks"


@dataclass(frozen=True)
class ComponentEnergy:
    """Energy of one component in pJ, by data space name, ``LEAKAGE`` or ``OPERATIONS``."""

    name: str
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """All parts, in pJ."""
        return sum(self.parts.values())


def component_energies(spec: Spec, statistics: Statistics) -> tuple[ComponentEnergy, ...]:
    """Storage levels outermost first, then all networks together, then compute; those without energy left out."""
    names = [space.name for space in spec.problem.data_spaces]
    found = [_level_energy(names, level) for level in reversed(statistics.levels)]
    found.append(_network_energy(names, statistics.networks))
    found.append(ComponentEnergy(spec.architecture.compute.name, {OPERATIONS: statistics.compute.energy}))
    return tuple(component for component in found if component.total > 0)


def _level_energy(names: list[str], level: LevelStatistics) -> ComponentEnergy:
    parts = {
        name: tensor.energy_total + tensor.address_energy_total
        for name, tensor in zip(names, level.tensors, strict=True)
    }
    return ComponentEnergy(level.name, {**parts, LEAKAGE: level.leakage})


def _network_energy(names: list[str], networks: tuple[NetworkStatistics, ...]) -> ComponentEnergy:
    parts = dict.fromkeys(names, 0.0)
    for network in networks:
        for name, tensor in zip(names, network.tensors, strict=True):
            parts[name] += tensor.energy_total + tensor.link_energy_total
    return ComponentEnergy(NETWORKS, parts)

"""Writes resolved energies and areas as ERT and ART, so that nothing is estimated anew (cost-model section 13)."""

from __future__ import annotations

import math
from typing import Any

from ..errors import SpecError
from . import pat
from .architecture import StorageLevel
from .energy import Action, LevelEnergy
from .spec import Spec
from .tables import component_name

ROOT = "system"  # the subtree that holds all components, and what full names begin with
_VERSION = 0.4


def ert_section(spec: Spec) -> dict[str, Any]:
    """One table a component, energies in pJ as resolved.

    Raises:
        SpecError: a level whose name no table can carry has energies of its own.
    """
    energies, machine = spec.energies, spec.architecture
    tables: dict[str, list[dict[str, Any]]] = {}
    for level, energy in reversed(list(zip(machine.storage, energies.storage, strict=True))):
        if not keeps_vector_energy(level, energy) and _tabled(
            level.name, energy.leak == 0 and _uniform(energy, _pat(level))
        ):
            tables[level.name] = _level_actions(level, energy)
    priced = pat.compute(machine.compute) if machine.compute.energy is None else machine.compute.energy
    if _tabled(machine.compute.name, energies.compute == priced):
        tables[machine.compute.name] = [{"name": "compute", "energy": energies.compute}]
    for name, actions in energies.network_actions.items():
        tables[name] = [_entry(action, entry) for action, entries in actions.items() for entry in entries]
    if energies.wire is not None:  # either spelling will do; a component may have taken the first
        wire = "Wire" if "wire" in tables else "wire"
        tables.setdefault(wire, []).append({"name": "transfer_random", "energy": energies.wire})
    return {
        "version": _VERSION,
        "tables": [{"name": f"{ROOT}.{name}", "actions": actions} for name, actions in tables.items()],
    }


def art_section(spec: Spec) -> dict[str, Any]:
    """Areas in um^2 of one instance: exact doubles of the 32-bit floats that Timeloop keeps.

    Raises:
        SpecError: a level whose name no table can carry has an area.
    """
    machine, energies = spec.architecture, spec.energies
    areas = {
        level.name: energy.area
        for level, energy in reversed(list(zip(machine.storage, energies.storage, strict=True)))
    }
    areas[machine.compute.name] = energies.compute_area
    return {
        "version": _VERSION,
        "tables": [
            {"name": f"{ROOT}.{name}", "area": area}
            for name, area in areas.items()
            if _tabled(name, area == 0)
        ],
    }


def keeps_vector_energy(level: StorageLevel, energy: LevelEnergy) -> bool:
    """Whether the attribute ``vector_access_energy``, which beats every table, is what the level costs."""
    return energy.leak == 0 and _uniform(energy, level.vector_access_energy)


def _uniform(energy: LevelEnergy, value: float | None) -> bool:
    return energy.read == energy.fill == energy.update == value


def _pat(level: StorageLevel) -> float | None:
    try:
        return pat.vector_access(level)
    except ValueError:  # PAT cannot price it
        return None


def _tabled(name: str, elsewhere: bool) -> bool:
    """Whether a table of this name finds its component; where not, the number must hold without (``elsewhere``)."""
    if component_name(f"{ROOT}.{name}") == name:
        return True
    if not elsewhere:
        raise SpecError(
            "a component of this name cannot be priced by a table",
            path=f"ERT: {name}",
            value=name,
            remedy="choose a name without dots",
        )
    return False


def _level_actions(level: StorageLevel, energy: LevelEnergy) -> list[dict[str, Any]]:
    actions = {"read": energy.read, "fill": energy.fill, "update": energy.update, "leak": energy.leak}
    printed = _largest_action(level, energy)
    if printed is not None:
        actions["vector_access"] = printed
    return [{"name": name, "energy": value} for name, value in actions.items()]


def _largest_action(level: StorageLevel, energy: LevelEnergy) -> float | None:
    """Energy of a further action that no operation uses, so that statistics print the same vector access energy.

    What is printed is the largest action over the cluster size.
    """
    largest = max(energy.read, energy.fill, energy.update, energy.leak)
    if largest / level.cluster_size == energy.vector_access:
        return None
    product = energy.vector_access * level.cluster_size
    for candidate in (product, math.nextafter(product, math.inf), math.nextafter(product, 0.0)):
        if candidate >= largest and candidate / level.cluster_size == energy.vector_access:
            return candidate
    return None


def _entry(name: str, action: Action) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "energy": action.energy}
    if action.arguments:
        entry["arguments"] = dict(action.arguments)
    return entry

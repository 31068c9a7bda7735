"""Area of a machine: the sum over its components, where all of them are known."""

from __future__ import annotations

from ..specs.changes import NOT_FOLLOWING
from ..specs.spec import Spec


def machine_area(spec: Spec) -> tuple[float | None, str]:
    """Area in um^2 of all storage and compute instances on the chip, or ``None`` and why it is not known.

    Off-chip memory counts nothing, and neither do networks: Timeloop's tables say nothing of them.
    """
    if any(NOT_FOLLOWING in notice for notice in spec.notices):
        return None, "the ART that is given does not follow what is set"
    machine, energies = spec.architecture, spec.energies
    parts = [
        (level.name, energies.storage[s].area * level.instances)
        for s, level in enumerate(machine.storage)
        if not level.is_dram and "dummy" not in level.class_name
    ]
    parts.append((machine.compute.name, energies.compute_area * machine.compute.instances))
    unknown = [name for name, area in parts if not area > 0]
    if len(unknown) == len(parts):
        return None, "no areas: give an ART (with an ERT), or have Accelergy on the path"
    if unknown:
        return None, f"no area of {', '.join(unknown)}"
    return sum(area for _, area in parts), ""

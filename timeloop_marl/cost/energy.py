"""Energy of the storage levels (section 13)."""

from __future__ import annotations

from ..compiling import kernel
from ..traffic.geometry import Geometry
from ..traffic.layout import Workspace
from .rates import Rates
from .unsigned import divided, from_unsigned


@kernel
def used_clusters(geometry: Geometry, rates: Rates, work: Workspace, s: int) -> int:
    """Utilised clusters of level s."""
    used = work.spread_x[s] * work.spread_y[s]
    if rates.clusters[s] == geometry.instances[s] and work.rep[s] == used:
        return used  # no more than there are: checked
    return min(used, rates.clusters[s])


@kernel
def address_generations(geometry: Geometry, work: Workspace, s: int, p: int) -> int:
    """Addresses generated per cluster."""
    if geometry.read_write[p]:
        return work.updates[s, p] + work.fills[s, p]
    return work.reads[s, p] + work.fills[s, p]


@kernel
def leaking_instances(geometry: Geometry, rates: Rates, work: Workspace, s: int) -> float:
    """Instances that cannot be switched off: those that share a power gate with a used one."""
    gate = rates.gate[s]
    share = float(geometry.instances[s]) / float(geometry.instances[gate])
    if share > 1.0:
        return share * float(max(1, work.rep[gate]))
    return float(max(1, work.rep[s]))


@kernel
def storage_energy(geometry: Geometry, rates: Rates, work: Workspace, s: int, cycles: int) -> float:
    """PJ of level s, all instances, with leakage over ``cycles`` and address generation."""
    spaces = geometry.spaces
    block = rates.block[s]
    clusters = used_clusters(geometry, rates, work, s)
    apart = clusters == work.spread_x[s] * work.spread_y[s]
    ratio = float(work.spread_x[s] * work.spread_y[s]) / float(clusters)
    leakage = 0.0
    if rates.leak[s] != 0.0:
        leakage = (rates.leak[s] * float(cycles)) * leaking_instances(geometry, rates, work, s)
    work.leakage[s] = leakage
    leaked = leakage / float(spaces)
    total = 0.0
    for p in range(spaces):
        cluster = (
            0.0
            + divided(work.reads[s, p], block) * rates.read_energy[s]
            + divided(work.fills[s, p], block) * rates.fill_energy[s]
            + divided(work.updates[s, p], block) * rates.update_energy[s]
        )
        each = cluster if apart else cluster / ratio
        work.access_energy[s, p] = each if work.rep[s] > 0 else 0.0
        address = 0.0
        if rates.address_energy[s] != 0.0:
            addresses = from_unsigned(address_generations(geometry, work, s, p))
            address = addresses * rates.address_energy[s] * float(clusters)
        total += (work.access_energy[s, p] * float(work.rep[s]) + address) + leaked
    work.level_energy[s] = total
    return total

"""Energy of the storage levels (section 13)."""

from __future__ import annotations

from ..compiling import kernel
from ..traffic.layout import Tables, Workspace
from .unsigned import divided, from_unsigned


@kernel
def used_clusters(tables: Tables, work: Workspace, s: int) -> int:
    """Utilised clusters of level s."""
    used = work.spread_x[s] * work.spread_y[s]
    if tables.clusters[s] == tables.instances[s] and work.rep[s] == used:
        return used  # no more than there are: checked
    return min(used, tables.clusters[s])


@kernel
def address_generations(tables: Tables, work: Workspace, s: int, p: int) -> int:
    """Addresses generated per cluster."""
    if tables.read_write[p]:
        return work.updates[s, p] + work.fills[s, p]
    return work.reads[s, p] + work.fills[s, p]


@kernel
def leaking_instances(tables: Tables, work: Workspace, s: int) -> float:
    """Instances that cannot be switched off: those that share a power gate with a used one."""
    gate = tables.gate[s]
    share = float(tables.instances[s]) / float(tables.instances[gate])
    if share > 1.0:
        return share * float(max(1, work.rep[gate]))
    return float(max(1, work.rep[s]))


@kernel
def storage_energy(tables: Tables, work: Workspace, s: int, cycles: int) -> float:
    """PJ of level s, all instances, with leakage over ``cycles`` and address generation."""
    spaces = tables.spaces
    block = tables.block[s]
    clusters = used_clusters(tables, work, s)
    apart = clusters == work.spread_x[s] * work.spread_y[s]
    ratio = float(work.spread_x[s] * work.spread_y[s]) / float(clusters)
    leakage = 0.0
    if tables.leak[s] != 0.0:
        leakage = (tables.leak[s] * float(cycles)) * leaking_instances(tables, work, s)
    work.leakage[s] = leakage
    leaked = leakage / float(spaces)
    total = 0.0
    for p in range(spaces):
        cluster = (
            0.0
            + divided(work.reads[s, p], block) * tables.read_energy[s]
            + divided(work.fills[s, p], block) * tables.fill_energy[s]
            + divided(work.updates[s, p], block) * tables.update_energy[s]
        )
        each = cluster if apart else cluster / ratio
        work.access_energy[s, p] = each if work.rep[s] > 0 else 0.0
        address = 0.0
        if tables.address_energy[s] != 0.0:
            addresses = from_unsigned(address_generations(tables, work, s, p))
            address = addresses * tables.address_energy[s] * float(clusters)
        total += (work.access_energy[s, p] * float(work.rep[s]) + address) + leaked
    work.level_energy[s] = total
    return total

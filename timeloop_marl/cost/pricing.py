"""Cycles of every level, energies of storage and of on-chip networks (sections 12 to 14)."""

from __future__ import annotations

import math

import numpy as np

from ..kernels.compiling import kernel
from ..traffic.geometry import Geometry
from ..traffic.levels import CYCLES, STEPS
from ..traffic.workspace import Workspace
from .noc import ANY_FACTOR, LEGACY, REDUCTION_TREE, SIMPLE_MULTICAST
from .rates import Rates

TWO_63 = 9223372036854775808.0
LOWEST, HIGHEST = -(2**63), 2**63 - 1


@kernel
def to_unsigned(value: float) -> int:
    """A double as 64-bit unsigned count the way x86-64 converts it, in the bits of a signed one.

    Negative values wrap; what does not fit becomes the indefinite integer of the processor, from 2^64 on then 0.
    """
    if value < TWO_63:
        return int(value) if value >= -TWO_63 else LOWEST
    rest = value - TWO_63
    return (int(rest) if rest < TWO_63 else LOWEST) ^ LOWEST


@kernel
def from_unsigned(bits: int) -> float:
    """The count that these bits mean when they are read as unsigned, rounded once."""
    if bits >= 0:
        return float(bits)
    return 2.0 * float(((bits >> 1) & HIGHEST) | (bits & 1))


@kernel
def divided(bits: int, block: int) -> float:
    """The count divided by ``block``, rounded up."""
    if bits >= 0:
        whole = bits // block
        return float(whole if bits == whole * block else whole + 1)
    count = np.uint64(np.int64(bits))
    blocks = count // np.uint64(block)
    more = 1.0 if count % np.uint64(block) != np.uint64(0) else 0.0
    return float(blocks) + more


@kernel
def count_cycles(geometry: Geometry, rates: Rates, work: Workspace) -> int:
    """Fill cycles, throttling and demands of all levels; returns the cycles without network latencies."""
    slowest = work.counts[STEPS]
    for s in range(geometry.levels):
        slowest = max(slowest, level_cycles(geometry, rates, work, s))
    work.counts[CYCLES] = slowest + rates.latency
    return slowest


@kernel
def level_cycles(geometry: Geometry, rates: Rates, work: Workspace, s: int) -> int:
    """Cycles that level s needs."""
    steps = float(work.counts[STEPS])
    whole = work.rep[s] == work.spread_x[s] * work.spread_y[s]  # always, for perfect mappings
    spread = float(work.spread_x[s]) * work.spread_y[s] / work.rep[s]
    read = 0.0
    write = 0.0
    for p in range(geometry.spaces):
        scale = rates.bandwidth_scale[s, p]
        reads = float(work.reads[s, p])
        writes = from_unsigned(work.fills[s, p] + work.updates[s, p])
        if not whole:
            reads = np.ceil(reads / spread)
            writes = np.ceil(writes / spread)
        work.demand_read[s, p] = (reads / steps) * scale
        work.demand_write[s, p] = (writes / steps) * scale
        read += work.demand_read[s, p]
        write += work.demand_write[s, p]
    slow = 1.0
    if rates.read_bandwidth[s] < read:
        slow = min(slow, rates.read_bandwidth[s] / read)
    if rates.write_bandwidth[s] < write:
        slow = min(slow, rates.write_bandwidth[s] / write)
    if rates.shared_bandwidth[s] < write + read:
        slow = min(slow, rates.shared_bandwidth[s] / (write + read))
    work.throttle[s] = slow
    work.cycles[s] = _throttled(steps, slow)
    return work.cycles[s]


@kernel
def _throttled(steps: float, slow: float) -> int:
    """Cycles at a slow-down. What does not fit in 64 bits becomes 0, as on the real program's machine."""
    if slow == 0.0:
        return 0
    cycles = np.ceil(steps / slow)
    return int(cycles) if cycles < 9.0e18 else 0


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


@kernel
def ingress(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int, e: int) -> float:
    """Accesses of entry e as network n carries them; e = number of entries: the distributed one.

    Where the outer buffer cannot reduce, partial sums travel up and down, but for their first update.
    """
    s = rates.net_outer[n]
    accesses = work.spread_accesses[s, p] if e == work.entries[s, p] else work.accesses[s, p, e]
    if rates.net_doubles[n] and geometry.read_write[p]:
        return 2.0 * accesses - float(work.partition[s, p])
    return accesses


@kernel
def entry_count(work: Workspace, s: int, p: int) -> int:
    """Entries, the distributed one included."""
    return work.entries[s, p] + (1 if work.spread[s, p] != 0 else 0)


@kernel
def entry_multicast(work: Workspace, s: int, p: int, e: int) -> int:
    """Multicast factor of an entry or of the distributed one."""
    return work.spread[s, p] if e == work.entries[s, p] else work.multicast[s, p, e]


@kernel
def entry_hops(work: Workspace, s: int, p: int, e: int) -> float:
    """Hop sum of an entry or of the distributed one."""
    return work.spread_hops[s, p] if e == work.entries[s, p] else work.hops[s, p, e]


@kernel
def ingresses(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    """All words that network n carries for data space p, per instance of its outer level."""
    total = 0.0
    for e in range(entry_count(work, rates.net_outer[n], p)):
        total += ingress(geometry, rates, work, n, p, e)
    return total


@kernel
def wire_hops(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    """Word-hops of data space p."""
    s = rates.net_outer[n]
    wire = 0.0
    for e in range(entry_count(work, s, p)):
        accesses = ingress(geometry, rates, work, n, p, e)
        if accesses > 0.0:
            wire += (entry_hops(work, s, p, e) / accesses) * accesses
    return wire


@kernel
def router_passes(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> int:
    """Routers that words pass, truncated after each entry."""
    s = rates.net_outer[n]
    routers = 0
    for e in range(entry_count(work, s, p)):
        accesses = ingress(geometry, rates, work, n, p, e)
        if accesses > 0.0:
            hops = math.floor(entry_hops(work, s, p, e) / accesses)
            routers = int(float(routers) + (1.0 + hops) * accesses)
    return routers


@kernel
def spatial_reductions(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> int:
    """Additions in network n, modulo 2^64 (the bits of an unsigned count in a signed one)."""
    s = rates.net_outer[n]
    additions = 0
    if not geometry.read_write[p] or not rates.net_drains[n] or rates.net_kind[n] == SIMPLE_MULTICAST:
        return additions
    for e in range(entry_count(work, s, p)):
        factor = float(entry_multicast(work, s, p, e) - 1)
        additions = to_unsigned(from_unsigned(additions) + factor * ingress(geometry, rates, work, n, p, e))
    return additions


@kernel
def tensor_energy(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    """PJ of data space p on network n per instance of its outer level, without link transfers."""
    if rates.net_kind[n] == LEGACY:
        energy = rates.net_ingress[n] * ingresses(geometry, rates, work, n, p)
        if rates.net_hop[n] == 0.0 and rates.net_router[n] == 0.0:
            return energy
        wire = wire_hops(geometry, rates, work, n, p) * rates.net_hop[n]
        return wire + router_passes(geometry, rates, work, n, p) * rates.net_router[n] + energy
    if rates.net_kind[n] == REDUCTION_TREE:
        return _tree_energy(geometry, rates, work, n, p)
    return _action_energy(geometry, rates, work, n, p)


@kernel
def _tree_energy(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    s = rates.net_outer[n]
    energy = 0.0
    if geometry.read_write[p]:
        for e in range(entry_count(work, s, p)):
            hops = math.floor(math.log2(entry_multicast(work, s, p, e))) * 0.5
            energy += hops * ingress(geometry, rates, work, n, p, e) * rates.net_hop[n]
    return energy


@kernel
def _action_energy(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    """The entry of the largest signature only: the real program overwrites the others."""
    s = rates.net_outer[n]
    energy = 0.0
    for e in range(work.entries[s, p]):
        each = 0.0
        for a in range(rates.net_action_factor.shape[2]):
            factor = rates.net_action_factor[n, p, a]
            if factor == ANY_FACTOR or (factor != 0 and factor == work.multicast[s, p, e]):
                each = rates.net_action_energy[n, p, a]
        energy = each * ingress(geometry, rates, work, n, p, e)
    return energy


@kernel
def link_energy(rates: Rates, work: Workspace, n: int, p: int) -> float:
    """PJ of the link transfers of data space p per instance of the outer level."""
    if rates.net_kind[n] != LEGACY:
        return 0.0
    links = work.links[rates.net_outer[n], p]
    return links * (rates.net_hop[n] + 2.0 * rates.net_router[n])


@kernel
def _additions(geometry: Geometry, rates: Rates, work: Workspace, n: int, p: int) -> float:
    return from_unsigned(spatial_reductions(geometry, rates, work, n, p))


@kernel
def _is_free(rates: Rates, n: int) -> bool:
    """Whether nothing that network n carries costs energy."""
    return (
        rates.net_kind[n] == LEGACY
        and rates.net_hop[n] == 0.0
        and rates.net_router[n] == 0.0
        and rates.net_ingress[n] == 0.0
    )


@kernel
def network_energy(geometry: Geometry, rates: Rates, work: Workspace, n: int) -> float:
    """PJ of network n, as it enters the total."""
    instances = float(work.rep[rates.net_outer[n]])
    total = 0.0
    if _is_free(rates, n):
        work.network_energy[n] = 0.0
        return 0.0
    for p in range(geometry.spaces):
        energy = tensor_energy(geometry, rates, work, n, p)
        if rates.net_kind[n] == REDUCTION_TREE:
            total += energy + _additions(geometry, rates, work, n, p) * rates.net_adder[n]
        else:
            total += (link_energy(rates, work, n, p) + energy) * instances
    work.network_energy[n] = total
    return total

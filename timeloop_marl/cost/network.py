"""Energy of the networks (section 14)."""

from __future__ import annotations

import math

from ..compiling import kernel
from ..traffic.geometry import Geometry
from ..traffic.layout import Workspace
from .networks import ANY_FACTOR, LEGACY, REDUCTION_TREE, SIMPLE_MULTICAST
from .rates import Rates
from .unsigned import from_unsigned, to_unsigned


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

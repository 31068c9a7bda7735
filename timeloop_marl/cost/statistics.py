"""Every figure of one evaluated mapping, read from the workspace (sections 10 to 15)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..kernels.compiling import plain
from ..specs.spec import Spec
from ..traffic.geometry import Geometry
from ..traffic.levels import COMPUTE_INSTANCES, COMPUTES, CYCLES, SPREAD_X, SPREAD_Y, STEPS
from ..traffic.workspace import Workspace
from .evaluate import level_accesses, total_energy, utilization
from .noc import KIND_NAMES, LEGACY, REDUCTION_TREE, Network
from .outcome import (
    ComputeStatistics,
    LevelStatistics,
    NetworkStatistics,
    NetworkTensorStatistics,
    SignatureEntry,
    Statistics,
    TensorStatistics,
)
from .pricing import (
    address_generations,
    entry_count,
    entry_hops,
    entry_multicast,
    from_unsigned,
    ingress,
    leaking_instances,
    link_energy,
    spatial_reductions,
    tensor_energy,
    used_clusters,
    wire_hops,
)
from .rates import Rates

# The kernels' own formulas as plain Python: one mapping is not worth compiling entry points for.
_address_generations = plain(address_generations)
_leaking_instances = plain(leaking_instances)
_used_clusters = plain(used_clusters)
_level_accesses = plain(level_accesses)
_total_energy = plain(total_energy)
_utilization = plain(utilization)
_entry_count = plain(entry_count)
_entry_hops = plain(entry_hops)
_entry_multicast = plain(entry_multicast)
_from_unsigned = plain(from_unsigned)
_ingress = plain(ingress)
_link_energy = plain(link_energy)
_spatial_reductions = plain(spatial_reductions)
_tensor_energy = plain(tensor_energy)
_wire_hops = plain(wire_hops)


@dataclass(frozen=True)
class Evaluated:
    """A workspace after a valid evaluation, and what it was made from."""

    spec: Spec
    networks: tuple[Network, ...]
    geometry: Geometry
    rates: Rates
    work: Workspace


def collect(evaluated: Evaluated) -> Statistics:
    """All figures of the mapping that was evaluated last."""
    spec, geometry, rates, work = evaluated.spec, evaluated.geometry, evaluated.rates, evaluated.work
    computes = int(work.counts[COMPUTES])
    outputs = _required(evaluated, only_outputs=True) if geometry.first_read_elision else 0
    return Statistics(
        cycles=int(work.counts[CYCLES]),
        energy_pj=float(_total_energy(geometry, rates, work)),
        utilization=float(_utilization(geometry, work)),
        computes=computes,
        operations=2 * computes - outputs,
        reduction_operations=computes - outputs,
        required_accesses=_required(evaluated, only_outputs=False),
        compute=_compute(evaluated),
        levels=tuple(_level(evaluated, s) for s in range(len(spec.architecture.storage))),
        networks=tuple(network_statistics(evaluated, n) for n in range(len(evaluated.networks))),
    )


def _required(evaluated: Evaluated, only_outputs: bool) -> int:
    """Sum of the outermost utilised capacities that are not zero."""
    total = 0
    for p, space in enumerate(evaluated.spec.problem.data_spaces):
        sizes = evaluated.work.held[:, p]
        if space.read_write or not only_outputs:
            total += int(sizes[np.flatnonzero(sizes)[-1]])
    return total


def _compute(evaluated: Evaluated) -> ComputeStatistics:
    counts, energies = evaluated.work.counts, evaluated.spec.energies
    return ComputeStatistics(
        utilized_instances=int(counts[SPREAD_X] * counts[SPREAD_Y]),
        average_instances=float(counts[COMPUTE_INSTANCES]),
        cycles=int(counts[STEPS]),
        energy=float(counts[COMPUTES]) * evaluated.rates.compute_energy,
        area=energies.compute_area * evaluated.spec.architecture.compute.instances,
    )


def _level(evaluated: Evaluated, s: int) -> LevelStatistics:
    geometry, rates, work = evaluated.geometry, evaluated.rates, evaluated.work
    leaks = float(_leaking_instances(geometry, rates, work, s))
    share = float(geometry.instances[s]) / float(geometry.instances[rates.gate[s]])
    return LevelStatistics(
        name=evaluated.spec.architecture.storage[s].name,
        cycles=int(work.cycles[s]),
        throttle=float(work.throttle[s]),
        energy=float(work.level_energy[s]),
        leakage=float(work.leakage[s]),
        leakage_instances=leaks,
        sharing_power_gating=share,
        non_power_gated_utilization=float(max(1, work.rep[s])) / leaks if share > 1 else 1.0,
        accesses=int(_level_accesses(geometry, work, s)),
        tensors=tuple(_tensor(evaluated, s, p) for p in range(geometry.spaces)),
    )


def _tensor(evaluated: Evaluated, s: int, p: int) -> TensorStatistics:
    geometry, rates, work = evaluated.geometry, evaluated.rates, evaluated.work
    instances, clusters = int(work.rep[s]), int(_used_clusters(geometry, rates, work, s))
    addresses = int(_address_generations(geometry, work, s, p))
    address_energy = addresses % 2**64 * float(rates.address_energy[s])
    throttle = float(work.throttle[s])
    return TensorStatistics(
        kept=bool(work.keep[s, p]),
        partition=int(work.partition[s, p]),
        capacity=int(work.held[s, p]),
        tile_shape=int(work.tile[s, p]) if work.present[s, p] else 0,
        instances=instances,
        clusters=clusters,
        reads=int(work.reads[s, p]),
        fills=int(work.fills[s, p]) % 2**64,  # unsigned in the real program
        updates=int(work.updates[s, p]),
        temporal_reductions=int(work.reads[s, p]) if geometry.read_write[p] else 0,
        address_generations=addresses % 2**64,
        energy=float(work.access_energy[s, p]),
        energy_total=float(work.access_energy[s, p]) * instances,
        address_energy=address_energy,
        address_energy_total=address_energy * clusters,
        read_bandwidth=float(work.demand_read[s, p]) * throttle,
        write_bandwidth=float(work.demand_write[s, p]) * throttle,
        bandwidth_scale=float(rates.bandwidth_scale[s, p]),
        shared_bandwidth=(float(work.demand_read[s, p]) + float(work.demand_write[s, p])) * throttle,
    )


def network_statistics(evaluated: Evaluated, n: int) -> NetworkStatistics:
    """Figures of network n."""
    described = evaluated.networks[n]
    return NetworkStatistics(
        name=described.name,
        kind=KIND_NAMES[described.kind],
        outer_level=described.outer,
        energy=float(evaluated.work.network_energy[n]),
        tensors=tuple(_network_tensor(evaluated, n, p) for p in range(evaluated.geometry.spaces)),
    )


def _network_tensor(evaluated: Evaluated, n: int, p: int) -> NetworkTensorStatistics:
    geometry, rates, work = evaluated.geometry, evaluated.rates, evaluated.work
    outer, kind = evaluated.networks[n].outer, evaluated.networks[n].kind
    ordinary = int(work.entries[outer, p])
    entries = tuple(_entry(evaluated, n, p, e) for e in range(_entry_count(work, outer, p)))
    carried = sum(entry.accesses for entry in entries)
    instances = int(work.rep[outer])
    own = float(_tensor_energy(geometry, rates, work, n, p))
    links = float(_link_energy(rates, work, n, p))
    reductions = int(_spatial_reductions(geometry, rates, work, n, p))
    wire = 0.0
    if kind == LEGACY:
        wire = float(_wire_hops(geometry, rates, work, n, p))
    elif kind == REDUCTION_TREE and geometry.read_write[p]:
        wire = sum(math.floor(math.log2(entry.multicast)) * 0.5 * entry.accesses for entry in entries)
    return NetworkTensorStatistics(
        fanout=int(work.fanout[outer, p]),
        multicast=max((entry.multicast for entry in entries[:ordinary]), default=0),
        entries=entries[:ordinary],
        distributed=entries[ordinary:],
        ingresses=sum(entry.accesses for entry in entries[:ordinary]),
        distributed_ingresses=sum(entry.accesses for entry in entries[ordinary:]),
        link_transfers=int(work.links[outer, p]) if kind == LEGACY else 0,
        spatial_reductions=reductions % 2**64,
        hops=wire / carried if carried > 0 else 0.0,
        energy_per_hop=float(rates.net_hop[n]) if entries else 0.0,
        energy=own,
        energy_total=own * instances,
        link_energy=links,
        link_energy_total=links * instances,
        spatial_reduction_energy=(
            _from_unsigned(reductions) * float(rates.net_adder[n]) if kind == REDUCTION_TREE else 0.0
        ),
    )


def _entry(evaluated: Evaluated, n: int, p: int, e: int) -> SignatureEntry:
    geometry, rates, work = evaluated.geometry, evaluated.rates, evaluated.work
    outer = evaluated.networks[n].outer
    ordinary = e < int(work.entries[outer, p])
    accesses = float(_ingress(geometry, rates, work, n, p, e))
    hops = float(_entry_hops(work, outer, p, e))
    return SignatureEntry(
        multicast=int(_entry_multicast(work, outer, p, e)),
        scatter=int(work.scatter[outer, p, e] if ordinary else work.spread_scatter[outer, p]),
        accesses=accesses,
        hops=hops / accesses if accesses > 0 else 0.0,
    )

"""Figures of the networks from timeloop-model's outputs (cost-model section 14)."""

from __future__ import annotations

from collections.abc import Sequence

from ...cost.noc import KIND_NAMES, Network, evaluated_networks
from ...cost.outcome import NetworkStatistics, NetworkTensorStatistics, SignatureEntry
from ...specs.spec import Spec
from .archive import Archive, NetworkArchive
from .stats_text import Block, StatsError, StatsText, TensorBlock

_TREE = "ReductionTree"


def network_statistics(text: StatsText, archive: Archive | None, spec: Spec) -> tuple[NetworkStatistics, ...]:
    """All networks, in alphabetical order of their names.

    Raises:
        StatsError: other networks than this machine has.
    """
    described = {network.name: network for network in evaluated_networks(spec)}
    if set(described) != set(text.networks):
        raise StatsError(
            f"stats.txt has the networks {', '.join(text.networks)}, expected {', '.join(sorted(described))}"
        )
    return tuple(_network(described[name], text.networks[name], archive, spec) for name in sorted(described))


def _network(described: Network, block: Block, archive: Archive | None, spec: Spec) -> NetworkStatistics:
    kind = KIND_NAMES[described.kind]
    found = archive.networks[described.name] if archive else None
    # Utilised instances of the feeder are known for data spaces that it does not hold, too.
    instances = max(archive.levels[described.outer].instances) if archive else 0.0
    tensors = tuple(
        _tensor(block.tensors.get(space.name), p, found, instances)
        for p, space in enumerate(spec.problem.data_spaces)
    )
    energy = 0.0
    for tensor in tensors:
        if kind == _TREE:
            energy += tensor.energy + tensor.spatial_reduction_energy
        elif found:
            energy += (tensor.link_energy + tensor.energy) * instances
        else:
            energy += tensor.link_energy_total + tensor.energy_total
    return NetworkStatistics(described.name, kind, described.outer, energy, tensors)


def _tensor(
    printed: TensorBlock | None, p: int, found: NetworkArchive | None, instances: float
) -> NetworkTensorStatistics:
    printed = printed or TensorBlock()
    entries = tuple(_entry(printed, row) for row in printed.entries)
    energy = found.energy[p] if found else _number(printed, "Energy (per-instance)")
    link = "Link transfer energy"
    link_energy = _of(found.link_energy, p) if found else _number(printed, f"{link} (per-instance)")
    addition = "Spatial Reduction Energy (per-instance)"
    return NetworkTensorStatistics(
        fanout=_count(printed, "Fanout"),
        multicast=_count(printed, "Multicast factor"),
        entries=entries,
        distributed=tuple(_entry(printed, row) for row in printed.distributed),
        ingresses=_number(printed, "Ingresses"),
        distributed_ingresses=_number(printed, "Ingresses (distributed)"),
        link_transfers=_count(printed, "Link transfers"),
        spatial_reductions=_count(printed, "Spatial reductions"),
        hops=_of(found.hops, p) if found else _number(printed, "Average number of hops"),
        energy_per_hop=(
            _of(found.energy_per_hop, p) if found else _number(printed, "Energy (per-hop)") / 1000
        ),
        energy=energy,
        energy_total=energy * instances if found else _number(printed, "Energy (total)"),
        link_energy=link_energy,
        link_energy_total=link_energy * instances if found else _number(printed, f"{link} (total)"),
        spatial_reduction_energy=_of(found.reduction_energy, p) if found else _number(printed, addition),
    )


def _entry(printed: TensorBlock, row: tuple[int, int, float]) -> SignatureEntry:
    """Hops of single entries are in no file; the average of the data space stands in every one of them."""
    multicast, scatter, accesses = row
    return SignatureEntry(multicast, scatter, accesses, _number(printed, "Average number of hops"))


def _of(values: Sequence[float], p: int) -> float:
    return values[p] if values else 0.0


def _count(printed: TensorBlock, label: str) -> int:
    return printed.count(label) if label in printed.values else 0


def _number(printed: TensorBlock, label: str) -> float:
    return printed.number(label) if label in printed.values else 0.0

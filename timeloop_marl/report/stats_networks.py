"""The network blocks of stats.txt (formats section 10)."""

from __future__ import annotations

from collections.abc import Iterable

from ..cost.outcome import NetworkStatistics, NetworkTensorStatistics, SignatureEntry, Statistics
from ..specs.spec import Spec
from .connections import NetworkView, network_views
from .numbers import OutputStyle, field

_TENSOR_WIDTH = 40


def network_block(spec: Spec, statistics: Statistics, network: NetworkStatistics, style: OutputStyle) -> str:
    """The block of one network, from its name to the empty line after it."""
    feeders = statistics.levels[network.outer_level].tensors
    view = network_views(spec)[network.name]
    text = f"{network.name}\n\n    SPECS\n    -----\n" + _network_specs(view, style)
    text += "\n    STATS\n    -----\n"
    for space, tensor, feeder in zip(spec.problem.data_spaces, network.tensors, feeders, strict=True):
        if not (style.hide_inconsequential and _tensor_hidden(view, tensor)):
            text += f"    {space.name}:\n" + _tensor_lines(view, tensor, feeder.instances, style)
    return text + "\n"


def _tensor_hidden(view: NetworkView, tensor: NetworkTensorStatistics) -> bool:
    """Legacy networks list every data space, bypassed ones too; the others only those with traffic of theirs."""
    if view.kind == "SimpleMulticast":
        return tensor.ingresses == 0
    return view.kind == "ReductionTree" and tensor.spatial_reductions == 0


def _network_specs(view: NetworkView, style: OutputStyle) -> str:
    def line(label: str, value: object, unit: str = "") -> str:
        return field(label, 16, value, unit)

    given = view.attributes
    text = line("Type", view.kind)
    if view.kind == "Legacy":
        text += line("Legacy sub-type", given.network_type.replace(":", "_"))
    text += line("ConnectionType", view.connection_type) + line("Word bits", view.word_bits)
    if view.kind == "SimpleMulticast":
        return text + f"        Action Name       : {view.user.action_name if view.user else ''}\n"
    if view.kind == "Legacy":
        text += line("Router energy", style.optional(given.router_energy), "pJ")
        text += line("Wire energy", style.optional(given.wire_energy), "pJ/b/mm")
        text += line("Ingress energy", style.optional(given.energy_per_ingress), "pJ")
    else:
        # no recorded output of a ReductionTree exists, and the real one ends in an uninitialised number
        text += line("Wire energy", style.optional(given.wire_energy), "pJ/b/mm")
    return text + line("Fill latency", given.fill_latency) + line("Drain latency", given.drain_latency)


def _tensor_lines(
    view: NetworkView, tensor: NetworkTensorStatistics, instances: int, style: OutputStyle
) -> str:
    def line(label: str, value: object, unit: str = "") -> str:
        return field(label, _TENSOR_WIDTH, value, unit)

    text = line("Fanout", tensor.fanout) + line("Multicast factor", tensor.multicast)
    if view.kind == "SimpleMulticast":
        text += line("Ingresses", style.real(tensor.ingresses))
        text += line("Energy (per-instance)", style.real(tensor.energy), "pJ")
        return text + line("Energy (total)", style.real(tensor.energy_total), "pJ")
    if tensor.distributed:
        text += line("Multicast factor (distributed)", max(entry.multicast for entry in tensor.distributed))
    text += line("Ingresses", style.real(tensor.ingresses)) + _entries(tensor.entries, style)
    if tensor.distributed:
        text += line("Ingresses (distributed)", style.real(tensor.distributed_ingresses))
        text += _entries(tensor.distributed, style)
    text += line("Link transfers", tensor.link_transfers)
    text += line("Spatial reductions", tensor.spatial_reductions)
    text += line("Average number of hops", style.real(tensor.hops))
    text += line("Energy (per-hop)", style.real(tensor.energy_per_hop * 1000), "fJ")
    for label, value in (
        ("Energy (per-instance)", tensor.energy),
        ("Energy (total)", tensor.energy_total),
        ("Link transfer energy (per-instance)", tensor.link_energy),
        ("Link transfer energy (total)", tensor.link_energy_total),
        ("Spatial Reduction Energy (per-instance)", tensor.spatial_reduction_energy),
        ("Spatial Reduction Energy (total)", tensor.spatial_reduction_energy * instances),
    ):
        text += line(label, style.real(value), "pJ")
    return text


def _entries(entries: Iterable[SignatureEntry], style: OutputStyle) -> str:
    return "".join(
        f"            @multicast {entry.multicast} @scatter {entry.scatter}: {style.real(entry.accesses)}\n"
        for entry in entries
    )

"""timeloop-X.stats.txt, byte for byte (formats sections 2, 7, 8 and 10): levels, networks, summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..cost.outcome import (
    LevelStatistics,
    NetworkStatistics,
    NetworkTensorStatistics,
    SignatureEntry,
    Statistics,
    TensorStatistics,
)
from ..specs.architecture import Architecture, NetworkAttributes, StorageLevel, UserNetwork
from ..specs.energy import LevelEnergy
from ..specs.spec import Spec
from . import sparse_stats
from .numbers import OutputStyle, field, float32, float32_ratio, percent


def stats_text(spec: Spec, statistics: Statistics, style: OutputStyle | None = None) -> str:
    """The text of timeloop-model.stats.txt or timeloop-mapper.stats.txt for one evaluated mapping.

    Args:
        spec: machine, problem and energies the statistics belong to.
        statistics: every figure of the mapping.
        style: number format and hiding; the default is that of a program without ``TIMELOOP_*`` variables.
    """
    style = style or OutputStyle()
    text = "Buffer and Arithmetic Levels\n----------------------------\n"
    text += _levels(spec, statistics, style)
    text += "Networks\n--------\n" + _networks(spec, statistics, style)
    text += "\nOperational Intensity Stats\n---------------------------\n"
    text += _intensity(spec, statistics, style)
    text += "\n\nSummary Stats\n-------------\n" + _summary(spec, statistics, style)
    return text + "\n"


def _levels(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    text = ""
    if not (style.hide_inconsequential and statistics.compute.energy == 0):
        text += "Level 0\n-------\n" + compute_block(spec, statistics, style)
    for index, level in enumerate(statistics.levels):
        if not (style.hide_inconsequential and level_hidden(level)):
            text += f"Level {index + 1}\n-------\n" + storage_block(spec, level, index, style)
    return text


def _networks(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    text, number = "", 0
    for network in statistics.networks:
        if not (style.hide_inconsequential and network.energy == 0):
            text += f"Network {number}\n---------\n" + network_block(spec, statistics, network, style)
            number += 1
    return text


def _intensity(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    def line(label: str, value: object) -> str:
        return field(label, 40, value, indent=4)

    storage = spec.architecture.storage
    required_bytes = storage[-1].word_bits * statistics.required_accesses // 8
    text = line("Total elementwise ops", statistics.computes)
    text += line("Total reduction ops", statistics.reduction_operations)
    text += line("Total ops", statistics.operations)
    text += line("Total memory accesses required", statistics.required_accesses)
    text += (
        line("Optimal Op per Byte", style.real(float32_ratio(statistics.operations, required_bytes))) + "\n"
    )
    for hardware, level in zip(storage, statistics.levels, strict=True):
        text += f"=== {level.name} ===\n"
        if level.accesses:
            moved_bytes = hardware.word_bits * level.accesses // 8
            text += line("Total scalar accesses", level.accesses)
            text += line("Op per Byte", style.real(float32_ratio(statistics.operations, moved_bytes)))
    return text


def _summary(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    energy = statistics.energy_pj
    edp = float(float32(statistics.cycles)) * energy / 1e12
    text = f"GFLOPs (@1GHz): {style.real(float32_ratio(statistics.operations, statistics.cycles))}\n"
    text += f"Utilization: {percent(statistics.utilization)}\n"
    text += f"Cycles: {statistics.cycles}\n"
    text += f"Energy: {style.real(energy / 1e6)} uJ\n"
    text += f"EDP(J*cycle): {edp:.2e}\n"
    # Timeloop clears the grand total of the areas at each evaluation, so it always prints 0 (cost-model section 15)
    text += f"Area: {style.real(0.0)} mm^2\n\n"
    if spec.sparsity is None:
        return text + f"Computes = {statistics.computes}\n" + _energy_table(spec, statistics, style)
    dense = statistics.algorithmic_computes
    text += f"Algorithmic Computes = {dense}\n"
    text += _energy_table(spec, statistics, style, "Algorithmic-Compute", dense) + "\n"
    return text + f"Actual Computes = {statistics.computes}\n" + _energy_table(spec, statistics, style)


def _energy_table(
    spec: Spec, statistics: Statistics, style: OutputStyle, unit: str = "Compute", computes: int | None = None
) -> str:
    """Energy per compute of every component, in fJ; hidden ones still widen the column of names."""
    computes = statistics.computes if computes is None else computes
    rows = [(spec.architecture.compute.name, statistics.compute.energy)]
    rows += [(level.name, level.energy) for level in statistics.levels]
    rows += [(network.name, network.energy) for network in statistics.networks]
    width = 1 + max(len(name) for name, _ in rows)
    shown = [row for row in rows if row[1] != 0 or not style.hide_inconsequential]
    text = f"fJ/{unit}\n"
    for name, energy in [*shown, ("Total", statistics.energy_pj)]:
        text += f"    {name:<{width}}= {style.real(energy * 1000 / computes)}\n"
    return text


SPECS = "\n    SPECS\n    -----\n"
STATS = "\n    STATS\n    -----\n"


def level_hidden(level: LevelStatistics) -> bool:
    """Whether a storage level is inconsequential: nothing is accessed and nothing consumed."""
    untouched = all(
        t.reads + t.fills + t.updates == 0 and (t.sparse is None or not any(t.sparse.algorithmic))
        for t in level.tensors
    )
    return untouched and level.energy == 0


def compute_block(spec: Spec, statistics: Statistics, style: OutputStyle) -> str:
    """The block of the arithmetic level, its heading line included."""
    hardware, used = spec.architecture.compute, statistics.compute
    instances = f"{hardware.instances} ({hardware.mesh_x}*{hardware.mesh_y})"
    text = f"=== {hardware.name} ===\n" + SPECS
    text += field("Word bits", 22, hardware.word_bits, indent=4)
    text += field("Instances", 22, instances, indent=4)
    text += field("Compute energy", 22, style.real(spec.energies.compute), "pJ", indent=4)
    text += STATS
    if spec.sparsity is not None:
        return text + sparse_stats.compute_lines(statistics, style) + "\n"
    text += field("Utilized instances", 24, used.utilized_instances, indent=4)
    text += field("Computes (total)", 24, statistics.computes, indent=4)
    text += field("Cycles", 24, used.cycles, indent=4)
    text += field("Energy (total)", 24, style.real(used.energy), "pJ", indent=4)
    text += field("Area (total)", 24, style.real(used.area), "um^2", indent=4)
    return text + "\n"


def storage_block(spec: Spec, level: LevelStatistics, index: int, style: OutputStyle) -> str:
    """The block of storage level ``index`` (0 = innermost), its heading line included."""
    text = f"=== {level.name} ===\n" + SPECS
    rows = _storage_specs(spec.architecture.storage[index], spec.energies.storage[index], level, style)
    if spec.sparsity is not None:
        rows = sparse_stats.storage_specs(spec, index, rows, style)
    text += "".join(field(label, 32, value) for label, value in rows)
    text += STATS
    text += f"    Cycles               : {level.cycles}\n"
    text += f"    Bandwidth throttling : {style.real(level.throttle)}\n"
    for space, tensor in zip(spec.problem.data_spaces, level.tensors, strict=True):
        if tensor.kept:
            text += f"    {space.name}:\n" + _storage_tensor_lines(tensor, style)
    return text + "\n"


def _storage_specs(
    hardware: StorageLevel, energy: LevelEnergy, level: LevelStatistics, style: OutputStyle
) -> list[tuple[str, object]]:
    return [
        ("Technology", hardware.technology),
        ("Size", _or_dash(hardware.size)),
        ("Word bits", hardware.word_bits),
        ("Block size", hardware.block_size),
        ("Cluster size", hardware.cluster_size),
        ("Instances", f"{hardware.instances} ({hardware.mesh_x}*{hardware.mesh_y})"),
        ("Shared bandwidth", style.optional(hardware.shared_bandwidth)),
        ("Read bandwidth", style.optional(hardware.read_bandwidth)),
        ("Write bandwidth", style.optional(hardware.write_bandwidth)),
        ("Multiple buffering", style.real(hardware.multiple_buffering)),
        ("Effective size", _or_dash(hardware.effective_size)),
        ("Min utilization", style.real(hardware.min_utilization)),
        ("Vector access energy", f"{style.real(energy.vector_access)} pJ"),
        ("Vector access energy source", energy.source),
        ("Per-instance-cycle leakage", f"{style.real(energy.leak)} pJ"),
        ("Instances sharing power gating", style.real(level.sharing_power_gating)),
        ("Non-power-gated utilization", percent(level.non_power_gated_utilization)),
        ("Leakage energy (total)", f"{style.real(level.leakage)} pJ"),
        ("Area", f"{style.real(energy.area)} um^2"),
    ]


def _or_dash(value: int | None) -> object:
    return "-" if value is None else value


def _storage_tensor_lines(tensor: TensorStatistics, style: OutputStyle) -> str:
    """The 23 lines of one kept data space, or those of a sparse design."""
    if tensor.sparse is not None:
        return sparse_stats.tensor_lines(tensor, tensor.sparse, style)
    accesses = tensor.reads + tensor.fills + tensor.updates
    per_access = tensor.energy / accesses if accesses else 0.0
    integers = [
        ("Partition size", tensor.partition),
        ("Utilized capacity", tensor.tile_shape),
        ("Utilized instances (max)", tensor.instances),
        ("Utilized clusters (max)", tensor.clusters),
        ("Scalar reads (per-instance)", tensor.reads),
        ("Scalar fills (per-instance)", tensor.fills),
        ("Scalar updates (per-instance)", tensor.updates),
        ("Temporal reductions (per-instance)", tensor.temporal_reductions),
        ("Address generations (per-cluster)", tensor.address_generations),
    ]
    energies = [
        ("Energy (per-scalar-access)", per_access),
        ("Energy (per-instance)", tensor.energy),
        ("Energy (total)", tensor.energy_total),
        # the public PAT gives adders no energy (cost-model section 13)
        ("Temporal Reduction Energy (per-instance)", 0.0),
        ("Temporal Reduction Energy (total)", 0.0),
        ("Address Generation Energy (per-cluster)", tensor.address_energy),
        ("Address Generation Energy (total)", tensor.address_energy_total),
    ]
    text = "".join(field(label, 41, value) for label, value in integers)
    text += "".join(field(label, 41, style.real(value), "pJ") for label, value in energies)
    text += field("Bandwidth Consumption Scale", 41, style.real(tensor.bandwidth_scale))
    return text + _bandwidth_lines(tensor, style)


def _bandwidth_lines(tensor: TensorStatistics, style: OutputStyle) -> str:
    text = ""
    for name, value in (
        ("Shared", tensor.shared_bandwidth),
        ("Read", tensor.read_bandwidth),
        ("Write", tensor.write_bandwidth),
    ):
        text += field(f"{name} Bandwidth (per-instance)", 41, style.real(value), "words/cycle")
        text += field(f"{name} Bandwidth (total)", 41, style.real(value * tensor.instances), "words/cycle")
    return text


READ, UPDATE = 1, 2  # bits of Timeloop's connection type: 1 read/fill, 2 update/drain, 3 both


@dataclass(frozen=True)
class NetworkView:
    """What stats.txt says about a network itself. Energies in pJ, latencies in cycles."""

    name: str
    kind: str
    connection_type: int
    word_bits: int
    attributes: NetworkAttributes
    user: UserNetwork | None = None


def network_views(spec: Spec) -> dict[str, NetworkView]:
    """Every network of the machine by name, the inferred ones included."""
    views: dict[str, NetworkView] = {}
    for level in range(len(spec.architecture.storage)):
        for name, side in _connection_sides(spec.architecture, level):
            known = views.get(name) or _new_view(spec, level, name)
            views[name] = _serving(spec, level, known, side)
    return views


def inferred_name(architecture: Architecture, level: int) -> str:
    """Name of the network Timeloop infers below storage level ``level``."""
    inner = architecture.compute if level == 0 else architecture.storage[level - 1]
    return f"{architecture.storage[level].name} <==> {inner.name}"


def _connection_sides(architecture: Architecture, level: int) -> tuple[tuple[str, int], ...]:
    """Network names and sides of the connection below storage level ``level``."""
    buffer = architecture.storage[level]
    inferred = inferred_name(architecture, level)
    if buffer.network_read and not buffer.network_update:
        return ((buffer.network_read, READ | UPDATE),)
    return ((buffer.network_read or inferred, READ), (buffer.network_update or inferred, UPDATE))


def _new_view(spec: Spec, level: int, name: str) -> NetworkView:
    for user in spec.architecture.networks:
        if user.name == name:
            attributes = replace(user.network, fill_latency=0, drain_latency=0)
            return NetworkView(name, user.kind, 0, user.network.word_bits or 16, attributes, user)
    buffer = spec.architecture.storage[level]
    attributes = replace(buffer.network, fill_latency=0, drain_latency=0)
    if spec.energies.wire is not None:
        attributes = replace(attributes, wire_energy=spec.energies.wire)
    return NetworkView(name, "Legacy", 0, buffer.network.word_bits or buffer.word_bits, attributes)


def _serving(spec: Spec, level: int, view: NetworkView, side: int) -> NetworkView:
    """The view with the latencies and the type of one more side."""
    buffer = spec.architecture.storage[level].network
    declared = view.user.network.fill_latency if view.user else None
    attributes = view.attributes
    if side & READ:
        attributes = replace(attributes, fill_latency=buffer.fill_latency if declared is None else declared)
    if side & UPDATE:
        # a user network named on the update side pays its *fill* latency there; its drain latency is never read
        by_name = declared is not None and side == UPDATE
        drain = declared if by_name and declared is not None else buffer.drain_latency
        attributes = replace(attributes, drain_latency=drain)
    return replace(view, connection_type=view.connection_type | side, attributes=attributes)


_NETWORK_WIDTH = 40


def network_block(spec: Spec, statistics: Statistics, network: NetworkStatistics, style: OutputStyle) -> str:
    """The block of one network, from its name to the empty line after it."""
    feeders = statistics.levels[network.outer_level].tensors
    view = network_views(spec)[network.name]
    text = f"{network.name}\n\n    SPECS\n    -----\n" + _network_specs(view, style)
    text += "\n    STATS\n    -----\n"
    for space, tensor, feeder in zip(spec.problem.data_spaces, network.tensors, feeders, strict=True):
        if not (style.hide_inconsequential and _tensor_hidden(view, tensor)):
            text += f"    {space.name}:\n" + _network_tensor_lines(view, tensor, feeder.instances, style)
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
        for label, energy, unit in (
            ("Adder energy", view.user.adder_energy if view.user else 0.0, "pJ"),
            ("Wire energy", given.wire_energy, "pJ/b/mm"),
        ):
            text += line(label, style.optional(energy), unit) if energy else ""
        # the fill latency that the real program prints is an uninitialised number; its widths are these
        text += field("Fill latency", 17, given.fill_latency)
        return text + field("Drain latency", 18, given.drain_latency)
    return text + line("Fill latency", given.fill_latency) + line("Drain latency", given.drain_latency)


def _network_tensor_lines(
    view: NetworkView, tensor: NetworkTensorStatistics, instances: int, style: OutputStyle
) -> str:
    def line(label: str, value: object, unit: str = "") -> str:
        return field(label, _NETWORK_WIDTH, value, unit)

    if view.kind == "ReductionTree":
        return _carried_lines(tensor, instances, style, links=False)
    text = line("Fanout", tensor.fanout) + line("Multicast factor", tensor.multicast)
    if view.kind == "SimpleMulticast":
        text += line("Ingresses", style.real(tensor.ingresses))
        text += line("Energy (per-instance)", style.real(tensor.energy), "pJ")
        return text + line("Energy (total)", style.real(tensor.energy_total), "pJ")
    if tensor.distributed:
        text += line("Multicast factor (distributed)", max(entry.multicast for entry in tensor.distributed))
    text += line("Ingresses", style.real(tensor.ingresses)) + _signature_lines(tensor.entries, style)
    if tensor.distributed:
        text += line("Ingresses (distributed)", style.real(tensor.distributed_ingresses))
        text += _signature_lines(tensor.distributed, style)
    text += line("Link transfers", tensor.link_transfers)
    return text + _carried_lines(tensor, instances, style, links=True)


def _carried_lines(
    tensor: NetworkTensorStatistics, instances: int, style: OutputStyle, *, links: bool
) -> str:
    """Reductions, hops and what they cost; ``links``: also what transfers between neighbours cost."""

    def line(label: str, value: object, unit: str = "") -> str:
        return field(label, _NETWORK_WIDTH, value, unit)

    text = line("Spatial reductions", tensor.spatial_reductions)
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
        if links or not label.startswith("Link"):
            text += line(label, style.real(value), "pJ")
    return text


def _signature_lines(entries: Iterable[SignatureEntry], style: OutputStyle) -> str:
    return "".join(
        f"            @multicast {entry.multicast} @scatter {entry.scatter}: {style.real(entry.accesses)}\n"
        for entry in entries
    )

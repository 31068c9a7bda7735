"""The level blocks of stats.txt: compute and storage (formats sections 7, 8 and 10)."""

from __future__ import annotations

from ..cost.outcome import LevelStatistics, Statistics, TensorStatistics
from ..specs.architecture import StorageLevel
from ..specs.energy import LevelEnergy
from ..specs.spec import Spec
from .numbers import OutputStyle, field, percent

SPECS = "\n    SPECS\n    -----\n"
STATS = "\n    STATS\n    -----\n"


def level_hidden(level: LevelStatistics) -> bool:
    """Whether a storage level is inconsequential: nothing is accessed and nothing consumed."""
    untouched = all(t.reads + t.fills + t.updates == 0 for t in level.tensors)
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
    text += field("Utilized instances", 24, used.utilized_instances, indent=4)
    text += field("Computes (total)", 24, statistics.computes, indent=4)
    text += field("Cycles", 24, used.cycles, indent=4)
    text += field("Energy (total)", 24, style.real(used.energy), "pJ", indent=4)
    text += field("Area (total)", 24, style.real(used.area), "um^2", indent=4)
    return text + "\n"


def storage_block(spec: Spec, level: LevelStatistics, index: int, style: OutputStyle) -> str:
    """The block of storage level ``index`` (0 = innermost), its heading line included."""
    text = f"=== {level.name} ===\n" + SPECS
    text += _storage_specs(spec.architecture.storage[index], spec.energies.storage[index], level, style)
    text += STATS
    text += f"    Cycles               : {level.cycles}\n"
    text += f"    Bandwidth throttling : {style.real(level.throttle)}\n"
    for space, tensor in zip(spec.problem.data_spaces, level.tensors, strict=True):
        if tensor.kept:
            text += f"    {space.name}:\n" + _tensor_lines(tensor, style)
    return text + "\n"


def _storage_specs(
    hardware: StorageLevel, energy: LevelEnergy, level: LevelStatistics, style: OutputStyle
) -> str:
    rows = [
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
    return "".join(field(label, 32, value) for label, value in rows)


def _or_dash(value: int | None) -> object:
    return "-" if value is None else value


def _tensor_lines(tensor: TensorStatistics, style: OutputStyle) -> str:
    """The 23 lines of one kept data space."""
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

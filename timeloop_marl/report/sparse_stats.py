"""The blocks of stats.txt that sparse designs print otherwise, byte for byte (docs/sparse.md, section 8)."""

from __future__ import annotations

from collections.abc import Iterable

from ..cost.outcome import SparseTensorStatistics, Statistics, TensorStatistics
from ..specs.architecture import StorageLevel
from ..specs.energy import LevelEnergy
from ..specs.sparse import ACTIONS, SparseLevel
from ..specs.spec import Spec
from .numbers import OutputStyle, field, percent

_KINDS = (("Actual", "random"), ("Gated", "gated"), ("Skipped", "skipped"))
_ACTIONS = (("reads", "read"), ("fills", "fill"), ("updates", "update"))
_WIDTH = 60


def compute_lines(statistics: Statistics, style: OutputStyle) -> str:
    """What the arithmetic level did, up to its last empty lines."""
    used = statistics.compute
    rows: list[tuple[str, object]] = [
        ("Utilized instances (max)", used.utilized_instances),
        ("Utilized instances (average)", int(used.average_instances)),
        ("Cycles", used.cycles),
        ("Algorithmic Computes (total)", statistics.algorithmic_computes),
        ("Actual Computes (total)", statistics.computes),
        ("Gated Computes (total)", used.gated),
        ("Skipped Computes (total)", used.skipped),
        ("Energy (total)", f"{style.real(used.energy)} pJ"),
        ("Area (total)", f"{style.real(used.area)} um^2"),
    ]
    return "".join(field(label, 29, value, indent=4) for label, value in rows) + "\n"


def storage_specs(
    spec: Spec, index: int, shared: Iterable[tuple[str, object]], style: OutputStyle
) -> list[tuple[str, object]]:
    """Labels and values of a storage level; ``shared`` are those of a dense design."""
    hardware, energy = spec.architecture.storage[index], spec.energies.storage[index]
    assert spec.sparsity is not None
    known, own = dict(shared), spec.sparsity.levels[index]
    size = known["Size"]
    rows: list[tuple[str, object]] = [
        ("Technology", hardware.technology),
        ("Data storage size", size),
        ("Data word bits", hardware.word_bits),
        ("Data block size", hardware.block_size),
        ("Metadata storage width(bits)", own.metadata_bits),
        ("Metadata storage depth", "-" if own.metadata_depth is None else own.metadata_depth),
        *((label, known[label]) for label in _BETWEEN),
        ("Effective data storage size", known["Effective size"]),
        ("Min utilization", known["Min utilization"]),
        *_energies(hardware, energy, own, style),
        *((label, known[label]) for label in _AFTER),
    ]
    return rows


_BETWEEN = (
    "Cluster size",
    "Instances",
    "Shared bandwidth",
    "Read bandwidth",
    "Write bandwidth",
    "Multiple buffering",
)
_AFTER = (
    "Per-instance-cycle leakage", "Instances sharing power gating", "Non-power-gated utilization",
    "Leakage energy (total)", "Area",
)  # fmt: skip


def _energies(
    hardware: StorageLevel, energy: LevelEnergy, own: SparseLevel, style: OutputStyle
) -> list[tuple[str, object]]:
    prices = dict(zip(ACTIONS, own.energies))
    rows = (
        ("Vector read energy", energy.read),
        ("Vector write energy", energy.fill),
        ("Vector metadata read energy", prices["random_metadata_read"]),
        ("Vector metadata write energy", prices["random_metadata_fill"]),
        ("(De)compression energy", prices["decompression_count"]),
    )
    return [(label, f"{style.real(value)} pJ") for label, value in rows]


def tensor_lines(tensor: TensorStatistics, sparse: SparseTensorStatistics, style: OutputStyle) -> str:
    """The lines of one kept data space."""
    text = _line("Partition size", tensor.partition)
    text += _line("Tile density distribution", sparse.density)
    text += _line("Data tile shape", tensor.capacity)
    text += _line("Max utilized data storage capacity", tensor.tile_shape)
    text += _line("Representation format", "".join(f"{name.lower()} " for name in sparse.ranks) or "none")
    text += _ranks("Max utilized Repr format storage capacity", sparse.metadata_units, ", ")
    text += _line("Utilized instances (max)", tensor.instances)
    text += _line("Utilized instances (average)", style.real(sparse.instances))
    text += _line("Utilized clusters (max)", tensor.clusters)
    for (name, action), count in zip(_ACTIONS, sparse.algorithmic):
        text += _line(f"Algorithmic scalar {name} (per-instance)", count)
        for label, kind in _KINDS:
            text += _line(f"{label} scalar {name} (per-instance)", sparse.words.get(f"{kind}_{action}", 0))
    for name, action in _ACTIONS if sparse.ranks else ():
        for label, kind in _KINDS:
            key = f"{kind}_metadata_{action}"
            moved = sparse.metadata.get(key, ()) if sparse.metadata_moved.get(key) else ()
            text += _ranks(f"{label} scalar format {name} (per-instance)", moved, ",  ")
    text += _line("Temporal reductions (per-instance)", tensor.temporal_reductions)
    text += _line("Address generations (per-cluster)", tensor.address_generations)
    for label, value in (
        ("Energy (per-scalar-access)", sparse.energy_per_access),
        ("Energy (per-instance)", tensor.energy),
        ("Energy (total)", tensor.energy_total),
        ("Temporal Reduction Energy (per-instance)", 0.0),
        ("Temporal Reduction Energy (total)", 0.0),
        ("Address Generation Energy (per-cluster)", tensor.address_energy),
        ("Address Generation Energy (total)", tensor.address_energy_total),
    ):
        text += _line(label, f"{style.real(value)} pJ")
    text += _line("Bandwidth Consumption Scale", style.real(tensor.bandwidth_scale))
    return text + _bandwidths(tensor, sparse, style)


def _bandwidths(tensor: TensorStatistics, sparse: SparseTensorStatistics, style: OutputStyle) -> str:
    """Demands, and what of them is metadata; the program subtracts percentages from 1."""
    text = ""
    values = tensor.shared_bandwidth, tensor.read_bandwidth, tensor.write_bandwidth
    for name, value, fraction in zip(("Shared", "Read", "Write"), values, sparse.fractions):
        text += _line(f"Average {name} Bandwidth (per-instance)", f"{style.real(value)} words/cycle")
        shown = f"({1 - 100 * fraction:.2f}%, {percent(fraction)}" + ("" if name == "Shared" else ")")
        text += f"{' ' * 12}Breakdown (Data, Format): {shown}\n"
        text += _line(f"{name} Bandwidth (total)", f"{style.real(value * tensor.instances)} words/cycle")
    return text


def _line(label: str, value: object) -> str:
    return field(label, _WIDTH, value)


def _ranks(label: str, units: tuple[tuple[int, int], ...], comma: str) -> str:
    """A label, and under it metadata and payload of every rank, outermost first; 0 where there are none."""
    if not units:
        return _line(label, 0)
    text = f"{' ' * 8}{label:<{_WIDTH}}\n"
    for r in range(len(units) - 1, -1, -1):
        text += f"{' ' * 12}Rank {r} (metadata, payload): ({units[r][0]}{comma}{units[r][1]})\n"
    return text

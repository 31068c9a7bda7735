"""Every figure of one mapping from timeloop-model's outputs.

stats.txt has all figures, doubles with two decimals. map+stats.xml has the doubles of levels and networks in full; the
total energy, which is in no file in full, is summed up from them in the program's own order (cost-model section 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...cost.outcome import (
    ComputeStatistics,
    LevelStatistics,
    Statistics,
    TensorStatistics,
)
from ...specs.spec import Spec
from .archive import Archive, LevelArchive
from .leakage import exact_leakage
from .networks import network_statistics
from .stats_text import Block, StatsError, StatsText, TensorBlock

NO_TENSOR = TensorStatistics(
    kept=False, partition=0, capacity=0, tile_shape=0, instances=0, clusters=0, reads=0, fills=0, updates=0,
    temporal_reductions=0, address_generations=0, energy=0.0, energy_total=0.0, address_energy=0.0,
    address_energy_total=0.0, read_bandwidth=0.0, write_bandwidth=0.0, bandwidth_scale=1.0,
)  # fmt: skip

_GATED = "Gated Computes (total)"
_SPARSE_INSTANCES = "Utilized instances (max)"


@dataclass(frozen=True)
class Measured:
    """Figures of the real program.

    Attributes:
        statistics: all of them.
        full: doubles have all their digits; otherwise two decimals, as printed.
        texts: the program's own output files, by the end of their names.
    """

    statistics: Statistics
    full: bool
    texts: Mapping[str, str] = field(default_factory=dict)


def measured(text: StatsText, archive: Archive | None, spec: Spec) -> Measured:
    """Put the figures together.

    Raises:
        StatsError: the files do not describe this machine.
    """
    _check_names(text, archive, spec)
    compute = _compute(text, archive, spec)
    leaks, full = _leakages(text, archive, spec, compute.cycles)
    levels = tuple(
        _level(text, spec, s, archive.levels[s] if archive else None, leak) for s, leak in enumerate(leaks)
    )
    networks = network_statistics(text, archive, spec)
    energy = _sum([compute.energy, *(x.energy for x in levels), *(x.energy for x in networks)])
    computes, cycles = text.summary.count("Computes"), text.summary.count("Cycles")
    statistics = Statistics(
        cycles=cycles,
        energy_pj=energy,
        utilization=float(computes + _gated(text, spec))
        / float(spec.architecture.compute.instances)
        / float(cycles),
        computes=computes,
        operations=text.intensity.count("Total ops"),
        reduction_operations=text.intensity.count("Total reduction ops"),
        required_accesses=text.intensity.count("Total memory accesses required"),
        compute=compute,
        levels=levels,
        networks=networks,
    )
    return Measured(statistics, archive is not None and full)


def _gated(text: StatsText, spec: Spec) -> int:
    """Operations that a sparse design gates: they take their turn, though nothing is computed."""
    block = text.levels[spec.architecture.compute.name]
    return block.count(_GATED) if _GATED in block.values else 0


def _check_names(text: StatsText, archive: Archive | None, spec: Spec) -> None:
    architecture = spec.architecture
    names = [architecture.compute.name, *(level.name for level in architecture.storage)]
    if list(text.levels) != names:
        raise StatsError(f"stats.txt has the levels {', '.join(text.levels)}, expected {', '.join(names)}")
    if archive and [level.name for level in archive.levels] != names[1:]:
        raise StatsError("map+stats.xml has other levels than stats.txt")
    if archive and set(archive.networks) != set(text.networks):
        raise StatsError("map+stats.xml has other networks than stats.txt")


def _compute(text: StatsText, archive: Archive | None, spec: Spec) -> ComputeStatistics:
    block = text.levels[spec.architecture.compute.name]
    used = block.count("Utilized instances" if "Utilized instances" in block.values else _SPARSE_INSTANCES)
    return ComputeStatistics(
        utilized_instances=used,
        average_instances=archive.average_instances if archive else float(used),
        cycles=block.count("Cycles"),
        energy=archive.compute_energy if archive else block.number("Energy (total)"),
        area=(
            archive.compute_area * spec.architecture.compute.instances
            if archive
            else block.number("Area (total)")
        ),
    )


def _leakages(text: StatsText, archive: Archive | None, spec: Spec, cycles: int) -> tuple[list[float], bool]:
    """PJ of every level, and whether they are full doubles: no file has them, but they follow from what there is."""
    blocks = [text.levels[level.name] for level in spec.architecture.storage]
    printed = [block.number("Leakage energy (total)") for block in blocks]
    if archive is None:
        return printed, False
    exact = exact_leakage(spec, [level.instances for level in archive.levels], _span(archive, cycles))
    agree = all(f"{a:.2f}" == f"{b:.2f}" for a, b in zip(exact, printed, strict=True))
    return (exact, True) if agree else (printed, False)


def _span(archive: Archive, cycles: int) -> int:
    return max([cycles, *(level.cycles for level in archive.levels)])


def _level(text: StatsText, spec: Spec, s: int, found: LevelArchive | None, leak: float) -> LevelStatistics:
    hardware = spec.architecture.storage[s]
    block = text.levels[hardware.name]
    share = block.number("Instances sharing power gating")
    tensors = tuple(_tensor(block, space.name, p, found) for p, space in enumerate(spec.problem.data_spaces))
    return LevelStatistics(
        name=hardware.name,
        cycles=block.count("Cycles"),
        throttle=found.slowdown if found else block.number("Bandwidth throttling"),
        energy=_level_energy(tensors, found, leak),
        leakage=leak,
        leakage_instances=max([1.0, *(float(tensor.instances) for tensor in tensors)]) * max(share, 1.0),
        sharing_power_gating=share,
        non_power_gated_utilization=float(block.values["Non-power-gated utilization"].rstrip("%")) / 100,
        accesses=text.accesses.get(hardware.name, 0),
        tensors=tensors,
    )


def _level_energy(tensors: Sequence[TensorStatistics], found: LevelArchive | None, leak: float) -> float:
    """All instances: per data space storage, additions, addresses, and its share of the leakage."""
    parts = []
    for p, tensor in enumerate(tensors):
        if found:
            storage = found.energy[p] * found.instances[p]
            additions = found.reduction_energy[p] * found.instances[p]
            addresses = found.address_energy[p] * float(found.clusters[p])
            parts.append(((storage + additions) + addresses) + leak / float(len(tensors)))
        else:
            parts.append(tensor.energy_total + tensor.address_energy_total + leak / len(tensors))
    return _sum(parts)


def _tensor(block: Block, name: str, p: int, found: LevelArchive | None) -> TensorStatistics:
    printed = block.tensors.get(name)
    if printed is None:
        return NO_TENSOR
    energy = found.energy[p] if found else printed.number("Energy (per-instance)")
    address = found.address_energy[p] if found else printed.number("Address Generation Energy (per-cluster)")
    instances = printed.count("Utilized instances (max)")
    clusters = printed.count("Utilized clusters (max)")
    return TensorStatistics(
        kept=True,
        partition=printed.count("Partition size"),
        capacity=found.capacity[p] if found else printed.count("Utilized capacity"),
        tile_shape=printed.count("Utilized capacity"),
        instances=instances,
        clusters=clusters,
        reads=printed.count("Scalar reads (per-instance)"),
        fills=printed.count("Scalar fills (per-instance)"),
        updates=printed.count("Scalar updates (per-instance)"),
        temporal_reductions=printed.count("Temporal reductions (per-instance)"),
        address_generations=printed.count("Address generations (per-cluster)"),
        energy=energy,
        energy_total=energy * instances if found else printed.number("Energy (total)"),
        address_energy=address,
        address_energy_total=(
            address * clusters if found else printed.number("Address Generation Energy (total)")
        ),
        read_bandwidth=found.read_bandwidth[p] if found else _bandwidth(printed, "Read"),
        write_bandwidth=found.write_bandwidth[p] if found else _bandwidth(printed, "Write"),
        bandwidth_scale=printed.number("Bandwidth Consumption Scale"),
        shared_bandwidth=found.shared_bandwidth[p] if found else _bandwidth(printed, "Shared"),
    )


def _bandwidth(printed: TensorBlock, kind: str) -> float:
    return printed.number(f"{kind} Bandwidth (per-instance)")


def _sum(parts: Sequence[float]) -> float:
    """From the first on, one after the other: ``sum`` of newer Pythons compensates rounding, the program does not."""
    total = 0.0
    for part in parts:
        total += part
    return total

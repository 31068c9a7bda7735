"""Every figure of an evaluated mapping from what timeloop-model has written: stats.txt, and its archive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...cost.noc import KIND_NAMES, Network, evaluated_networks
from ...cost.outcome import (
    ComputeStatistics,
    LevelStatistics,
    NetworkStatistics,
    NetworkTensorStatistics,
    SignatureEntry,
    Statistics,
    TensorStatistics,
)
from ...specs.spec import Spec
from .archive import Archive, LevelArchive, NetworkArchive

_LEVEL = re.compile(r"^=== (.+) ===$")
_VALUE = re.compile(r"^ *(.+?) *: (.*)$")
_TENSOR = re.compile(r"^ {4}(\S+):$")
_ENTRY = re.compile(r"^ +@multicast (\d+) @scatter (\d+): (\S+)$")
_TABLE = re.compile(r"^ {4}(.+?) *= (\S+)$")
_SECTIONS = {
    "Buffer and Arithmetic Levels": "levels",
    "Networks": "networks",
    "Operational Intensity Stats": "intensity",
    "Summary Stats": "summary",
}
# With sparse optimisations the program names some figures otherwise; what really happens counts, not what dense
# data would make happen.
_SPARSE_LABELS = {
    "Actual Computes (total)": "Computes (total)",
    "Max utilized data storage capacity": "Utilized capacity",
    "Actual scalar reads (per-instance)": "Scalar reads (per-instance)",
    "Actual scalar fills (per-instance)": "Scalar fills (per-instance)",
    "Actual scalar updates (per-instance)": "Scalar updates (per-instance)",
    "Average Shared Bandwidth (per-instance)": "Shared Bandwidth (per-instance)",
    "Average Read Bandwidth (per-instance)": "Read Bandwidth (per-instance)",
    "Average Write Bandwidth (per-instance)": "Write Bandwidth (per-instance)",
}


class StatsError(ValueError):
    """The text is not a whole stats.txt, or one of another Timeloop; the message says what is missing."""


@dataclass
class TensorBlock:
    """One data space in a level or network: values by label; ``entries``: (multicast, scatter, accesses)."""

    values: dict[str, str] = field(default_factory=dict)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    distributed: list[tuple[int, int, float]] = field(default_factory=list)

    def number(self, label: str) -> float:
        """A value with decimals, its unit dropped."""
        return float(_first_word(self.values, label))

    def count(self, label: str) -> int:
        """A whole number."""
        return int(_first_word(self.values, label))


@dataclass
class Block(TensorBlock):
    """A level or a network: its own values, and its data spaces by name."""

    tensors: dict[str, TensorBlock] = field(default_factory=dict)


@dataclass
class StatsText:
    """A whole stats.txt. ``levels`` and ``networks`` by name, in the order of the file; the first level computes."""

    levels: dict[str, Block] = field(default_factory=dict)
    networks: dict[str, Block] = field(default_factory=dict)
    intensity: Block = field(default_factory=Block)
    accesses: dict[str, int] = field(default_factory=dict)  # scalar accesses by level
    summary: Block = field(default_factory=Block)
    per_compute: dict[str, float] = field(default_factory=dict)  # fJ per compute


def read_stats(text: str) -> StatsText:
    """Parse the text.

    Raises:
        StatsError: a section is missing, e.g. because the file was cut off.
    """
    reader = _StatsReader()
    for line in text.splitlines():
        reader.take(line)
    if "Total" not in reader.stats.per_compute:
        raise StatsError("stats.txt ends before its summary")
    return reader.stats


class _StatsReader:
    """Follows the file line by line."""

    def __init__(self) -> None:
        self.stats = StatsText()
        self._section = ""
        self._block: Block | None = None
        self._target: TensorBlock | None = None
        self._level = ""
        self._name_follows = self._distributed = False

    def take(self, line: str) -> None:
        if line in _SECTIONS:
            self._section, self._block, self._target = _SECTIONS[line], None, None
        elif self._section in ("levels", "networks"):
            self._block_line(line)
        elif self._section == "intensity":
            self._intensity_line(line)
        elif self._section == "summary":
            self._summary_line(line)

    def _block_line(self, line: str) -> None:
        if self._section == "levels" and (heading := _LEVEL.match(line)):
            self._open(self.stats.levels, heading[1])
        elif self._section == "networks" and re.match(r"^Network \d+$", line):
            self._name_follows = True
        elif self._name_follows and line and not line.startswith("---"):
            self._open(self.stats.networks, line.strip())
            self._name_follows = False
        elif self._block is None or self._target is None:
            return
        elif tensor := _TENSOR.match(line):
            self._target = self._block.tensors.setdefault(tensor[1], TensorBlock())
        elif entry := _ENTRY.match(line):
            place = self._target.distributed if self._distributed else self._target.entries
            place.append((int(entry[1]), int(entry[2]), float(entry[3])))
        elif value := _VALUE.match(line):
            self._distributed = value[1] == "Ingresses (distributed)"
            self._target.values[_SPARSE_LABELS.get(value[1], value[1])] = value[2].strip()

    def _open(self, blocks: dict[str, Block], name: str) -> None:
        if name in blocks:
            raise StatsError(f"two blocks are called {name}")
        self._block = self._target = blocks[name] = Block()

    def _intensity_line(self, line: str) -> None:
        if heading := _LEVEL.match(line):
            self._level = heading[1]
        elif value := _VALUE.match(line):
            if self._level and value[1] == "Total scalar accesses":
                self.stats.accesses[self._level] = int(value[2])
            elif not self._level:
                self.stats.intensity.values[value[1]] = value[2].strip()

    def _summary_line(self, line: str) -> None:
        if line.startswith(("Computes = ", "Actual Computes = ")):
            self.stats.summary.values["Computes"] = line.partition(" = ")[2].strip()
        elif row := _TABLE.match(line):
            self.stats.per_compute[row[1]] = float(row[2])
        elif value := _VALUE.match(line):
            self.stats.summary.values[value[1]] = value[2].strip()


def _first_word(values: dict[str, str], label: str) -> str:
    if label not in values or not values[label]:
        raise StatsError(f"stats.txt has no value for {label!r}")
    return values[label].split()[0]


def exact_leakage(spec: Spec, instances: Sequence[Sequence[float]], cycles: int) -> list[float]:
    """PJ of every storage level over ``cycles``, from the tables.

    Args:
        spec: with the leakage per instance and cycle.
        instances: utilised instances by storage level and data space.
        cycles: cycles of the slowest level, without network latencies.
    """
    used = [max([1.0, *row]) for row in instances]
    leaks = []
    for s, level in enumerate(spec.architecture.storage):
        gate = spec.architecture.level_index(level.power_gated_at) if level.power_gated_at else s
        share = float(level.instances) / float(spec.architecture.storage[gate].instances)
        leaking = share * used[gate] if share > 1.0 else used[s]
        leaks.append((spec.energies.storage[s].leak * float(cycles)) * leaking)
    return leaks


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
    return tuple(
        _read_network(described[name], text.networks[name], archive, spec) for name in sorted(described)
    )


def _read_network(described: Network, block: Block, archive: Archive | None, spec: Spec) -> NetworkStatistics:
    kind = KIND_NAMES[described.kind]
    found = archive.networks[described.name] if archive else None
    # Utilised instances of the feeder are known for data spaces that it does not hold, too.
    instances = max(archive.levels[described.outer].instances) if archive else 0.0
    tensors = tuple(
        _network_tensor(block.tensors.get(space.name), p, found, instances)
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


def _network_tensor(
    printed: TensorBlock | None, p: int, found: NetworkArchive | None, instances: float
) -> NetworkTensorStatistics:
    printed = printed or TensorBlock()
    entries = tuple(_signature_entry(printed, row) for row in printed.entries)
    energy = found.energy[p] if found else _number_of(printed, "Energy (per-instance)")
    link = "Link transfer energy"
    link_energy = _of(found.link_energy, p) if found else _number_of(printed, f"{link} (per-instance)")
    addition = "Spatial Reduction Energy (per-instance)"
    return NetworkTensorStatistics(
        fanout=_count_of(printed, "Fanout"),
        multicast=_count_of(printed, "Multicast factor"),
        entries=entries,
        distributed=tuple(_signature_entry(printed, row) for row in printed.distributed),
        ingresses=_number_of(printed, "Ingresses"),
        distributed_ingresses=_number_of(printed, "Ingresses (distributed)"),
        link_transfers=_count_of(printed, "Link transfers"),
        spatial_reductions=_count_of(printed, "Spatial reductions"),
        hops=_of(found.hops, p) if found else _number_of(printed, "Average number of hops"),
        energy_per_hop=(
            _of(found.energy_per_hop, p) if found else _number_of(printed, "Energy (per-hop)") / 1000
        ),
        energy=energy,
        energy_total=energy * instances if found else _number_of(printed, "Energy (total)"),
        link_energy=link_energy,
        link_energy_total=link_energy * instances if found else _number_of(printed, f"{link} (total)"),
        spatial_reduction_energy=_of(found.reduction_energy, p) if found else _number_of(printed, addition),
    )


def _signature_entry(printed: TensorBlock, row: tuple[int, int, float]) -> SignatureEntry:
    """Hops of single entries are in no file; the average of the data space stands in every one of them."""
    multicast, scatter, accesses = row
    return SignatureEntry(multicast, scatter, accesses, _number_of(printed, "Average number of hops"))


def _of(values: Sequence[float], p: int) -> float:
    return values[p] if values else 0.0


def _count_of(printed: TensorBlock, label: str) -> int:
    return printed.count(label) if label in printed.values else 0


def _number_of(printed: TensorBlock, label: str) -> float:
    return printed.number(label) if label in printed.values else 0.0


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

"""The machine: storage levels inside-out, compute, networks, fan-outs (spec: cost-model sections 1, 11, 14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class NetworkAttributes:
    """Attributes of the network inferred between a buffer and its children (cost-model section 14).

    Energies in pJ (``wire_energy`` pJ/bit/mm), ``tile_width`` in um, latencies in cycles; ``None`` = not given.
    """

    network_type: str = ""
    word_bits: int | None = None
    router_energy: float | None = None
    wire_energy: float | None = None
    tile_width: float | None = None
    energy_per_hop: float | None = None
    energy_per_ingress: float | None = None
    fill_latency: int = 0
    drain_latency: int = 0

    @property
    def distributed(self) -> bool:
        """Whether distributed multicast is supported (sub-type ``M:N``, cost-model section 8)."""
        return self.network_type == "M:N"


@dataclass(frozen=True)
class StorageLevel:
    """One storage level. Sizes in words, bandwidths in words/cycle/instance, energies in pJ; ``None`` = not given."""

    name: str
    class_name: str = field(metadata={"identity": False})
    technology: str  # "SRAM" or "DRAM"
    instances: int
    mesh_x: int
    mesh_y: int
    word_bits: int = 16
    block_size: int = 1
    cluster_size: int = 1
    size: int | None = None  # words per instance; None = unlimited (DRAM)
    multiple_buffering: float = 1.0
    min_utilization: float = 0.0
    read_bandwidth: float | None = None
    write_bandwidth: float | None = None
    shared_bandwidth: float | None = None
    bandwidth_scale: Mapping[str, float] = field(default_factory=dict)  # data space -> factor, default 1
    power_gated_at: str | None = None
    reduction_supported: bool | None = None  # None: true unless DRAM
    vector_access_energy: float | None = None
    addr_gen_energy: float | None = None
    num_ports: int = 2
    num_banks: int = 2
    network: NetworkAttributes = NetworkAttributes()
    network_read: str | None = None
    network_fill: str | None = None
    network_drain: str | None = None
    network_update: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, metadata={"identity": False})  # as given

    @property
    def is_dram(self) -> bool:
        """DRAM-like: may be unlimited, and by default cannot reduce."""
        return self.technology == "DRAM"

    @property
    def effective_size(self) -> int | None:
        """Words usable by one tile set: ``floor(size / multiple_buffering)``."""
        return None if self.size is None else int(self.size / self.multiple_buffering)

    @property
    def hardware_reduction(self) -> bool:
        """Whether partial sums are reduced here without a read-modify-write on the network (section 14)."""
        return not self.is_dram if self.reduction_supported is None else self.reduction_supported


@dataclass(frozen=True)
class ComputeLevel:
    """The arithmetic level below storage level 0."""

    name: str
    class_name: str = field(metadata={"identity": False})
    instances: int
    mesh_x: int
    mesh_y: int
    word_bits: int = 16
    energy: int | None = None
    area: int | None = None
    network_operand: str | None = None
    network_result: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, metadata={"identity": False})


@dataclass(frozen=True)
class UserNetwork:
    """A network declared in the architecture: ``Legacy`` (also XY_NoC), ``SimpleMulticast`` or ``ReductionTree``."""

    name: str
    kind: str
    network: NetworkAttributes = NetworkAttributes()
    action_name: str | None = None
    multicast_factor_argument: str | None = None
    per_datatype_ert: bool = False
    adder_energy: float = 0.0
    attributes: Mapping[str, Any] = field(default_factory=dict, metadata={"identity": False})


@dataclass(frozen=True)
class TilingLevel:
    """A set of loops owned by one storage level: its spatial loops, or its temporal ones."""

    storage: int  # index into Architecture.storage
    spatial: bool


@dataclass(frozen=True)
class Architecture:
    """Storage levels inside-out (``storage[0]`` is innermost), below them the compute level."""

    storage: tuple[StorageLevel, ...]
    compute: ComputeLevel
    networks: tuple[UserNetwork, ...] = ()

    def fanout_x(self, level: int) -> int:
        """Children in X per instance of storage ``level``."""
        child = self.compute if level == 0 else self.storage[level - 1]
        return child.mesh_x // self.storage[level].mesh_x

    def fanout_y(self, level: int) -> int:
        """Children in Y per instance of storage ``level``."""
        child = self.compute if level == 0 else self.storage[level - 1]
        return child.mesh_y // self.storage[level].mesh_y

    @cached_property
    def tiling_levels(self) -> tuple[TilingLevel, ...]:
        """Tiling levels inside-out: per storage level a spatial one if it has a fan-out, then a temporal one."""
        levels: list[TilingLevel] = []
        for s in range(len(self.storage)):
            if self.fanout_x(s) * self.fanout_y(s) > 1:
                levels.append(TilingLevel(s, spatial=True))
            levels.append(TilingLevel(s, spatial=False))
        return tuple(levels)

    def level_index(self, name: str) -> int:
        """Index of a storage level by name; ``KeyError`` if there is none."""
        for index, level in enumerate(self.storage):
            if level.name == name:
                return index
        raise KeyError(name)

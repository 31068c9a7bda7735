"""Writes a machine as the tree form of architecture version 0.3, the inverse of ``tree`` (formats section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import SpecError
from .architecture import ComputeLevel, NetworkAttributes, StorageLevel, UserNetwork
from .components import COMPUTE_KEYS, NETWORK_KEYS
from .document import plain
from .energy_writing import ROOT, keeps_vector_energy
from .spec import Spec
from .storage import STORAGE_KEYS
from .tree import component_kind

_VERSION = 0.3
_UINT32 = 1 << 32  # Timeloop reads entries and depth into 32 bits
_BITS_PER_KB = 8192
_FREE_DEPTH = 4
_FREE_KEY = 100
_DEFAULTS: dict[str, Any] = {
    "block_size": 1, "cluster_size": 1, "multiple_buffering": 1.0, "min_utilization": 0.0, "num_ports": 2,
    "num_banks": 2,
}  # fmt: skip


def architecture_section(spec: Spec) -> dict[str, Any]:
    """One subtree whose ``local`` lists the levels from the outside in, then the compute level and the networks.

    Raises:
        SpecError: a name with brackets, which the tree form takes for a range of instances.
    """
    machine = spec.architecture
    priced = zip(machine.storage, spec.energies.storage, strict=True)
    local = [_storage(level, keeps_vector_energy(level, energy)) for level, energy in priced][::-1]
    local.append(_compute(machine.compute))
    local += [_network(network) for network in machine.networks]
    return {"version": _VERSION, "subtree": [{"name": ROOT, "local": local}]}


def _component(name: str, class_name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    if "[" in name:
        raise SpecError(
            "a name with brackets, which the tree form takes for a range of instances",
            path="architecture",
            value=name,
            remedy="choose a name without brackets",
        )
    return {"name": name, "class": class_name, "attributes": dict(attributes)}


def _storage(level: StorageLevel, keeps_energy: bool) -> dict[str, Any]:
    attributes = _given(
        {
            "word_bits": level.word_bits,
            **_size(level),
            "block_size": level.block_size,
            "cluster_size": level.cluster_size,
            "instances": level.instances,
            "meshX": level.mesh_x,
            "meshY": level.mesh_y,
            "multiple_buffering": level.multiple_buffering,
            "min_utilization": level.min_utilization,
            "read_bandwidth": level.read_bandwidth,
            "write_bandwidth": level.write_bandwidth,
            "shared_bandwidth": level.shared_bandwidth,
            "per_dataspace_bandwidth_consumption_scale": dict(level.bandwidth_scale) or None,
            "power_gated_at": level.power_gated_at,
            "reduction_supported": level.reduction_supported,
            "vector_access_energy": level.vector_access_energy if keeps_energy else None,
            "addr_gen_energy": level.addr_gen_energy,
            "num_ports": level.num_ports,
            "num_banks": level.num_banks,
            "network_read": level.network_read,
            "network_fill": level.network_fill,
            "network_drain": level.network_drain,
            "network_update": level.network_update,
            **_network_attributes(level.network, "network_fill_latency", "network_drain_latency"),
            "network_word_bits": level.network.word_bits,
        }
    )
    class_name = level.class_name if component_kind(level.class_name) == "storage" else level.technology
    technology = level.attributes.get("technology")
    if level.is_dram and "DRAM" not in class_name:
        attributes["technology"] = "DRAM"
    elif technology is not None and not isinstance(technology, (Mapping, list)):
        attributes["technology"] = plain(technology)
    return _component(level.name, class_name, attributes | _free(level.attributes, STORAGE_KEYS))


def _size(level: StorageLevel) -> dict[str, int | None]:
    """Words per instance, in a unit whose number fits into 32 bits."""
    size = level.size
    if size is None or size < _UINT32:
        return {"entries": size}
    if size % level.block_size == 0 and size // level.block_size < _UINT32:
        return {"depth": size // level.block_size}
    kilobytes = -(-size * level.word_bits // _BITS_PER_KB)
    if kilobytes * _BITS_PER_KB // level.word_bits == size:
        return {"sizeKB": kilobytes}
    return {"entries": size}


def _network_attributes(network: NetworkAttributes, fill_latency: str, drain_latency: str) -> dict[str, Any]:
    return {
        "network_type": network.network_type or None,
        "router_energy": network.router_energy,
        "wire_energy": network.wire_energy,
        "tile_width": network.tile_width,
        "energy_per_hop": network.energy_per_hop,
        "energy-per-ingress": network.energy_per_ingress,  # only known with hyphens
        fill_latency: network.fill_latency or None,
        drain_latency: network.drain_latency or None,
    }


def _compute(level: ComputeLevel) -> dict[str, Any]:
    attributes = _given(
        {
            "word_bits": level.word_bits,
            "instances": level.instances,
            "meshX": level.mesh_x,
            "meshY": level.mesh_y,
            "energy": level.energy,
            "area": level.area,
            "network_operand": level.network_operand,
            "network_result": level.network_result,
        }
    )
    class_name = level.class_name if component_kind(level.class_name) == "compute" else "mac"
    return _component(level.name, class_name, attributes | _free(level.attributes, COMPUTE_KEYS))


def _network(network: UserNetwork) -> dict[str, Any]:
    attributes = _given(
        {
            "word_bits": network.network.word_bits,
            **_network_attributes(network.network, "fill_latency", "drain_latency"),
            "action_name": network.action_name,
            "multicast_factor_argument": network.multicast_factor_argument,
            "per_datatype_ERT": network.per_datatype_ert or None,  # its presence counts, not its value
            "adder_energy": network.adder_energy or None,
        }
    )
    return _component(network.name, network.kind, attributes | _free(network.attributes, NETWORK_KEYS))


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that are there and not what Timeloop takes without them."""
    return {
        key: value
        for key, value in attributes.items()
        if value is not None and not (key in _DEFAULTS and value == _DEFAULTS[key])
    }


def _free(attributes: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Attributes that Timeloop does not read, kept for readers of the file and other tools."""
    read = {spelling for key in known for spelling in (key, key.replace("_", "-"))} | {"name", "class"}
    return {
        str(key): plain(value)
        for key, value in attributes.items()
        if value is not None
        and key not in read
        and len(str(key)) <= _FREE_KEY
        and _depth(value) <= _FREE_DEPTH
    }


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, (list, tuple)):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0

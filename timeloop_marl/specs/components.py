"""Reads compute levels, networks and meshes (cost-model sections 1, 14; formats section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .architecture import ComputeLevel, NetworkAttributes, UserNetwork
from .document import Node
from .scalars import Reading

_NETWORK_TYPES = ("", "1:1", "1:N", "M:N")
COMPUTE_KEYS = (
    "instances", "word_bits", "datawidth", "meshX", "meshY", "network_operand", "network_result", "energy", "area",
)  # fmt: skip
NETWORK_KEYS = (
    "network_type", "network_word_bits", "word_bits", "datawidth", "router_energy", "wire_energy", "tile_width",
    "energy_per_hop", "energy-per-ingress", "fill_latency", "drain_latency", "action_name",
    "multicast_factor_argument", "per_datatype_ERT", "adder_energy",
)  # fmt: skip


@dataclass(frozen=True)
class Component:
    """One entry of a ``local`` list: its name without range, its class, its count and where it stands."""

    node: Node
    name: str
    class_name: str
    instances: int

    @property
    def attributes(self) -> Node:
        """The attribute map; a node of value ``None`` if it has none."""
        return self.node.child("attributes")


def read_mesh(reading: Reading, attributes: Node, component: Component) -> tuple[int, int, int]:
    """Instances, meshX and meshY of a component (formats section 2).

    Raises:
        SpecError: the meshes do not multiply to the instances.
    """
    given = reading.integer(reading.find(attributes, "instances"), minimum=1)
    instances = component.instances if given is None else given
    mesh_x = reading.integer(reading.find(attributes, "meshX"), minimum=1)
    mesh_y = reading.integer(reading.find(attributes, "meshY"), minimum=1)
    if mesh_x is None and mesh_y is None:
        mesh_x, mesh_y = instances, 1
    elif mesh_x is None and mesh_y is not None:
        mesh_x = instances // mesh_y
    elif mesh_y is None and mesh_x is not None:
        mesh_y = instances // mesh_x
    if mesh_x is None or mesh_y is None or mesh_x * mesh_y != instances:
        attributes.fail(
            f"meshX ({mesh_x}) times meshY ({mesh_y}) of {component.name} is not its number of instances ({instances})",
            remedy="correct meshX, meshY, instances or the range in the name",
        )
    return instances, mesh_x, mesh_y


def read_compute(reading: Reading, attributes: Node, component: Component) -> ComputeLevel:
    """The compute level of one component."""
    if not attributes.absent:
        reading.near_misses(attributes, (*COMPUTE_KEYS, "name"), f"the attributes of {component.name}")
    instances, mesh_x, mesh_y = read_mesh(reading, attributes, component)
    word_bits = reading.integer(reading.find(attributes, "word_bits", "datawidth"), minimum=1)
    return ComputeLevel(
        name=component.name,
        class_name=component.class_name,
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=mesh_y,
        word_bits=16 if word_bits is None else word_bits,
        energy=reading.integer(reading.find(attributes, "energy"), minimum=0),
        area=reading.integer(reading.find(attributes, "area"), minimum=0),
        network_operand=reading.text(reading.find(attributes, "network_operand")),
        network_result=reading.text(reading.find(attributes, "network_result")),
        attributes=dict(attributes.value or {}),
    )


def network_attributes(
    reading: Reading, attributes: Node, fill_latency: str, drain_latency: str
) -> NetworkAttributes:
    """The network attributes among ``attributes``; the two latencies go by the given keys.

    ``energy-per-ingress`` is only known with hyphens (cost-model section 14).
    """
    type_node = reading.find(attributes, "network_type")
    network_type = reading.text(type_node) or ""
    if network_type not in _NETWORK_TYPES:
        type_node.fail("unknown network type", expected="1:1, 1:N or M:N")
    number = reading.number
    return NetworkAttributes(
        network_type=network_type,
        word_bits=reading.integer(reading.find(attributes, "network_word_bits"), minimum=1),
        router_energy=number(reading.find(attributes, "router_energy"), minimum=0.0),
        wire_energy=number(reading.find(attributes, "wire_energy"), minimum=0.0),
        tile_width=number(reading.find(attributes, "tile_width"), minimum=0.0),
        energy_per_hop=number(reading.find(attributes, "energy_per_hop"), minimum=0.0),
        energy_per_ingress=number(reading.find(attributes, "energy-per-ingress"), minimum=0.0),
        fill_latency=reading.integer(reading.find(attributes, fill_latency), minimum=0) or 0,
        drain_latency=reading.integer(reading.find(attributes, drain_latency), minimum=0) or 0,
    )


def read_network(reading: Reading, attributes: Node, component: Component, kind: str) -> UserNetwork:
    """A network declared in the architecture; ``kind``: Legacy, SimpleMulticast or ReductionTree."""
    if not attributes.absent:
        reading.near_misses(attributes, NETWORK_KEYS, f"the attributes of {component.name}")
    network = network_attributes(reading, attributes, "fill_latency", "drain_latency")
    word_bits = reading.integer(
        reading.find(attributes, "network_word_bits", "word_bits", "datawidth"), minimum=1
    )
    action = reading.text(reading.find(attributes, "action_name"))
    if kind == "SimpleMulticast" and not action:
        attributes.fail(f"network {component.name} has no action_name", expected="the name of an ERT action")
    adder = reading.number(reading.find(attributes, "adder_energy"), minimum=0.0)
    return UserNetwork(
        name=component.name,
        kind=kind,
        network=replace(network, word_bits=16 if word_bits is None else word_bits),
        action_name=action,
        multicast_factor_argument=reading.text(reading.find(attributes, "multicast_factor_argument")),
        # Timeloop only asks whether the key is there, even as false
        per_datatype_ert=reading.has(attributes, "per_datatype_ERT"),
        adder_energy=0.0 if adder is None else adder,
        attributes=dict(attributes.value or {}),
    )

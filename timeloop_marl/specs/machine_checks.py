"""What must hold between the levels of a machine; Timeloop asserts most of it (cost-model sections 1, 14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .architecture import Architecture, ComputeLevel, StorageLevel
from .document import Node


@dataclass(frozen=True)
class _Connection:
    """A level and the one inside it, with the user networks each names for the two directions."""

    outer: StorageLevel
    inner: StorageLevel | ComputeLevel
    fill: str | None
    drain: str | None


def check_architecture(architecture: Architecture, node: Node, places: Mapping[str, Node]) -> None:
    """Check meshes, networks and power gates.

    Args:
        architecture: the machine.
        node: the architecture section.
        places: attributes of every component, for messages.

    Raises:
        SpecError: the first thing that does not hold.
    """
    if not architecture.storage:
        node.fail("no storage level", expected="at least one component whose class contains DRAM, SRAM, ...")
    for connection in _connections(architecture):
        _check_meshes(connection, places)
        _check_ends(architecture, connection, places)
    _check_networks(architecture, places)
    names = [level.name for level in architecture.storage]
    for level in architecture.storage:
        if level.power_gated_at is not None and level.power_gated_at not in names:
            places[level.name].child("power_gated_at").fail(
                f"{level.name} is gated at {level.power_gated_at!r}, which is no storage level",
                expected="one of " + ", ".join(names),
            )


def _connections(architecture: Architecture) -> Iterator[_Connection]:
    """All pairs of neighbours, from the inside out."""
    compute = architecture.compute
    yield _Connection(architecture.storage[0], compute, compute.network_operand, compute.network_result)
    for inner, outer in zip(architecture.storage, architecture.storage[1:]):
        yield _Connection(outer, inner, inner.network_fill, inner.network_drain)


def _check_meshes(connection: _Connection, places: Mapping[str, Node]) -> None:
    inner, outer = connection.inner, connection.outer
    for key, mine, other in (("meshX", inner.mesh_x, outer.mesh_x), ("meshY", inner.mesh_y, outer.mesh_y)):
        if mine % other:
            places[inner.name].child(key).fail(
                f"{key} of {inner.name} ({mine}) is not a multiple of {key} of {outer.name} ({other})",
                expected="meshes that divide from the inside out",
            )


def _check_ends(architecture: Architecture, connection: _Connection, places: Mapping[str, Node]) -> None:
    """A user network is declared, named at both ends of a connection, and on a side it can serve."""
    outer, inner = connection.outer, connection.inner
    kinds = {network.name: network.kind for network in architecture.networks}
    sides = (
        ("network_read", outer.network_read, connection.fill),
        ("network_update", outer.network_update, connection.drain),
    )
    for key, at_outer, at_inner in sides:
        for name, level in ((at_outer, outer), (at_inner, inner)):
            if name is not None and name not in kinds:
                places[level.name].fail(
                    f"network {name} not found.", expected="a network of the architecture"
                )
        if at_outer != at_inner:
            places[outer.name].child(key).fail(
                f"{outer.name} names network {at_outer}, {inner.name} names {at_inner} for the same direction",
                expected="the same network at both ends of a connection",
            )
        if key == "network_read" and at_outer is not None and kinds[at_outer] == "ReductionTree":
            places[outer.name].child(key).fail(
                f"reduction tree {at_outer} feeds {inner.name}",
                expected="a reduction tree on the update side only (network_update, network_drain)",
            )


def _check_networks(architecture: Architecture, places: Mapping[str, Node]) -> None:
    used = {name for c in _connections(architecture) for name in (c.fill, c.drain)}
    for network in architecture.networks:
        if network.name not in used:
            places[network.name].fail(
                f"network {network.name} is declared but no connection uses it (timeloop-model crashes on that)",
                remedy="remove it, or name it in network_read and network_fill",
            )

"""Which on-chip networks a machine has, which of them are evaluated, and their parameters (section 14)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SpecError
from ..specs.architecture import Architecture, NetworkAttributes, UserNetwork
from ..specs.energy import Action, Energies
from ..specs.spec import Spec

LEGACY, SIMPLE_MULTICAST, REDUCTION_TREE = 0, 1, 2
KIND_NAMES = ("Legacy", "SimpleMulticast", "ReductionTree")
ANY_FACTOR = -1
"""Multicast factor of an action that applies to all of them."""


@dataclass(frozen=True)
class Network:
    """One evaluated network. Energies in pJ: per hop and word, per router and word, per ingress, per addition.

    ``actions[p]`` (SimpleMulticast): (multicast factor or ``ANY_FACTOR``, pJ), the last match counts.
    """

    name: str
    kind: int
    outer: int
    drains: bool
    doubles: bool
    hop: float = 0.0
    router: float = 0.0
    ingress: float = 0.0
    adder: float = 0.0
    actions: tuple[tuple[tuple[int, float], ...], ...] = ()


@dataclass(frozen=True)
class Connection:
    """Outer buffer ``outer`` to its child: networks of the read and the update side, ``None`` = inferred."""

    outer: int
    read: UserNetwork | None
    update: UserNetwork | None


def connections(architecture: Architecture) -> tuple[Connection, ...]:
    """All connections, innermost first.

    Raises:
        SpecError: a network is named on one side only, or is not declared.
    """
    return tuple(_connection(architecture, s) for s in range(len(architecture.storage)))


def _connection(architecture: Architecture, s: int) -> Connection:
    outer = architecture.storage[s]
    if s == 0:
        inner, fill, drain = (
            architecture.compute.name,
            architecture.compute.network_operand,
            architecture.compute.network_result,
        )
    else:
        child = architecture.storage[s - 1]
        inner, fill, drain = child.name, child.network_fill, child.network_drain
    read = _declared(architecture, outer.name, inner, outer.network_read, fill)
    update = _declared(architecture, outer.name, inner, outer.network_update, drain)
    return Connection(s, read, update)


def _declared(
    architecture: Architecture, outer: str, inner: str, above: str | None, below: str | None
) -> UserNetwork | None:
    if above != below:
        raise SpecError(
            f"the network between {outer} and {inner} is named differently at its two ends",
            path=f"architecture: {outer}, {inner}",
            value=(above, below),
            expected="the same network in network_read and network_fill, in network_update and network_drain",
            remedy="name the network at both ends (network_operand and network_result at the compute level)",
        )
    if above is None:
        return None
    for network in architecture.networks:
        if network.name == above:
            return network
    raise SpecError(
        f"network {above} not found",
        path=f"architecture: {outer}",
        value=above,
        expected=" or ".join(n.name for n in architecture.networks) or "a declared network",
        remedy="declare it beside the buffers, with class XY_NoC, SimpleMulticast or ReductionTree",
    )


def latency(architecture: Architecture) -> int:
    """Fill and drain latencies of all connections, in cycles (section 12)."""
    total = 0
    for connection in connections(architecture):
        inferred = architecture.storage[connection.outer].network
        read, update = connection.read, connection.update
        total += read.network.fill_latency if read else inferred.fill_latency
        total += update.network.fill_latency if update else inferred.drain_latency
    return total


def evaluated_networks(spec: Spec) -> tuple[Network, ...]:
    """Networks that carry energy, in alphabetical order: a user network only at its innermost connection."""
    found: dict[str, Network] = {}
    for connection in connections(spec.architecture):
        for network in _networks_of(spec, connection):
            found.setdefault(network.name, network)
    return tuple(found[name] for name in sorted(found))


def _networks_of(spec: Spec, connection: Connection) -> list[Network]:
    read, update, outer = connection.read, connection.update, connection.outer
    if read is None and update is None:
        return [_inferred(spec, outer, drains=True)]
    if read is None:
        assert update is not None
        return [_inferred(spec, outer, drains=False), _user(spec, update, outer, drains=True)]
    if update is None or update is read:
        return [_user(spec, read, outer, drains=True)]
    return [
        _user(spec, read, outer, drains=False),
        _user(spec, update, outer, drains=True),
    ]


def inferred_name(architecture: Architecture, outer: int) -> str:
    """``<outer> <==> <inner>``."""
    inner = architecture.compute.name if outer == 0 else architecture.storage[outer - 1].name
    return f"{architecture.storage[outer].name} <==> {inner}"


def _inferred(spec: Spec, outer: int, drains: bool) -> Network:
    level = spec.architecture.storage[outer]
    wire = spec.energies.wire if spec.energies.wire is not None else level.network.wire_energy
    bits = level.network.word_bits if level.network.word_bits is not None else level.word_bits
    return Network(
        name=inferred_name(spec.architecture, outer),
        kind=LEGACY,
        outer=outer,
        drains=drains,
        doubles=drains and not level.hardware_reduction,
        hop=hop_energy(level.network, bits, wire, tile_width(spec.architecture, spec.energies, outer)),
        router=level.network.router_energy or 0.0,
        ingress=level.network.energy_per_ingress or 0.0,
    )


def hop_energy(
    network: NetworkAttributes, bits: int, wire_energy: float | None, inferred_width: float
) -> float:
    """PJ per word and hop; ``inferred_width`` in um stands in for the attribute ``tile_width``."""
    if network.energy_per_hop is not None:
        return network.energy_per_hop
    if not wire_energy:
        return 0.0
    width = network.tile_width if network.tile_width is not None else inferred_width
    return bits * (width / 1000) * wire_energy


def tile_width(architecture: Architecture, energies: Energies, outer: int) -> float:
    """Side in um of what hangs below one port of level ``outer``: the root of its area."""
    area = energies.compute_area
    instances = architecture.compute.instances
    for s in range(outer):
        area = energies.storage[s].area + area * instances / architecture.storage[s].instances
        instances = architecture.storage[s].instances
    return math.sqrt(area)


def _user(spec: Spec, network: UserNetwork, outer: int, drains: bool) -> Network:
    level = spec.architecture.storage[outer]
    attributes = network.network
    bits = attributes.word_bits if attributes.word_bits is not None else 16
    width = tile_width(spec.architecture, spec.energies, outer)
    if network.kind == "SimpleMulticast":
        actions = tuple(_actions(spec, network, p.name) for p in spec.problem.data_spaces)
        return Network(network.name, SIMPLE_MULTICAST, outer, drains, doubles=False, actions=actions)
    if network.kind == "ReductionTree":
        if not drains:
            raise SpecError(
                f"network {network.name} of class ReductionTree serves reads",
                path=f"architecture: {network.name}",
                expected="network_update and network_drain only",
            )
        hop = bits * (width / 1000) * (attributes.wire_energy or 0.0)
        return Network(
            network.name, REDUCTION_TREE, outer, drains, doubles=False, hop=hop, adder=network.adder_energy
        )
    return Network(
        network.name,
        LEGACY,
        outer,
        drains,
        doubles=drains and not level.hardware_reduction,
        hop=hop_energy(attributes, bits, attributes.wire_energy, width),
        router=attributes.router_energy or 0.0,
        ingress=attributes.energy_per_ingress or 0.0,
    )


def _actions(spec: Spec, network: UserNetwork, space: str) -> tuple[tuple[int, float], ...]:
    """Energy by multicast factor of one data space, in table order."""
    table = spec.energies.network_actions.get(network.name)
    if table is None:
        raise SpecError(
            f"the energy table has no component called {network.name}",
            path=f"architecture: {network.name}",
            remedy=f"add a table of that name to the ERT with the action {network.action_name}",
        )
    name = f"{network.action_name}_{space}" if network.per_datatype_ert else str(network.action_name)
    entries = table.get(name, ())
    if len(entries) == 1:
        return ((ANY_FACTOR, entries[0].energy),)
    return tuple((_factor(network, entry), entry.energy) for entry in entries)


def _factor(network: UserNetwork, entry: Action) -> int:
    argument = network.multicast_factor_argument
    arguments: Mapping[str, object] = entry.arguments
    value = arguments.get(argument) if argument is not None else None
    if not isinstance(value, int):
        raise SpecError(
            f"an entry of action {network.action_name} does not say its multicast factor",
            path=f"ERT: {network.name}",
            value=dict(arguments),
            expected=f"an integer argument {argument or '(set multicast_factor_argument)'}",
        )
    return value

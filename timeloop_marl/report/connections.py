"""Which network serves which side of which connection (cost-model section 14, formats section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..specs.architecture import Architecture, NetworkAttributes, UserNetwork
from ..specs.spec import Spec

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
        for name, side in _sides(spec.architecture, level):
            known = views.get(name) or _view(spec, level, name)
            views[name] = _serving(spec, level, known, side)
    return views


def inferred_name(architecture: Architecture, level: int) -> str:
    """Name of the network Timeloop infers below storage level ``level``."""
    inner = architecture.compute if level == 0 else architecture.storage[level - 1]
    return f"{architecture.storage[level].name} <==> {inner.name}"


def _sides(architecture: Architecture, level: int) -> tuple[tuple[str, int], ...]:
    """Network names and sides of the connection below storage level ``level``."""
    buffer = architecture.storage[level]
    inferred = inferred_name(architecture, level)
    if buffer.network_read and not buffer.network_update:
        return ((buffer.network_read, READ | UPDATE),)
    return ((buffer.network_read or inferred, READ), (buffer.network_update or inferred, UPDATE))


def _view(spec: Spec, level: int, name: str) -> NetworkView:
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

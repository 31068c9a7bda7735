"""Reads ``architecture``: the v0.2/v0.3/v0.4-dumped tree and the ISPASS form, into one ``Architecture``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import SpecError
from .architecture import Architecture, ComputeLevel, NetworkAttributes, StorageLevel, UserNetwork
from .document import Node
from .scalars import INT64_MAX, SPARSE, Reading, empty


@dataclass(frozen=True)
class Attribute:
    """One attribute: the field it fills, the keys it goes by (the first is written) and how ``Reading`` reads it."""

    name: str
    keys: tuple[str, ...]
    kind: str = "text"
    default: Any = None
    limits: Mapping[str, Any] = field(default_factory=dict)


def _integer(name: str, *keys: str, default: int | None = None, minimum: int = 0) -> Attribute:
    return Attribute(name, keys or (name,), "integer", default, {"minimum": minimum})


def _number(name: str, *keys: str, default: float | None = None, **limits: float | bool | None) -> Attribute:
    return Attribute(name, keys or (name,), "number", default, {"minimum": 0.0, **limits})


def _texts(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, (name,)) for name in names)


COMPUTE = (
    _integer("word_bits", "word_bits", "datawidth", default=16, minimum=1),
    _integer("energy"),
    _integer("area"),
    *_texts("network_operand", "network_result"),
)
STORAGE = (
    _integer("word_bits", "word_bits", "word_width", "datawidth", default=16, minimum=1),
    _number("multiple_buffering", default=1.0, minimum=None, above=0.0),
    _number("min_utilization", default=0.0),
    _number("read_bandwidth", finite=False),
    _number("write_bandwidth", finite=False),
    _number("shared_bandwidth", finite=False),
    Attribute("bandwidth_scale", ("per_dataspace_bandwidth_consumption_scale",), "numbers"),
    *_texts("power_gated_at"),
    Attribute("reduction_supported", ("reduction_supported",), "boolean"),
    _number("vector_access_energy"),
    _number("addr_gen_energy", minimum=None),
    _integer("num_ports", "num_ports", "n_ports", default=2),
    _integer("num_banks", "num_banks", "n_banks", default=2),
    *_texts("network_read", "network_fill", "network_drain", "network_update"),
)
# Of inferred networks and of those declared; ``energy-per-ingress`` is only known with hyphens.
_NETWORK = (
    Attribute("network_type", ("network_type",), default=""),
    _number("router_energy"),
    _number("wire_energy"),
    _number("tile_width"),
    _number("energy_per_hop"),
    _number("energy_per_ingress", "energy-per-ingress"),
)
INFERRED_NETWORK = (
    *_NETWORK,
    _integer("fill_latency", "network_fill_latency", default=0),
    _integer("drain_latency", "network_drain_latency", default=0),
    _integer("word_bits", "network_word_bits", minimum=1),
)
OWN_NETWORK = (
    _integer("word_bits", "network_word_bits", "word_bits", "datawidth", default=16, minimum=1),
    *_NETWORK,
    _integer("fill_latency", default=0),
    _integer("drain_latency", default=0),
)
MULTICAST = (*_texts("action_name", "multicast_factor_argument"), _number("adder_energy", default=0.0))


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


MOST_INSTANCES = 1 << 20
"""Of a level: what counts words holds a list of them (about 250 bytes each)."""


def _mesh(reading: Reading, attributes: Node, component: Component) -> tuple[int, int, int]:
    """Instances, meshX and meshY of a component (formats section 2).

    Raises:
        SpecError: the meshes do not multiply to the instances, or these are more than can be counted.
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
    if instances > MOST_INSTANCES:
        attributes.fail(
            f"meshX times meshY: {component.name} has {instances:,} instances, more than there is room to count",
            expected=f"at most {MOST_INSTANCES:,}",
            remedy="correct meshX and meshY of the component, or of what it stands in",
        )
    return instances, mesh_x, mesh_y


def _fields(reading: Reading, attributes: Node, table: Sequence[Attribute]) -> dict[str, Any]:
    """The values of a table of attributes, by field."""
    values: dict[str, Any] = {}
    for entry in table:
        value = getattr(reading, entry.kind)(reading.find(attributes, *entry.keys), **entry.limits)
        values[entry.name] = entry.default if value is None else value
    return values


def _read_compute(reading: Reading, attributes: Node, component: Component) -> ComputeLevel:
    """The compute level of one component."""
    if not attributes.absent:
        reading.near_misses(attributes, (*COMPUTE_KEYS, "name"), f"the attributes of {component.name}")
    instances, mesh_x, mesh_y = _mesh(reading, attributes, component)
    return ComputeLevel(
        name=component.name,
        class_name=component.class_name,
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=mesh_y,
        attributes=dict(attributes.value or {}),
        **_fields(reading, attributes, COMPUTE),
    )


def _network_attributes(reading: Reading, attributes: Node, table: Sequence[Attribute]) -> NetworkAttributes:
    values = _fields(reading, attributes, table)
    if values["network_type"] not in ("", "1:1", "1:N", "M:N"):
        reading.find(attributes, "network_type").fail("unknown network type", expected="1:1, 1:N or M:N")
    return NetworkAttributes(**values)


def _read_network(reading: Reading, attributes: Node, component: Component, kind: str) -> UserNetwork:
    """A network declared in the architecture; ``kind``: Legacy, SimpleMulticast or ReductionTree."""
    if not attributes.absent:
        reading.near_misses(attributes, NETWORK_KEYS, f"the attributes of {component.name}")
    network = _network_attributes(reading, attributes, OWN_NETWORK)
    further = _fields(reading, attributes, MULTICAST)
    if kind == "SimpleMulticast" and not further["action_name"]:
        attributes.fail(f"network {component.name} has no action_name", expected="the name of an ERT action")
    return UserNetwork(
        name=component.name,
        kind=kind,
        network=network,
        # Timeloop only asks whether the key is there, even as false
        per_datatype_ert=reading.has(attributes, "per_datatype_ERT"),
        attributes=dict(attributes.value or {}),
        **further,
    )


WIDTH = ("width", "memory_width", "data_storage_width")
DEPTH = ("depth", "memory_depth", "data_storage_depth")
BLOCK = ("block_size", "n_words")
_BITS_PER_KB = 8192
# Read, but nothing depends on them: a public design that says nports needs no notice.
_WITHOUT_EFFECT = ("num_ports", "n_ports", "num_banks", "n_banks", "cluster_area")
# What only sparse optimisations look at.
_METADATA = (
    "metadata_block_size", "metadata_datawidth", "metadata_word_bits", "metadata_storage_width", "metadata_width",
    "metadata_storage_depth", "metadata_depth", "metadata_counter_width", "concordant_compressed_tile_traversal",
    "tile_partition_supported", "decompression_supported", "compression_supported",
)  # fmt: skip


def _keys(*tables: Sequence[Attribute]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for table in tables for entry in table for key in entry.keys))


_MESH = ("instances", "meshX", "meshY")
COMPUTE_KEYS = (*_MESH, *_keys(COMPUTE))
NETWORK_KEYS = (*_keys(OWN_NETWORK, MULTICAST), "per_datatype_ERT")
STORAGE_KEYS = (
    *_MESH, *BLOCK, "cluster_size", *WIDTH, "entries", *DEPTH, "sizeKB", "technology", "bandwidth", "cluster_area",
    "allow_overbooking", *_keys(STORAGE, INFERRED_NETWORK),
)  # fmt: skip


def _read_storage(reading: Reading, attributes: Node, component: Component) -> StorageLevel:
    """The storage level of one component.

    Raises:
        SpecError: no size where one is needed, widths or meshes that do not divide, numbers out of range.
    """
    if not attributes.absent:
        known = [key for key in (*STORAGE_KEYS, *_METADATA, "name") if key not in _WITHOUT_EFFECT]
        reading.near_misses(attributes, known, f"the attributes of {component.name}")
    dram = "DRAM" in component.class_name or reading.text(reading.find(attributes, "technology")) == "DRAM"
    values = _fields(reading, attributes, STORAGE)
    block, cluster = _block_and_cluster(reading, attributes, values["word_bits"])
    size = _size(reading, attributes, values["word_bits"], block)
    if size is None and not dram:
        attributes.fail(
            f"storage level {component.name} has no size",
            expected="entries, depth or sizeKB (only a DRAM may be unlimited)",
        )
    instances, mesh_x, mesh_y = _mesh(reading, attributes, component)
    if instances % cluster:
        attributes.fail(
            f"instances ({instances}) of {component.name} are not a multiple of cluster_size ({cluster})"
        )
    both = reading.number(reading.find(attributes, "bandwidth"), minimum=0.0, finite=False)
    for key in ("read_bandwidth", "write_bandwidth"):  # the deprecated key gives half of it to each
        if values[key] is None and both is not None:
            values[key] = both / 2
    return StorageLevel(
        name=component.name,
        class_name=component.class_name,
        technology="DRAM" if dram else "SRAM",
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=mesh_y,
        block_size=block,
        cluster_size=cluster,
        size=size,
        network=_network_attributes(reading, attributes, INFERRED_NETWORK),
        attributes=dict(attributes.value or {}),
        **values,
    )


def _block_and_cluster(reading: Reading, attributes: Node, word_bits: int) -> tuple[int, int]:
    """Words per vector and vectors per cluster; ``width``, if given, settles what is missing (section 11)."""
    block = reading.integer(reading.find(attributes, *BLOCK), minimum=1)
    cluster = reading.integer(reading.find(attributes, "cluster_size"), minimum=1)
    width_node = reading.find(attributes, *WIDTH)
    width = reading.integer(width_node, minimum=1)
    if width is None:
        return block or 1, cluster or 1
    if width % (word_bits * (block or 1)):
        width_node.fail(
            f"width is not a multiple of word_bits ({word_bits}) times block_size ({(block or 1)})",
            expected="a multiple of it",
        )
    if block is not None and cluster is not None:
        if block * word_bits * cluster != width:
            width_node.fail(
                f"width differs from block_size ({block}) * word_bits ({word_bits}) * cluster_size ({cluster})",
                expected=str(block * word_bits * cluster),
            )
        return block, cluster
    if cluster is not None:
        block = width // cluster // word_bits
        if block == 0:
            width_node.fail(f"width holds no word of {word_bits} bits in each of {cluster} clusters")
        return block, cluster
    if block is not None:
        return block, width // (word_bits * block)
    return width // word_bits, 1


def _size(reading: Reading, attributes: Node, word_bits: int, block: int) -> int | None:
    """Words per instance: entries, else depth times block, else sizeKB."""
    entries = reading.integer(reading.find(attributes, "entries"), minimum=0)
    if entries is not None:
        return entries
    depth_node = reading.find(attributes, *DEPTH)
    depth = reading.integer(depth_node, minimum=0)
    if depth is not None:
        return _bounded(depth * block, depth_node)
    kilobytes_node = reading.find(attributes, "sizeKB")
    kilobytes = reading.integer(kilobytes_node, minimum=0)
    return None if kilobytes is None else _bounded(kilobytes * _BITS_PER_KB, kilobytes_node) // word_bits


def _bounded(value: int, node: Node) -> int:
    if value > INT64_MAX:
        node.fail("size too large", expected=f"at most {INT64_MAX} words")
    return value


_STORAGE_CLASSES = ("DRAM", "SRAM", "regfile", "smartbuffer", "storage")
_COMPUTE_CLASSES = ("mac", "intmac", "fpmac", "compute")
_NETWORK_KINDS = {
    "XY_NoC": "Legacy",
    "Legacy": "Legacy",
    "ReductionTree": "ReductionTree",
    "SimpleMulticast": "SimpleMulticast",
}
_VERSIONS = ("0.2", "0.3", "0.4")
_MAX_DEPTH = 100
_MAX_LEVELS = 100  # level numbers are kept in bytes
_RANGE = re.compile(r"(?P<name>[^\[\]]*)\[\s*(?P<first>[0-9]+)\s*\.\.\s*(?P<last>[0-9]+)\s*\]")
_NODE_KEYS = ("name", "attributes", "local", "subtree", "version", "constraints", "nodes", "class")
_COMPONENT_KEYS = ("name", "class", "subclass", "attributes", "enabled", "required_actions", "area_scale",
                   "energy_scale", "constraints", "sparse_optimizations", "spatial", "actions")  # fmt: skip


def architecture_node(reading: Reading) -> Node:
    """The ``architecture`` (or ``arch``) section."""
    return reading.find(reading.document.root(), "architecture", "arch")


def read_architecture(reading: Reading, node: Node) -> Architecture:
    """The machine of an ``architecture`` node.

    Raises:
        SpecError: neither form, no or two compute components, meshes that do not divide, duplicate names.
    """
    if node.absent:
        raise SpecError(
            "no architecture in the input files",
            remedy="add a file with architecture:, e.g. a folder of arch/",
        )
    if not isinstance(node.value, Mapping):
        node.fail("no architecture", expected="a map", remedy="add an architecture file")
    if not node.child("nodes").absent:
        node.child("nodes").fail(
            "a v0.4 architecture has not been flattened", remedy="load it with specs.load"
        )
    version = reading.text(node.child("version"))
    if version is not None and version not in _VERSIONS:
        node.child("version").fail(
            "unknown architecture version", expected=", ".join(_VERSIONS) + ", or none"
        )
    ispass = not node.child("storage").absent or not node.child("arithmetic").absent
    if ispass and version is not None:
        node.child("version").fail(
            "a version together with arithmetic and storage", remedy="remove the version"
        )
    places: dict[str, Node] = {}
    architecture = _read_ispass(reading, node, places) if ispass else _read_tree(reading, node, places)
    check_architecture(architecture, node, places)
    return architecture


def _read_tree(reading: Reading, node: Node, places: dict[str, Node]) -> Architecture:
    """The machine of a tree; ``places`` collects where the attributes of each component stand."""
    storage: list[StorageLevel] = []
    compute: list[ComputeLevel] = []
    networks: list[UserNetwork] = []
    ignored: list[str] = []
    for component in components(reading, node):
        kind = component_kind(component.class_name)
        if not empty(component.node.child("sparse_optimizations").value):
            reading.outside(component.node.child("sparse_optimizations"), SPARSE)
        if kind == "storage":
            storage.append(_read_storage(reading, component.attributes, component))
        elif kind == "compute":
            compute.append(_read_compute(reading, component.attributes, component))
        elif kind:
            networks.append(_read_network(reading, component.attributes, component, kind))
        else:
            ignored.append(f"{component.name} ({component.class_name})")
            continue
        _remember(component, component.attributes, places)
        if len(places) > _MAX_LEVELS:
            node.fail("too many levels", expected=f"at most {_MAX_LEVELS}")
    if ignored:
        reading.notice("components of classes that Timeloop does not know are ignored: " + ", ".join(ignored))
    if len(compute) != 1:
        names = ", ".join(level.name for level in compute) or "none"
        node.fail(
            f"exactly one compute component is needed, found: {names}",
            expected="one component whose class contains mac or compute",
        )
    return Architecture(tuple(reversed(storage)), compute[0], tuple(networks))


def _remember(component: Component, attributes: Node, places: dict[str, Node]) -> None:
    if component.name in places:
        component.node.child("name").fail(
            f"two components are called {component.name!r}", expected="a name of its own for every component"
        )
    places[component.name] = attributes


def components(reading: Reading, node: Node) -> Iterator[Component]:
    """All entries of the ``local`` lists, outermost first, with the instance counts of their subtrees."""
    count = 1
    current: Node | None = node
    for _ in range(_MAX_DEPTH):
        if current is None:
            return
        reading.near_misses(current, _NODE_KEYS, "an architecture tree")
        count *= _split_name(current.child("name"))[1] if not current.child("name").absent else 1
        local = current.child("local")
        for entry in [] if local.absent else local.elements():
            yield _component(reading, entry, count)
        current = _only_child(current)
    node.fail("the tree is too deep", expected=f"at most {_MAX_DEPTH} nested subtrees")


def _only_child(node: Node) -> Node | None:
    subtree = node.child("subtree")
    if subtree.absent or subtree.value == []:
        return None
    children = subtree.elements()
    if len(children) != 1:
        subtree.fail("a subtree with several children", expected="exactly one child per subtree")
    if not isinstance(children[0].value, Mapping):
        children[0].fail("not a subtree", expected="a map with name, local and subtree")
    return children[0]


def _component(reading: Reading, node: Node, count: int) -> Component:
    if not isinstance(node.value, Mapping):
        node.fail("not a component", expected="a map {name, class, attributes}")
    reading.near_misses(node, _COMPONENT_KEYS, "a component")
    name, own = _split_name(node.child("name"))
    class_name = node.child("class").value
    if not isinstance(class_name, str):
        node.child("class").fail("component without a class", expected="e.g. DRAM, SRAM, regfile, intmac")
    attributes = node.child("attributes")
    if not attributes.absent and not isinstance(attributes.value, Mapping):
        attributes.fail("attributes are not a map", expected="a map")
    if count * own > INT64_MAX:
        node.child("name").fail("too many instances", expected=f"at most {INT64_MAX}")
    return Component(node, name, class_name, count * own)


def _split_name(node: Node) -> tuple[str, int]:
    """``RF[0..3]`` -> ``("RF", 4)``."""
    if not isinstance(node.value, str) or not node.value:
        node.fail("no name", expected="a name, e.g. RF or RF[0..3]")
    found = _RANGE.fullmatch(node.value.strip())
    if found is None:
        if "[" in node.value:
            node.fail("malformed instance range", expected="name[first..last], e.g. PE[0..15]")
        return node.value, 1
    if len(found["first"]) > 18 or len(found["last"]) > 18 or int(found["last"]) < int(found["first"]):
        node.fail("empty or too large instance range", expected="name[first..last] with first <= last")
    return found["name"].strip(), int(found["last"]) - int(found["first"]) + 1


def component_kind(class_name: str) -> str:
    """``storage``, ``compute``, the kind of a network, or nothing: first matching substring decides."""
    if any(part in class_name for part in _STORAGE_CLASSES):
        return "storage"
    if any(part in class_name for part in _COMPUTE_CLASSES):
        return "compute"
    return next((kind for part, kind in _NETWORK_KINDS.items() if part in class_name), "")


def _read_ispass(reading: Reading, node: Node, places: dict[str, Node]) -> Architecture:
    reading.near_misses(node, ("arithmetic", "storage", "constraints", "name", "version"), "an architecture")
    arithmetic = node.child("arithmetic")
    if not isinstance(arithmetic.value, Mapping):
        arithmetic.fail("no arithmetic", expected="a map with instances")
    entries = node.child("storage")
    if not isinstance(entries.value, list) or not entries.value:
        entries.fail("no storage", expected="a list of storage levels, inner to outer")
    if len(entries.value) > _MAX_LEVELS:
        entries.fail("too many levels", expected=f"at most {_MAX_LEVELS}")
    unit = _ispass_component(reading, arithmetic, "__ARITH__")
    places[unit.name] = arithmetic
    storage: list[StorageLevel] = []
    for entry in entries.elements():
        component = _ispass_component(reading, entry, None)
        _remember(component, entry, places)
        storage.append(_read_storage(reading, entry, component))
    return Architecture(tuple(storage), _read_compute(reading, arithmetic, unit), ())


def _ispass_component(reading: Reading, node: Node, default_name: str | None) -> Component:
    if not isinstance(node.value, Mapping):
        node.fail("not a level", expected="a map with name, instances, ...")
    name = reading.text(node.child("name")) or default_name
    if not name:
        node.child("name").fail("no name", expected="a name")
    if node.child("instances").absent:
        node.child("instances").fail("instances are required in this form", expected="an integer >= 1")
    return Component(node, name, "", 1)


def attribute_nodes(reading: Reading) -> dict[str, Node]:
    """Where the attributes of every storage level stand, by its name."""
    node = architecture_node(reading)
    if node.child("storage").absent:
        return {component.name: component.attributes for component in components(reading, node)}
    return {str(entry.child("name").value): entry for entry in node.child("storage").elements()}


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

"""Reads ``architecture``: the v0.2/v0.3/v0.4-dumped tree and the ISPASS form, into one ``Architecture``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import SpecError
from .architecture import Architecture, ComputeLevel, StorageLevel, UserNetwork
from .beyond import SPARSE
from .components import Component, read_compute, read_network
from .document import Node
from .machine_checks import check_architecture
from .scalars import INT64_MAX, Reading, empty
from .storage import read_storage

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
            storage.append(read_storage(reading, component.attributes, component))
        elif kind == "compute":
            compute.append(read_compute(reading, component.attributes, component))
        elif kind:
            networks.append(read_network(reading, component.attributes, component, kind))
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
        storage.append(read_storage(reading, entry, component))
    return Architecture(tuple(storage), read_compute(reading, arithmetic, unit), ())


def _ispass_component(reading: Reading, node: Node, default_name: str | None) -> Component:
    if not isinstance(node.value, Mapping):
        node.fail("not a level", expected="a map with name, instances, ...")
    name = reading.text(node.child("name")) or default_name
    if not name:
        node.child("name").fail("no name", expected="a name")
    if node.child("instances").absent:
        node.child("instances").fail("instances are required in this form", expected="an integer >= 1")
    return Component(node, name, "", 1)

"""Walks the v0.4 nodes depth-first and lists the levels they make, dummies for fan-outs too (formats section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..document import Origin
from ..expressions import Record
from ..marked import Map, Seq, error_at
from .grammar import (
    BRANCH_KEYS,
    LEAF_KEYS,
    NOTHING_KEYS,
    SPATIAL_KEYS,
    as_list,
    as_map,
    as_name,
    close_keys,
)
from .scope import Attributes, Symbols, World, typed
from .wishes import Loops, Wishes, Workload, read_wishes

STORAGE_CLASSES = ("DRAM", "SRAM", "regfile", "smartbuffer", "storage")
COMPUTE_CLASSES = ("mac", "intmac", "fpmac", "compute")
MAX_MESH = 1 << 31


@dataclass
class Level:
    """One entry of the flat list: a component, or a dummy storage that carries a fan-out.

    ``mesh_x``, ``mesh_y`` are the instances of this entry; a dummy's ``fan_x``, ``fan_y`` its children per instance.
    """

    name: str
    class_name: str
    origin: Origin
    node: Map
    attributes: Attributes
    mesh_x: int
    mesh_y: int
    fan_x: int = 1
    fan_y: int = 1
    dummy: bool = False
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def storage(self) -> bool:
        """Whether the class makes it a storage level."""
        return any(part in self.class_name for part in STORAGE_CLASSES)

    @property
    def compute(self) -> bool:
        """Whether the class makes it the compute level."""
        return not self.storage and any(part in self.class_name for part in COMPUTE_CLASSES)


@dataclass
class Branch:
    """One child of a ``!Parallel``: its levels, and the data spaces that a ``!Nothing`` there says it keeps."""

    levels: list[Level] = field(default_factory=list)
    nothing: Wishes | None = None


@dataclass
class Parallel:
    """A ``!Parallel`` node."""

    origin: Origin
    branches: list[Branch]


class Walk:
    """State of one walk over the nodes of an architecture."""

    def __init__(self, world: World, workload: Workload) -> None:
        self.world, self.workload = world, workload
        self.levels: list[Level] = []
        self.parallels: list[Parallel] = []
        self.spatial_owners: dict[str, Wishes] = {}  # name of a node -> the wishes of its own fan-out
        self.owners: dict[str, Wishes] = {}
        self.running: tuple[Attributes, ...] = ()
        self.attributes: list[Attributes] = []  # of all containers and components
        self.first_container: tuple[str, Attributes] | None = None
        self.mesh_x = self.mesh_y = 1
        self.names: dict[str, Origin] = {}

    def nodes(self, nodes: Seq) -> None:
        """Walk a list of nodes, outermost first."""
        for index, node in enumerate(nodes):
            self._node(node, nodes.origin_of(index), inside_parallel=False)

    def _node(self, node: Any, origin: Origin, inside_parallel: bool) -> Branch:
        """Walk one node; returns what it adds, for the branches of a parallel node."""
        if not isinstance(node, Map) or not node.tag:
            raise error_at(
                origin,
                "not a node",
                value=node,
                expected="!Container, !Component, !Parallel, !Hierarchical, !Pipelined or !Nothing",
                remedy="begin the list entry with a tag, e.g. - !Component",
            )
        start = len(self.levels)
        branch = Branch()
        if not self._enabled(node):
            return branch
        if node.tag == "!Nothing":
            close_keys(node, NOTHING_KEYS, "a !Nothing node")
            branch.nothing = self._wishes(node, self._attributes(node, "Nothing"))
        elif node.tag == "!Container":
            self._container(node, inside_parallel)
        elif node.tag == "!Component":
            self._component(node, inside_parallel)
        elif node.tag == "!Parallel":
            self._parallel(node, origin, inside_parallel)
        else:
            close_keys(node, BRANCH_KEYS, f"a {node.tag} node")
            children = as_list(node.get("nodes"), node.origin_of("nodes"), "nodes")
            for index, child in enumerate(children):
                self._node(child, children.origin_of(index), inside_parallel)
        branch.levels = self.levels[start:]
        return branch

    def _enabled(self, node: Map) -> bool:
        value = node.get("enabled")
        if value is None:
            return True
        attributes = self._attributes(node, "enabled")
        return bool(self._typed(value, node.origin_of("enabled"), "true or false", attributes))

    def _attributes(self, node: Map, owner: str) -> Attributes:
        raw = as_map(node.get("attributes"), node.origin_of("attributes"), "attributes")
        return Attributes(raw, owner, self.world, self.running)

    def _typed(self, value: Any, origin: Origin, what: str, attributes: Attributes) -> Any:
        return typed(value, origin, what, Symbols(attributes, ""), self.world.budget)

    def _wishes(self, node: Map, attributes: Attributes) -> Wishes:
        def integer(value: Any, origin: Origin) -> int:
            return int(self._typed(value, origin, "an integer", attributes))

        return read_wishes(node.get("constraints"), node.origin_of("constraints"), self.workload, integer)

    def _name(self, node: Map) -> str:
        name = as_name(node.get("name"), node.origin_of("name"), "the name of a node")
        if name in self.names:
            first = self.names[name]
            raise error_at(
                node.origin_of("name"),
                f"two nodes are called {name!r}",
                value=name,
                remedy=f"rename one; the first stands in {first.file}:{first.line}",
            )
        self.names[name] = node.origin_of("name")
        return name

    def _mesh(self, node: Map, attributes: Attributes) -> tuple[int, int]:
        spatial = as_map(node.get("spatial"), node.origin_of("spatial"), "spatial")
        close_keys(spatial, SPATIAL_KEYS, "spatial")
        sizes: list[int] = []
        for key in SPATIAL_KEYS:
            value = spatial.get(key)
            size = (
                1 if value is None else self._typed(value, spatial.origin_of(key), "an integer", attributes)
            )
            if not 1 <= size <= MAX_MESH:
                raise error_at(
                    spatial.origin_of(key), f"{key} out of range", value=size, expected="at least 1"
                )
            sizes.append(size)
        return sizes[0], sizes[1]

    def _fanout(
        self, name: str, node: Map, mesh: tuple[int, int], attributes: Attributes, wishes: Wishes
    ) -> None:
        """Add the dummy storage for a fan-out, give it the spatial constraint of ``wishes``, multiply the mesh."""
        moved = Wishes(spatial=wishes.spatial)
        wishes.spatial = Loops(spatial=True)
        self.spatial_owners[name] = moved
        if mesh == (1, 1):
            return
        dummy = f"inter_{name}_spatial"
        level = Level(
            dummy, "dummy_storage", node.origin, node, attributes, self.mesh_x, self.mesh_y, *mesh, True
        )
        level.wishes = moved
        self.levels.append(level)
        self.mesh_x *= mesh[0]
        self.mesh_y *= mesh[1]
        if self.mesh_x > MAX_MESH or self.mesh_y > MAX_MESH:
            raise error_at(
                node.origin_of("spatial"), "the array is too large", expected=f"at most {MAX_MESH} a side"
            )

    def _refuse_fanout(self, node: Map, inside_parallel: bool, mesh: tuple[int, int]) -> None:
        if inside_parallel and (node.tag == "!Container" or mesh != (1, 1)):
            what = "a container" if node.tag == "!Container" else "a fan-out"
            raise error_at(
                node.origin,
                f"{what} inside a !Parallel node",
                value=node.get("name"),
                remedy="put it before or after the !Parallel node",
            )

    def _container(self, node: Map, inside_parallel: bool) -> None:
        close_keys(node, LEAF_KEYS, "a !Container node")
        name = self._name(node)
        attributes = self._attributes(node, name)
        mesh = self._mesh(node, attributes)
        self._refuse_fanout(node, inside_parallel, mesh)
        self.attributes.append(attributes)
        self.running = (*self.running, attributes)
        if self.first_container is None:
            self.first_container = (name, attributes)
        wishes = self._wishes(node, attributes)
        self.world.leaves.setdefault(name, _record(name, node, attributes))
        self._fanout(name, node, mesh, attributes, wishes)
        self.owners[name] = wishes

    def _component(self, node: Map, inside_parallel: bool) -> None:
        close_keys(node, LEAF_KEYS, "a !Component node")
        name = self._name(node)
        class_name = as_name(node.get("class"), node.origin_of("class"), "the class of a component")
        attributes = self._attributes(node, name)
        self.attributes.append(attributes)
        mesh = self._mesh(node, attributes)
        self._refuse_fanout(node, inside_parallel, mesh)
        wishes = self._wishes(node, attributes)
        self._fanout(name, node, mesh, attributes, wishes)
        level = Level(
            name, class_name, node.origin, node, attributes, self.mesh_x, self.mesh_y, wishes=wishes
        )
        self.levels.append(level)
        self.owners[name] = wishes
        self.world.leaves[name] = _record(name, node, attributes)

    def _parallel(self, node: Map, origin: Origin, inside_parallel: bool) -> None:
        close_keys(node, BRANCH_KEYS, "a !Parallel node")
        if inside_parallel:
            raise error_at(origin, "a !Parallel node inside another", remedy="use one !Parallel node")
        children = as_list(node.get("nodes"), node.origin_of("nodes"), "nodes")
        branches = [
            self._node(child, children.origin_of(index), inside_parallel=True)
            for index, child in enumerate(children)
        ]
        self.parallels.append(Parallel(origin, [b for b in branches if b.levels or b.nothing is not None]))


def _record(name: str, node: Map, attributes: Attributes) -> Record:
    """What expressions may read of a node."""
    entries: Mapping[str, Any] = {
        "name": name,
        "class": node.get("class"),
        "attributes": Record(f"{name}.attributes", attributes),
        "spatial": {
            key: value
            for key, value in as_map(node.get("spatial"), node.origin, "spatial").items()
            if isinstance(value, int)
        },
    }
    return Record(name, entries)

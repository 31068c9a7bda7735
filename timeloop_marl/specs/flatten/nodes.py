"""Walks the v0.4 nodes depth-first and lists the levels they make, dummies for fan-outs too (formats section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..document import Map, Node, Origin, tree
from ..expressions import Record
from ..machine import component_kind
from ..scalars import close_keys
from .constraints import Loops, Wishes, Workload, read_wishes
from .scope import Attributes, World

LEAF_KEYS = (
    "name", "class", "subclass", "attributes", "spatial", "constraints", "sparse_optimizations", "enabled",
    "required_actions", "area_scale", "energy_scale",
)  # fmt: skip
BRANCH_KEYS = ("nodes", "enabled", "attributes", "spatial", "constraints")
NOTHING_KEYS = ("attributes", "spatial", "constraints", "sparse_optimizations", "enabled")
SPATIAL_KEYS = ("meshX", "meshY")
MAX_MESH = 1 << 31
_STORAGE_DEFAULTS: dict[str, Any] = {
    "n_banks": 2, "cluster_size": 1, "reduction_supported": True, "multiple_buffering": 1, "min_utilization": 0,
    "allow_overbooking": False,
}  # fmt: skip
_DUMMY: dict[str, Any] = {"width": 1, "depth": 1, "datawidth": 1, "technology": -1}
_CONTAINER_DEFAULTS: dict[str, Any] = {"has_power_gating": False, "power_gated_at": None}
_ACTIONS = {"storage": ("read", "write", "update", "leak"), "compute": ("compute",)}


@dataclass
class Level:
    """One entry of the flat list: a component, or a dummy storage that carries a fan-out.

    ``mesh_x``, ``mesh_y`` are the instances of this entry; a dummy's ``fan_x``, ``fan_y`` its children per instance.
    """

    name: str
    class_name: str
    node: Map
    attributes: Attributes
    mesh_x: int
    mesh_y: int
    fan_x: int = 1
    fan_y: int = 1
    dummy: bool = False
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def origin(self) -> Origin:
        """Where its node stands."""
        return self.node.origin

    @property
    def kind(self) -> str:
        """``storage``, ``compute``, or something else."""
        return component_kind(self.class_name)

    @property
    def storage(self) -> bool:
        """Whether it is a storage level with a node of its own."""
        return not self.dummy and self.kind == "storage"

    def written(self) -> Map:
        """The entry of the ``local`` list."""
        name = f"{self.name}[1..{self.mesh_x * self.mesh_y}]"
        result: Map = tree({"name": name, "class": self.class_name}, self.origin)
        result.where["class"] = self.node.origin_of("class")
        if not self.dummy and self.node.get("subclass") is not None:
            result.put_node("subclass", self.node.node("subclass"))
        result.put("attributes", self._attributes(), self.node.origin_of("attributes"))
        actions = list(_ACTIONS.get(self.kind, ()))
        if not self.dummy:
            for key in ("area_scale", "energy_scale"):
                node = self.node.node(key)
                if not node.absent:
                    result.put(key, self.attributes.evaluated(node), node.origin)
            given = self.node.get("required_actions")
            own = [action for action in given if isinstance(action, str)] if isinstance(given, list) else []
            actions = list(dict.fromkeys([*own, *actions]))
        if actions:
            result.put("required_actions", tree(actions, self.origin), self.origin)
        result.put("enabled", True, self.origin)
        return result

    def _attributes(self) -> Map:
        """Own attributes, defaults, mesh, then the running ones of the containers for keys not there yet."""
        origin = self.node.origin_of("attributes")
        result = Map(origin)
        if self.dummy:
            fill(result, _DUMMY, self.origin)
        else:
            for key in self.attributes:
                result.put_node(key, self.attributes.node(key))
        fill(result, {"has_power_gating": False}, origin)
        if self.kind == "storage":
            fill(result, _STORAGE_DEFAULTS, origin)
        result.put("meshX", self.mesh_x, origin)
        result.put("meshY", self.mesh_y, origin)
        containers = list(self.attributes.parents)
        if self.dummy and self.node.tag == "!Container":
            containers.append(self.attributes)  # a container's attributes hold from its own fan-out on
        for container in reversed(containers):
            for key in container:
                if key not in result:
                    result.put_node(key, container.node(key))
        if containers:
            fill(result, {"power_gated_at": None}, origin)
        return result


def fill(target: Map, defaults: Mapping[str, Any], origin: Origin) -> None:
    """Put in the defaults of keys that are not there."""
    for key, value in defaults.items():
        if key not in target:
            target.put(key, value, origin)


@dataclass
class Branch:
    """One child of a ``!Parallel``: its levels, and what any ``!Nothing`` in it says it keeps."""

    levels: list[Level] = field(default_factory=list)
    nothings: list[Wishes] = field(default_factory=list)


@dataclass
class Parallel:
    """A ``!Parallel`` node; ``inner``: it stands in a branch of another."""

    origin: Origin
    branches: list[Branch]
    inner: bool


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

    def nodes(self, node: Node, inside_parallel: bool = False) -> list[Branch]:
        """Walk a list of nodes, outermost first; returns what each of them adds."""
        return [self._node(element, inside_parallel) for element in node.as_list("nodes")]

    def _node(self, entry: Node, inside_parallel: bool) -> Branch:
        """Walk one node; returns what it adds, for the branches of a parallel node."""
        node = entry.value
        if not isinstance(node, Map) or not node.tag:
            entry.fail(
                "not a node",
                expected="!Container, !Component, !Parallel, !Hierarchical, !Pipelined or !Nothing",
                remedy="begin the list entry with a tag, e.g. - !Component",
            )
        start = len(self.levels)
        branch = Branch()
        enabled = node.node("enabled")
        if not enabled.absent and not self._attributes(node, "enabled").typed(enabled, "true or false"):
            return branch
        if node.tag == "!Nothing":
            close_keys(node, NOTHING_KEYS, "a !Nothing node")
            branch.nothings = [self._wishes(node, self._attributes(node, "Nothing"))]
        elif node.tag in ("!Container", "!Component"):
            self._leaf(node, inside_parallel)
        else:
            close_keys(node, BRANCH_KEYS, f"a {node.tag} node")
            parallel = node.tag == "!Parallel"
            branches = self.nodes(node.node("nodes"), inside_parallel or parallel)
            branch.nothings = [nothing for inner in branches for nothing in inner.nothings]
            if parallel:
                branches = [inner for inner in branches if inner.levels or inner.nothings]
                self.parallels.append(Parallel(entry.origin, branches, inside_parallel))
        branch.levels = self.levels[start:]
        return branch

    def _attributes(self, node: Map, owner: str) -> Attributes:
        raw = node.node("attributes").as_map("attributes")
        return Attributes(raw, owner, self.world, self.running)

    def _wishes(self, node: Map, attributes: Attributes) -> Wishes:
        return read_wishes(node.node("constraints"), self.workload, attributes.integer)

    def _leaf(self, node: Map, inside_parallel: bool) -> None:
        """A container or a component."""
        close_keys(node, LEAF_KEYS, f"a {node.tag} node")
        container = node.tag == "!Container"
        name = self._name(node.node("name"))
        class_name = "" if container else node.node("class").as_name("the class of a component")
        attributes = self._attributes(node, name)
        self.attributes.append(attributes)
        mesh = self._mesh(node, attributes)
        if inside_parallel and (container or mesh != (1, 1)):
            what = "a container" if container else "a fan-out"
            raise node.origin.error(
                f"{what} inside a !Parallel node",
                value=name,
                remedy="put it before or after the !Parallel node",
            )
        if container:
            self.running = (*self.running, attributes)
            self.first_container = self.first_container or (name, attributes)
        wishes = self._wishes(node, attributes)
        self._fanout(name, node, mesh, attributes, wishes)
        if not container:
            level = Level(name, class_name, node, attributes, self.mesh_x, self.mesh_y, wishes=wishes)
            self.levels.append(level)
        self.owners[name] = wishes
        self.world.leaves[name] = _record(name, node, attributes)

    def _name(self, node: Node) -> str:
        name = node.as_name("the name of a node")
        if name in self.names:
            node.fail(
                f"two nodes are called {name!r}",
                remedy=f"rename one; the first stands in {self.names[name].place}",
            )
        self.names[name] = node.origin
        return name

    def _mesh(self, node: Map, attributes: Attributes) -> tuple[int, int]:
        spatial = node.node("spatial").as_map("spatial")
        close_keys(spatial, SPATIAL_KEYS, "spatial")
        sizes: list[int] = []
        for key in SPATIAL_KEYS:
            size = 1 if spatial.get(key) is None else attributes.integer(spatial.node(key))
            if not 1 <= size <= MAX_MESH:
                Node(size, spatial.origin_of(key)).fail(f"{key} out of range", expected="at least 1")
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
        dummy = Level(
            f"inter_{name}_spatial",
            "dummy_storage",
            node,
            attributes,
            self.mesh_x,
            self.mesh_y,
            *mesh,
            True,
            moved,
        )
        self.levels.append(dummy)
        self.mesh_x *= mesh[0]
        self.mesh_y *= mesh[1]
        if self.mesh_x > MAX_MESH or self.mesh_y > MAX_MESH:
            raise node.origin_of("spatial").error(
                "the array is too large", expected=f"at most {MAX_MESH} a side"
            )


def _record(name: str, node: Map, attributes: Attributes) -> Record:
    """What expressions may read of a node."""
    spatial = node.node("spatial").as_map("spatial")
    entries: Mapping[str, Any] = {
        "name": name,
        "class": node.get("class"),
        "attributes": Record(f"{name}.attributes", attributes),
        "spatial": {key: value for key, value in spatial.items() if isinstance(value, int)},
    }
    return Record(name, entries)


def architecture(walk: Walk, world: World, origin: Origin) -> Map:
    """The ``architecture`` section in tree form."""
    name, attributes = walk.first_container or ("system", None)
    top = Map(origin)
    for source in (world.variables, attributes):
        for key in source or ():
            assert source is not None
            top.put_node(key, source.node(key))
    fill(top, _CONTAINER_DEFAULTS, origin)
    local = tree([], origin)
    for level in walk.levels:
        local.add(level.written(), level.origin)
    subtree = {"name": f"{name}_top_level", "attributes": top, "local": local}
    result: Map = tree({"version": "0.4", "subtree": [subtree]}, origin)
    return result

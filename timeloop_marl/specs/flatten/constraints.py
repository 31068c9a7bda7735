"""The constraints of one v0.4 node, read, merged and written as v0.3 targets (mapspace section 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import SpecError
from ..document import NOWHERE, Map, Node, Origin, tree
from ..factors import Factor, listed_factors, listed_permutation, unique
from ..scalars import close_keys

CONSTRAINT_GROUPS = ("spatial", "temporal", "dataspace", "max_overbooked_proportion")
LIMITS = ("default_max_factor", "default_min_factor", "remainders")
REUSE = ("no_reuse", "rmw_first_update", "no_link_transfer")
MACROS = (
    "factors_only", "no_iteration_over_dataspaces", "must_iterate_over_dataspaces", "maximize_dims",
    "maximize_dims_capacity",
)  # fmt: skip
_LOOP_KEYS = ("factors", "permutation", "no_reuse", *LIMITS, *MACROS)
TEMPORAL_KEYS = (*_LOOP_KEYS, "rmw_first_update")
SPATIAL_CONSTRAINT_KEYS = (*_LOOP_KEYS, "split", "no_link_transfer")
DATASPACE_KEYS = ("keep", "bypass", "no_coalesce", "keep_only", "bypass_only")
_FRAME = ("type", "target", "name")

Integer = Callable[[Node], int]  # evaluates a field of type integer


@dataclass
class Workload:
    """What the constraints need to know of the problem: dims, bounds, and the dims of every data space."""

    dims: tuple[str, ...] = ()
    bounds: dict[str, int] = field(default_factory=dict)
    spaces: dict[str, frozenset[str]] = field(default_factory=dict)

    def names(self, node: Node, what: str) -> list[str]:
        """A list of data spaces; ``"*"`` stands for all."""
        text = node.value
        if isinstance(text, str):
            parts = [text] if text == "*" or text in self.spaces else text.replace(",", " ").split()
            items = [Node(part, node.origin) for part in parts]
        else:
            items = node.as_list(what)
        names: dict[str, None] = {}
        for item in items:
            if item.value == "*":
                names.update(dict.fromkeys(self.spaces))
            elif isinstance(item.value, str) and (item.value in self.spaces or not self.spaces):
                names[item.value] = None
            else:
                item.fail(
                    f"not a data space of the problem, in {what}",
                    expected=", ".join(self.spaces) + ' or "*"',
                )
        return list(names)


@dataclass
class Loops:
    """Constraints on the temporal or the spatial loops of one level.

    ``values`` are permutation, split and limits, ``macros`` what still stands for factors; both by name.
    """

    spatial: bool
    origin: Origin = NOWHERE
    factors: list[Factor] = field(default_factory=list)
    values: dict[str, Node] = field(default_factory=dict)
    reuse: dict[str, list[str]] = field(default_factory=dict)
    macros: dict[str, Node] = field(default_factory=dict)
    where: dict[str, Origin] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is constrained."""
        return not (self.factors or self.values or self.reuse or self.macros)

    @property
    def unit(self) -> bool:
        """Whether the factors ask for nothing but ones."""
        return all(factor.value == 1 and factor.relation == "=" for factor in self.factors)

    def fixed(self, dim: str) -> int | None:
        """The factor that ``=`` gives to a dim."""
        return next((f.value for f in self.factors if f.dim == dim and f.relation == "="), None)

    def fix_to_one(self, dims: Iterable[str], origin: Origin) -> None:
        """Add the factor 1 of some dims."""
        self.factors = unique([*self.factors, *(Factor(dim, "=", 1, None, origin) for dim in dims)])

    def merge(self, other: Loops) -> None:
        """Add the constraints of ``other``, which stood elsewhere; contradictions are errors."""
        if self.empty:
            self.origin = other.origin
        self.factors = unique([*self.factors, *other.factors])
        for name, node in other.values.items():
            mine = self.values.setdefault(name, node)
            if mine.value != node.value:
                node.fail(
                    f"two values of {name} for one level",
                    expected=f"{mine.value!r}, as given before",
                    remedy="keep one of them",
                )
        for name, spaces in other.reuse.items():
            self.reuse[name] = list(dict.fromkeys([*self.reuse.get(name, ()), *spaces]))
        for name, node in other.macros.items():
            if name in self.macros:
                node.fail(f"{name} is given twice for one level")
            self.macros[name] = node
        self.where = {**other.where, **self.where}

    def put_units_first(self, workload: Workload) -> None:
        """Dims of factor or bound 1 that the permutation lacks go to its front: their order is no choice."""
        units = [factor.dim for factor in self.factors if factor.relation == "=" and factor.value == 1]
        units += [dim for dim in workload.dims if workload.bounds.get(dim) == 1]
        given = self.values.get("permutation", Node([], self.origin))
        permutation = list(given.value)
        for dim in units:
            if dim not in permutation:
                permutation.insert(0, dim)
        if permutation:
            self.values["permutation"] = Node(permutation, given.origin)

    def written(self) -> Map | None:
        """The v0.3 entry; ``None`` if nothing is constrained."""
        if self.empty:
            return None
        entry = tree({"type": "spatial" if self.spatial else "temporal"}, self.origin)
        if self.factors:
            entry.put("factors", ",".join(map(str, self.factors)), self.where.get("factors", self.origin))
        order = self.values.get("permutation")
        if order is not None and order.value:
            entry.put("permutation", "".join(order.value), order.origin)
        for name in ("split", *LIMITS):
            if name in self.values:
                entry.put_node(name, self.values[name])
        for name in REUSE:
            if name in self.reuse:
                entry.put(name, tree(self.reuse[name], self.origin), self.where.get(name, self.origin))
        return entry


@dataclass
class Keeping:
    """Which data spaces a level keeps and bypasses."""

    origin: Origin = NOWHERE
    keep: list[str] = field(default_factory=list)
    bypass: list[str] = field(default_factory=list)
    no_coalesce: list[str] = field(default_factory=list)
    given: bool = False

    def add(self, name: str, spaces: Sequence[str], origin: Origin) -> None:
        """Add data spaces to one of the lists; keeping and bypassing the same one is an error."""
        target: list[str] = getattr(self, name)
        target += [space for space in spaces if space not in target]
        if not self.given:
            self.origin = origin
        self.given = True
        both = [space for space in self.keep if space in self.bypass]
        if both:
            raise origin.error(
                f"{', '.join(both)} is kept and bypassed at the same level", remedy="remove one"
            )

    def written(self) -> Map | None:
        """The v0.3 entry; ``None`` if it says nothing."""
        lists = {name: getattr(self, name) for name in ("keep", "bypass", "no_coalesce")}
        lists = {name: spaces for name, spaces in lists.items() if spaces}
        return tree({"type": "bypass", **lists}, self.origin) if lists else None


@dataclass
class Wishes:
    """All constraints of one node."""

    temporal: Loops = field(default_factory=lambda: Loops(spatial=False))
    spatial: Loops = field(default_factory=lambda: Loops(spatial=True))
    keeping: Keeping = field(default_factory=Keeping)
    others: list[Map] = field(default_factory=list)  # utilization, max_overbooked_proportion: passed on

    def absorb(self, kind: Any, value: Map, workload: Workload, integer: Integer) -> None:
        """Add one constraint of a kind (``temporal``, ``spatial``, ``dataspace``, ``utilization``, ...)."""
        if kind == "temporal":
            self.temporal.merge(_read_loops(value, False, workload, integer))
        elif kind == "spatial":
            self.spatial.merge(_read_loops(value, True, workload, integer))
        elif kind in ("dataspace", "datatype", "bypass", "bypassing"):
            _read_keeping(value, workload, self.keeping)
        elif kind in ("utilization", "parallelism", "max_overbooked_proportion"):
            self.others.append(value.copied(without=_FRAME))
            self.others[-1].put("type", kind, value.origin)
        else:
            raise _unknown_kind(kind, value)


def read_wishes(node: Node, workload: Workload, integer: Integer) -> Wishes:
    """The ``constraints`` of a node."""
    wishes = Wishes()
    constraints = node.as_map("constraints")
    close_keys(constraints, CONSTRAINT_GROUPS, "the constraints of a node")
    for key, part in constraints.nodes():
        if part.absent:
            continue
        if key == "max_overbooked_proportion":
            wishes.others.append(tree({"type": key, "proportion": part.value}, part.origin))
        else:
            wishes.absorb(key, part.as_map(f"the {key} constraint"), workload, integer)
    return wishes


def _read_loops(value: Map, spatial: bool, workload: Workload, integer: Integer) -> Loops:
    """The constraints of a ``temporal`` or ``spatial`` map."""
    what = "a spatial constraint" if spatial else "a temporal constraint"
    body = value.copied(without=_FRAME)
    close_keys(body, SPATIAL_CONSTRAINT_KEYS if spatial else TEMPORAL_KEYS, what)
    loops = Loops(spatial, value.origin, where=body.where)
    loops.factors = listed_factors(body.node("factors"))
    for name, node in body.nodes():
        if node.absent:
            continue
        if name == "permutation":
            loops.values[name] = Node(listed_permutation(node), node.origin)
        elif name == "split" or name in LIMITS:
            loops.values[name] = Node(integer(node), node.origin)
        elif name in REUSE:
            loops.reuse[name] = workload.names(node, name)
        elif name in MACROS:
            loops.macros[name] = node
    return loops


def _read_keeping(value: Map, workload: Workload, into: Keeping) -> None:
    """Add the constraints of a ``dataspace`` map, macros ``keep_only`` and ``bypass_only`` included."""
    body = value.copied(without=_FRAME)
    close_keys(body, DATASPACE_KEYS, "a data space constraint")
    for name in DATASPACE_KEYS:
        node = body.node(name)
        if node.absent:
            continue
        spaces = workload.names(node, name)
        if not name.endswith("_only"):
            into.add(name, spaces, node.origin)
            continue
        others = [space for space in workload.spaces if space not in spaces]
        keep_them = name == "keep_only"
        into.add("keep", spaces if keep_them else others, node.origin)
        into.add("bypass", others if keep_them else spaces, node.origin)


def _unknown_kind(kind: object, value: Map) -> SpecError:
    """The error for a constraint of no known type."""
    return value.origin_of("type").error(
        "unknown type of constraint",
        value=kind,
        expected="temporal, spatial, dataspace, utilization or max_overbooked_proportion",
    )

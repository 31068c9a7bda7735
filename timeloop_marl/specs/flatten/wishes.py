"""The constraints of one v0.4 node, read and merged: temporal and spatial loops, data spaces (mapspace section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import SpecError
from ..document import Origin
from ..marked import NOWHERE, Map, Seq, error_at
from .factors import Factor, read_factors, read_permutation, unique
from .grammar import (
    CONSTRAINT_GROUPS,
    DATASPACE_KEYS,
    MACROS,
    SPATIAL_CONSTRAINT_KEYS,
    TEMPORAL_KEYS,
    as_list,
    as_map,
    close_keys,
)

LIMITS = ("default_max_factor", "default_min_factor", "remainders")
REUSE = ("no_reuse", "rmw_first_update", "no_link_transfer")


@dataclass
class Workload:
    """What the constraints need to know of the problem: dims, bounds, and the dims of every data space."""

    dims: tuple[str, ...] = ()
    bounds: dict[str, int] = field(default_factory=dict)
    spaces: dict[str, frozenset[str]] = field(default_factory=dict)

    def names(self, value: Any, origin: Origin, what: str) -> list[str]:
        """A list of data spaces; ``"*"`` stands for all."""
        if isinstance(value, str):
            value = [value] if value == "*" or value in self.spaces else value.replace(",", " ").split()
            items = [(item, origin) for item in value]
        else:
            sequence = as_list(value, origin, what)
            items = [(item, sequence.origin_of(index)) for index, item in enumerate(sequence)]
        names: list[str] = []
        for item, where in items:
            if item == "*":
                names += [name for name in self.spaces if name not in names]
            elif isinstance(item, str) and (item in self.spaces or not self.spaces):
                names += [item] if item not in names else []
            else:
                raise error_at(
                    where,
                    f"not a data space of the problem, in {what}",
                    value=item,
                    expected=", ".join(self.spaces) + ' or "*"',
                )
        return names


@dataclass
class Loops:
    """Constraints on the temporal or the spatial loops of one level."""

    spatial: bool
    origin: Origin = NOWHERE
    factors: list[Factor] = field(default_factory=list)
    permutation: list[str] | None = None
    split: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    reuse: dict[str, list[str]] = field(default_factory=dict)
    macros: Map = field(default_factory=Map)
    where: dict[str, Origin] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is constrained."""
        return (
            not (self.factors or self.limits or self.macros)
            and self.permutation is None
            and self.split is None
            and not self.reuse
        )

    @property
    def unit(self) -> bool:
        """Whether the factors ask for nothing but ones."""
        return all(factor.value == 1 and factor.sign == "=" for factor in self.factors)

    def fixed(self, dim: str) -> int | None:
        """The factor that ``=`` gives to a dim."""
        return next(
            (factor.value for factor in self.factors if factor.dim == dim and factor.sign == "="), None
        )

    def merge(self, other: Loops) -> None:
        """Add the constraints of ``other``, which stood elsewhere; contradictions are errors."""
        if self.empty:
            self.origin = other.origin
        self.factors = unique([*self.factors, *other.factors])
        self.permutation = self._one("permutation", self.permutation, other.permutation, other)
        self.split = self._one("split", self.split, other.split, other)
        for name, limit in other.limits.items():
            self.limits[name] = self._one(name, self.limits.get(name), limit, other)
        for name, spaces in other.reuse.items():
            mine = self.reuse.setdefault(name, [])
            mine += [space for space in spaces if space not in mine]
        for name, value in other.macros.items():
            if name in self.macros:
                raise error_at(
                    other.macros.origin_of(name), f"{name} is given twice for one level", value=value
                )
            self.macros.put(name, value, other.macros.origin_of(name))
        self.where = {**other.where, **self.where}

    def _one(self, name: str, mine: Any, other: Any, source: Loops) -> Any:
        if mine is None or other is None or mine == other:
            return other if mine is None else mine
        raise error_at(
            source.where.get(name, source.origin),
            f"two values of {name} for one level",
            value=other,
            expected=f"{mine!r}, as given before",
            remedy="keep one of them",
        )


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
            raise error_at(
                origin, f"{', '.join(both)} is kept and bypassed at the same level", remedy="remove one"
            )


@dataclass
class Wishes:
    """All constraints of one node."""

    temporal: Loops = field(default_factory=lambda: Loops(spatial=False))
    spatial: Loops = field(default_factory=lambda: Loops(spatial=True))
    keeping: Keeping = field(default_factory=Keeping)
    others: list[Map] = field(default_factory=list)  # utilization, max_overbooked_proportion: passed on


def read_loops(value: Map, spatial: bool, workload: Workload, integer: Any) -> Loops:
    """The constraints of a ``temporal`` or ``spatial`` map; ``integer`` evaluates a typed field."""
    what = "a spatial constraint" if spatial else "a temporal constraint"
    body = _without(value, ("type", "target", "name"))
    close_keys(body, SPATIAL_CONSTRAINT_KEYS if spatial else TEMPORAL_KEYS, what)
    loops = Loops(spatial, value.origin, where=dict(body.where))
    loops.factors = read_factors(body.get("factors"), body.origin_of("factors"))
    loops.permutation = read_permutation(body.get("permutation"), body.origin_of("permutation"))
    if body.get("split") is not None:
        loops.split = integer(body["split"], body.origin_of("split"))
    for name in LIMITS:
        if body.get(name) is not None:
            loops.limits[name] = integer(body[name], body.origin_of(name))
    for name in REUSE:
        if body.get(name) is not None:
            loops.reuse[name] = workload.names(body[name], body.origin_of(name), name)
    for name in MACROS:
        if body.get(name) is not None:
            loops.macros.put(name, body[name], body.origin_of(name))
    return loops


def read_keeping(value: Map, workload: Workload, into: Keeping) -> None:
    """Add the constraints of a ``dataspace`` map, macros ``keep_only`` and ``bypass_only`` included."""
    body = _without(value, ("type", "target", "name"))
    close_keys(body, DATASPACE_KEYS, "a data space constraint")
    for name in DATASPACE_KEYS:
        if body.get(name) is None:
            continue
        origin = body.origin_of(name)
        spaces = workload.names(body[name], origin, name)
        if not name.endswith("_only"):
            into.add(name, spaces, origin)
            continue
        others = [space for space in workload.spaces if space not in spaces]
        keep_them = name == "keep_only"
        into.add("keep", spaces if keep_them else others, origin)
        into.add("bypass", others if keep_them else spaces, origin)


def read_wishes(value: Any, origin: Origin, workload: Workload, integer: Any) -> Wishes:
    """The ``constraints`` of a node."""
    wishes = Wishes()
    constraints = as_map(value, origin, "constraints")
    close_keys(constraints, CONSTRAINT_GROUPS, "the constraints of a node")
    for key, part in constraints.items():
        where = constraints.origin_of(key)
        if part is None:
            continue
        if key == "max_overbooked_proportion":
            wishes.others.append(_entry(key, Map(where), where))
            wishes.others[-1].put("proportion", part, where)
        else:
            absorb(wishes, key, as_map(part, where, f"the {key} constraint"), workload, integer)
    return wishes


def absorb(wishes: Wishes, kind: str, value: Map, workload: Workload, integer: Any) -> None:
    """Add one constraint of a kind (``temporal``, ``spatial``, ``dataspace``, ``utilization``, ...)."""
    if kind == "temporal":
        wishes.temporal.merge(read_loops(value, False, workload, integer))
    elif kind == "spatial":
        wishes.spatial.merge(read_loops(value, True, workload, integer))
    elif kind in ("dataspace", "datatype", "bypass", "bypassing"):
        read_keeping(value, workload, wishes.keeping)
    elif kind in ("utilization", "parallelism", "max_overbooked_proportion"):
        wishes.others.append(_entry(kind, value, value.origin))
    else:
        raise unknown_kind(kind, value)


def unknown_kind(kind: object, value: Map) -> SpecError:
    """The error for a constraint of no known type."""
    return error_at(
        value.origin_of("type"),
        "unknown type of constraint",
        value=kind,
        expected="temporal, spatial, dataspace, utilization or max_overbooked_proportion",
    )


def _entry(kind: str, value: Map, origin: Origin) -> Map:
    entry = _without(value, ("type", "target", "name"))
    entry.put("type", kind, origin)
    return entry


def _without(value: Map, keys: Sequence[str]) -> Map:
    result = Map(value.origin)
    for key, item in value.items():
        if key not in keys:
            result.put(key, item, value.origin_of(key))
    return result


def names_as_list(names: Sequence[str], origin: Origin) -> Seq:
    """Names as a marked list."""
    result = Seq(origin)
    for name in names:
        result.add(name, origin)
    return result

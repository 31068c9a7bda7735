"""What the user allows: loop, bypass and reuse constraints, and how they are read (mapspace section 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .architecture import Architecture, TilingLevel
from .document import Node
from .factors import CONSTRAINT, read_factors, read_permutation
from .problem import Problem
from .scalars import Reading, empty, unknown
from .sparse import is_sparse


@dataclass(frozen=True)
class LoopConstraint:
    """Constraints on one tiling level. Keys of the maps are dimension indices.

    ``prefix`` are the innermost dims of the permutation (innermost first), ``suffix`` the outermost ones (their order
    innermost first, too); the dims in neither are free. ``None`` for ``prefix`` means: no user permutation at all.
    """

    fixed: Mapping[int, int] = field(default_factory=dict)
    maximum: Mapping[int, int] = field(
        default_factory=dict
    )  # default_max_factor already spread over the dims
    minimum: Mapping[int, int] = field(default_factory=dict)
    prefix: tuple[int, ...] | None = None
    suffix: tuple[int, ...] = ()
    split: int | None = None
    remainders: int | None = None
    source: str = field(default="", metadata={"identity": False})  # file and key path, for messages


@dataclass(frozen=True)
class Switches:
    """Reuse switches, as sets of (storage level, data space) index pairs (cost-model sections 3, 5, 9, 10)."""

    no_temporal_reuse: frozenset[tuple[int, int]] = frozenset()
    rmw_first_update: frozenset[tuple[int, int]] = frozenset()
    no_coalesce: frozenset[tuple[int, int]] = frozenset()
    no_multicast: frozenset[tuple[int, int]] = frozenset()
    no_link_transfer: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Constraints:
    """All constraints of a run.

    ``bypass[p][s]`` is ``"0"`` (bypass), ``"1"`` (keep) or ``"X"`` (free) for data space p at storage level s.
    ``overbooked``: level -> share of the tiles that need not fit (sparse designs), ``None`` where nothing is said.
    """

    loops: Mapping[TilingLevel, LoopConstraint] = field(default_factory=dict)
    bypass: tuple[tuple[str, ...], ...] = ()
    # (p, s) -> file and key path
    bypass_sources: Mapping[tuple[int, int], str] = field(default_factory=dict, metadata={"identity": False})
    min_parallelism: float = 0.0
    parallelism_source: str = field(default="", metadata={"identity": False})
    switches: Switches = Switches()
    overbooked: Mapping[int, float] | None = field(default=None, metadata={"identity": "if given"})
    warnings: tuple[str, ...] = field(default=(), metadata={"identity": False})


_NUMBERS = ("default_max_factor", "default_min_factor", "remainders")
_LOOP_KEYS = ("factors", "permutation", *_NUMBERS)
SWITCHES: dict[str, dict[str, tuple[str, ...]]] = {
    "temporal": {
        "no_temporal_reuse": ("no_reuse", "no_temporal_reuse"),
        "rmw_first_update": ("rmw_first_update",),
    },
    "spatial": {
        "no_multicast": ("no_reuse", "no_multicast_no_reduction"),
        "no_link_transfer": ("no_link_transfer",),
    },
    "bypass": {"no_coalesce": ("no_coalesce",)},
}
"""The reuse switches that an entry of each type may set, and the keys they go by, in constraints and mappings."""
SWITCH_KEYS = {
    kind: tuple(key for keys in table.values() for key in keys) for kind, table in SWITCHES.items()
}
_FRAME_KEYS = ("target", "name", "type", "attributes", "constraints")
BYPASS_TYPES = ("datatype", "bypass", "bypassing", "dataspace")
_UTILIZATION_TYPES = ("utilization", "parallelism")
_TYPES = ("temporal", "spatial", *BYPASS_TYPES, *_UTILIZATION_TYPES, "max_overbooked_proportion")


@dataclass
class _Loops:
    """The constraint of one tiling level while its entries are collected."""

    fixed: dict[int, int] = field(default_factory=dict)
    maximum: dict[int, int] = field(default_factory=dict)
    minimum: dict[int, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    prefix: tuple[int, ...] | None = None
    suffix: tuple[int, ...] = ()
    sources: list[str] = field(default_factory=list)


@dataclass
class _Collector:
    reading: Reading
    problem: Problem
    architecture: Architecture
    loops: dict[TilingLevel, _Loops] = field(default_factory=dict)
    bypass: dict[tuple[int, int], str] = field(default_factory=dict)  # (data space, level) -> "0" or "1"
    switches: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    switched: set[tuple[str, int]] = field(default_factory=set)
    bypass_sources: dict[tuple[int, int], str] = field(default_factory=dict)
    min_parallelism: float | None = None
    parallelism_source: str = ""
    overbooked: dict[int, float] = field(default_factory=dict)


def read_constraints(
    reading: Reading, problem: Problem, architecture: Architecture, *, mapspace: bool = True
) -> Constraints:
    """All constraints of the document, those of the mapspace section first.

    Args:
        reading: the document.
        problem: names the dimensions and data spaces.
        architecture: names the levels.
        mapspace: False reads the architecture constraints alone, as timeloop-model does.

    Raises:
        SpecError: unknown targets, types, dims or data spaces; anything specified twice, also between the sources.
    """
    collector = _Collector(reading, problem, architecture)
    before = len(reading.notices)
    for node in _sources(reading, mapspace):
        for entry in _entries(reading, node):
            _read_entry(collector, entry)
    return replace(_result(collector), warnings=tuple(reading.notices[before:]))


def _sources(reading: Reading, mapspace: bool) -> list[Node]:
    root = reading.document.root()
    sources: list[Node] = []
    if mapspace:
        here = [
            node
            for name in ("mapspace", "mapspace_constraints")
            if not (node := reading.find(root, name)).absent
        ]
        if len(here) > 1:
            here[1].fail("both mapspace and mapspace_constraints are given", expected="one of them")
        sources += here
    inline = reading.find(reading.find(root, "architecture", "arch"), "constraints")
    if not inline.absent:
        return [*sources, inline]
    apart = reading.find(root, "arch_constraints", "architecture_constraints")
    return sources if apart.absent else [*sources, apart]


def _entries(reading: Reading, node: Node) -> list[Node]:
    """The list of constraint entries that a source holds or names."""
    if isinstance(node.value, list):
        return node.elements()
    if isinstance(node.value, str):
        return _named_entries(reading.document.root(), node)
    if not isinstance(node.value, Mapping):
        node.fail("not a list of constraints", expected="a list, or a map with targets or constraints")
    named = [key for key, _ in node.items() if key.startswith("constraints_")]
    reading.closed(node, ("targets", "constraints", "template", "version", *named), "a constraints section")
    targets = node.child("targets")
    if reading.has(node, "constraints"):
        unread, targets = targets, node.child("constraints")
        if not empty(unread.value):
            said = "is empty" if targets.absent else "is given, too"
            reading.notice(f"constraints {said}: Timeloop does not read targets", unread)
    if isinstance(targets.value, str):
        return _named_entries(node, targets)
    return [] if targets.absent else targets.elements()


def _named_entries(holder: Node, node: Node) -> list[Node]:
    """A string s stands for the list under ``constraints_s``."""
    named = holder.child(f"constraints_{node.value}")
    if not isinstance(named.value, list):
        node.fail(
            f"no list under constraints_{node.value}", expected="a list of constraints, or the name of one"
        )
    return named.elements()


def _read_entry(collector: _Collector, node: Node) -> None:
    if not isinstance(node.value, Mapping):
        node.fail("not a constraint", expected="a map with target and type")
    nested = node.child("constraints")
    if nested.absent:
        _read_constraint(collector, node, _target(collector, node))
        return
    level = _target(collector, node)
    collector.reading.closed(node, ("target", "name", "constraints"), "a constraint target")
    for element in nested.elements():
        if not isinstance(element.value, Mapping):
            element.fail("not a constraint", expected="a map with type")
        _read_constraint(collector, element, level)


def target_level(reading: Reading, node: Node, architecture: Architecture) -> int:
    """The storage level a ``target`` names, by name or by index from the inside.

    Raises:
        SpecError: no such level.
    """
    names = [level.name for level in architecture.storage]
    value = reading.text(node)
    if value in names:
        return names.index(value)
    if value is not None and re.fullmatch("[0-9]{1,3}", value) and int(value) < len(names):
        return int(value)
    problem = "no target" if value is None else f"unknown storage level {value!r}"
    raise unknown(node, problem, names, name=value or "")


def _target(collector: _Collector, node: Node) -> int:
    target = collector.reading.find(node, "target", "name")
    if target.absent and str(node.child("type").value) in (*_UTILIZATION_TYPES,):
        return 0
    return target_level(collector.reading, target, collector.architecture)


def _read_constraint(collector: _Collector, node: Node, level: int) -> None:
    reading = collector.reading
    kind = reading.text(node.child("type"))
    if kind not in _TYPES:
        problem = "constraint without a type" if kind is None else f"unknown constraint type {kind!r}"
        raise unknown(node.child("type"), problem, _TYPES, name=kind or "")
    attributes = node.child("attributes")
    fields = node if attributes.absent else attributes
    if not attributes.absent and not isinstance(attributes.value, Mapping):
        attributes.fail("attributes are not a map", expected="a map")
    if kind == "spatial":
        _read_loops(collector, node, fields, level, spatial=True)
    elif kind == "temporal":
        _read_loops(collector, node, fields, level, spatial=False)
    elif kind in BYPASS_TYPES:
        reading.closed(fields, ("keep", "bypass", "no_coalesce", *_FRAME_KEYS), "a bypass constraint")
        _read_bypass(collector, fields, level)
    elif kind in _UTILIZATION_TYPES:
        reading.closed(fields, ("min", *_FRAME_KEYS), "a utilization constraint")
        _read_utilization(collector, fields, level)
    else:
        reading.closed(fields, ("proportion", *_FRAME_KEYS), "an overbooking constraint")
        proportion = reading.number(reading.find(fields, "proportion"), minimum=0.0)
        if proportion is not None and proportion > 1.0:
            reading.find(fields, "proportion").fail("not a proportion", expected="a number from 0 to 1")
        if not is_sparse(reading):
            reading.notice(
                "max_overbooked_proportion matters only with sparse_optimizations and is ignored", node
            )
        elif proportion is not None:
            collector.overbooked[level] = proportion


def _read_loops(collector: _Collector, node: Node, fields: Node, level: int, *, spatial: bool) -> None:
    reading, problem = collector.reading, collector.problem
    kind = "spatial" if spatial else "temporal"
    keys = (*_LOOP_KEYS, *(("split",) if spatial else ()), *SWITCH_KEYS[kind], *_FRAME_KEYS)
    reading.closed(fields, keys, f"a {kind} constraint")
    tiling = TilingLevel(level, spatial)
    name = collector.architecture.storage[level].name
    if tiling not in collector.architecture.tiling_levels:
        node.fail(
            f"spatial constraint at {name}, which has no fan-out",
            remedy="move it to the level whose children are many, or remove it",
        )
    loops = collector.loops.setdefault(tiling, _Loops())
    loops.sources.append(str(node.origin))
    _read_limits(collector, loops, reading.find(fields, "factors"), name)
    permutation = reading.find(fields, "permutation")
    if not permutation.absent:
        if loops.prefix is not None:
            permutation.fail(f"the permutation at {name} is specified twice")
        loops.prefix, loops.suffix = read_permutation(reading, permutation, problem, CONSTRAINT)
    for key in (*_NUMBERS, "split") if spatial else _NUMBERS:
        node = reading.find(fields, key)
        number = reading.integer(node, minimum=0)
        if number is not None and key in loops.numbers:
            node.fail(
                f"{key} of this level specified twice", expected="once in all sources of constraints together"
            )
        if number is not None:
            loops.numbers[key] = number
    _read_switches(collector, kind, fields, level)


def _read_limits(collector: _Collector, loops: _Loops, node: Node, name: str) -> None:
    problem = collector.problem
    for factor in read_factors(collector.reading, node, problem, CONSTRAINT):
        dim = problem.dims.index(factor.dim)
        bound = problem.bounds[dim]
        if factor.relation == "=" and factor.value > bound:
            collector.reading.notice(
                f"factor {factor} at {name} exceeds the bound {bound} and is ignored, as Timeloop does",
                node,
            )
            continue
        table = {"=": loops.fixed, "<=": loops.maximum, ">=": loops.minimum}[factor.relation]
        if dim in table:
            node.fail(f"{factor.dim}{factor.relation}... at {name} is specified twice")
        table[dim] = factor.value


def data_space_indices(node: Node, problem: Problem) -> list[int]:
    """Indices of the data spaces of a list of names; empty if absent.

    Raises:
        SpecError: a name the problem does not have.
    """
    if node.absent:
        return []
    if not isinstance(node.value, list):
        node.fail("not a list of data spaces", expected="a list, e.g. [Weights, Inputs]")
    names = [space.name for space in problem.data_spaces]
    for element in node.elements():
        if element.value not in names:
            raise unknown(element, "unknown data space", names)
    return [names.index(name) for name in node.value]


def _read_switches(collector: _Collector, kind: str, fields: Node, level: int) -> None:
    for switch, keys in SWITCHES[kind].items():
        node = collector.reading.find(fields, *keys)
        if node.absent:
            continue
        if (switch, level) in collector.switched:
            node.fail(f"{switch} of this level specified twice")
        collector.switched.add((switch, level))
        pairs = {(level, space) for space in data_space_indices(node, collector.problem)}
        collector.switches.setdefault(switch, set()).update(pairs)


def _read_bypass(collector: _Collector, fields: Node, level: int) -> None:
    top = len(collector.architecture.storage) - 1
    for key, flag in (("keep", "1"), ("bypass", "0")):
        node = collector.reading.find(fields, key)
        for space in data_space_indices(node, collector.problem):
            if (space, level) in collector.bypass and level != top:
                name = collector.problem.data_spaces[space].name
                node.fail(
                    f"keep/bypass of {name} at {collector.architecture.storage[level].name} is specified twice"
                )
            collector.bypass[space, level] = flag
            collector.bypass_sources[space, level] = str(node.origin)
    _read_switches(collector, "bypass", fields, level)


def _read_utilization(collector: _Collector, fields: Node, level: int) -> None:
    node = collector.reading.find(fields, "min")
    if level != 0:
        fields.fail(
            "a utilization constraint above the innermost storage level",
            expected="target: the innermost level",
        )
    if collector.min_parallelism is not None:
        node.fail("minimum utilization specified twice")
    minimum = collector.reading.number(node, minimum=0.0)
    if minimum is None:
        node.fail("utilization constraint without min", expected="min: a number from 0 to 1")
    collector.min_parallelism = minimum
    collector.parallelism_source = str(node.origin)


def _result(collector: _Collector) -> Constraints:
    spaces, levels = len(collector.problem.data_spaces), len(collector.architecture.storage)
    bypass = tuple(
        "".join(collector.bypass.get((p, s), "1" if s == levels - 1 else "X") for s in range(levels))
        for p in range(spaces)
    )
    switches = {name: frozenset(pairs) for name, pairs in collector.switches.items()}
    return Constraints(
        loops={tiling: _loops(loops, collector.problem) for tiling, loops in collector.loops.items()},
        bypass=tuple(tuple(row) for row in bypass),
        bypass_sources=collector.bypass_sources,
        min_parallelism=collector.min_parallelism or 0.0,
        parallelism_source=collector.parallelism_source,
        switches=Switches(**switches),
        overbooked=collector.overbooked or None,
    )


def _loops(loops: _Loops, problem: Problem) -> LoopConstraint:
    """The finished constraint, default limits spread over the dims without an own one."""
    dims, numbers = range(len(problem.dims)), loops.numbers
    for key, limits in (("default_max_factor", loops.maximum), ("default_min_factor", loops.minimum)):
        if key in numbers:
            limits.update({dim: numbers[key] for dim in dims if dim not in limits})
    return LoopConstraint(
        fixed=loops.fixed,
        maximum=loops.maximum,
        minimum=loops.minimum,
        prefix=loops.prefix,
        suffix=loops.suffix,
        split=min(numbers["split"], len(dims)) if "split" in numbers else None,
        remainders=numbers.get("remainders"),
        source="; ".join(loops.sources),
    )

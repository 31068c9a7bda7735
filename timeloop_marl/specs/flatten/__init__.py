"""v0.4 to v0.3: what the official front end does before the C++ programs see an input (formats 6, mapspace 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import UnsupportedFeatureError, UsageError
from ..document import Document, Origin
from ..marked import Map, Seq, error_at, to_document, to_marked
from ..scalars import Reading, nearest
from ..workload import read_problem
from .emit import architecture, targets
from .grammar import (
    ARCHITECTURE_KEYS,
    MAPSPACE_KEYS,
    TARGET_SECTIONS,
    TOP_KEYS,
    as_list,
    as_map,
    as_name,
    close_keys,
)
from .macros import apply_macros, put_unit_dims_first, spread_over_branches
from .nodes import Walk
from .scope import Attributes, Symbols, World, typed
from .sparse import sparse_targets
from .wishes import Workload, absorb, unknown_kind

PROGRAMS = ("mapper", "model")
_MAPPER_INTEGERS = (
    "num_threads",
    "search_size",
    "timeout",
    "victory_condition",
    "sync_interval",
    "log_interval",
    "max_temporal_loops_in_a_mapping",
    "max_permutations_per_if_visit",
)

__all__ = ["flatten", "is_nodes_form"]


def is_nodes_form(document: Document) -> bool:
    """Whether the architecture of a document is in the v0.4 nodes form."""
    section = document.data.get("architecture")
    return isinstance(section, Mapping) and "nodes" in section


def flatten(document: Document, *, program: str = "mapper") -> Document:
    """A v0.4 document in the flat v0.3 form that reaches the C++ programs; other documents are returned unchanged.

    Args:
        document: from ``load_document``.
        program: ``mapper``: all constraints become ``architecture_constraints``; ``model``: they become ``mapping``.
            A ``mapping`` that is already in the flat form (it says ``bypass`` or ``datatype``, or names a level
            ``inter_<name>_spatial``), as search writes it, is kept, and constraints stay constraints.

    Raises:
        SpecError: unknown keys, expressions that cannot be evaluated, contradicting constraints, unknown targets.
        UnsupportedFeatureError: user functions for expressions, which would have to be executed.
    """
    if program not in PROGRAMS:
        raise UsageError(f"unknown program {program!r}: expected mapper or model")
    if not is_nodes_form(document):
        return document
    return _Flattening(to_marked(document.data), document, program).result()


class _Flattening:
    """The steps from one document to its flat form."""

    def __init__(self, data: Map, document: Document, program: str) -> None:
        self.data, self.document, self.program = data, document, program
        self.notices = list(document.notices)
        self.world = World()
        self.workload = Workload()

    def result(self) -> Document:
        """Run all steps."""
        close_keys(self.data, TOP_KEYS, "the input")
        self._refuse_functions()
        variables = as_map(self.data.get("variables"), self.data.origin_of("variables"), "variables")
        self.world.variables = Attributes(variables, "variables", self.world)
        out = Map(self.data.origin)
        self._passed_on(out)
        self.workload = self._workload(out)
        section = as_map(self.data["architecture"], self.data.origin_of("architecture"), "architecture")
        close_keys(section, ARCHITECTURE_KEYS, "architecture")
        nodes = as_list(section["nodes"], section.origin_of("nodes"), "nodes")
        walk = Walk(self.world, self.workload)
        walk.nodes(nodes)
        self._check_leaves(walk, section.origin_of("nodes"))
        for attributes in walk.attributes:
            dict(attributes)  # every expression must have a value, used or not
        self._attach(walk)
        apply_macros(walk.levels, self.workload, self._integer)
        spread_over_branches(walk.parallels, self.workload)
        for level in walk.levels:
            if level.storage and not level.dummy:
                put_unit_dims_first(level.wishes.temporal, self.workload)
            if level.dummy:
                put_unit_dims_first(level.wishes.spatial, self.workload)
        self._point_out_idle(walk)
        out.put("architecture", architecture(walk, self.world, section.origin), section.origin)
        self._put_targets(out, targets(walk.levels, self.workload), section.origin)
        self._sparse(out, walk)
        return to_document(out, self.notices)

    def _refuse_functions(self) -> None:
        settings = as_map(self.data.get("globals"), self.data.origin_of("globals"), "globals")
        if settings.get("expression_custom_functions"):
            origin = settings.origin_of("expression_custom_functions")
            raise UnsupportedFeatureError(
                "user functions in expressions would have to be executed and are refused",
                file=f"{origin.file}:{origin.line}",
                path="globals.expression_custom_functions",
                value=settings["expression_custom_functions"],
                remedy="write the values they compute into variables:, then remove this key",
            )

    def _passed_on(self, out: Map) -> None:
        """The sections that stay as they are, but for expressions in typed fields."""
        for key, value in self.data.items():
            origin = self.data.origin_of(key)
            if key in ("architecture", "variables", "components", *TARGET_SECTIONS):
                continue
            if key == "mapspace":
                close_keys(as_map(value, origin, "mapspace"), MAPSPACE_KEYS, "mapspace")
            if key == "problem":
                value = self._problem(value)
            if key == "mapper":
                value = self._mapper(value, origin)
            out.put(key, value, origin)
        self._components(out)
        if "mapper" not in out:
            out.put("mapper", self._mapper(None, self.data.origin))
        if out.get("ERT") is not None and out.get("ART") is None:
            self.notices.append(
                "the ERT is used although no ART is given; Timeloop's front end would drop such an ERT without a word"
            )

    def _components(self, out: Map) -> None:
        value = self.data.get("components")
        if value is None:
            return
        origin = self.data.origin_of("components")
        known = out.get("compound_components")
        if isinstance(known, Map) and isinstance(value, Map):
            merged = Map(known.origin)
            for source in (known, value):
                for key, item in source.items():
                    merged.put(key, item, source.origin_of(key))
            ours, theirs = known.get("classes"), value.get("classes")
            if isinstance(ours, Seq) and isinstance(theirs, Seq):
                both = Seq(ours.origin)
                for sequence in (ours, theirs):
                    for index, item in enumerate(sequence):
                        both.add(item, sequence.origin_of(index))
                merged.put("classes", both, ours.origin)
            value = merged
        out.put("compound_components", value, origin)

    def _symbols(self) -> Symbols:
        return Symbols(Attributes(Map(), "", self.world), "")

    def _integer(self, value: Any, origin: Origin) -> int:
        return int(typed(value, origin, "an integer", self._symbols(), self.world.budget))

    def _problem(self, value: Any) -> Any:
        """The problem with the bounds and coefficients evaluated that are given as expressions."""
        if not isinstance(value, Map):
            return value
        result = _copied(value)
        instance = result.get("instance")
        if isinstance(instance, Map):
            changed = _copied(instance)
            for key, item in instance.items():
                if isinstance(item, str):
                    changed[key] = self._integer(item, instance.origin_of(key))
            result["instance"] = changed
        return result

    def _mapper(self, value: Any, origin: Origin) -> Map:
        result = _copied(as_map(value, origin, "mapper"))
        for key in _MAPPER_INTEGERS:
            if isinstance(result.get(key), str):
                result[key] = self._integer(result[key], result.origin_of(key))
        if result.get("num_threads") is None:
            result.put(
                "num_threads", 8, origin
            )  # the front end's default; the programs' own is all processors
        return result

    def _workload(self, out: Map) -> Workload:
        if out.get("problem") is None:
            return Workload()
        document = to_document(out)
        problem = read_problem(Reading(document), document.root().child("problem"))
        spaces = {
            space.name: frozenset(problem.dims[dim] for dim in space.dims) for space in problem.data_spaces
        }
        return Workload(problem.dims, dict(zip(problem.dims, problem.bounds)), spaces)

    def _check_leaves(self, walk: Walk, origin: Origin) -> None:
        real = [level for level in walk.levels if not level.dummy]
        if not real or not real[-1].compute:
            last = real[-1] if real else None
            raise error_at(
                last.origin if last else origin,
                "the last component is not a compute unit",
                value=last.class_name if last else None,
                expected="a class that contains mac or compute",
                remedy="add the arithmetic unit as the last !Component",
            )
        for level in real:
            known = any("datawidth" in source for source in (level.attributes, *level.attributes.parents))
            words = ("datawidth", "word_bits", "word_width")
            if level.storage and not known and not any(word in level.attributes for word in words):
                near = nearest("datawidth", level.attributes)
                raise error_at(
                    level.node.origin_of("attributes"),
                    f"storage {level.name} has no datawidth",
                    expected="attributes: {datawidth: bits of a word, ...}",
                    remedy=f"did you mean it by {near!r}?" if near else "",
                )

    def _attach(self, walk: Walk) -> None:
        """Constraints given by target, outside the nodes, to the nodes they name."""
        for section in TARGET_SECTIONS:
            if section == "mapping" and self._flat_mapping() is not None:
                continue
            value = self.data.get(section)
            origin = self.data.origin_of(section)
            if isinstance(value, Map):
                close_keys(value, ("version", "targets"), section)
                origin, value = value.origin_of("targets"), value.get("targets")
            entries = as_list(value, origin, section)
            for index, entry in enumerate(entries):
                where = entries.origin_of(index)
                self._attach_one(walk, as_map(entry, where, "a constraint"))

    def _attach_one(self, walk: Walk, entry: Map) -> None:
        if isinstance(entry.get("constraints"), Seq):
            for part in entry["constraints"]:
                inner = _copied(as_map(part, entry.origin_of("constraints"), "a constraint"))
                inner.put("target", entry.get("target"), entry.origin_of("target"))
                self._attach_one(walk, inner)
            return
        key = "target" if "target" in entry else "name"
        origin = entry.origin_of(key)
        target = as_name(entry.get(key), origin, "a target")
        kind = entry.get("type")
        owners = walk.spatial_owners if kind == "spatial" else walk.owners
        if target not in owners:
            known = list(walk.owners)
            inner_name = target.removeprefix("inter_").removesuffix("_spatial")
            near = inner_name if inner_name in known else nearest(target, known)
            raise error_at(
                origin,
                "there is no node of this name to constrain",
                value=target,
                expected=", ".join(known),
                remedy=f"did you mean {near!r}?" if near else "",
            )
        if not isinstance(kind, str):
            raise unknown_kind(kind, entry)
        absorb(owners[target], kind, entry, self.workload, self._integer)

    def _point_out_idle(self, walk: Walk) -> None:
        """Constraints that have no effect where they stand."""
        dummies = {id(level.wishes) for level in walk.levels if level.dummy}
        storage = {id(level.wishes) for level in walk.levels if level.storage and not level.dummy}
        for name, wishes in walk.spatial_owners.items():
            if id(wishes) not in dummies and not wishes.spatial.empty and not wishes.spatial.unit:
                self._idle(name, "spatial", "it has no fan-out")
        for name, wishes in walk.owners.items():
            if id(wishes) in storage:
                continue
            if not wishes.temporal.empty and not wishes.temporal.unit:
                self._idle(name, "temporal", "it is no storage level")
            if wishes.others:
                self._idle(name, str(wishes.others[0].get("type")), "it is no storage level")
            if wishes.keeping.given:
                self._idle(name, "dataspace", "it is no storage level")

    def _idle(self, name: str, kind: str, reason: str) -> None:
        self.notices.append(f"{name}: the {kind} constraint has no effect: {reason}")

    def _flat_mapping(self) -> Seq | None:
        """The mapping, if it is one of the flat form: for levels, not for nodes."""
        value = self.data.get("mapping")
        for entry in value if isinstance(value, Seq) else ():
            target = str(entry.get("target")) if isinstance(entry, Map) else ""
            dummy = target.startswith("inter_") and target.endswith("_spatial")
            if isinstance(entry, Map) and (dummy or entry.get("type") in ("bypass", "datatype")):
                return value
        return None

    def _put_targets(self, out: Map, entries: Seq, origin: Origin) -> None:
        flat = self._flat_mapping()
        if flat is not None:
            out.put("mapping", flat, self.data.origin_of("mapping"))
        elif self.program == "model":
            out.put("mapping", entries, origin)
            return
        holder = Map(origin)
        holder.put("targets", entries, origin)
        out.put("architecture_constraints", holder, origin)

    def _sparse(self, out: Map, walk: Walk) -> None:
        """Sparse optimisations of nodes, and those given by target, as one list with an entry per level."""
        section = self.data.get("sparse_optimizations")
        origin = self.data.origin_of("sparse_optimizations")
        given = section.get("targets") if isinstance(section, Map) else section
        found = sparse_targets(walk.levels, as_list(given, origin, "sparse_optimizations"))
        out.pop("sparse_optimizations", None)
        if found:
            merged = Map(found.where[0])
            merged.put("targets", found, found.where[0])
            out.put("sparse_optimizations", merged, found.where[0])


def _copied(value: Map) -> Map:
    result = Map(value.origin, value.tag)
    for key, item in value.items():
        result.put(key, item, value.origin_of(key))
    return result

"""v0.4 to v0.3: what the official front end does before the C++ programs see an input (formats 6, mapspace 6).

The input's tree is rewritten into the form that ``read_spec`` reads; whatever moves takes its origin along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import UnsupportedFeatureError, UsageError
from ..document import Document, Map, Node, Origin, Seq, appended, merged, to_document, together, tree
from ..problem import read_problem
from ..scalars import Reading, close_keys, nearest, unknown
from .constraints import Wishes, Workload
from .macros import apply_macros, spread_over_branches
from .nodes import Level, Walk, architecture
from .scope import Attributes, World

PROGRAMS = ("mapper", "model")
ARCHITECTURE_KEYS = ("version", "nodes")
MAPSPACE_KEYS = ("version", "template")
TARGET_SECTIONS = (
    "constraints", "architecture_constraints", "mapspace_constraints", "extra_mapping_constraints", "mapping",
)  # fmt: skip
TOP_KEYS = (
    "architecture", "problem", "mapper", "mapspace", "variables", "components", "compound_components", "globals",
    "ERT", "ART", "sparse_optimizations", "layout", "model", "dumped_by_timeloop_front_end",
    "timeloop_marl",  # settings of our own search
    *TARGET_SECTIONS,
)  # fmt: skip
_MAPPER_INTEGERS = (
    "num_threads", "search_size", "timeout", "victory_condition", "sync_interval", "log_interval",
    "max_temporal_loops_in_a_mapping", "max_permutations_per_if_visit",
)  # fmt: skip

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
    return _Flattening(tree(document.data), document, program).result()


class _Flattening:
    """The steps from one document to its flat form."""

    def __init__(self, data: Map, document: Document, program: str) -> None:
        self.data, self.program = data, program
        self.notices = list(document.notices)
        self.world = World()
        self.workload = Workload()

    def result(self) -> Document:
        """Run all steps."""
        close_keys(self.data, TOP_KEYS, "the input")
        self._refuse_functions()
        node = self.data.node("variables")
        variables = Map(node.origin)
        for part in node.elements() if isinstance(node.value, Seq) else [node]:
            variables = merged(variables, part.as_map("variables"), together)
        self.world.variables = Attributes(variables, "variables", self.world)
        out = self._passed_on()
        self.workload = _workload(out)
        section = self.data.node("architecture").as_map("architecture")
        close_keys(section, ARCHITECTURE_KEYS, "architecture")
        walk = Walk(self.world, self.workload)
        walk.nodes(section.node("nodes"))
        _check_leaves(walk, section.origin_of("nodes"))
        for attributes in walk.attributes:
            dict(attributes)  # every expression must have a value, used or not
        self._attach(walk)
        apply_macros(walk.levels, self.workload, self.world.integer)
        spread_over_branches(walk.parallels, self.workload)
        for level in walk.levels:
            if level.storage:
                level.wishes.temporal.put_units_first(self.workload)
            if level.dummy:
                level.wishes.spatial.put_units_first(self.workload)
        self._point_out_idle(walk)
        out.put("architecture", architecture(walk, self.world, section.origin), section.origin)
        self._put_targets(out, targets(walk.levels, self.workload), section.origin)
        sparse = sparse_targets(walk.levels, self.data.node("sparse_optimizations"))
        if sparse:
            out.put("sparse_optimizations", tree({"targets": sparse}, sparse.where[0]), sparse.where[0])
        return to_document(out, self.notices)

    def _refuse_functions(self) -> None:
        node = self.data.node("globals").as_map("globals").node("expression_custom_functions")
        if node.value:
            raise UnsupportedFeatureError(
                "user functions in expressions would have to be executed and are refused",
                file=node.origin.place,
                path="globals.expression_custom_functions",
                value=node.value,
                remedy="write the values they compute into variables:, then remove this key",
            )

    def _passed_on(self) -> Map:
        """The sections that stay as they are, but for expressions in typed fields."""
        rewritten = ("architecture", "variables", "components", "sparse_optimizations", *TARGET_SECTIONS)
        out = self.data.copied(without=rewritten)
        close_keys(out.node("mapspace").as_map("mapspace"), MAPSPACE_KEYS, "mapspace")
        if isinstance(out.get("problem"), Map):
            out["problem"] = out["problem"].copied()
            instance = out["problem"].get("instance")
            if isinstance(instance, Map):
                out["problem"]["instance"] = self._with_integers(instance, instance)
        given = self.data.node("mapper")
        mapper = self._with_integers(given.as_map("mapper"), _MAPPER_INTEGERS)
        if mapper.get("num_threads") is None:  # the front end's default; the programs' own is all processors
            mapper.put("num_threads", 8, given.origin)
        out.put("mapper", mapper, given.origin)
        components, compound = self.data.node("components"), out.node("compound_components")
        if isinstance(components.value, Map) and isinstance(compound.value, Map):
            out.put(
                "compound_components", merged(compound.value, components.value, _classes), components.origin
            )
        elif not components.absent:
            out.put_node("compound_components", components)
        if out.get("ERT") is not None and out.get("ART") is None:
            self.notices.append(
                "the ERT is used although no ART is given; Timeloop's front end would drop such an ERT without a word"
            )
        return out

    def _with_integers(self, value: Map, keys: Sequence[str] | Map) -> Map:
        """A copy with the expressions under some keys evaluated."""
        result = value.copied()
        for key in keys:
            if isinstance(value.get(key), str):
                result[key] = self.world.integer(value.node(key))
        return result

    def _attach(self, walk: Walk) -> None:
        """Constraints given by target, outside the nodes, to the nodes they name."""
        for section in TARGET_SECTIONS:
            if section == "mapping" and self._flat_mapping() is not None:
                continue
            node = self.data.node(section)
            if isinstance(node.value, Map):
                close_keys(node.value, ("version", "targets"), section)
                node = node.child("targets")
            for entry in node.as_list(section):
                self._attach_one(walk, entry.as_map("a constraint"))

    def _attach_one(self, walk: Walk, entry: Map) -> None:
        nested = entry.node("constraints")
        if isinstance(nested.value, Seq):
            for part in nested.elements():
                inner = part.as_map("a constraint").copied()
                inner.put_node("target", entry.node("target"))
                self._attach_one(walk, inner)
            return
        node = entry.node("name" if "name" in entry and "target" not in entry else "target")
        target, kind = node.as_name("a target"), entry.get("type")
        owners = walk.spatial_owners if kind == "spatial" else walk.owners
        if target not in owners:
            name = target.removeprefix("inter_").removesuffix("_spatial")
            if name in walk.owners:  # the dummy of a fan-out, which constraints call by its node
                node.fail("there is no node of this name to constrain", remedy=f"did you mean {name!r}?")
            raise unknown(node, "there is no node of this name to constrain", walk.owners)
        owners[target].absorb(kind, entry, self.workload, self.world.integer)

    def _point_out_idle(self, walk: Walk) -> None:
        """Constraints that have no effect where they stand."""
        dummies = {id(level.wishes) for level in walk.levels if level.dummy}
        storage = {id(level.wishes) for level in walk.levels if level.storage}
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

    def _flat_mapping(self) -> Node | None:
        """The mapping, if it is one of the flat form: for levels, not for nodes."""
        node = self.data.node("mapping")
        for entry in node.value if isinstance(node.value, Seq) else ():
            target = str(entry.get("target")) if isinstance(entry, Map) else ""
            dummy = target.startswith("inter_") and target.endswith("_spatial")
            if isinstance(entry, Map) and (dummy or entry.get("type") in ("bypass", "datatype")):
                return node
        return None

    def _put_targets(self, out: Map, entries: Seq, origin: Origin) -> None:
        flat = self._flat_mapping()
        if flat is not None:
            out.put_node("mapping", flat)
        elif self.program == "model":
            out.put("mapping", entries, origin)
            return
        out.put("architecture_constraints", tree({"targets": entries}, origin), origin)


def _workload(out: Map) -> Workload:
    if out.get("problem") is None:
        return Workload()
    document = to_document(out)
    problem = read_problem(Reading(document), document.at("problem"))
    spaces = {space.name: frozenset(problem.dims[dim] for dim in space.dims) for space in problem.data_spaces}
    return Workload(problem.dims, dict(zip(problem.dims, problem.bounds)), spaces)


def _check_leaves(walk: Walk, origin: Origin) -> None:
    real = [level for level in walk.levels if not level.dummy]
    if not real or real[-1].kind != "compute":
        last = real[-1] if real else None
        raise (last.origin if last else origin).error(
            "the last component is not a compute unit",
            value=last.class_name if last else None,
            expected="a class that contains mac or compute",
            remedy="add the arithmetic unit as the last !Component",
        )
    for level in real:
        known = any("datawidth" in source for source in (level.attributes, *level.attributes.parents))
        if level.storage and not known and not {"word_bits", "word_width"} & set(level.attributes):
            near = nearest("datawidth", level.attributes)
            raise level.node.origin_of("attributes").error(
                f"storage {level.name} has no datawidth",
                expected="attributes: {datawidth: bits of a word, ...}",
                remedy=f"did you mean it by {near!r}?" if near else "",
            )


def _classes(mine: Node, other: Node) -> Node:
    """Compound components of two sections: the lists of classes are joined."""
    if isinstance(mine.value, Seq) and isinstance(other.value, Seq):
        return appended(mine, other, "classes")
    return other


def targets(levels: Sequence[Level], workload: Workload) -> Seq:
    """All constraints as a list of v0.3 entries, outermost level first."""
    result = Seq()
    for level in levels:
        wishes: Wishes = level.wishes
        parts = [wishes.keeping.written(), wishes.spatial.written(), wishes.temporal.written()]
        if level.dummy:
            parts = [wishes.spatial.written(), *_closed_dummy(level.origin, workload)]
        elif not level.storage:
            parts = []
        for part in (*parts, *wishes.others):
            if part:
                part.put("target", level.name, part.origin)
                result.add(part, part.origin)
    return result


def _closed_dummy(origin: Origin, workload: Workload) -> list[Map]:
    """A dummy has no temporal loops and keeps nothing."""
    if not workload.dims:
        return []
    factors = ",".join(f"{dim}=1" for dim in workload.dims)
    temporal = {"type": "temporal", "factors": factors, "permutation": "".join(workload.dims)}
    return [tree(temporal, origin), tree({"type": "bypass", "bypass": list(workload.spaces)}, origin)]


def sparse_targets(levels: Sequence[Level], section: Node) -> Seq:
    """Sparse optimisations of nodes, and those given by target (or name), as one list with an entry per level.

    Raises:
        SpecError: a target that is no level, or a value that is not a map.
    """
    real = {level.name: level for level in levels if not level.dummy}
    entries: dict[str, Map] = {}
    for name, level in real.items():
        node = level.node.node("sparse_optimizations")
        if node.value:
            _add_sparse(entries, name, node.as_map("sparse_optimizations"))
    given = section.child("targets") if isinstance(section.value, Map) else section
    for entry in given.as_list("sparse_optimizations"):
        values = entry.as_map("an entry of sparse_optimizations")
        target = values.get("target", values.get("name"))
        if target not in real:
            node = Node(target, values.origin_of("target"))
            raise unknown(node, "there is no component of this name to optimise", real)
        _add_sparse(entries, str(target), values)
    result = Seq()
    for name, level in real.items():
        if name in entries:
            entries[name].put("name", name, level.origin)
            result.add(entries[name], entries[name].origin)
    return result


def _add_sparse(entries: dict[str, Map], name: str, source: Map) -> None:
    """Add to the entry of a level: lists are appended, maps combined, as the front end does."""
    said = source.copied(without=[key for key, item in source.items() if item is None or item in ([], {})])
    said = said.copied(without=("target", "name"))
    entries[name] = merged(entries[name], said, _both_sparse) if name in entries else said


def _both_sparse(mine: Node, other: Node) -> Node:
    if isinstance(mine.value, Map) and isinstance(other.value, Map):
        return Node(merged(mine.value, other.value, _both_sparse), mine.origin)
    return other if mine.absent else appended(mine, other, "a list of sparse optimisations")

"""Mapping directives (timeloop-model's ``mapping:``, timeloop-mapper's map.yaml) and ``Mapping``, both ways."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import MappingError, SpecError, UnsupportedFeatureError
from .architecture import TilingLevel
from .constraints import SWITCH_KEYS, SWITCHES, Switches, data_space_indices, target_level
from .document import Document, Node
from .factors import MAPPING, read_factors, read_permutation
from .mapping import Mapping, TilingLoops
from .scalars import SKEW, Reading, feature, unknown
from .spec import Beyond, Spec
from .writing import document, switch_keys

_BYPASS_TYPES = ("bypass", "datatype")
_TYPES = ("temporal", "spatial", *_BYPASS_TYPES)
_LOOP_KEYS = ("target", "type", "factors", "permutation")
# "stream" and the split of temporal loops, which Timeloop's own files of 2020 hold, mean nothing to it.
_KEYS = {
    "temporal": (*_LOOP_KEYS, "split", *SWITCH_KEYS["temporal"]),
    "spatial": (*_LOOP_KEYS, "split", *SWITCH_KEYS["spatial"]),
    "bypass": ("target", "type", "keep", "bypass", "stream", *SWITCH_KEYS["bypass"]),
}


@dataclass(frozen=True)
class FactorProduct:
    """A dimension whose factors multiply to ``product`` instead of the bound."""

    dimension: str
    product: int
    bound: int

    @property
    def timeloop_line(self) -> str:
        """The line timeloop-model prints about it."""
        return (
            f"ERROR: parsing mapping: product of all factors of dimension {self.dimension} is {self.product}, "
            f"which is not equal to the dimension size of the workload {self.bound}."
        )


class FactorProductError(MappingError):
    """The factors of some dimensions do not multiply to their bounds.

    Args:
        products: the dimensions concerned, in declaration order.
        warnings: Timeloop's warnings about the mapping, which it prints before the error.
    """

    def __init__(self, products: Sequence[FactorProduct], warnings: Sequence[str], file: str | None) -> None:
        self.products, self.warnings = tuple(products), tuple(warnings)
        first = self.products[0]
        super().__init__(
            f"the factors of dimension {first.dimension} multiply to {first.product}, its bound is {first.bound}",
            file=file,
            path="mapping",
            remedy="correct the factors (a factor of 0 stands for the full bound)",
        )

    @property
    def timeloop_lines(self) -> tuple[str, ...]:
        """What timeloop-model prints: one line per dimension."""
        return tuple(product.timeloop_line for product in self.products)


@dataclass
class _Loops:
    factors: dict[int, tuple[int, int]] = field(default_factory=dict)  # dim -> factor, residual
    permutation: tuple[int, ...] | None = None
    factors_given: bool = False
    split: int | None = None


@dataclass
class _Collector:
    reading: Reading
    spec: Spec
    skews: list[Node] | None = None
    loops: dict[TilingLevel, _Loops] = field(default_factory=dict)
    keep: dict[tuple[int, int], bool] = field(default_factory=dict)
    switches: dict[str, set[tuple[int, int]]] = field(default_factory=dict)


def read_mapping(
    node: Node,
    spec: Spec,
    *,
    strict: bool = True,
    skews: list[Node] | None = None,
    notices: list[str] | None = None,
) -> tuple[Mapping, Switches, list[str]]:
    """The mapping a list of directives describes (formats section 3).

    Args:
        node: the value of ``mapping``.
        spec: problem and machine.
        strict: unknown keys are errors.
        skews: collects the directives that skew loops, which a ``Mapping`` does not hold; without it they are refused.
        notices: collects what the user should know, besides Timeloop's own warnings.

    Returns:
        The mapping, the reuse switches its directives set, and Timeloop's own warning lines.

    Raises:
        FactorProductError: factors that do not multiply to the bounds.
        MappingError: any other thing wrong with a directive.
        UnsupportedFeatureError: skewed loops, where they are not collected.
    """
    reading = Reading(node.document or Document({}), strict, [] if notices is None else notices)
    collector = _Collector(reading, spec, skews)
    try:
        if not isinstance(node.value, list):
            node.fail("no mapping", expected="a list of directives {target, type, ...}")
        for element in node.elements():
            _read_directive(collector, element)
    except UnsupportedFeatureError:
        raise
    except SpecError as error:
        raise _mapping_error(error) from None
    warnings: list[str] = []
    levels = spec.architecture.tiling_levels
    loops = tuple(_tiling_loops(collector.loops.get(tiling), tiling, spec, warnings) for tiling in levels)
    _check_products(loops, spec, warnings, node)
    keep = tuple(
        tuple(collector.keep.get((s, p), True) for p in range(len(spec.problem.data_spaces)))
        for s in range(len(spec.architecture.storage))
    )
    switches = Switches(**{name: frozenset(pairs) for name, pairs in collector.switches.items()})
    return Mapping(loops, keep), switches, warnings


def _mapping_error(error: SpecError) -> MappingError:
    return MappingError(
        error.problem,
        file=error.file,
        path=error.path,
        value=error.value,
        expected=error.expected,
        remedy=error.remedy,
    )


def _read_directive(collector: _Collector, node: Node) -> None:
    reading, spec = collector.reading, collector.spec
    if not isinstance(node.value, MappingABC):
        node.fail("not a directive", expected="a map {target, type, ...}")
    kind = reading.text(node.child("type"))
    if kind == "skew":
        if collector.skews is None:
            Beyond((feature(node, SKEW),)).refuse()
        collector.skews.append(node)
        return
    if kind not in _TYPES:
        problem = "directive without a type" if kind is None else f"unknown directive type {kind!r}"
        raise unknown(node.child("type"), problem, _TYPES, name=kind or "")
    grammar = "bypass" if kind in _BYPASS_TYPES else kind
    reading.closed(node, _KEYS[grammar], f"a {grammar} directive")
    level = target_level(reading, node.child("target"), spec.architecture)
    for switch, names in SWITCHES[grammar].items():
        spaces = data_space_indices(reading.find(node, *names), spec.problem)
        collector.switches.setdefault(switch, set()).update((level, space) for space in spaces)
    if grammar == "bypass":
        _read_bypass(collector, node, level)
    else:
        _read_loops(collector, node, TilingLevel(level, grammar == "spatial"))


def _read_bypass(collector: _Collector, node: Node, level: int) -> None:
    problem = collector.spec.problem
    for key, flag in (
        ("keep", True),
        ("bypass", False),
    ):  # of several directives the last counts, and bypassing
        for space in data_space_indices(collector.reading.find(node, key), problem):
            if collector.keep.get((level, space), flag) is not flag:
                name = problem.data_spaces[space].name
                kept = "keeps" if flag else "bypasses"
                collector.reading.notice(
                    f"{name} is both kept and bypassed; as Timeloop, the level {kept} it", node
                )
            collector.keep[level, space] = flag


def _read_loops(collector: _Collector, node: Node, tiling: TilingLevel) -> None:
    reading, spec = collector.reading, collector.spec
    if tiling not in spec.architecture.tiling_levels:
        name = spec.architecture.storage[tiling.storage].name
        node.fail(f"spatial directive at {name}, which has no fan-out", remedy="remove it")
    if tiling in collector.loops:
        node.fail("two directives of the same type for one level", expected="one per level and type")
    loops = collector.loops[tiling] = _Loops()
    factors = reading.find(node, "factors")
    loops.factors_given = not factors.absent
    for factor in read_factors(reading, factors, spec.problem, MAPPING):
        dim = spec.problem.dim_index(factor.dim)
        residual = factor.value if factor.residual is None else factor.residual
        if dim in loops.factors:
            factors.fail(f"factor of dimension {factor.dim} given twice")
        if not 1 <= residual <= factor.value:
            factors.fail("residual out of range", expected="1 <= residual <= factor, e.g. M=3,1")
        loops.factors[dim] = (factor.value, residual)
    permutation = reading.find(node, "permutation")
    if not permutation.absent:
        loops.permutation, _ = read_permutation(reading, permutation, spec.problem, MAPPING)
    if tiling.spatial:
        loops.split = reading.integer(node.child("split"), minimum=0)


def level_text(tiling: TilingLevel, spec: Spec) -> str:
    """A tiling level as Timeloop calls it in messages: ``NAME (spatial)`` or ``NAME (temporal)``."""
    kind = "spatial" if tiling.spatial else "temporal"
    return f"{spec.architecture.storage[tiling.storage].name} ({kind})"


def _tiling_loops(given: _Loops | None, tiling: TilingLevel, spec: Spec, warnings: list[str]) -> TilingLoops:
    """The loops of one tiling level, what is missing filled in with Timeloop's warnings (formats section 10)."""
    loops = given or _Loops()
    dims = range(len(spec.problem.dims))
    where = level_text(tiling, spec)

    def warn(text: str) -> None:
        warnings.append(f"WARNING: parsing mapping: {text}")

    if loops.permutation is None:
        warn(f"permutation not found for level: {where}")
    order = loops.permutation or ()
    if len(order) < len(dims):
        warn(f"permutation contains insufficient dimensions at level: {where}, padding with arbitrary order.")
        order = (*order, *(dim for dim in dims if dim not in order))
    if not loops.factors_given:
        warn(f"factors not found for level: {where}")
    if len(loops.factors) < len(dims):
        warn(f"factors not provided for all dimensions at level: {where}, setting to 1.")
    if tiling.spatial and loops.split is None:
        warn(f"split not found for spatial level: {where}, setting to all-X.")
    pairs = [loops.factors.get(dim, (1, 1)) for dim in dims]
    split = len(dims) if loops.split is None else min(loops.split, len(dims))
    return TilingLoops(tuple(n for n, _ in pairs), tuple(r for _, r in pairs), tuple(order), split)


def _check_products(loops: Sequence[TilingLoops], spec: Spec, warnings: Sequence[str], node: Node) -> None:
    """Walking outside-in, ``prod*N + R - 1`` must end at the bound minus one (cost-model section 1)."""
    wrong: list[FactorProduct] = []
    for dim, (name, bound) in enumerate(zip(spec.problem.dims, spec.problem.bounds)):
        reached = 0
        for level in reversed(loops):
            reached = reached * level.factors[dim] + level.residuals[dim] - 1
        if reached + 1 != bound:
            wrong.append(FactorProduct(name, reached + 1, bound))
    if wrong:
        raise FactorProductError(wrong, warnings, node.origin.file or None)


def directives(mapping: Mapping, spec: Spec, *, complete: bool = False) -> list[dict[str, Any]]:
    """A mapping as directives, keys in the order they are written.

    Args:
        mapping: the mapping.
        spec: problem and machine.
        complete: False gives what timeloop-mapper writes to map.yaml (no residuals, no switches, formats section 3);
            True everything, so that imperfect mappings replay exactly, order and split of unit loops included.
    """
    architecture = spec.architecture
    result = [_bypass_directive(mapping, spec, level, complete) for level in range(len(architecture.storage))]
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops):
        if complete:
            result.append(_complete_directive(tiling, loops, spec))
        elif not tiling.spatial or any(factor > 1 for factor in loops.factors):
            result.append(_mapper_directive(tiling, loops, spec))
    return result


def _bypass_directive(mapping: Mapping, spec: Spec, level: int, complete: bool) -> dict[str, Any]:
    names = [space.name for space in spec.problem.data_spaces]
    keep = mapping.keep[level]
    directive: dict[str, Any] = {
        "target": spec.architecture.storage[level].name,
        "type": "datatype",
        "keep": [name for name, kept in zip(names, keep) if kept],
        "bypass": [name for name, kept in zip(names, keep) if not kept],
    }
    return directive | (switch_keys(spec, "bypass", level) if complete else {})


def _loop_directive(
    tiling: TilingLevel, spec: Spec, factors: str, order: Sequence[int], split: int
) -> dict[str, Any]:
    directive: dict[str, Any] = {
        "target": spec.architecture.storage[tiling.storage].name,
        "type": "spatial" if tiling.spatial else "temporal",
        "factors": factors,
        "permutation": "".join(spec.problem.dims[dim] for dim in order),
    }
    if tiling.spatial:
        directive["split"] = split
    return directive


def _mapper_directive(tiling: TilingLevel, loops: TilingLoops, spec: Spec) -> dict[str, Any]:
    dims = spec.problem.dims
    moving = [dim for dim in loops.order if loops.factors[dim] > 1]
    split = sum(1 for dim in loops.order[: loops.split] if loops.factors[dim] > 1)
    order = [*moving, *(dim for dim in range(len(dims)) if loops.factors[dim] == 1)]
    factors = " ".join(f"{name}{factor}" for name, factor in zip(dims, loops.factors))
    return _loop_directive(tiling, spec, factors, order, split)


def _complete_directive(tiling: TilingLevel, loops: TilingLoops, spec: Spec) -> dict[str, Any]:
    tokens = [
        f"{name}={factor}" if factor == residual else f"{name}={factor},{residual}"
        for name, factor, residual in zip(spec.problem.dims, loops.factors, loops.residuals)
    ]
    directive = _loop_directive(tiling, spec, " ".join(tokens), loops.order, loops.split)
    return directive | switch_keys(spec, "spatial" if tiling.spatial else "temporal", tiling.storage)


def model_document(spec: Spec, mapping: Mapping) -> dict[str, Any]:
    """Machine, workload, energy and area tables, and the mapping down to residuals, unit loops and reuse switches.

    Constraints are left out: timeloop-model refuses mappings that timeloop-mapper finds under the same ones, because it
    compares permutations and splits of unit loops (mapspace section 2.5). So are options of the section ``model``, one
    of which changes the mapping.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    return {**mapping_section(spec, mapping), **machine_sections(spec)}


def mapping_section(spec: Spec, mapping: Mapping) -> dict[str, Any]:
    """The part of ``model_document`` that differs from mapping to mapping."""
    own = [] if spec.beyond is None else list(spec.beyond.directives)
    return {"mapping": [*directives(mapping, spec, complete=True), *own]}


def machine_sections(spec: Spec) -> dict[str, Any]:
    """The part of ``model_document`` that all mappings share.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    sections = document(spec, constraints=False, mapper=False)
    sections.pop("model", None)
    return sections

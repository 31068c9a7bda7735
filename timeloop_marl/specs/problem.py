"""The workload: dimensions, bounds, projections of its data spaces, and how they are read (cost-model section 1).

Flattened dimensions are groups of dimensions walked by one loop each (formats section 1), as a mapspace needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from math import prod

import yaml

from ..errors import SpecError
from .document import Node, Origin
from .scalars import FLATTENED, INT64_MAX, Reading, unknown


@dataclass(frozen=True)
class Term:
    """One summand ``coefficient * dimension`` of a rank. ``dim`` is an index into ``Problem.dims``."""

    dim: int
    coefficient: int


@dataclass(frozen=True)
class DataSpace:
    """A tensor. Each rank is a sum of terms; ``read_write`` marks outputs."""

    name: str
    ranks: tuple[tuple[Term, ...], ...]
    read_write: bool

    @cached_property
    def magnitudes(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """By rank the dimensions of its terms, and by how much a step moves it."""
        return tuple(tuple((term.dim, abs(term.coefficient)) for term in rank) for rank in self.ranks)

    @cached_property
    def dims(self) -> frozenset[int]:
        """Indices of all dimensions that occur in the projection."""
        return frozenset(term.dim for rank in self.ranks for term in rank)


@dataclass(frozen=True)
class Problem:
    """A fully bound workload. ``dims`` are one-letter names in declaration order, ``bounds`` their sizes."""

    name: str
    dims: tuple[str, ...]
    bounds: tuple[int, ...]
    data_spaces: tuple[DataSpace, ...]

    @property
    def operations(self) -> int:
        """Number of points of the operation space: the product of all bounds."""
        product = 1
        for bound in self.bounds:
            product *= bound
        return product

    def dim_index(self, name: str) -> int:
        """Index of a dimension by its letter; ``KeyError`` if there is none."""
        try:
            return self.dims.index(name)
        except ValueError:
            raise KeyError(name) from None


_SHAPE_KEYS = ("name", "dimensions", "data_spaces", "coefficients", "flatten", "ranks", "version")
_SPACE_KEYS = ("name", "projection", "read_write", "ranks")
_PROBLEM_KEYS = ("version", "shape", "instance", "name")
_QUIET = ("H", "W", "name", "type")  # what converters write for people
_INSTANCE_KEYS = ("densities", "commonDensity")
_MAX_SPACES = 64
_MAX_RANKS = 64
_DEFAULT_SHAPE = "cnn_layer"


def read_problem(reading: Reading, node: Node, *, sparse: bool = True) -> Problem:
    """The workload of a ``problem`` node; densities are pointed out unless something is ``sparse``.

    Raises:
        SpecError: missing or non-positive bounds, unknown dims, malformed projections.
    """
    if node.absent:
        raise SpecError(
            "no problem in the input files", remedy="add a file with problem:, e.g. one of problems/"
        )
    if not isinstance(node.value, Mapping):
        node.fail("no problem", expected="a map with shape and instance", remedy="add a problem file")
    shape = _shape_node(reading, node)
    reading.closed(shape, _SHAPE_KEYS, "a problem shape")
    flatten = reading.find(shape, "flatten")
    dims = _dimensions(reading, shape)
    instance = _instance_node(reading, node)
    coefficients = _coefficients(reading, shape, instance, dims)
    bounds = tuple(_bound(reading, instance, dim) for dim in dims)
    values = {**dict(zip(dims, bounds)), **coefficients}
    _point_out_extras(reading, instance, values, own=instance is node, sparse=sparse)
    spaces = _data_spaces(reading, shape, dims, coefficients)
    problem = Problem(reading.text(reading.find(shape, "name")) or "", dims, bounds, spaces)
    if not flatten.absent and flatten.value != []:
        reading.outside(flatten, FLATTENED)
        problem = flattened(flatten, problem)
    if problem.operations > INT64_MAX:
        instance.fail(
            "the operation space is too large", expected=f"a product of bounds of at most {INT64_MAX}"
        )
    _check_extents(problem, shape)
    return problem


def _check_extents(problem: Problem, shape: Node) -> None:
    """Sizes of whole data spaces must fit the 64-bit counters; large coefficients may blow them up."""
    for space in problem.data_spaces:
        volume = 1
        for rank in space.ranks:
            volume *= 1 + sum(abs(term.coefficient) * (problem.bounds[term.dim] - 1) for term in rank)
        if volume > INT64_MAX:
            shape.fail(f"data space {space.name} is too large", expected=f"at most {INT64_MAX} words")


def shape_map(reading: Reading, node: Node) -> Mapping[str, object]:
    """The shape of a ``problem`` node that was read before, whether it is given as a map or by its name."""
    value = _shape_node(reading, node).value
    assert isinstance(value, Mapping)
    return value


def _shape_node(reading: Reading, node: Node) -> Node:
    shape = reading.find(node, "shape")
    if isinstance(shape.value, Mapping):
        return shape
    if not shape.absent and not isinstance(shape.value, str):
        shape.fail("not a problem shape", expected="a map, or the name of a shape")
    name = _DEFAULT_SHAPE if shape.absent else str(shape.value)
    known = {_plain(key): key for key in shipped_shapes()}
    if _plain(name) not in known:
        expected = "a map, or one of " + ", ".join(shipped_shapes())
        raise unknown(shape, f"unknown shape {name!r}", shipped_shapes(), name=name, expected=expected)
    if shape.absent:
        reading.notice(f"no problem.shape given; Timeloop takes {_DEFAULT_SHAPE}", node)
    found = known[_plain(name)]
    return Node(shipped_shapes()[found], Origin(f"shape {found} (built in)", None, ("shape",)))


def _plain(name: str) -> str:
    return name.replace("-", "_")


@cache
def shipped_shapes() -> Mapping[str, Mapping[str, object]]:
    """The shapes that Timeloop knows by name, written for this package: name -> shape map."""
    folder = resources.files(__package__).joinpath("shapes")
    texts = {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }
    return {name: yaml.safe_load(text)["shape"] for name, text in texts.items()}


def _instance_node(reading: Reading, node: Node) -> Node:
    instance = reading.find(node, "instance")
    if instance.absent:
        return node
    if not isinstance(instance.value, Mapping):
        instance.fail("not a map", expected="a map of dimension bounds, e.g. {C: 64, M: 64}")
    reading.closed(node, _PROBLEM_KEYS, "a problem with instance")
    return instance


def _dimensions(reading: Reading, shape: Node) -> tuple[str, ...]:
    node = reading.find(shape, "dimensions")
    if not isinstance(node.value, list) or not node.value:
        node.fail("no dimensions", expected="a list of one-letter names, e.g. [C, M, P]")
    dims: list[str] = []
    for element in node.elements():
        name = element.value
        if not isinstance(name, str) or len(name) != 1 or not (name.isascii() and name.isalpha()):
            element.fail(
                "not a dimension name", expected="one letter (quote Y and N if YAML takes them as truth)"
            )
        if name in dims:
            element.fail(
                "dimension declared twice",
                expected="distinct letters",
                remedy="write it once; lists of several files are joined, so give one problem at a time",
            )
        dims.append(name)
    return tuple(dims)


def _coefficients(reading: Reading, shape: Node, instance: Node, dims: tuple[str, ...]) -> dict[str, int]:
    """Coefficient name -> value: that of the instance, else the default."""
    node = reading.find(shape, "coefficients")
    if node.absent:
        return {}
    values: dict[str, int] = {}
    for element in node.elements():
        if not isinstance(element.value, Mapping):
            element.fail("not a coefficient", expected="a map {name: ..., default: ...}")
        reading.closed(element, ("name", "default"), "a coefficient")
        name = element.child("name").value
        if not isinstance(name, str) or not name:
            element.child("name").fail("coefficient without a name", expected="a name")
        if name in values or name in dims:
            element.child("name").fail("name declared twice", expected="a name of its own")
        value = reading.integer(instance.child(name), minimum=-INT64_MAX)
        if value is None:
            value = reading.integer(element.child("default"), minimum=-INT64_MAX)
        if value is None:
            element.fail("coefficient without value", expected="a default, or a value in the instance")
        values[name] = value
    return values


def _bound(reading: Reading, instance: Node, dim: str) -> int:
    node = instance.child(dim)
    bound = reading.integer(node, minimum=1)
    if bound is None:
        node.fail(
            f"no bound for dimension {dim}",
            expected="an integer >= 1",
            remedy=f"write {dim}: under problem.instance (mind the spelling of instance)",
        )
    return bound


def _point_out_extras(
    reading: Reading, instance: Node, known: Mapping[str, int], *, own: bool, sparse: bool
) -> None:
    """Extra instance keys are ignored; one that nearly names a coefficient or dimension gets a notice."""
    other = (*_PROBLEM_KEYS, *_INSTANCE_KEYS) if own else _INSTANCE_KEYS
    for key, child in instance.items():
        if key in known or key in other:
            continue
        if key == "bitwidths":
            reading.notice(
                "ignored, as Timeloop does: words have the width that their level gives them", child
            )
            continue
        candidates = [name for name in known if len(name) > 1 or name.lower() == key.lower()]
        near = reading.guess(key, candidates, 0.8) or next(
            (name for name in candidates if key.startswith(name) and key not in _QUIET), None
        )
        hint = f"; did you mean {near!r}? As it stands, {near} is {known[near]}" if near else ""
        if near or not (key in _QUIET or "pad" in key.lower()):
            reading.notice(
                f"{key!r} is neither a dimension nor a coefficient and is ignored, as Timeloop does{hint}",
                child,
            )
    for key in _INSTANCE_KEYS:
        if not sparse and reading.find(instance, key).value not in (None, {}):
            reading.notice(
                "densities matter only with sparse_optimizations and are ignored", instance.child(key)
            )


def _data_spaces(
    reading: Reading, shape: Node, dims: tuple[str, ...], coefficients: Mapping[str, int]
) -> tuple[DataSpace, ...]:
    node = reading.find(shape, "data_spaces")
    if not isinstance(node.value, list) or not node.value:
        node.fail("no data spaces", expected="a list of {name, projection, read_write}")
    if len(node.value) > _MAX_SPACES:
        node.fail("too many data spaces", expected=f"at most {_MAX_SPACES}")
    spaces: list[DataSpace] = []
    for element in node.elements():
        if not isinstance(element.value, Mapping):
            element.fail("not a data space", expected="a map {name, projection, read_write}")
        reading.closed(element, _SPACE_KEYS, "a data space")
        name = element.child("name").value
        if not isinstance(name, str) or not name:
            element.child("name").fail("data space without a name", expected="a name")
        if any(space.name == name for space in spaces):
            element.child("name").fail("data space declared twice", expected="distinct names")
        ranks = _ranks(reading.find(element, "projection"), dims, coefficients)
        writes = reading.boolean(reading.find(element, "read_write"))
        spaces.append(DataSpace(name, ranks, bool(writes)))
    return tuple(spaces)


def _ranks(
    node: Node, dims: tuple[str, ...], coefficients: Mapping[str, int]
) -> tuple[tuple[Term, ...], ...]:
    if not isinstance(node.value, list) or not node.value:
        node.fail(
            "no projection", expected="a list of ranks, each a list of terms [dim] or [dim, coefficient]"
        )
    if max(len(node.value), *(len(rank) for rank in node.value if isinstance(rank, list)), 0) > _MAX_RANKS:
        node.fail("too many ranks or terms", expected=f"at most {_MAX_RANKS}")
    ranks: list[tuple[Term, ...]] = []
    for rank in node.elements():
        if isinstance(rank.value, str):  # shorthand: a rank of one dimension
            ranks.append((Term(_dim(rank, dims), 1),))
            continue
        if not isinstance(rank.value, list) or not rank.value:
            rank.fail("not a rank", expected="a list of terms, e.g. [[P, stride], [R]]")
        ranks.append(tuple(_term(term, dims, coefficients) for term in rank.elements()))
    return tuple(ranks)


def _term(node: Node, dims: tuple[str, ...], coefficients: Mapping[str, int]) -> Term:
    if not isinstance(node.value, list) or len(node.value) not in (1, 2):
        node.fail("not a term", expected="[dimension] or [dimension, coefficient]")
    dim = _dim(node.child(0), dims)
    if len(node.value) == 1:
        return Term(dim, 1)
    name = node.child(1)
    if not isinstance(name.value, str) or name.value not in coefficients:
        expected = "" if coefficients else "one of the coefficients declared (there are none)"
        raise unknown(name, "unknown coefficient", coefficients, expected=expected)
    return Term(dim, coefficients[name.value])


def _dim(node: Node, dims: tuple[str, ...]) -> int:
    if not isinstance(node.value, str) or node.value not in dims:
        node.fail("unknown dimension", expected="one of " + ", ".join(dims))
    return dims.index(node.value)


def flattened(node: Node, problem: Problem) -> Problem:
    """The problem as its loops see it: a dimension per group, in the order of ``flatten``, then the dims in no group.

    A bound is the product over its group. In a data space a group stands as one rank of its own, so that tiles look at
    least as large as they are; what they really are only the real program knows.

    Raises:
        SpecError: a malformed group, an unknown dimension, or one in two groups.
    """
    groups: list[tuple[str, tuple[int, ...]]] = []
    for element in node.elements():
        groups.append(
            (_name(element.child("name"), [name for name, _ in groups]), _members(element, problem))
        )
        for dim in groups[-1][1]:
            if any(dim in members for _, members in groups[:-1]):
                element.child("dimensions").fail(
                    f"dimension {problem.dims[dim]} is in two groups", expected="every dimension once at most"
                )
    grouped = {dim for _, members in groups for dim in members}
    for dim, name in enumerate(problem.dims):
        if dim not in grouped:
            if name in [other for other, _ in groups]:
                node.fail(
                    f"a group is called {name}, like a dimension outside it", expected="names of their own"
                )
            groups.append((name, (dim,)))
    return Problem(
        problem.name,
        tuple(name for name, _ in groups),
        tuple(prod(problem.bounds[dim] for dim in members) for _, members in groups),
        tuple(_space(space, [members for _, members in groups]) for space in problem.data_spaces),
    )


def _name(node: Node, known: list[str]) -> str:
    name = node.value
    if (
        not isinstance(name, str)
        or len(name) != 1
        or not (name.isascii() and name.isalpha())
        or name in known
    ):
        node.fail(
            "not a name for flattened dimensions", expected="one letter, a different one for every group"
        )
    return name


def _members(element: Node, problem: Problem) -> tuple[int, ...]:
    node = element.child("dimensions")
    if not isinstance(node.value, list) or not node.value:
        node.fail("no dimensions to flatten", expected="a list of dimensions, innermost first")
    for member in node.elements():
        if member.value not in problem.dims:
            member.fail("unknown dimension", expected="one of " + ", ".join(problem.dims))
    members = tuple(problem.dim_index(member.value) for member in node.elements())
    if len(set(members)) < len(members):
        node.fail("a dimension twice in one group", expected="every dimension once at most")
    return members


def _space(space: DataSpace, groups: list[tuple[int, ...]]) -> DataSpace:
    touched = [number for number, members in enumerate(groups) if space.dims & set(members)]
    return DataSpace(space.name, tuple((Term(number, 1),) for number in touched), space.read_write)

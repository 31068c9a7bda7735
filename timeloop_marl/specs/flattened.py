"""Flattened dimensions: groups of dimensions walked by one loop each (formats section 1), as a mapspace needs them."""

from __future__ import annotations

from math import prod

from .document import Node
from .problem import DataSpace, Problem, Term


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

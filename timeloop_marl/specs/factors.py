"""The texts of loop constraints and mapping directives: factors and permutations (mapspace 2.1, 2.3, formats 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .document import Node
from .problem import Problem
from .scalars import INT64_MAX, Reading

_MAX_TEXT = 4096  # regular expressions search it at every position
_TOKEN = re.compile(r"(?<![A-Za-z])([A-Za-z]+)\s*(<=|>=|=*)\s*([0-9]+)(?:\s*,\s*([0-9]+))?")
# between tokens; "none" is how public files write an empty list
_SEPARATORS = re.compile(r"[\s,;]*(none)?[\s,;]*", re.IGNORECASE)


@dataclass(frozen=True)
class Factor:
    """One token: dimension index, ``=``, ``<=`` or ``>=``, the number and, in mappings, the residual."""

    dim: int
    relation: str
    value: int
    residual: int | None


def read_factors(reading: Reading, node: Node, problem: Problem) -> list[Factor]:
    """The tokens of a ``factors`` text up to ``#``. A value of 0 means the full bound.

    Raises:
        SpecError: an unknown dimension, or (when strict) text that is no token.
    """
    text = reading.text(node)
    if text is None:
        return []
    text = text.split("#", 1)[0]
    if len(text) > _MAX_TEXT:
        node.fail("factors are too long", expected=f"at most {_MAX_TEXT} characters")
    factors: list[Factor] = []
    end = 0
    for match in _TOKEN.finditer(text):
        _no_leftover(reading, node, text[end : match.start()])
        end = match.end()
        dim = _dim(node, match[1], problem)
        relation = match[2] if match[2] in ("<=", ">=") else "="
        value = _bounded(node, match[3])
        if value == 0 and relation == "=":
            value = problem.bounds[dim]
            reading.notice(f"factor {match[1]}=0 means the full bound {value}", node)
        factors.append(Factor(dim, relation, value, None if match[4] is None else _bounded(node, match[4])))
    _no_leftover(reading, node, text[end:])
    return factors


def read_permutation(
    reading: Reading, node: Node, problem: Problem
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Prefix (innermost first) and suffix (after ``_``, outermost loops) of a permutation as dimension indices.

    Raises:
        SpecError: an unknown or repeated letter, or more than one ``_``.
    """
    text = "".join((reading.text(node) or "").split())
    if text.count("_") > 1:
        node.fail("a permutation with several '_'", expected="innermost loops, one '_', outermost loops")
    seen: set[int] = set()
    parts: list[tuple[int, ...]] = []
    for part in [*text.split("_"), ""][:2]:
        dims = tuple(_dim(node, letter, problem) for letter in part)
        for dim in dims:
            if dim in seen:
                node.fail(
                    f"dimension {problem.dims[dim]} occurs twice in the permutation",
                    expected="each at most once",
                )
            seen.add(dim)
        parts.append(dims)
    return parts[0], parts[1]


def _dim(node: Node, name: str, problem: Problem) -> int:
    if name not in problem.dims:
        node.fail(
            f"unknown dimension {name!r}",
            expected="one of " + ", ".join(problem.dims),
            remedy=f"use the letters of the problem {problem.name} here, or write the problem in the letters of this "
            "file (a matrix product m x k by k x n with P = m, C = k, M = n fits the usual convolution machines)",
        )
    return problem.dims.index(name)


def _bounded(node: Node, digits: str) -> int:
    if len(digits) > 19 or int(digits) > INT64_MAX:
        node.fail("factor too large", expected=f"at most {INT64_MAX}")
    return int(digits)


def _no_leftover(reading: Reading, node: Node, text: str) -> None:
    if _SEPARATORS.fullmatch(text):
        return
    if reading.strict:
        node.fail(f"factors contain {text.strip()!r}, which is no factor", expected="e.g. 'C=4 M<=8 R>=1'")
    reading.notice(f"factors contain {text.strip()!r}, which Timeloop skips", node)

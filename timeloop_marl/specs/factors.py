"""The grammar of factors and permutations, in all its dialects (mapspace 2.1, 2.3, 6; formats 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .document import NOWHERE, Node, Origin
from .problem import Problem
from .scalars import INT64_MAX, Reading


@dataclass(frozen=True)
class Dialect:
    """What the readers of factors and permutations differ in.

    Attributes:
        token: a factor: name, relation, number, residual.
        limits: ``<=`` and ``>=`` are factors.
        residuals: a factor may have a second number.
        outermost: a permutation may go on with outermost loops after ``_``.
        blanks: what may stand between the letters of a permutation, besides white space.
    """

    token: re.Pattern[str]
    limits: bool = True
    residuals: bool = False
    outermost: bool = True
    blanks: str = ""


# The C++ programs look for factors anywhere in a text, the front end takes texts and lists of nothing but factors.
_SCANNED = re.compile(r"(?<![A-Za-z])([A-Za-z]+)\s*(<=|>=|=*)\s*([0-9]+)(?:\s*,\s*([0-9]+))?")
CONSTRAINT = Dialect(_SCANNED)
MAPPING = Dialect(_SCANNED, limits=False, residuals=True, outermost=False)
FRONT_END = Dialect(re.compile(r"([A-Za-z_][A-Za-z_0-9]*)\s*(==|<=|>=|=)\s*([0-9]{1,18})()"), blanks=",")
_MAX_TEXT = 4096  # regular expressions search it at every position
# between tokens; "none" is how public files write an empty list
_SEPARATORS = re.compile(r"[\s,;]*(none)?[\s,;]*", re.IGNORECASE)
_SPACED_SIGN = re.compile(r" ?(==|<=|>=|=) ?")


@dataclass(frozen=True)
class Factor:
    """One factor: dimension, ``=``, ``<=`` or ``>=``, the number and, in mappings, the residual."""

    dim: str
    relation: str
    value: int
    residual: int | None = None
    origin: Origin = NOWHERE

    def __str__(self) -> str:
        return f"{self.dim}{self.relation}{self.value}"


def _factor(found: re.Match[str], node: Node) -> Factor:
    name, relation, value, residual = found.groups()
    for digits in (value, residual or "0"):
        if len(digits) > 19 or int(digits) > INT64_MAX:
            node.fail("factor too large", expected=f"at most {INT64_MAX}")
    relation = relation if relation in ("<=", ">=") else "="
    return Factor(name, relation, int(value), int(residual) if residual else None, node.origin)


def read_factors(reading: Reading, node: Node, problem: Problem, dialect: Dialect) -> list[Factor]:
    """The factors of a text up to ``#``, as the C++ programs find them. A value of 0 means the full bound.

    Raises:
        SpecError: an unknown dimension, a limit or residual where there is none, or (when strict) other text.
    """
    text = (reading.text(node) or "").split("#", 1)[0]
    if len(text) > _MAX_TEXT:
        node.fail("factors are too long", expected=f"at most {_MAX_TEXT} characters")
    factors: list[Factor] = []
    end = 0
    for found in dialect.token.finditer(text):
        _no_leftover(reading, node, text[end : found.start()])
        end = found.end()
        factor = _factor(found, node)
        bound = problem.bounds[_dim(node, factor.dim, problem)]
        if factor.value == 0 and factor.relation == "=":
            reading.notice(f"factor {factor.dim}=0 means the full bound {bound}", node)
            factor = Factor(factor.dim, "=", bound, factor.residual, factor.origin)
        if factor.relation != "=" and not dialect.limits:
            node.fail("a limit in a mapping", expected="factors such as C=4")
        if factor.residual is not None and not dialect.residuals:
            if reading.strict:
                node.fail(
                    "a residual in a constraint", expected="factors such as C=4, without a second number"
                )
            reading.notice("a residual in a constraint is skipped, as Timeloop does", node)
        factors.append(factor)
    _no_leftover(reading, node, text[end:])
    return factors


def _no_leftover(reading: Reading, node: Node, text: str) -> None:
    if _SEPARATORS.fullmatch(text):
        return
    if reading.strict:
        node.fail(f"factors contain {text.strip()!r}, which is no factor", expected="e.g. 'C=4 M<=8 R>=1'")
    reading.notice(f"factors contain {text.strip()!r}, which Timeloop skips", node)


def listed_factors(node: Node) -> list[Factor]:
    """The factors of a list, or of a text split at commas, else at blanks, as the v0.4 front end takes them."""
    if isinstance(node.value, str):
        text = _SPACED_SIGN.sub(r"\1", " ".join(node.value.split()))
        parts = [part for part in (text.split(",") if "," in text else text.split()) if part.strip()]
        items = [Node(part, node.origin) for part in parts]
    elif node.absent or isinstance(node.value, list):
        items = node.as_list("factors")
    else:
        node.fail("not a list of factors", expected="e.g. [C=1, M<=4]")
    return unique(_listed_factor(item) for item in items)


def _listed_factor(item: Node) -> Factor:
    found = FRONT_END.token.fullmatch(item.value.strip()) if isinstance(item.value, str) else None
    if found is None:
        item.fail(
            "not a factor",
            expected="DIM=n, DIM<=n or DIM>=n with an integer n",
            remedy="variables and expressions are not allowed in factors; use Jinja2: C={{n}}",
        )
    return _factor(found, item)


def unique(factors: Iterable[Factor]) -> list[Factor]:
    """The factors without repetition; a dim may occur again only with the same value, or once with each limit."""
    kept: list[Factor] = []
    for factor in factors:
        others = [other for other in kept if other.dim == factor.dim]
        if any(other.relation == factor.relation and other.value == factor.value for other in others):
            continue
        for other in others:
            limits = {other.relation, factor.relation} == {"<=", ">="}
            if not limits and other.value != factor.value:
                raise factor.origin.error(
                    f"two factors for dimension {factor.dim}: {other} and {factor}",
                    value=str(factor),
                    expected="one '=', or one '<=' and one '>='",
                    remedy=f"remove one (the first stands in {other.origin.place})",
                )
        kept.append(factor)
    return kept


def read_permutation(
    reading: Reading, node: Node, problem: Problem, dialect: Dialect
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Prefix (innermost first) and suffix (after ``_``, outermost loops) of a permutation as dimension indices.

    Raises:
        SpecError: an unknown or repeated letter, more than one ``_``, or any where the dialect has none.
    """
    letters = _letters(Node(reading.text(node) or "", node.origin), dialect)
    if letters.count("_") > 1:
        node.fail("a permutation with several '_'", expected="innermost loops, one '_', outermost loops")
    dims = [-1 if letter == "_" else _dim(node, letter, problem) for letter in letters]
    _no_repetition(node, letters)
    middle = dims.index(-1) if -1 in dims else len(dims)
    if dims[middle + 1 :] and not dialect.outermost:
        node.fail("'_' in the permutation of a mapping", expected="letters only, innermost first")
    return tuple(dims[:middle]), tuple(dims[middle + 1 :])


def listed_permutation(node: Node) -> list[str]:
    """The dims of a list or a text, ``_`` included, innermost first, as the v0.4 front end takes them."""
    if not isinstance(node.value, (str, list)):
        node.fail("not a permutation", expected="e.g. [C, M] or CM, innermost first")
    dims = _letters(node, FRONT_END)
    _no_repetition(node, dims)
    return dims


def _letters(node: Node, dialect: Dialect) -> list[str]:
    if isinstance(node.value, str):
        return [letter for letter in node.value if not letter.isspace() and letter not in dialect.blanks]
    return [_listed_dim(element) for element in node.elements()]


def _no_repetition(node: Node, dims: Sequence[str]) -> None:
    for index, dim in enumerate(dims):
        if dim in dims[:index] and dim != "_":
            node.fail(f"dimension {dim} occurs twice in the permutation", expected="each at most once")


def _listed_dim(element: Node) -> str:
    if not isinstance(element.value, str) or not element.value.strip():
        element.fail("not a dimension", expected="a name")
    return element.value.strip()


def _dim(node: Node, name: str, problem: Problem) -> int:
    if name not in problem.dims:
        node.fail(
            f"unknown dimension {name!r}",
            expected="one of " + ", ".join(problem.dims),
            remedy=f"use the letters of the problem {problem.name} here, or write the problem in the letters of this "
            "file (a matrix product m x k by k x n with P = m, C = k, M = n fits the usual convolution machines)",
        )
    return problem.dims.index(name)

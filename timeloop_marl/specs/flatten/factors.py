"""Factors and permutations of v0.4 constraints (mapspace section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..document import Origin
from ..marked import Seq, error_at

_FACTOR = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)\s*(==|<=|>=|=)\s*([0-9]{1,18})")
_SPACED_SIGN = re.compile(r" ?(==|<=|>=|=) ?")


@dataclass(frozen=True)
class Factor:
    """One ``dim sign value``; ``sign`` is ``=``, ``<=`` or ``>=``."""

    dim: str
    sign: str
    value: int
    origin: Origin

    def __str__(self) -> str:
        return f"{self.dim}{self.sign}{self.value}"


def read_factors(value: Any, origin: Origin) -> list[Factor]:
    """The factors of a list, or of a string split at commas, else at blanks."""
    if value is None:
        return []
    if isinstance(value, str):
        text = _SPACED_SIGN.sub(r"\1", " ".join(value.split()))
        parts: list[tuple[Any, Origin]] = [
            (part, origin) for part in (text.split(",") if "," in text else text.split()) if part.strip()
        ]
    elif isinstance(value, Seq):
        parts = [(item, value.origin_of(index)) for index, item in enumerate(value)]
    else:
        raise error_at(origin, "not a list of factors", value=value, expected="e.g. [C=1, M<=4]")
    return unique(_read_factor(item, where) for item, where in parts)


def _read_factor(item: Any, origin: Origin) -> Factor:
    found = _FACTOR.fullmatch(item.strip()) if isinstance(item, str) else None
    if found is None:
        raise error_at(
            origin,
            "not a factor",
            value=item,
            expected="DIM=n, DIM<=n or DIM>=n with an integer n",
            remedy="variables and expressions are not allowed in factors; use Jinja2: C={{n}}",
        )
    return Factor(found[1], found[2].replace("==", "="), int(found[3]), origin)


def unique(factors: Iterable[Factor]) -> list[Factor]:
    """The factors without repetition; a dim may occur again only with the same value, or once with each limit."""
    kept: list[Factor] = []
    for factor in factors:
        others = [other for other in kept if other.dim == factor.dim]
        if any(other.sign == factor.sign and other.value == factor.value for other in others):
            continue
        for other in others:
            limits = {other.sign, factor.sign} == {"<=", ">="}
            if not limits and other.value != factor.value:
                raise error_at(
                    factor.origin,
                    f"two factors for dimension {factor.dim}: {other} and {factor}",
                    value=str(factor),
                    expected="one '=', or one '<=' and one '>='",
                    remedy=f"remove one (the first stands in {other.origin.file}:{other.origin.line})",
                )
        kept.append(factor)
    return kept


def read_permutation(value: Any, origin: Origin) -> list[str] | None:
    """Dims innermost first, from a list or a string; ``None`` if absent."""
    if value is None:
        return None
    if isinstance(value, str):
        dims = [letter for letter in value if not letter.isspace() and letter != ","]
    elif isinstance(value, Seq):
        dims = []
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                raise error_at(value.origin_of(index), "not a dimension", value=item, expected="a name")
            dims.append(item.strip())
    else:
        raise error_at(
            origin, "not a permutation", value=value, expected="e.g. [C, M] or CM, innermost first"
        )
    for index, dim in enumerate(dims):
        if dim in dims[:index] and dim != "_":
            raise error_at(origin, f"dimension {dim} occurs twice in the permutation", value=value)
    return dims

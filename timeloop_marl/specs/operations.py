"""Operators and functions of expressions, each with a look at the size of its result before it is made."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

MAX_BITS = 2048  # of an integer
MAX_ITEMS = 10_000  # elements or characters of one value


class ExpressionError(Exception):
    """The expression cannot be evaluated; the text says why."""


def bits_of(value: Any) -> int:
    """Bits of an integer; floats count as one machine word."""
    return value.bit_length() if isinstance(value, int) else 64


def check_number(bits: int) -> None:
    """Refuse integers beyond ``MAX_BITS``."""
    if bits > MAX_BITS:
        raise ExpressionError("a number becomes too large")


def check_items(count: int) -> None:
    """Refuse values of more than ``MAX_ITEMS`` elements."""
    if count > MAX_ITEMS:
        raise ExpressionError(f"a value grows beyond {MAX_ITEMS} elements")


def _numbers(*values: Any) -> None:
    for value in values:
        if not isinstance(value, (int, float)):
            raise ExpressionError(f"a number is needed, not {type(value).__name__}")


def _power(base: Any, exponent: Any) -> Any:
    _numbers(base, exponent)
    if isinstance(base, int) and isinstance(exponent, int):
        check_number(max(1, bits_of(base)) * abs(exponent))
    result = base**exponent
    if isinstance(result, complex):
        raise ExpressionError("the root of a negative number")
    return result


def _multiply(left: Any, right: Any) -> Any:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(count, int):
            check_items(len(sequence) * max(0, count))
            return sequence * count
    _numbers(left, right)
    if isinstance(left, int) and isinstance(right, int):
        check_number(bits_of(left) + bits_of(right))
    return left * right


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        check_items(len(left) + len(right))
        return operator.add(left, right)
    _numbers(left, right)
    return left + right


def _shift_left(left: Any, right: Any) -> Any:
    _numbers(left, right)
    if isinstance(right, int):
        check_number(bits_of(left) + max(0, right))
    return left << right


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(left: Any, right: Any) -> Any:
        _numbers(left, right)
        return function(left, right)

    return checked


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _add,
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _multiply,
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
    ast.Pow: _power,
    ast.LShift: _shift_left,
    ast.RShift: _arithmetic(operator.rshift),
    ast.BitAnd: _arithmetic(operator.and_),
    ast.BitOr: _arithmetic(operator.or_),
    ast.BitXor: _arithmetic(operator.xor),
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def _small(function: Callable[..., Any], limit: int) -> Callable[..., Any]:
    """A function whose integer arguments must stay small, because its result grows fast."""

    def checked(*values: Any) -> Any:
        _numbers(*values)
        if any(abs(value) > limit for value in values):
            raise ExpressionError(f"an argument above {limit}")
        return function(*values)

    return checked


def _total(values: Any, start: Any = 0) -> Any:
    total = start
    for value in values:
        total = _add(total, value)
    return total


def _product(values: Any, start: Any = 1) -> Any:
    total = start
    for value in values:
        total = _multiply(total, value)
    return total


def _round(value: Any, digits: Any = None) -> Any:
    _numbers(value)
    return round(value) if digits is None else round(value, max(-400, min(400, digits)))


def _text(value: Any = "") -> str:
    if isinstance(value, (str, int, float)) or value is None:
        return str(value)
    raise ExpressionError(f"str of {type(value).__name__} is not available")


def _range(*values: Any) -> list[int]:
    result = range(*values)
    if abs(result.stop - result.start) > MAX_ITEMS * abs(result.step):
        check_items(MAX_ITEMS + 1)
    return list(result)


_MATH = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees dist e erf erfc exp exp2 expm1 "
    "fabs floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt ldexp lgamma "
    "log log10 log1p log2 modf nan nextafter pi pow radians remainder sin sinh sqrt tan tanh tau trunc ulp"
)
FUNCTIONS: dict[str, Any] = {
    **{name: getattr(math, name) for name in _MATH.split() if hasattr(math, name)},
    "factorial": _small(math.factorial, 200),
    "comb": _small(math.comb, 1000),
    "perm": _small(math.perm, 200),
    "prod": _product,
    "min": min,
    "max": max,
    "sum": _total,
    "len": len,
    "round": _round,
    "range": _range,
    "abs": abs,
    "int": int,
    "float": float,
    "bool": bool,
    "str": _text,
    "any": any,
    "all": all,
    "sorted": sorted,
}

"""The expression evaluator: what it computes, what it refuses, that it ends."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.specs.expressions import Budget, ExpressionError, Record, evaluate

SYMBOLS: dict[str, Any] = {
    "depth": 64,
    "width": 8,
    "name": "45nm",
    "GB": Record("GB", {"attributes": Record("GB.attributes", {"depth": 7})}),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("2 ** 10 // 3 % 7", 5),
        ("-depth + ~1", -66),
        ("depth / width", 8.0),
        ("1 << 4 | 1", 17),
        ("max(1, ceil(log2(depth))) if depth >= 1 else 1", 6),
        ("math.sqrt(depth) * pi", 8 * math.pi),
        ('GB.attributes["depth"] * 2', 14),
        ("GB.attributes.depth", 7),
        ("[x * 2 for x in range(4) if x % 2]", [2, 6]),
        ("sum(a * b for a, b in [(1, 2), (3, 4)])", 14),
        ("{k: len(k) for k in ['a', 'bb']}['bb']", 2),
        ("1 < width <= 8 and not False", True),
        ("name == '45nm' or 1 / 0", True),
        ("'ab' + 'c' * 2", "abcc"),
        ("[1, 2, 3][1:][-1]", 3),
        ("min([3, 1]), max(3, 1)", (1, 3)),
        ("round(2.567, 1)", 2.6),
        ("abs(-3) + int('4') + len('xy')", 9),
        ("3 in [1, 2, 3] and 4 not in (1,)", True),
        ("comb(5, 2) + factorial(3) + prod([2, 3])", 22),
        ("  1e-9  ", 1e-9),
    ],
)
def test_values(text: str, value: object) -> None:
    result = evaluate(text, SYMBOLS)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello world", "not an expression"),
        ("45nm", "not an expression"),
        ("", "not an expression"),
        ("dept", "did you mean depth"),
        ("unknown", "not defined"),
        ("GB.attributes.dept", "did you mean depth"),
        ("1 / 0", "ZeroDivisionError"),
        ("(-8) ** 0.5", "root of a negative number"),
        ("log2(0)", "ValueError"),
        ("(1).__class__", "has no"),
        ("depth.bit_length()", "has no"),
        ("GB.__init__", "no '__init__'"),
        ("__import__('os')", "not defined"),
        ("open('x', 'w')", "not defined"),
        ("(lambda: 1)()", "Lambda is not available"),
        ("f'{depth}'", "JoinedStr is not available"),
        ("x := 1", "not an expression"),
        ("'%s' % 1", "a number is needed"),
        ("name()", "only the listed functions"),
        ("max(*[1, 2])", r"\* in calls"),
        ("sorted([1], key=abs)", "key="),
        ("1 @ 2", "MatMult is not available"),
        ("2 ** 99999999", "too large"),
        ("9 ** 9 ** 9 ** 9", "too large"),
        ("1 << 10 ** 9", "too large"),
        ("prod([10 ** 500] * 50)", "too large"),
        ("'a' * 10 ** 9", "grows beyond"),
        ("[0] * 10 ** 12", "grows beyond"),
        ("[[0] * 9999] * 9999", "grows beyond"),
        ("range(10 ** 12)", "grows beyond"),
        ("factorial(10 ** 9)", "an argument above"),
        ("sum([y for x in range(9999) for y in range(9999)])", "too many operations|grows beyond"),
        ("(" * 900 + "1" + ")" * 900, "not an expression|nested too deeply"),
        ("-" * 3000 + "1", "nested too deeply"),
        ("1" * 5000, "longer than"),
        ("str([1])", "not available"),
        ("{**{}}", "not available"),
        ("b'x'", "not available"),
        ("1j", "not available"),
        ("...", "not available"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        evaluate(text, SYMBOLS)


def test_the_budget_is_shared() -> None:
    budget = Budget(1000)
    evaluate("sum(range(100))", {}, budget)
    with pytest.raises(ExpressionError, match="too many operations"):
        for _ in range(100):
            evaluate("sum(range(100))", {}, budget)


_ATOMS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.sampled_from(["depth", "width", "True", "0", "1"]),
)
_TREES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "==", "and", "or"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        inner.map(lambda text: f"(-{text})"),
        inner.map(lambda text: f"abs({text})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"sum([{', '.join(parts)}])"),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_TREES)
def test_arithmetic_is_that_of_python(text: str) -> None:
    """The test may use eval: its input is made of numbers and operators only."""
    try:
        expected = eval(
            text, {"__builtins__": {}, "min": min, "max": max, "abs": abs, "sum": sum}, dict(SYMBOLS)
        )
    except (ArithmeticError, ValueError, TypeError):
        with pytest.raises(ExpressionError):
            evaluate(text, SYMBOLS)
        return
    result = evaluate(text, SYMBOLS)
    assert type(result) is type(expected)
    assert result == expected or (math.isnan(result) and math.isnan(expected))


_FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ".",
            ":",
            "*",
            "**",
            "<<",
            "%",
            "1",
            "9" * 9,
            "'a'",
            "x",
            "GB",
            "depth",
            "for",
            "in",
            "if",
            "else",
            "range",
            "lambda",
            "__class__",
            "not",
            "-",
            "sum",
            "sorted",
            "math",
            "str",
            "\n",
            "\0",
            "é",
        ]
    ),
    max_size=40,
).map(" ".join)


@settings(max_examples=500, deadline=None)
@given(st.one_of(_FRAGMENTS, st.text(max_size=60)))
def test_any_text_gives_a_value_or_an_expression_error(text: str) -> None:
    started = time.monotonic()
    try:
        evaluate(text, SYMBOLS)
    except ExpressionError as error:
        assert len(str(error)) < 1000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "[x for x in range(4900) for y in range(4900) if 'a' * 4900 in 'a' * 4899 + 'b']",
        "[len([[0] * 4900 for i in range(4900)])]",
        "[sorted(range(4900, 0, -1)) == [i] for i in range(4900) for j in range(4900)]",
        "[max([min(range(4900)) for i in range(4900)]) for j in range(4900)]",
    ],
)
def test_work_is_counted_whatever_does_it(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"too many operations|grows beyond"):
        evaluate(text, {})

"""Hostile templates and expressions: they end in time, within their memory, with a value or an error."""

from __future__ import annotations

import random
import resource
import time
from pathlib import Path

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import apart
from timeloop_marl.specs.expressions import ExpressionError, evaluate
from timeloop_marl.specs.loading import load_document

EXPRESSION_SECONDS = 5.0
"""A million operations, the budget of a document, on a slow processor."""
_NUMBERS = (
    "0",
    "1",
    "2",
    "7",
    "-3",
    "64",
    "200",
    "1000",
    "4900",
    "99999",
    "2**60",
    "1e308",
    "0.5",
    "True",
    "10**9",
)
_LISTS = (
    "[]",
    "[1, 2]",
    "['a', 'b']",
    "[[1], [2]]",
    "range({n})",
    "[{n}] * {n}",
    "[[{n}] * {n}] * {n}",
    "({l}) + ({l})",
)
_TEXTS = ("''", "'a'", "'ab' * {n}", "'a' * {n} + 'b'", "str({n})", "({t}) + ({t})")
_FILTERS = (
    "length", "list", "max", "min", "sum", "sort", "unique", "reverse", "first", "last", "join", "string", "upper",
    "title", "trim", "int", "float", "abs", "round", "lower", "map('list')", "map('max')", "map('length')",
    "map('upper')", "map('sort')", "map('join')", "map('string')", "select", "reject", "selectattr('x')", "default(1)",
    "dictsort", "replace('a','bbbb')", "sort(reverse=true)", "map('replace','a','bb')",
)  # fmt: skip
_OPERATORS = "+ - * / // % ** << >> & | ^ == < and or"
_FUNCTIONS = "sqrt exp log floor ceil abs gamma isqrt round"


def _filled(form: str, rng: random.Random, depth: int) -> str:
    for mark, make in (("{n}", number), ("{l}", listed), ("{t}", text)):
        while mark in form:
            form = form.replace(mark, make(rng, depth + 1), 1)
    return form


def number(rng: random.Random, depth: int = 0) -> str:
    """An expression that may be a number."""
    if depth > 3 or rng.random() < 0.5:
        return rng.choice(_NUMBERS)
    forms = (
        "({n} {o} {n})", "len({l})", "sum({l})", "max({l})", "min({n}, {n})", "{f}({n})", "len({t})",
        "({n} if {n} < {n} else {n})",
        "({t} in {t})", "({l} == {l})", "comb({n}, {n})", "factorial({n})", "({l})[{n}]", "int({t})", "prod({l})",
    )  # fmt: skip
    form = rng.choice(forms).replace("{o}", rng.choice(_OPERATORS.split()))
    return _filled(form.replace("{f}", rng.choice(_FUNCTIONS.split())), rng, depth)


def listed(rng: random.Random, depth: int = 0) -> str:
    """An expression that may be a list."""
    if depth > 3 or rng.random() < 0.4:
        return (
            _filled(rng.choice(_LISTS[:6] if depth > 2 else _LISTS), rng, depth + 1) if depth < 5 else "[1]"
        )
    names = rng.sample("xyz", rng.randint(1, 2))
    loops = " ".join(f"for {name} in {listed(rng, depth + 1)}" for name in names)
    inside = rng.choice(
        (*names, number(rng, depth + 1), text(rng, depth + 1), f"sorted({listed(rng, depth + 1)})")
    )
    return f"[{inside} {loops}" + (f" if {number(rng, depth + 1)}]" if rng.random() < 0.4 else "]")


def text(rng: random.Random, depth: int = 0) -> str:
    """An expression that may be a text."""
    return _filled(rng.choice(_TEXTS[:4] if depth > 3 else _TEXTS), rng, depth + 1) if depth < 5 else "'a'"


def expression(seed: int) -> str:
    """The expression of a seed; some are cut or have letters changed."""
    rng = random.Random(seed)
    made = rng.choice((number, listed, text))(rng)
    if rng.random() < 0.15 and made:
        at = rng.randrange(len(made))
        made = (
            made[:at]
            + rng.choice(("", "'", "(", "]", " lambda ", ".x", "__class__", "é", "\0"))
            + made[at + 1 :]
        )
    return made


def template(seed: int) -> str:
    """The template of a seed: an expression through filters, in loops, macros and assignments."""
    rng = random.Random(seed)
    value = rng.choice((listed, text, number))(rng, 2).replace("[x for", "[x] + [1 for")
    if " for " in value:
        value = f"[range({rng.choice(_NUMBERS[:10])})] * {rng.choice(_NUMBERS[:12])}"
    piped = f"({value})" + "".join(f"|{rng.choice(_FILTERS)}" for _ in range(rng.randint(0, 5)))
    ways = (
        "a: {{ P }}", "{% for i in P %}a{{ i }}: 1\n{% endfor %}", "{% set x = P %}a: {{ x == x and x|length }}",
        "{% macro f(n) %}{{ f(n ~ n) }}{% endmacro %}a: {{ f(P) }}", "{% if P in P %}a: 1{% endif %}",
        "{% for i in range(4900) %}{% for j in P %}{% endfor %}{% endfor %}a: 1", "a: {{ P ~ P }}",
        "{% set n = namespace(x=P) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}a: {{ n.x == n.x }}",
        "{% set n = namespace(x=[P], y=[P]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}"
        "{% set n.y = [n.y, n.y] %}{% endfor %}a: {{ n.x == n.y }}",
    )  # fmt: skip
    return rng.choice(ways).replace("P", piped)


def run_expression(seed: int) -> str:
    """The defect of the expression of a seed, if it has one."""
    made, begun, before = expression(seed), time.process_time(), _peak()
    try:
        evaluate(made, {"w": 8, "depth": 64})
    except ExpressionError:
        pass
    except Exception as error:
        return f"{type(error).__name__}: {error}: {made[:200]}"
    return _over(time.process_time() - begun, EXPRESSION_SECONDS, _peak() - before, 0, made)


def run_template(seed: int, folder: Path) -> str:
    """The defect of the template of a seed, if it has one."""
    made, begun = template(seed), resource.getrusage(resource.RUSAGE_CHILDREN)
    file = folder / "top.yaml.jinja2"
    file.write_text(made, encoding="utf-8", errors="replace")
    before, here = _peak(), time.process_time()
    try:
        load_document([file])
    except SpecError:
        pass
    except Exception as error:
        return f"{type(error).__name__}: {error}: {made[:200]}"
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime + time.process_time() - here
    child = max(0, ended.ru_maxrss * 1024 - before)  # it begins with what we have
    return _over(spent, apart.SECONDS, max(child, _peak() - before), apart.MEMORY, made)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _over(seconds: float, limit: float, size: int, most: int, made: str) -> str:
    if seconds > limit + 1:
        return f"{seconds:.1f} s: {made[:200]}"
    return f"{size >> 20} MiB: {made[:200]}" if size > most + (256 << 20) else ""

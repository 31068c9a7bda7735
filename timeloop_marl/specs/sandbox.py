"""A Jinja2 environment that cannot escape, cannot run for ever and cannot fill the memory.

Every loop turn, macro call and printed value is counted; operations that could build something huge are checked
before they are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError as SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_OUTPUT = 64 << 20  # characters printed by all templates of one input
MAX_TICKS = 200_000  # loop turns and macro calls
MAX_SECONDS = 10.0  # of processor time for one file with all it includes
MAX_VALUE = 1 << 20  # characters or elements of one value
MAX_BUILT = 256 << 20  # characters and elements of all values together, kept or not
MAX_BITS = 4096
MARK = "\ue000{}.{}\ue001"  # file number and line, put after every newline of a template

_SAFE_FILTERS = (
    "abs attr capitalize count d default dictsort first float int items last length list lower map max min reject "
    "rejectattr reverse select selectattr sort string sum title trim unique upper"
)
_SAFE_METHODS = (
    "capitalize count endswith find index isalnum isalpha isdigit islower isnumeric isspace isupper lower lstrip "
    "removeprefix removesuffix replace rfind rpartition partition rsplit rstrip split startswith strip swapcase title "
    "upper"
)


class Undefined(jinja2.Undefined):
    """False in tests, as in Jinja2, but printing it is an error: it would vanish from the YAML unnoticed."""

    def __str__(self) -> str:
        return str(self._fail_with_undefined_error())


class _Marker(NodeTransformer):
    """Rewrites a template: line marks in its text, a tick in every loop and macro, checked ``~``."""

    def __init__(self, file: int) -> None:
        self.file = file

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.TemplateData:  # noqa: N802
        lines = node.data.split("\n")
        for index in range(1, len(lines)):
            lines[index] = MARK.format(self.file, node.lineno + index) + lines[index]
        node.data = "\n".join(lines)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def _ticked(self, node: nodes.Node, body: list[nodes.Node]) -> nodes.Node:
        weight = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        body.insert(0, nodes.Output([_call("tick", [nodes.Const(weight)])]))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("concat_checked", list(node.nodes))


def _call(method: str, arguments: list[nodes.Expr]) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one input; its budgets are shared by all of its templates."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        super().__init__(undefined=Undefined, keep_trailing_newline=True, finalize=self._printed)
        own = {"join": _join, "replace": _replace, "round": _round, "sum": _sum}
        filters = {name: FILTERS[name] for name in _SAFE_FILTERS.split()}
        self.filters = {name: self._counted(function) for name, function in {**filters, **own}.items()}
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.globals.update(functions)
        self.ticks, self.printed, self.built, self.file_number = 0, 0, 0, 0
        self.deadline = 0.0
        self.restart_clock()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        _Marker(self.file_number).visit(template)
        template.set_environment(self)
        return template

    def restart_clock(self) -> None:
        """Begin a new file."""
        self.deadline = time.process_time() + MAX_SECONDS

    def tick(self, weight: int = 0) -> str:
        """Count one loop turn that prints ``weight`` characters of fixed text."""
        self.ticks += 1
        self.printed += weight
        if self.ticks > MAX_TICKS or self.printed > MAX_OUTPUT or time.process_time() > self.deadline:
            raise SecurityError("the template runs for too long or prints too much")
        return ""

    def _printed(self, value: Any) -> Any:
        self.tick()
        if isinstance(value, (str, bytes, int, float, bool)) or value is None:
            self.printed += len(value) if isinstance(value, (str, bytes)) else 20
        elif isinstance(value, (list, tuple, dict)):
            self.printed += _deep_size(value)
        return value

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter whose results count as built."""

        @wraps(function)  # keeps the marks by which Jinja2 passes the context to some filters
        def counted(*args: Any, **kwargs: Any) -> Any:
            return self._built(function(*args, **kwargs))

        return counted

    def _built(self, value: Any) -> Any:
        """Count a new value; raise when all values together become too large."""
        if isinstance(value, (str, bytes, list, tuple, dict)):
            self.built += len(value)
            if self.built > MAX_BUILT:
                raise SecurityError("the template builds too many or too large values")
        return value

    def concat_checked(self, *parts: Any) -> str:
        """The ``~`` operator."""
        texts = [str(part) for part in parts]
        _check_size(sum(map(len, texts)))
        return str(self._built("".join(texts)))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic after a look at the size of the result."""
        _check_arithmetic(operator, left, right)
        return self._built(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only harmless methods of strings; containers and numbers as in Jinja2's own sandbox."""
        if isinstance(obj, str):
            return attr in _SAFE_METHODS.split()
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """A call; the one string method that can blow up is checked."""
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str) and getattr(obj, "__name__", "") == "replace":
            return self._built(_replace(owner, *args, **kwargs))
        return self._built(super().call(context, obj, *args, **kwargs))


def _check_size(size: int) -> None:
    if size > MAX_VALUE:
        raise SecurityError(f"a value of the template grows beyond {MAX_VALUE} characters or elements")


def _check_arithmetic(operator: str, left: Any, right: Any) -> None:
    sized = (str, bytes, list, tuple)
    if operator == "%" and isinstance(left, (str, bytes)):
        raise SecurityError("string formatting with % is not available; use ~ to join strings")
    if operator == "+" and isinstance(left, sized) and isinstance(right, sized):
        _check_size(len(left) + len(right))
    if operator == "*":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, sized) and isinstance(other, int):
                _check_size(len(one) * max(other, 0))
        if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length())
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * abs(right))


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise SecurityError("a number of the template becomes too large")


def _deep_size(value: Any) -> int:
    """Characters that printing a container takes, roughly; counting stops beyond the limit."""
    total, pending = 0, [value]
    while pending and total <= MAX_OUTPUT:
        item = pending.pop()
        total += len(item) if isinstance(item, str) else 8
        if isinstance(item, dict):
            pending.extend(item.values())
            total += sum(len(str(key)) for key in item)
        elif isinstance(item, (list, tuple)):
            pending.extend(item)
    if total > MAX_VALUE:
        _check_size(total)
    return total


def _join(value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise SecurityError("join(attribute=...) is not available")
    texts = [str(item) for item in value]
    _check_size(sum(map(len, texts)) + len(d) * len(texts))
    return str(d).join(texts)


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = str(value), str(old), str(new)
    hits = text.count(old) if count is None else min(int(count), text.count(old))
    _check_size(len(text) + hits * len(new))
    return text.replace(old, new) if count is None else text.replace(old, new, int(count))


def _sum(value: Iterable[Any], start: float = 0) -> float:
    total = start
    for item in value:
        if not isinstance(item, (int, float)) or not isinstance(total, (int, float)):
            raise SecurityError("sum is for numbers")
        total += item
    return total


def _round(value: Any, precision: int = 0) -> float:
    return round(float(value), max(-300, min(300, int(precision))))

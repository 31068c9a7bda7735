"""A small evaluator of Python-like expressions over the syntax tree, never ``eval`` (formats section 6).

Numbers, strings, comparisons, conditions, indexing, comprehensions and the functions of ``math``; attribute access
only to the entries of maps. Every operation is counted with the sizes of its values, so that time and memory end with
the count, whatever does the work; nothing large is ever built.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from difflib import get_close_matches
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
    "comb": _small(math.comb, 200),
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


__all__ = ["Budget", "ExpressionError", "Record", "evaluate"]

MAX_LENGTH = 4000  # characters of an expression
MAX_STEPS = 1_000_000  # operations of all expressions of one document
_AT_A_STEP = 16  # elements or characters of a value that count as an operation
_LETTERS_AT_A_STEP = 256  # letters that are compared in the time of an operation


class Record(Mapping[str, Any]):
    """A named thing of the input that expressions may look into, e.g. ``GB.attributes["depth"]``."""

    def __init__(self, name: str, entries: Mapping[str, Any]) -> None:
        self.name, self.entries = name, entries

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<component {self.name}>"


class Budget:
    """Counts the operations of all expressions of one document."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take ``steps`` operations."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError("the expressions of this input take too many operations")


def evaluate(text: str, symbols: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """The value of an expression.

    Args:
        text: the expression.
        symbols: names it may use, besides the functions; a lookup may raise ``ExpressionError`` itself.
        budget: shared by the expressions of a document.

    Raises:
        ExpressionError: syntax, unknown names, forbidden or failing operations, too much work.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        value = _Evaluation(symbols, budget or Budget()).value(tree.body)
    except ExpressionError:
        raise
    except SyntaxError as error:
        raise ExpressionError(f"not an expression ({error.msg})") from None
    except (RecursionError, MemoryError):
        raise ExpressionError("nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ExpressionError(f"{type(error).__name__}: {str(error)[:200]}") from None
    return value


_MODULE = Record("math", {name: FUNCTIONS[name] for name in FUNCTIONS if hasattr(math, name)})
_CALLABLE = {id(function) for function in FUNCTIONS.values() if callable(function)}


class _Evaluation:
    """One walk over a syntax tree."""

    def __init__(self, symbols: Mapping[str, Any], budget: Budget) -> None:
        self.symbols, self.budget = symbols, budget
        self.local: dict[str, Any] = {}
        self.sizes: dict[int, tuple[Any, int]] = {}

    def value(self, node: ast.AST) -> Any:
        """The value of a node; anything that is not listed here is refused."""
        self.budget.spend()
        visit = getattr(self, f"_{type(node).__name__.lower()}", None)
        if visit is None:
            raise ExpressionError(f"{type(node).__name__} is not available in expressions")
        result = visit(node)
        if isinstance(result, int):
            check_number(bits_of(result))
        elif isinstance(result, (str, list, tuple, dict)):
            size = self._size(result)
            check_items(size)
            self.budget.spend(size // _AT_A_STEP)  # whatever made it, and whatever will go through it
        return result

    def _size(self, value: Any) -> int:
        """Elements of a value, nested ones included, so that shared lists cannot grow exponentially unseen."""
        if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, dict)):
            return len(value) if isinstance(value, str) else 1
        known = self.sizes.get(id(value))
        if known is None:
            self.budget.spend(len(value))
            items = value.values() if isinstance(value, dict) else value
            # the value itself is kept beside its size: its id must not be used again
            known = self.sizes[id(value)] = (value, len(value) + sum(map(self._size, items)))
        return known[1]

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        raise ExpressionError(f"{node.value!r} is not available in expressions")

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.local:
            return self.local[node.id]
        if node.id in self.symbols:
            return self.symbols[node.id]
        if node.id in FUNCTIONS:
            return FUNCTIONS[node.id]
        if node.id == "math":
            return _MODULE
        near = get_close_matches(node.id, [*self.symbols, *FUNCTIONS], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ExpressionError(f"the name {node.id} is not defined here{hint}")

    def _binop(self, node: ast.BinOp) -> Any:
        function = BINARY.get(type(node.op))
        if function is None:
            raise ExpressionError(f"the operator {type(node.op).__name__} is not available")
        return function(self.value(node.left), self.value(node.right))

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.value(node.operand))

    def _boolop(self, node: ast.BoolOp) -> Any:
        stop = isinstance(node.op, ast.Or)
        result: Any = None
        for part in node.values:
            result = self.value(part)
            if bool(result) is stop:
                break
        return result

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        result: Any = True
        for comparison, part in zip(node.ops, node.comparators):
            right = self.value(part)
            if isinstance(left, str) and isinstance(right, str):
                self.budget.spend(len(left) * len(right) // _LETTERS_AT_A_STEP)  # a search, at its worst
            result = COMPARE[type(comparison)](left, right)
            if not result:
                break
            left = right
        return result

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        if not isinstance(owner, Mapping):
            raise ExpressionError(f"{type(owner).__name__} has no .{node.attr}")
        return self._entry(owner, node.attr)

    def _entry(self, owner: Mapping[Any, Any], key: Any) -> Any:
        if isinstance(key, (str, int, float)) and key in owner:
            return owner[key]
        near = get_close_matches(str(key), [str(name) for name in owner], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ExpressionError(f"there is no {key!r} in it{hint}")

    def _subscript(self, node: ast.Subscript) -> Any:
        owner = self.value(node.value)
        if isinstance(owner, Mapping):
            return self._entry(owner, self.value(node.slice))
        if not isinstance(owner, (str, list, tuple)):
            raise ExpressionError(f"{type(owner).__name__} cannot be indexed")
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            return owner[slice(*(None if part is None else self.value(part) for part in parts))]
        return owner[self.value(node.slice)]

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        if id(function) not in _CALLABLE:
            raise ExpressionError("only the listed functions can be called")
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise ExpressionError("* in calls is not available")
        arguments = [self.value(argument) for argument in node.args]
        keywords = {str(word.arg): self.value(word.value) for word in node.keywords if word.arg is not None}
        if len(keywords) != len(node.keywords) or "key" in keywords:
            raise ExpressionError("** and key= in calls are not available")
        self.budget.spend(sum(map(self._size, arguments)))
        return function(*arguments, **keywords)

    def _list(self, node: ast.List) -> Any:
        return [self.value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.value(item) for item in node.elts)

    def _set(self, node: ast.Set) -> Any:
        return sorted({self.value(item) for item in node.elts})

    def _dict(self, node: ast.Dict) -> Any:
        if any(key is None for key in node.keys):
            raise ExpressionError("** is not available")
        return {
            self.value(key): self.value(item) for key, item in zip(node.keys, node.values) if key is not None
        }

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        results: list[Any] = []
        self._loop(node.generators, 0, lambda: results.append(self.value(node.elt)))
        return results

    _generatorexp = _listcomp

    def _setcomp(self, node: ast.SetComp) -> Any:
        results: set[Any] = set()
        self._loop(node.generators, 0, lambda: results.add(self.value(node.elt)))
        return sorted(results)

    def _dictcomp(self, node: ast.DictComp) -> Any:
        results: dict[Any, Any] = {}
        self._loop(node.generators, 0, lambda: results.update({self.value(node.key): self.value(node.value)}))
        return results

    def _loop(self, generators: list[ast.comprehension], depth: int, body: Callable[[], None]) -> None:
        """Run ``body`` for every assignment of the loop variables; these are local to the comprehension."""
        if depth == len(generators):
            body()
            return
        generator = generators[depth]
        items = self.value(generator.iter)
        if isinstance(items, Mapping):
            items = list(items)
        if not isinstance(items, (list, tuple, str)):
            raise ExpressionError(f"cannot loop over {type(items).__name__}")
        self.budget.spend(len(self.local))
        saved = dict(self.local)
        for item in items:
            self.budget.spend()
            self._assign(generator.target, item)
            if all(self.value(condition) for condition in generator.ifs):
                self._loop(generators, depth + 1, body)
        self.local = saved

    def _assign(self, target: ast.AST, item: Any) -> None:
        if isinstance(target, ast.Name):
            self.local[target.id] = item
        elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(item, (list, tuple, str)):
            if len(target.elts) != len(item):
                raise ExpressionError(f"cannot unpack {len(item)} values into {len(target.elts)} names")
            for part, value in zip(target.elts, item):
                self._assign(part, value)
        else:
            raise ExpressionError("unknown loop variable")

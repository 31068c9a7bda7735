"""Runs the source of kernels with ``Vec`` for what differs between mappings, lanes switched off by masks.

Both sides of an ``if`` that lanes decide differently are run, each with a mask that its assignments heed; ``return``,
``continue`` and ``break`` take lanes out of the mask. Loops need bounds that all lanes share.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from ..numba_internals import Dispatcher
from .emit import BOOL, FLOAT, INT, Emitter, Value, Vec

_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class NotStraightError(Exception):
    """A kernel does what has no straight-line form: its loops differ between lanes, or it uses an unknown function."""


class Lanes:
    """An array of the workspace: one value for each index in use."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cells: dict[tuple[int, ...], Value] = {}


class Frame:
    """One call: its names, the mask it was called with, what lanes returned."""

    def __init__(self, names: dict[str, Any], scope: dict[str, Any], base: Value) -> None:
        self.names, self.scope, self.base = names, scope, base
        self.returns: list[tuple[Value, Any]] = []
        self.loops: list[dict[str, Value]] = []


@cache
def _parsed(function: FunctionType) -> ast.FunctionDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


class Interpreter:
    """Runs kernels; ``special`` replaces functions, by name, with ones over values."""

    def __init__(self, emitter: Emitter, special: dict[str, Callable[..., Any]] | None = None) -> None:
        self.emit = emitter
        self.special = special or {}
        self.mask: Value = True

    def run(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """What a kernel returns for these arguments."""
        function = kernel.py_func if isinstance(kernel, Dispatcher) else kernel
        node = _parsed(function)
        names = dict(zip((a.arg for a in node.args.args), arguments, strict=True))
        frame = Frame(names, function.__globals__, self.mask)
        self._block(node.body, frame)
        self.mask = frame.base
        if not frame.returns:
            return None
        result = frame.returns[-1][1]
        for mask, value in reversed(frame.returns[:-1]):
            result = self.emit.select(mask, value, result)
        return result

    # statements

    def _block(self, statements: list[ast.stmt], frame: Frame) -> None:
        for statement in statements:
            if self.mask is False:
                return
            getattr(self, "_" + type(statement).__name__.lower())(statement, frame)

    def _pass(self, node: ast.Pass, frame: Frame) -> None:
        pass

    def _expr(self, node: ast.Expr, frame: Frame) -> None:
        if not isinstance(node.value, ast.Constant):
            self._eval(node.value, frame)

    def _return(self, node: ast.Return, frame: Frame) -> None:
        frame.returns.append((self.mask, None if node.value is None else self._eval(node.value, frame)))
        for loop in frame.loops:
            loop["left"] = True
        self.mask = False

    def _continue(self, node: ast.Continue, frame: Frame) -> None:
        loop = frame.loops[-1]
        loop["continued"] = self.emit.either(loop["continued"], self.mask)
        self.mask = False

    def _break(self, node: ast.Break, frame: Frame) -> None:
        loop = frame.loops[-1]
        loop["broken"] = self.emit.either(loop["broken"], self.mask)
        loop["left"] = True
        self.mask = False

    def _if(self, node: ast.If, frame: Frame) -> None:
        condition = self.emit.truth(self._eval(node.test, frame))
        if not isinstance(condition, Vec):
            self._block(node.body if condition else node.orelse, frame)
            return
        before = self.mask
        then, other = (
            self.emit.both(before, condition),
            self.emit.both(before, self.emit.negate(condition)),
        )
        self.mask = then
        self._block(node.body, frame)
        after_then = self.mask
        self.mask = other
        self._block(node.orelse, frame)
        if after_then is then and self.mask is other:
            self.mask = before
        else:
            self.mask = self.emit.either(after_then, self.mask)

    def _for(self, node: ast.For, frame: Frame) -> None:
        bounds = self._eval(node.iter, frame)
        assert isinstance(node.target, ast.Name)
        before = self.mask
        loop: dict[str, Value] = {"continued": False, "broken": False, "left": False}
        frame.loops.append(loop)
        for index in bounds:
            if self.mask is False:
                break
            start = self.mask
            loop["continued"] = False
            frame.names[node.target.id] = index
            self._block(node.body, frame)
            self.mask = self.emit.either(self.mask, loop["continued"]) if loop["left"] else start
        frame.loops.pop()
        self.mask = self.emit.either(self.mask, loop["broken"]) if loop["left"] else before

    def _while(self, node: ast.While, frame: Frame) -> None:
        loop: dict[str, Value] = {"continued": False, "broken": False, "left": False}
        frame.loops.append(loop)
        while True:
            condition = self.emit.truth(self._eval(node.test, frame))
            if isinstance(condition, Vec):
                raise NotStraightError(f"{ast.unparse(node.test)} differs between lanes")
            if not condition:
                break
            self._block(node.body, frame)
            if loop["left"] is not False or loop["continued"] is not False:
                raise NotStraightError("a while loop that lanes leave")
        frame.loops.pop()

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self._eval(node.value, frame)
        for target in node.targets:
            self._store(target, value, frame)

    def _annassign(self, node: ast.AnnAssign, frame: Frame) -> None:
        assert node.value is not None
        self._store(node.target, self._eval(node.value, frame), frame)

    def _augassign(self, node: ast.AugAssign, frame: Frame) -> None:
        old = self._eval(node.target, frame)
        self._store(node.target, self._operate(node.op, old, self._eval(node.value, frame)), frame)

    def _store(self, target: ast.expr, value: Any, frame: Frame) -> None:
        if isinstance(target, ast.Tuple):
            for part, each in zip(target.elts, value, strict=True):
                self._store(part, each, frame)
            return
        if isinstance(target, ast.Name):
            old: Any = frame.names.get(target.id)
            kept = self.mask is frame.base or target.id not in frame.names
            frame.names[target.id] = value if kept else self.emit.select(self.mask, value, old)
            return
        assert isinstance(target, ast.Subscript)
        array = self._eval(target.value, frame)
        assert isinstance(array, Lanes)
        self._store_cell(array, self._index(target.slice, frame), value)

    def _store_cell(self, array: Lanes, index: tuple[Any, ...], value: Value) -> None:
        if array.kind == FLOAT and not isinstance(value, Vec):
            value = float(value)
        elif array.kind == BOOL:
            value = self.emit.truth(value)
        elif isinstance(value, Vec) and value.kind != array.kind:
            value = self.emit.convert(value, array.kind)
        for cell, chosen in self._chosen(array.cells, index, True):
            mask = self.emit.both(self.mask, chosen)
            old = array.cells.get(cell)
            array.cells[cell] = value if old is None else self.emit.select(mask, value, old)

    def _chosen(
        self, cells: dict[tuple[int, ...], Value], index: tuple[Any, ...], storing: bool
    ) -> list[tuple[tuple[int, ...], Value]]:
        """Cells that an index may mean, each with the condition under which it does."""
        if not any(isinstance(part, Vec) for part in index):
            return [(index, True)]
        found: list[tuple[tuple[int, ...], Value]] = []
        for cell in sorted(cells):
            if any(not isinstance(part, Vec) and part != at for part, at in zip(index, cell)):
                continue
            condition: Value = True
            for part, at in zip(index, cell):
                if isinstance(part, Vec):
                    condition = self.emit.both(condition, self.emit.compare("==", part, at))
            found.append((cell, condition))
        if not found:
            raise NotStraightError("an index into an empty array")
        return found

    def _load_cell(self, cells: dict[tuple[int, ...], Value], index: tuple[Any, ...]) -> Value:
        found = self._chosen(cells, index, False)
        value = cells[found[-1][0]]
        for cell, condition in found[-2::-1]:
            value = self.emit.select(condition, cells[cell], value)
        return value

    # expressions

    def _eval(self, node: ast.expr, frame: Frame) -> Any:
        return getattr(self, "_eval_" + type(node).__name__.lower())(node, frame)

    def _eval_constant(self, node: ast.Constant, frame: Frame) -> Any:
        return node.value

    def _eval_name(self, node: ast.Name, frame: Frame) -> Any:
        if node.id in frame.names:
            return frame.names[node.id]
        if node.id in frame.scope:
            return frame.scope[node.id]
        return __builtins__[node.id] if isinstance(__builtins__, dict) else getattr(__builtins__, node.id)

    def _eval_attribute(self, node: ast.Attribute, frame: Frame) -> Any:
        return getattr(self._eval(node.value, frame), node.attr)

    def _eval_tuple(self, node: ast.Tuple, frame: Frame) -> Any:
        return tuple(self._eval(part, frame) for part in node.elts)

    def _index(self, node: ast.expr, frame: Frame) -> tuple[Any, ...]:
        index = self._eval(node, frame)
        return index if isinstance(index, tuple) else (index,)

    def _eval_subscript(self, node: ast.Subscript, frame: Frame) -> Any:
        array = self._eval(node.value, frame)
        index = self._index(node.slice, frame)
        if isinstance(array, Lanes):
            return self._load_cell(array.cells, index)
        if isinstance(array, np.ndarray):
            if any(isinstance(part, Vec) for part in index):
                return self._table(array, index)
            value = array[index]
            return value.item() if isinstance(value, np.generic) else value
        return array[index]

    def _table(self, array: np.ndarray, index: tuple[Any, ...]) -> Value:
        """A constant that lanes choose."""
        free = [k for k, part in enumerate(index) if isinstance(part, Vec)]
        if len(free) == 1 and array.shape[free[0]] < 64:
            row = array[tuple(slice(None) if k in free else part for k, part in enumerate(index))]
            if row.dtype in (np.uint8, np.bool_):  # how records hold truth values
                return self.emit.bit_of(sum(1 << k for k, true in enumerate(row) if true), index[free[0]])
        shape = [array.shape[k] for k in free]
        cells = {}
        for at in np.ndindex(*shape):
            place = list(index)
            for k, position in zip(free, at):
                place[k] = position
            cells[tuple(place)] = array[tuple(place)].item()
        return self._load_cell(cells, index)

    def _eval_binop(self, node: ast.BinOp, frame: Frame) -> Any:
        return self._operate(node.op, self._eval(node.left, frame), self._eval(node.right, frame))

    def _operate(self, operator: ast.operator, a: Any, b: Any) -> Any:
        static = not isinstance(a, Vec) and not isinstance(b, Vec)
        if isinstance(operator, ast.BitXor):
            return a ^ b if static else self.emit.xor(a, b)
        if isinstance(operator, ast.BitOr):
            return a | b if static else self.emit.bit_or(a, b)
        if isinstance(operator, ast.BitAnd):
            return a & b if static else self.emit.bit_and(a, b)
        if isinstance(operator, ast.LShift):
            return a << b if static else self.emit.shifted("shl", a, b)
        if isinstance(operator, ast.RShift):
            if not static:
                raise NotStraightError("shift of what may be negative")
            return a >> b
        if isinstance(operator, ast.Pow):
            return a**b
        return self.emit.arithmetic(_OPERATORS[type(operator)], a, b)

    def _eval_unaryop(self, node: ast.UnaryOp, frame: Frame) -> Any:
        value = self._eval(node.operand, frame)
        if isinstance(node.op, ast.Not):
            return self.emit.negate(self.emit.truth(value))
        if isinstance(value, Vec):
            return self.emit.arithmetic("-", -0.0 if value.kind == FLOAT else 0, value)
        return -value

    def _eval_boolop(self, node: ast.BoolOp, frame: Frame) -> Any:
        join, settled = (self.emit.both, False) if isinstance(node.op, ast.And) else (self.emit.either, True)
        result: Value = not settled
        for part in node.values:
            result = join(result, self.emit.truth(self._eval(part, frame)))
            if result is settled:
                break
        return result

    def _eval_compare(self, node: ast.Compare, frame: Frame) -> Any:
        left = self._eval(node.left, frame)
        result: Value = True
        for operator, part in zip(node.ops, node.comparators, strict=True):
            right = self._eval(part, frame)
            result = self.emit.both(result, self.emit.compare(_OPERATORS[type(operator)], left, right))
            left = right
        return result

    def _eval_ifexp(self, node: ast.IfExp, frame: Frame) -> Any:
        condition = self.emit.truth(self._eval(node.test, frame))
        if not isinstance(condition, Vec):
            return self._eval(node.body if condition else node.orelse, frame)
        return self.emit.select(condition, self._eval(node.body, frame), self._eval(node.orelse, frame))

    def _eval_call(self, node: ast.Call, frame: Frame) -> Any:
        function = self._eval(node.func, frame)
        arguments = [self._eval(part, frame) for part in node.args]
        name = getattr(function, "__name__", "")
        if name in self.special:
            return self.special[name](*arguments)
        if isinstance(function, Dispatcher):
            return self.run(function, *arguments)
        return self._built_in(function, name, arguments)

    def _built_in(self, function: Any, name: str, arguments: list[Any]) -> Any:
        if function is range:
            if any(isinstance(part, Vec) for part in arguments):
                raise NotStraightError("a loop whose length differs between lanes")
            return range(*arguments)
        if function in (min, max):
            result = arguments[0]
            for part in arguments[1:]:
                result = self.emit.extreme(name, result, part)
            return result
        if not any(isinstance(part, Vec) for part in arguments):
            return function(*arguments)
        if function is int:
            return self.emit.convert(arguments[0], INT)
        if function is float:
            return self.emit.convert(arguments[0], FLOAT)
        if function is abs:
            return self.emit.magnitude(arguments[0])
        if function is np.ceil:
            return self.emit.rounded("ceil", arguments[0])
        if function is math.floor:
            return self.emit.convert(self.emit.rounded("floor", arguments[0]), INT)
        raise NotStraightError(f"{name} of lanes")

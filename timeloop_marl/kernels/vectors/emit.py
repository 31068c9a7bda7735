"""Straight-line LLVM code over vectors: values, and one method for each operation of the kernels.

A value is a Python number, known while the code is made, or a ``Vec``: one number a lane. Equal operations on equal
values give the same ``Vec``; what is known is folded, as long as every lane keeps its bits.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence

INT, FLOAT, BOOL = "i64", "double", "i1"


class Vec:
    """A vector in the code that is being made."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name


Value = Vec | int | float | bool

_COMPARE = {"<": "slt", "<=": "sle", ">": "sgt", ">=": "sge", "==": "eq", "!=": "ne"}
_ORDERED = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "==": "oeq", "!=": "une"}


class Emitter:
    """Collects instructions for vectors of ``width`` lanes."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._known: dict[tuple[str, ...], Vec] = {}

    def type(self, kind: str) -> str:
        """A vector type."""
        return f"<{self.width} x {kind}>"

    def raw(self, kind: str, text: str, *, pure: bool = True) -> Vec:
        """One instruction; an equal one before it serves as well if it is pure."""
        key = (kind, text)
        if pure and key in self._known:
            return self._known[key]
        value = Vec(kind, f"%v{len(self.lines)}")
        self.lines.append(f"{value.name} = {text}")
        if pure:
            self._known[key] = value
        return value

    def text(self, value: Value, kind: str) -> str:
        """An operand of a kind, converted if need be."""
        if isinstance(value, Vec):
            return self.convert(value, kind).name
        if kind == BOOL:
            return f"splat (i1 {'true' if value else 'false'})"
        return f"splat ({kind} {_literal(value, kind)})"

    def convert(self, value: Value, kind: str) -> Vec:
        """As a vector of a kind."""
        if not isinstance(value, Vec):
            if kind == BOOL:
                return Vec(BOOL, self.text(value, BOOL))
            return Vec(kind, self.text(value, kind))
        if value.kind == kind:
            return value
        source, target = self.type(value.kind), self.type(kind)
        if kind == BOOL:
            result = self.compare("!=", value, 0)
            assert isinstance(result, Vec)
            return result
        if value.kind == BOOL:
            whole = self.raw(INT, f"zext {source} {value.name} to {self.type(INT)}")
            return self.convert(whole, kind)
        operation = "sitofp" if kind == FLOAT else "fptosi"
        return self.raw(kind, f"{operation} {source} {value.name} to {target}")

    def kind(self, *values: Value) -> str:
        """Of the result of arithmetic."""
        for value in values:
            if (value.kind == FLOAT) if isinstance(value, Vec) else isinstance(value, float):
                return FLOAT
        return INT

    def arithmetic(self, operation: str, a: Value, b: Value) -> Value:
        """``+ - * / // %`` as numba's: ``/`` of doubles, the others of what the operands are."""
        if not isinstance(a, Vec) and not isinstance(b, Vec):
            return _fold(operation, a, b)
        if operation == "/":
            return self._divide(a, b)
        if operation in ("//", "%"):
            return self._whole(operation, a, b)
        kind = self.kind(a, b)
        if kind == INT:
            return self._ints(operation, a, b)
        if operation == "*" and _is(b, 1):
            return self.convert(a, FLOAT)
        if operation == "*" and _is(a, 1):
            return self.convert(b, FLOAT)
        name = {"+": "fadd", "-": "fsub", "*": "fmul"}[operation]
        return self.raw(FLOAT, f"{name} {self.type(FLOAT)} {self.text(a, FLOAT)}, {self.text(b, FLOAT)}")

    def _divide(self, a: Value, b: Value) -> Value:
        if _is(b, 1):
            return self.convert(a, FLOAT)
        if _is(b, 2):
            return self.arithmetic("*", self.convert(a, FLOAT), 0.5)
        return self.raw(FLOAT, f"fdiv {self.type(FLOAT)} {self.text(a, FLOAT)}, {self.text(b, FLOAT)}")

    def _ints(self, operation: str, a: Value, b: Value) -> Value:
        if operation in "+*" and not isinstance(a, Vec):
            a, b = b, a
        if operation in "+-" and _is(b, 0):
            return self.convert(a, INT)
        if operation == "*" and _is(b, 1):
            return self.convert(a, INT)
        if operation == "*" and _is(b, 0):
            return 0
        if operation == "-" and a is b:
            return 0
        left, right = self.text(a, INT), self.text(b, INT)
        if operation in "+*" and isinstance(b, Vec) and right < left:
            left, right = right, left
        name = {"+": "add", "-": "sub", "*": "mul"}[operation]
        return self.raw(INT, f"{name} {self.type(INT)} {left}, {right}")

    def _whole(self, operation: str, a: Value, b: Value) -> Value:
        """Of counts from 0 to 2^53: their quotient as a double is never rounded up to the next integer."""
        if self.kind(a, b) != INT:
            raise TypeError(f"{operation} takes whole numbers here, not doubles")
        if _is(b, 1):
            return self.convert(a, INT) if operation == "//" else 0
        if isinstance(b, int) and b & (b - 1) == 0:
            name, by = ("lshr", b.bit_length() - 1) if operation == "//" else ("and", b - 1)
            return self.raw(INT, f"{name} {self.type(INT)} {self.text(a, INT)}, {self.text(by, INT)}")
        quotient = self.convert(self._divide(self.convert(a, FLOAT), self.convert(b, FLOAT)), INT)
        if operation == "//":
            return quotient
        return self.arithmetic("-", a, self.arithmetic("*", quotient, b))

    def compare(self, operation: str, a: Value, b: Value) -> Value:
        """A condition; what can be told without lanes is."""
        if not isinstance(a, Vec) and not isinstance(b, Vec):
            return {
                "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b,
            }[operation]  # fmt: skip
        if a is b and isinstance(a, Vec) and a.kind != FLOAT:
            return operation in ("<=", ">=", "==")
        if operation == "<" and _is(a, math.inf):
            return False  # no count is infinite
        if isinstance(a, Vec) and a.kind == BOOL and not isinstance(b, Vec) and operation in ("==", "!="):
            return a if bool(b) == (operation == "==") else self.negate(a)
        kind = self.kind(a, b)
        name = f"fcmp {_ORDERED[operation]}" if kind == FLOAT else f"icmp {_COMPARE[operation]}"
        return self.raw(BOOL, f"{name} {self.type(kind)} {self.text(a, kind)}, {self.text(b, kind)}")

    def truth(self, value: Value) -> Value:
        """As a condition."""
        if isinstance(value, Vec):
            return self.convert(value, BOOL)
        return bool(value)

    def both(self, a: Value, b: Value) -> Value:
        """Conjunction."""
        if a is False or b is False:
            return False
        if a is True or a is b:
            return b
        if b is True:
            return a
        left, right = sorted((self.text(a, BOOL), self.text(b, BOOL)))
        return self.raw(BOOL, f"and {self.type(BOOL)} {left}, {right}")

    def either(self, a: Value, b: Value) -> Value:
        """Disjunction."""
        if a is True or b is True:
            return True
        if a is False or a is b:
            return b
        if b is False:
            return a
        left, right = sorted((self.text(a, BOOL), self.text(b, BOOL)))
        return self.raw(BOOL, f"or {self.type(BOOL)} {left}, {right}")

    def negate(self, a: Value) -> Value:
        """Negation."""
        if not isinstance(a, Vec):
            return not a
        return self.raw(BOOL, f"xor {self.type(BOOL)} {self.text(a, BOOL)}, {self.text(True, BOOL)}")

    def xor(self, a: Value, b: Value) -> Value:
        """Bits that differ."""
        if a is b:
            return 0
        return self.raw(INT, f"xor {self.type(INT)} {self.text(a, INT)}, {self.text(b, INT)}")

    def bit_or(self, a: Value, b: Value) -> Value:
        """Bits of either."""
        if _is(a, 0):
            return b
        if _is(b, 0):
            return a
        return self.raw(INT, f"or {self.type(INT)} {self.text(a, INT)}, {self.text(b, INT)}")

    def bit_and(self, a: Value, b: Value) -> Value:
        """Bits of both."""
        return self.raw(INT, f"and {self.type(INT)} {self.text(a, INT)}, {self.text(b, INT)}")

    def shifted(self, name: str, a: Value, by: Value) -> Value:
        """``shl`` or ``lshr``: by less than 64 bits, which are unsigned."""
        return self.raw(INT, f"{name} {self.type(INT)} {self.text(a, INT)}, {self.text(by, INT)}")

    def bit_of(self, bits: int, index: Value) -> Value:
        """Whether a constant has the bit of that number."""
        if bits == 0:
            return False
        return self.compare("!=", self.bit_and(self.shifted("lshr", bits, index), 1), 0)

    def lookup(self, table: Sequence[float], kind: str, index: Value) -> Vec:
        """Elements of a constant table, ints or doubles, at indices within it."""
        cells = ", ".join(f"{kind} {_literal(cell, kind)}" for cell in table)
        name = f"@table.{hashlib.sha256(cells.encode()).hexdigest()[:16]}"
        self.declared.add(f"{name} = internal constant [{len(table)} x {kind}] [{cells}], align 64")
        place = f"getelementptr {kind}, ptr {name}, {self.type(INT)} {self.text(index, INT)}"
        short = {INT: "i64", FLOAT: "f64"}[kind]
        full = f"@llvm.masked.gather.v{self.width}{short}.v{self.width}p0"
        mask, addresses = self.type(BOOL), self.type("ptr")
        self.declared.add(f"declare {self.type(kind)} {full}({addresses}, {mask}, {self.type(kind)})")
        given = f"{addresses} align 8 {self.raw('ptr', place).name}, {mask} splat (i1 true), {self.type(kind)} poison"
        return self.raw(kind, f"call {self.type(kind)} {full}({given})")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """``a`` in the lanes of the condition, ``b`` in the others."""
        if condition is True or a is b:
            return a
        if condition is False:
            return b
        if not isinstance(a, Vec) and not isinstance(b, Vec) and type(a) is type(b) and a == b:
            return a
        if all(isinstance(v, bool) or (isinstance(v, Vec) and v.kind == BOOL) for v in (a, b)):
            kind = BOOL
        else:
            kind = self.kind(a, b)
        return self.raw(
            kind,
            f"select {self.type(BOOL)} {self.text(condition, BOOL)}, "
            f"{self.type(kind)} {self.text(a, kind)}, {self.type(kind)} {self.text(b, kind)}",
        )

    def call(self, name: str, kind: str, *values: Value) -> Vec:
        """An intrinsic whose operands and result are of one kind."""
        short = {FLOAT: "f64", INT: "i64"}[kind]
        full = f"@llvm.{name}.v{self.width}{short}"
        kinds = self.type(kind)
        self.declared.add(f"declare {kinds} {full}({', '.join([kinds] * len(values))})")
        return self.raw(
            kind, f"call {kinds} {full}({', '.join(f'{kinds} {self.text(v, kind)}' for v in values)})"
        )

    def extreme(self, name: str, a: Value, b: Value) -> Value:
        """``min`` or ``max``."""
        if not isinstance(a, Vec) and not isinstance(b, Vec):
            return min(a, b) if name == "min" else max(a, b)
        if a is b:
            return a
        if self.kind(a, b) == INT:
            return self.call(f"s{name}", INT, a, b)
        return self.select(
            self.compare("<" if name == "min" else ">", b, a), self.convert(b, FLOAT), self.convert(a, FLOAT)
        )

    def rounded(self, name: str, a: Value) -> Value:
        """``ceil`` or ``floor`` as a double."""
        if not isinstance(a, Vec):
            return float(math.ceil(a) if name == "ceil" else math.floor(a))
        if a.kind == INT or self._from_int(a):
            return self.convert(a, FLOAT)
        return self.call(name, FLOAT, a)

    def _from_int(self, a: Vec) -> bool:
        return a.name.startswith("%v") and " = sitofp" in self.lines[int(a.name[2:])]

    def magnitude(self, a: Value) -> Value:
        """Absolute value."""
        if not isinstance(a, Vec):
            return abs(a)
        if a.kind == FLOAT:
            return self.call("fabs", FLOAT, a)
        return self.extreme("max", a, self.arithmetic("-", 0, a))


def _literal(value: float, kind: str) -> str:
    if kind == FLOAT:
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    return str(int(value))


def _is(value: Value, number: float) -> bool:
    return not isinstance(value, Vec) and not isinstance(value, bool) and value == number


def _fold(operation: str, a: float, b: float) -> Value:
    if operation == "/":
        return float(a) / float(b) if b else (math.nan if a == 0 else math.copysign(math.inf, a))
    return {
        "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "//": lambda: a // b, "%": lambda: a % b,
    }[operation]()  # fmt: skip

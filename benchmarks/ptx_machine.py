"""Runs a compiled kernel (PTX) instruction by instruction, one thread after the other, and counts what it does.

For machines without a GPU: it shows that the code that a GPU would get computes the same bits, from scratch memory full
of rubbish, and how many instructions and bytes a mapping takes. It knows the instructions that the kernels of the cost
model consist of, and stops at any other. No caches, no clock: what it counts is exact, what it says nothing about is
time.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import numpy as np

WIDTH = {"rd": 64, "r": 32, "rs": 16, "SP": 64, "SPL": 64}
LOCAL = 1 << 60
"""Address at which a thread's local memory begins."""

_FORMATS = {"u64": "<q", "s64": "<q", "b64": "<q", "f64": "<d", "u32": "<I", "s32": "<i", "b32": "<i", "u16": "<H",
            "s16": "<h", "u8": "<B", "s8": "<b", "b8": "<B"}  # fmt: skip
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_LINE = re.compile(r"(?:@(!?)%(p\d+)\s+)?([a-z][\w.]*)\s*(.*?);$")


class UnknownInstructionError(Exception):
    """The machine does not know an instruction."""


class Machine:
    """One kernel.

    Args:
        ptx: text of a module with one entry.
    """

    def __init__(self, ptx: str) -> None:
        if re.search(r"^\s*call", ptx, re.MULTILINE):
            raise UnknownInstructionError("the kernel calls functions; only kernels in one piece can be run")
        self.local = int(found[1]) if (found := re.search(r"__local_depot\d+\[(\d+)\]", ptx)) else 0
        self.parameters, self.parameter_bytes = _parameters(ptx)
        body = ptx[ptx.index("{", ptx.index(".entry")) :]
        self.names: dict[str, int] = {}
        self.blocks: list[list[str]] = [[]]
        self.labels: dict[str, int] = {}
        self._split(body)
        self.kinds = [Counter(_kind(line) for line in block) for block in self.blocks]
        self.lengths = [len(block) for block in self.blocks]
        self.traffic = [_traffic(block) for block in self.blocks]
        self._functions = [self._compile(number, block) for number, block in enumerate(self.blocks)]

    def run(
        self,
        parameters: bytes,
        memory: bytearray,
        thread: int,
        block: int,
        threads: int,
        blocks: int,
        rubbish: bytes,
    ) -> list[int]:
        """Run one thread; global memory is changed. Returns how often each block was entered."""
        registers: list[Any] = [0] * len(self.names)
        special = {"%tid.x": thread, "%ctaid.x": block, "%ntid.x": threads, "%nctaid.x": blocks}
        for name, value in special.items():
            registers[self.names[name]] = value
        local = bytearray((rubbish * (self.local // len(rubbish) + 1))[: self.local])
        visits = [0] * len(self.blocks)
        place, functions = 0, self._functions
        while place >= 0:
            visits[place] += 1
            place = functions[place](registers, parameters, memory, local)
        return visits

    def _split(self, body: str) -> None:
        """Lines into blocks: at labels, and after branches."""
        for raw in body.splitlines():
            line = raw.split("//")[0].strip()
            if line.endswith(":"):
                if self.blocks[-1]:
                    self.blocks.append([])
                self.labels[line[:-1]] = len(self.blocks) - 1
            elif _LINE.match(line) and not line.startswith("."):
                self.blocks[-1].append(line)
                if _parts(line)[0] in ("bra", "ret"):
                    self.blocks.append([])
        for name in ("%tid.x", "%ctaid.x", "%ntid.x", "%nctaid.x"):
            self._register(name)

    def _register(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def _compile(self, number: int, block: list[str]) -> Callable[..., int]:
        lines = [self._translate(line, number) for line in block]
        text = "\n".join(f"    {line}" for line in [*lines, f"return {number + 1}"])
        helpers = (load, store, quotient, truncated, clz, divided, whole, least, greatest, real)
        names: dict[str, Any] = {helper.__name__: helper for helper in helpers}
        exec(f"def step(R, P, M, L):\n{text}", names)
        return cast(Callable[..., int], names["step"])

    def _translate(self, line: str, number: int) -> str:
        """One instruction as a line of Python. Integers are kept signed, reals as floats, predicates as bools."""
        match = _LINE.match(line)
        assert match is not None, line
        negated, guard, operation, rest = match.groups()
        words = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", rest)
        text = self._operation(operation.split("."), words)
        if guard is None:
            return text
        condition = f"R[{self._register('%' + guard)}]"
        return f"if {'not ' if negated else ''}{condition}: {text}"

    def _operation(self, parts: list[str], words: list[str]) -> str:
        name, kind = parts[0], parts[-1]
        if name == "ret":
            return "return -1"
        if name == "bra":
            return f"return {self.labels[words[0]]}"
        if name in ("ld", "st"):
            return self._memory(name, parts, words)
        if name == "atom":
            # Threads run one after the other.
            assert parts[2] == "add" and kind in ("u64", "s64"), parts
            held, address = words[0], self._place(words[1])
            more = f"{self._register_text(held)} + {self._source(words[2], 's64')}"
            return f"{self._register_text(held)} = load(M, L, '<q', {address}); store(M, L, '<q', {address}, {more})"
        target, values = words[0], words[1:]
        return f"R[{self._register(target)}] = {self._value(parts, kind, target, values)}"

    def _memory(self, name: str, parts: list[str], words: list[str]) -> str:
        form, size = _FORMATS[parts[-1]], struct.calcsize(_FORMATS[parts[-1]])
        address, held = (words[1], words[0]) if name == "ld" else (words[0], words[1])
        registers = [word.strip() for word in held.strip("{}").split(",")]
        if parts[1] == "param":
            base = re.match(r"\[(\S+?)(?:\+(\d+))?\]", address)
            assert base is not None
            where = str(self.parameters[base[1]][0] + int(base[2] or 0))
            return "; ".join(
                f"R[{self._register(r)}] = load(P, P, {form!r}, {where} + {size * k})"
                for k, r in enumerate(registers)
            )
        where = self._place(address)
        if name == "ld":
            return "; ".join(
                f"R[{self._register(r)}] = load(M, L, {form!r}, {where} + {size * k})"
                for k, r in enumerate(registers)
            )
        return "; ".join(
            f"store(M, L, {form!r}, {where} + {size * k}, {self._source(r, 's64' if form == '<q' else parts[-1])})"
            for k, r in enumerate(registers)
        )

    def _register_text(self, word: str) -> str:
        return f"R[{self._register(word)}]"

    def _place(self, address: str) -> str:
        base = re.match(r"\[(%\w+)(?:\+(-?\d+))?\]", address)
        assert base is not None, address
        return f"{self._register_text(base[1])} + {int(base[2] or 0)}"

    def _source(self, word: str, kind: str) -> str:
        """An operand as a value of its type."""
        if word.startswith("0d"):
            return (
                repr(struct.unpack(">d", bytes.fromhex(word[2:]))[0])
                if _finite(word)
                else f"real({word[2:]!r})"
            )
        if word == "__local_depot0":
            return str(LOCAL)
        if not word.startswith("%"):
            return word if kind != "pred" else str(word != "0")
        text = f"R[{self._register(word)}]"
        if (
            kind.startswith(("u", "s", "b"))
            and kind[1:].isdigit()
            and not word.startswith(("%p", "%fd", "%tid"))
        ):
            return _as(text, kind, _width(word))
        return text

    def _value(self, parts: list[str], kind: str, target: str, words: list[str]) -> str:
        name = parts[0]
        if name == "cvt":
            return _kept(self._converted(parts, words[0]), target)
        if name == "setp":
            return self._compared(parts[1], kind, words)
        if name == "selp":
            yes, no, chosen = words
            return f"{self._source(yes, kind)} if R[{self._register(chosen)}] else {self._source(no, kind)}"
        a, b = (*(self._source(word, kind) for word in words), "", "")[:2]
        if kind in ("f64", "pred"):
            return _plain(parts, a, b)
        if name in ("mov", "cvta"):
            return _kept(a, target)
        if name == "shl":
            return _kept(f"({a} << {b})", target)
        return _kept(_integer(parts, kind, a, b), target)

    def _compared(self, relation: str, kind: str, words: list[str]) -> str:
        a, b = (self._source(word, kind) for word in words)
        if relation in _COMPARE:
            text = f"{a} {_COMPARE[relation]} {b}"
            return (
                f"({text} and {a} == {a} and {b} == {b})"
                if kind == "f64" and relation == "ne"
                else f"({text})"
            )
        # Unordered: true as well if an operand is not a number.
        return f"({a} {_COMPARE[relation[:-1]]} {b} or {a} != {a} or {b} != {b})"

    def _converted(self, parts: list[str], word: str) -> str:
        into, source = parts[-2], parts[-1]
        a = self._source(word, source)
        if into == "f64":
            if source != "f64":
                return f"float({a})"
            return f"whole({a}, {parts[1] == 'rpi'})"
        if source == "f64":
            assert parts[1] == "rzi" and into == "s64", parts
            return f"truncated({a})"
        return _as(a, into, 64)


def _plain(parts: list[str], a: str, b: str) -> str:
    """Arithmetic of doubles, and of predicates."""
    name = parts[0]
    if name in ("add", "sub", "mul"):
        assert parts[1] == "rn", parts
        sign = {"add": "+", "sub": "-", "mul": "*"}[name]
        return f"{a} {sign} {b}"
    if name == "div":
        assert parts[1] == "rn", parts
        return f"quotient({a}, {b})"
    forms = {"mov": a, "neg": f"-{a}", "abs": f"abs({a})", "min": f"least({a}, {b})", "max": f"greatest({a}, {b})",
             "and": f"({a} and {b})", "or": f"({a} or {b})", "xor": f"({a} != {b})", "not": f"(not {a})"}  # fmt: skip
    return forms[name]


def _integer(parts: list[str], kind: str, a: str, b: str) -> str:
    """Arithmetic of integers."""
    forms = {
        "add": f"({a} + {b})", "sub": f"({a} - {b})", "mul": f"({a} * {b})", "neg": f"(-{a})", "abs": f"abs({a})",
        "and": f"({a} & {b})", "or": f"({a} | {b})", "xor": f"({a} ^ {b})", "not": f"(~{a})", "shr": f"({a} >> {b})",
        "min": f"min({a}, {b})", "max": f"max({a}, {b})", "clz": f"clz({a}, {kind[1:]})",
        "div": f"divided({a}, {b})", "rem": f"({a} - divided({a}, {b}) * {b})",
    }  # fmt: skip
    if parts[:2] == ["mul", "hi"]:
        return f"(({a} * {b}) >> {kind[1:]})"
    assert parts[0] != "mul" or parts[1] in ("lo", "wide"), parts
    return forms[parts[0]]


def _kept(text: str, target: str) -> str:
    """An integer as its register holds it: signed, so many bits."""
    if target.startswith(("%p", "%fd")):
        return text
    half = 1 << (_width(target) - 1)
    return f"(({text} + {half}) & {2 * half - 1}) - {half}"


def _as(text: str, kind: str, width: int) -> str:
    """A register's value read as a type of so many bits."""
    size = int(kind[1:])
    if kind[0] == "s" or (kind[0] == "b" and size == width):
        half = 1 << (size - 1)
        return text if size >= width else f"((({text}) + {half} & {2 * half - 1}) - {half})"
    return f"({text} & {(1 << size) - 1})"


def _width(word: str) -> int:
    return WIDTH.get(word.lstrip("%").rstrip("0123456789"), 32)


def _finite(word: str) -> bool:
    return math.isfinite(struct.unpack(">d", bytes.fromhex(word[2:]))[0])


def _parameters(ptx: str) -> tuple[dict[str, tuple[int, str]], int]:
    """Offset and form of each parameter, and how many bytes they are."""
    head = ptx[ptx.index(".entry") : ptx.index("{", ptx.index(".entry"))]
    place, found = 0, {}
    for kind, name in re.findall(r"\.param\s+\.(\w+)\s+([\w$]+)", head):
        size = struct.calcsize(_FORMATS[kind])
        place = -(-place // size) * size
        found[name] = place, _FORMATS[kind]
        place += size
    return found, place


def _parts(line: str) -> list[str]:
    """The words of an instruction's name."""
    match = _LINE.match(line)
    assert match is not None, line
    return match[3].split(".")


def _kind(line: str) -> str:
    """What an instruction is for: its class in counts."""
    parts = _parts(line)
    if parts[0] in ("ld", "st", "atom"):
        return f"{parts[0]}.{parts[1] if parts[1] in ('local', 'global', 'param') else 'generic'}"
    if parts[0] in ("bra", "ret", "setp", "selp", "mov", "cvta"):
        return {"bra": "branch", "ret": "branch", "cvta": "mov"}.get(parts[0], parts[0])
    if parts[0] in ("div", "rem"):
        return f"div.{parts[-1]}"
    if "f64" in parts:
        return "f64"
    return f"mul.{parts[-1]}" if parts[0] == "mul" else "int"


def _traffic(block: list[str]) -> Counter[str]:
    """Bytes that a block loads and stores, by kind."""
    found: Counter[str] = Counter()
    for line in block:
        parts = _parts(line)
        if parts[0] in ("ld", "st") and parts[1] != "param":
            many = 2 if "v2" in parts else 4 if "v4" in parts else 1
            found[_kind(line)] += many * struct.calcsize(_FORMATS[parts[-1]])
    return found


def load(memory: bytearray, local: bytearray, form: str, address: int) -> Any:
    if address >= LOCAL:
        return struct.unpack_from(form, local, address - LOCAL)[0]
    return struct.unpack_from(form, memory, address)[0]


def store(memory: bytearray, local: bytearray, form: str, address: int, value: Any) -> None:
    if address >= LOCAL:
        struct.pack_into(form, local, address - LOCAL, value)
    else:
        struct.pack_into(form, memory, address, value)


def quotient(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b)) if b == 0.0 else a / b


def whole(value: float, up: bool) -> float:
    """Rounded to a whole number upwards or downwards."""
    return float(np.ceil(value) if up else np.floor(value))


def truncated(value: float) -> int:
    """To a signed 64-bit integer, as the GPU does: what is too large becomes the nearest, no number the lowest."""
    if math.isnan(value):
        return -(1 << 63)
    if math.isinf(value):
        return (1 << 63) - 1 if value > 0 else -(1 << 63)
    return max(-(1 << 63), min((1 << 63) - 1, int(value)))


def divided(a: int, b: int) -> int:
    """Towards zero."""
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


def least(a: float, b: float) -> float:
    return b if math.isnan(a) or b < a else a


def greatest(a: float, b: float) -> float:
    return b if math.isnan(a) or b > a else a


def clz(value: int, width: int) -> int:
    return width - (value & ((1 << width) - 1)).bit_length()


def real(digits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(digits))[0])

"""``regular`` for one machine and problem over vectors of mappings: its LLVM text (see ``vectors``)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy import ndarray

from ..vectors.emit import BOOL, FLOAT, INT, Emitter, Value, Vec
from ..vectors.interpret import Interpreter, Lanes
from .collapse import CYCLES
from .evaluate import total_energy, utilization
from .layout import Tables, Workspace
from .networks import REDUCTION_TREE
from .regular import figures, first_look

WIDTH = 8
CHUNK = 512
LARGEST = 2**53
MOST_ROWS = 16
"""Most rows of a block whose hops are summed row by row."""

RUN_ARGUMENTS = (
    "factors", "residuals", "order", "split", "keep", "cycles", "energy", "share", "failure", "level", "rows",
    "irregular", "left",
)  # fmt: skip

RUN = """
define i64 @run(ptr noalias %%arguments, i64 %%count) {
entry:
  br label %%chunk
chunk:
  %%from = phi i64 [ 0, %%entry ], [ %%to, %%next ]
  %%lefts = phi i64 [ 0, %%entry ], [ %%lefts.end, %%next ]
  %%whole = add i64 %%from, %d
  %%short = icmp sgt i64 %%whole, %%count
  %%to = select i1 %%short, i64 %%count, i64 %%whole
%s
  call void @look(ptr %%arguments, i64 %%from, i64 %%to)
  br label %%sort
sort:
  %%r = phi i64 [ %%from, %%chunk ], [ %%r.next, %%sort ]
  %%fit = phi i64 [ 0, %%chunk ], [ %%fit.next, %%sort ]
  %%lefts.sort = phi i64 [ %%lefts, %%chunk ], [ %%lefts.next, %%sort ]
  %%r.next = add i64 %%r, 1
  %%at.fit = getelementptr i64, ptr %%rows, i64 %%fit
  store i64 %%r, ptr %%at.fit
  %%at.left = getelementptr i64, ptr %%left, i64 %%lefts.sort
  store i64 %%r, ptr %%at.left
  %%at.class = getelementptr i8, ptr %%failure, i64 %%r
  %%class = load i8, ptr %%at.class
  %%fits = icmp eq i8 %%class, 0
  %%fits.one = zext i1 %%fits to i64
  %%fit.next = add i64 %%fit, %%fits.one
  %%other = icmp eq i8 %%class, -1
  %%other.one = zext i1 %%other to i64
  %%lefts.next = add i64 %%lefts.sort, %%other.one
  %%sorted = icmp eq i64 %%r.next, %%to
  br i1 %%sorted, label %%fill, label %%sort
fill:
  %%none = icmp eq i64 %%fit.next, 0
  br i1 %%none, label %%skip, label %%pad
skip:
  br label %%next
pad:
  %%at.pad = getelementptr i64, ptr %%rows, i64 %%fit.next
  %%last = sub i64 %%fit.next, 1
  %%at.last = getelementptr i64, ptr %%rows, i64 %%last
  %%row.last = load i64, ptr %%at.last
  %%pad.one = insertelement <8 x i64> poison, i64 %%row.last, i64 0
  %%pad.all = shufflevector <8 x i64> %%pad.one, <8 x i64> poison, <8 x i32> zeroinitializer
  store <8 x i64> %%pad.all, ptr %%at.pad, align 8
  call void @figures(ptr %%arguments, i64 0, i64 %%fit.next)
  br label %%hard
hard:
  %%h = phi i64 [ 0, %%pad ], [ %%h.next, %%hard ]
  %%lefts.hard = phi i64 [ %%lefts.next, %%pad ], [ %%lefts.hard.next, %%hard ]
  %%h.next = add i64 %%h, 1
  %%at.h = getelementptr i64, ptr %%rows, i64 %%h
  %%row.h = load i64, ptr %%at.h
  %%at.l = getelementptr i64, ptr %%left, i64 %%lefts.hard
  store i64 %%row.h, ptr %%at.l
  %%at.flag = getelementptr i8, ptr %%irregular, i64 %%h
  %%flag = load i8, ptr %%at.flag
  %%flag.one = zext i8 %%flag to i64
  %%lefts.hard.next = add i64 %%lefts.hard, %%flag.one
  %%hards = icmp eq i64 %%h.next, %%fit.next
  br i1 %%hards, label %%next, label %%hard
next:
  %%lefts.end = phi i64 [ %%lefts.next, %%skip ], [ %%lefts.hard.next, %%hard ]
  %%ended = icmp eq i64 %%to, %%count
  br i1 %%ended, label %%done, label %%chunk
done:
  ret i64 %%lefts.end
}
"""
"""Chunks of rows: checks, then the figures of those that pass; returns how many rows are left to the general path."""


class Batch(Lanes):
    """An input array of all mappings: indices begin with the row, which is always that of the lane."""


class Entries(Lanes):
    """How many entries there are: one; taking it away in some lanes leaves one of no accesses."""

    accesses: Lanes


class Rows:
    """The row of each lane."""


def plain_tables(tables: Tables) -> SimpleNamespace:
    """The parts of the tables that are in use, as ordinary arrays."""
    used = {
        "D": int(tables.dims), "P": int(tables.spaces), "S": int(tables.levels), "T": int(tables.tiles),
        "N": int(tables.networks), "R": int(tables.rank_start[int(tables.spaces)]),
    }  # fmt: skip
    result = SimpleNamespace()
    for name, annotation in Tables.__annotations__.items():
        value = getattr(tables, name)
        if isinstance(value, ndarray):
            axes = annotation.replace('"', "'").split("'")[1].split()
            value = np.array(value[tuple(slice(_size(axis, used, n)) for axis, n in zip(axes, value.shape))])
        else:
            value = value.item() if isinstance(value, np.generic) else value
        setattr(result, name, value)
    return result


def _size(axis: str, used: dict[str, int], whole: int) -> int:
    name, _, more = axis.partition("+")
    return used[name] + int(more or 0) if name in used else whole


class _Interpreter(Interpreter):
    def _store_cell(self, array: Lanes, index: tuple[Any, ...], value: Value) -> None:
        if isinstance(array, Entries) and self.mask is not True:
            array, index, value = array.accesses, (*index, 0), 0.0
        super()._store_cell(array, index, value)

    def _index(self, node: Any, frame: Any) -> tuple[Any, ...]:
        return tuple(part for part in super()._index(node, frame) if not isinstance(part, Rows))

    def _eval_Subscript(self, node: Any, frame: Any) -> Any:
        array = self._eval(node.value, frame)
        if isinstance(array, Batch) and isinstance(self._eval(node.slice, frame), Rows):
            return array
        return super()._eval_Subscript(node, frame)


def _batch(shape: tuple[int, ...], values: list[Any]) -> Batch:
    batch = Batch(INT)
    batch.cells = dict(zip(np.ndindex(*shape), values, strict=True))
    return batch


def _starts(size: int, width: int) -> list[int]:
    """Where to read so many words: the last place overlaps the one before rather than reach beyond the end."""
    return [min(start, size - width) for start in range(0, size, width)]


def _arguments() -> list[str]:
    """Loads of all arguments from the array in which they are handed over."""
    lines = []
    for k, name in enumerate(RUN_ARGUMENTS):
        lines.append(f"%given.{name} = getelementptr i64, ptr %arguments, i64 {k}")
        lines.append(f"%{name} = load ptr, ptr %given.{name}")
    return lines


PAIRS = ((0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
FOURS = ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
HALVES = ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))


class Maker:
    """Makes the text of both functions."""

    def __init__(self, tables: Tables) -> None:
        self.tables = plain_tables(tables)

    def text(self) -> str:
        """The whole module."""
        parts, declared = [], set()
        for make in (self._look, self._figures):
            emitter = Emitter(WIDTH)
            parts.append(make(emitter))
            declared |= emitter.declared
        return "\n".join([*sorted(declared), *parts, RUN % (CHUNK, "\n".join(_arguments()))])

    def _begin(self, emit: Emitter, listed: bool) -> tuple[_Interpreter, dict[str, Any]]:
        """Loads of all inputs of the lanes' rows."""
        self.emit, self.listed = emit, listed
        rows = f"load {emit.type(INT)}, ptr %lanes.rows, align 8"
        self.rows = emit.raw(INT, rows) if listed else Vec(INT, "%lanes.next")
        t = self.tables
        inputs = {
            "factors": _batch((t.tiles, t.dims), self._factors()),
            "order": _batch((t.tiles, t.dims), self._bytes("order", t.tiles * t.dims)),
            "split": _batch((t.tiles,), self._bytes("split", t.tiles)),
            "keep": _batch(
                (t.levels, t.spaces), [emit.truth(v) for v in self._bytes("keep", t.levels * t.spaces)]
            ),
        }
        special = {
            "divided": self._divided, "from_unsigned": self._from_unsigned, "to_unsigned": self._to_unsigned,
            "_partition": self._partition, "is_imperfect": self._is_imperfect,
        }  # fmt: skip
        self.work = SimpleNamespace()
        for name, annotation in Workspace.__annotations__.items():
            kind = {"Int64": INT, "Float64": FLOAT, "Bool": BOOL}[annotation.split("[")[0].strip()]
            setattr(self.work, name, Entries(kind) if name == "entries" else Lanes(kind))
        self.work.entries.accesses = self.work.accesses
        for s in range(t.levels):
            block = any(t.tile_spatial[k] and t.tile_storage[k] == s for k in range(t.tiles))
            self.work.width.cells[s,] = self.work.height.cells[s,] = 1
            self.work.block_first.cells[s,], self.work.block_end.cells[s,] = 0, int(block)
            if not block:
                continue
        return _Interpreter(emit, special), inputs

    def _factors(self) -> list[Value]:
        """Loop bounds; those of a dim of one step are 1, or else the mapping is left out (``_is_imperfect``)."""
        words = self._words("factors", self.tables.tiles * self.tables.dims)
        unit = [self.tables.bounds[at % self.tables.dims] == 1 for at in range(len(words))]
        self.unit_factors = [word for word, is_one in zip(words, unit) if is_one]
        return [1 if is_one else word for word, is_one in zip(words, unit)]

    def _words(self, name: str, size: int) -> list[Vec]:
        """The ``size`` words of the lanes' rows, from memory in which a row is contiguous."""
        if size < WIDTH:
            offset = self.emit.arithmetic("*", self.rows, size)
            return [self._gather(name, offset, "i64", at) for at in range(size)]
        words: dict[int, Vec] = {}
        for start in _starts(size, WIDTH):
            block = [self._load(name, lane, "i64", size, start) for lane in range(WIDTH)]
            words.update({start + k: word for k, word in enumerate(self._transposed(block))})
        return [words[at] for at in range(size)]

    def _bytes(self, name: str, size: int) -> list[Vec]:
        """The same for bytes. Up to 64 bytes are read beyond the row: the caller leaves out the last rows."""
        emit = self.emit
        groups: list[Vec] = []
        if size < 32:
            offset = emit.arithmetic("*", self.rows, size)
            groups = [self._gather(name, offset, "i8", at) for at in range(0, size, 8)]
        else:
            for start in range(0, size, 64):
                groups += self._transposed([self._load(name, lane, "i8", size, start) for lane in range(WIDTH)])
        values = []
        for at in range(size):
            moved = emit.raw(INT, f"lshr {emit.type(INT)} {groups[at // 8].name}, {emit.text(at % 8 * 8, INT)}")
            values.append(emit.raw(INT, f"and {emit.type(INT)} {moved.name}, {emit.text(255, INT)}"))
        return values

    def _load(self, name: str, lane: int, element: str, size: int, start: int) -> Vec:
        """A vector of consecutive words of one lane's row."""
        emit = self.emit
        if self.listed:
            at = emit.raw("ptr", f"getelementptr i64, ptr %lanes.rows, i64 {lane}")
            row = emit.raw(INT, f"load i64, ptr {at.name}, align 8").name
        else:
            row = emit.raw(INT, f"add i64 %i, {lane}").name
        offset = emit.raw(INT, f"mul i64 {row}, {size}")
        base = emit.raw("ptr", f"getelementptr {element}, ptr %{name}, i64 {offset.name}")
        address = emit.raw("ptr", f"getelementptr {element}, ptr {base.name}, i64 {start}")
        return emit.raw(INT, f"load {emit.type(INT)}, ptr {address.name}, align 1")

    def _shuffled(self, a: Vec, b: Vec, lanes: tuple[int, ...]) -> Vec:
        emit = self.emit
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        kind = emit.type(INT)
        return emit.raw(INT, f"shufflevector {kind} {a.name}, {kind} {b.name}, <{len(lanes)} x i32> <{mask}>")

    def _transposed(self, rows: list[Vec]) -> list[Vec]:
        """Columns of 8 x 8 words."""
        pairs = [
            self._shuffled(rows[k], rows[k + 1], mask) for mask in PAIRS for k in range(0, 8, 2)
        ]  # even columns of rows 0-1, 2-3, 4-5, 6-7, then odd ones
        fours = [
            [self._shuffled(pairs[4 * odd + 2 * half], pairs[4 * odd + 2 * half + 1], mask) for half in (0, 1)]
            for mask in FOURS
            for odd in (0, 1)
        ]  # columns 0, 4; 1, 5; 2, 6; 3, 7
        return [self._shuffled(*four, mask) for mask in HALVES for four in fours]

    def _is_imperfect(self, *_: Any) -> Value:
        """Whether any residual differs: row by row, then the lanes."""
        emit, size = self.emit, self.tables.tiles * self.tables.dims
        differences: list[Value] = []
        if size < WIDTH:
            pairs = zip(self._words("factors", size), self._words("residuals", size))
            differences = [emit.xor(a, b) for a, b in pairs]
        else:
            rows = []
            for lane in range(WIDTH):
                found: Value = 0
                for start in _starts(size, WIDTH):
                    a, b = (self._load(name, lane, "i64", size, start) for name in ("factors", "residuals"))
                    found = emit.bit_or(found, emit.xor(a, b))
                rows.append(emit.convert(found, INT))
            differences = list(self._transposed(rows))
        result: Value = 0
        for word in self.unit_factors:
            differences.append(emit.xor(word, 1))
        for difference in differences:
            result = emit.bit_or(result, difference)
        return emit.compare("!=", result, 0)

    def _gather(self, name: str, offset: Value, element: str, at: int) -> Vec:
        emit = self.emit
        start = emit.raw("ptr", f"getelementptr {element}, ptr %{name}, i64 {at}")
        address = emit.raw(
            "ptr", f"getelementptr {element}, ptr {start.name}, {emit.type(INT)} {emit.text(offset, INT)}"
        )
        full = f"@llvm.masked.gather.v{WIDTH}i64.v{WIDTH}p0"
        kind, mask, addresses = emit.type(INT), emit.type(BOOL), emit.type("ptr")
        emit.declared.add(f"declare {kind} {full}({addresses}, {mask}, {kind})")
        return emit.raw(
            INT, f"call {kind} {full}({addresses} align 1 {address.name}, {mask} splat (i1 true), {kind} poison)"
        )

    def _scatter(self, name: str, kind: str, value: Value) -> str:
        emit = self.emit
        address = emit.raw("ptr", f"getelementptr i64, ptr %{name}, {emit.type(INT)} {self.rows.name}")
        short = "i64" if kind == INT else "f64"
        full = f"@llvm.masked.scatter.v{emit.width}{short}.v{emit.width}p0"
        emit.declared.add(f"declare void {full}({emit.type(kind)}, <{emit.width} x ptr>, {emit.type(BOOL)})")
        return (
            f"call void {full}({emit.type(kind)} {emit.text(value, kind)}, <{emit.width} x ptr> align 8 {address.name}, "
            f"{emit.type(BOOL)} splat (i1 true))"
        )

    def _store_bytes(self, name: str, value: Value) -> None:
        emit = self.emit
        short = emit.raw("i8", f"trunc {emit.type(INT)} {emit.text(value, INT)} to {emit.type('i8')}")
        emit.lines.append(f"store {emit.type('i8')} {short.name}, ptr %lanes.{name}, align 1")
        
    def _end(self, emit: Emitter, name: str, listed: bool) -> str:
        w = emit.width
        iota = ", ".join(f"i64 {k}" for k in range(w))
        heads = [
            "%i = phi i64 [ %first, %entry ], [ %after, %loop ]",
            f"%after = add i64 %i, {w}",
            "%lanes.rows = getelementptr i64, ptr %rows, i64 %i",
            f"%lanes.one = insertelement <{w} x i64> poison, i64 %i, i64 0",
            f"%lanes.all = shufflevector <{w} x i64> %lanes.one, <{w} x i64> poison, <{w} x i32> zeroinitializer",
            f"%lanes.next = add <{w} x i64> %lanes.all, <{iota}>",
            "%lanes.failure = getelementptr i8, ptr %failure, i64 %i",
            "%lanes.level = getelementptr i8, ptr %level, i64 %i",
            "%lanes.irregular = getelementptr i8, ptr %irregular, i64 %i",
        ]
        lines = [
            f"define internal void @{name}(ptr noalias %arguments, i64 %first, i64 %end) noinline {{", "entry:",
            *_arguments(), "br label %loop", "loop:", *heads, *emit.lines,
            "%more = icmp slt i64 %after, %end", "br i1 %more, label %loop, label %done", "done:", "ret void", "}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _look(self, emit: Emitter) -> str:
        run, given = self._begin(emit, False)
        result = run.run(
            first_look, self.tables, given["factors"], None, given["order"], given["split"],
            given["keep"], Rows(), self.work,
        )  # fmt: skip
        self._store_bytes("failure", result)
        self._store_bytes("level", self.work.failed_level.cells[0,])
        return self._end(emit, "look", False)

    def _figures(self, emit: Emitter) -> str:
        run, given = self._begin(emit, True)
        run.run(
            figures, self.tables, given["factors"], given["order"], given["split"], given["keep"], Rows(), self.work
        )
        cycles = self.work.counts.cells[CYCLES,]
        energy = run.run(total_energy, self.tables, self.work)
        share = run.run(utilization, self.tables, self.work)
        emit.lines.append(self._scatter("cycles", INT, cycles))
        emit.lines.append(self._scatter("energy", FLOAT, energy))
        emit.lines.append(self._scatter("share", FLOAT, share))
        self._store_bytes("irregular", self.work.irregular.cells[0,])
        return self._end(emit, "figures", True)

    # what has another form over vectors: counts are from 0 to 2^53, others make a mapping irregular

    def _counted(self, value: Value) -> Value:
        if isinstance(value, Vec):
            cells = self.work.irregular.cells
            cells[0,] = self.emit.either(cells[0,], self.emit.compare("<", value, 0))
        return value

    def _divided(self, bits: Value, block: int) -> Value:
        emit = self.emit
        value = emit.convert(self._counted(bits), FLOAT)
        if block == 1:
            return value
        if block & (block - 1) == 0:
            return emit.rounded("ceil", emit.arithmetic("*", value, 1.0 / block))
        whole = emit.arithmetic("//", bits, block)
        exact = emit.compare("==", emit.arithmetic("*", whole, block), bits)
        return emit.convert(emit.select(exact, whole, emit.arithmetic("+", whole, 1)), FLOAT)

    def _from_unsigned(self, bits: Value) -> Value:
        return self.emit.convert(self._counted(bits), FLOAT)

    def _to_unsigned(self, value: Value) -> Value:
        return self.emit.convert(value, INT)

    def _partition(self, work: Any, c: int, p: int) -> Value:
        if work.block_first.cells[c + 1,] == work.block_end.cells[c + 1,]:
            return work.partition.cells[c + 1, p]
        product = self.emit.arithmetic("*", work.partition.cells[c + 1, p], work.tile.cells[c, p])
        return self.emit.arithmetic("//", product, work.block_tile.cells[c + 1, p])


def module_text(tables: Tables) -> str:
    """LLVM text of ``run`` for these tables.

    Raises:
        NotStraight: a kernel cannot be run over vectors for them.
    """
    return Maker(tables).text()


def fits(tables: Tables) -> bool:
    """Whether ``regular`` covers the rules, and counts stay so small that doubles hold them."""
    t = plain_tables(tables)
    if t.rules_2022 or t.explicit_blocks or not t.coded or any(t.net_kind == REDUCTION_TREE):
        return False
    if t.hops_needed and max([int(t.compute[2]), *t.mesh_y]) > MOST_ROWS:
        return False
    return all(_most_words(t, p) ** 2 < LARGEST for p in range(t.spaces)) and _most_accesses(t) < LARGEST


def _most_words(t: Any, p: int) -> int:
    """Size of a whole data space."""
    words = 1
    for r in range(t.rank_start[p], t.rank_start[p + 1]):
        words *= 1 + sum(int(step) * (int(bound) - 1) for step, bound in zip(t.rank_step[r], t.bounds))
    return words


def _most_accesses(t: Any) -> int:
    """No count of a mapping is larger: every compute fetches as many words as a strided hull may add to it."""
    most = 1
    for d in range(t.dims):
        most *= int(t.bounds[d])
    growth = 4
    for r in range(t.rank_start[t.spaces]):
        growth *= max(1, int(max(t.rank_step[r])))
    return most * growth

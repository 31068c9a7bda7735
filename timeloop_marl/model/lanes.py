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
from .regular import figures, first_look

WIDTH = 8
ARGUMENTS = (
    "factors", "residuals", "order", "split", "keep", "rows", "cycles", "energy", "share", "failure", "level",
    "irregular",
)  # fmt: skip


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
        return "\n".join(sorted(declared) + parts)

    def _begin(self, emit: Emitter, listed: bool) -> tuple[_Interpreter, dict[str, Any]]:
        """Loads of all inputs of the lanes' rows."""
        self.emit = emit
        rows = emit.raw(INT, f"load {emit.type(INT)}, ptr %lanes.rows, align 8", pure=False) if listed else Vec(INT, "%lanes.next")
        t = self.tables
        inputs: dict[str, Any] = {
            "factors": self._words("factors", rows, (t.tiles, t.dims)),
            "order": self._bytes("order", rows, (t.tiles, t.dims)),
            "split": self._bytes("split", rows, (t.tiles,)),
            "keep": self._bytes("keep", rows, (t.levels, t.spaces)),
        }
        for cell, value in inputs["keep"].cells.items():
            inputs["keep"].cells[cell] = emit.truth(value)
        if not listed:
            inputs["residuals"] = self._words("residuals", rows, (t.tiles, t.dims))
        self.rows = rows
        special = {
            "divided": self._divided, "from_unsigned": self._from_unsigned, "to_unsigned": self._to_unsigned,
            "_partition": self._partition,
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

    def _words(self, name: str, rows: Vec, shape: tuple[int, ...]) -> Batch:
        batch = Batch(INT)
        size = int(np.prod(shape))
        offset = self.emit.arithmetic("*", rows, size)
        for at, cell in enumerate(np.ndindex(*shape)):
            batch.cells[cell] = self._gather(name, offset, "i64", at)
        return batch

    def _bytes(self, name: str, rows: Vec, shape: tuple[int, ...]) -> Batch:
        """Eight at a time; the caller leaves out the last rows, behind which there may be nothing."""
        batch = Batch(INT)
        emit = self.emit
        size = int(np.prod(shape))
        offset = emit.arithmetic("*", rows, size)
        for at, cell in enumerate(np.ndindex(*shape)):
            group = self._gather(name, offset, "i8", at // 8 * 8)
            moved = emit.raw(INT, f"lshr {emit.type(INT)} {group.name}, {emit.text(at % 8 * 8, INT)}")
            batch.cells[cell] = emit.raw(INT, f"and {emit.type(INT)} {moved.name}, {emit.text(255, INT)}")
        return batch

    def _gather(self, name: str, offset: Value, element: str, at: int) -> Vec:
        emit = self.emit
        start = emit.raw("ptr", f"getelementptr {element}, ptr %{name}, i64 {at}")
        address = emit.raw("ptr", f"getelementptr {element}, ptr {start.name}, {emit.type(INT)} {emit.text(offset, INT)}")
        full = f"@llvm.masked.gather.v{emit.width}i64.v{emit.width}p0"
        kind, mask = emit.type(INT), emit.type(BOOL)
        emit.declared.add(f"declare {kind} {full}(<{emit.width} x ptr>, {mask}, {kind})")
        return emit.raw(
            INT,
            f"call {kind} {full}(<{emit.width} x ptr> align 1 {address.name}, {mask} splat (i1 true), {kind} poison)",
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
        loads = []
        for k, argument in enumerate(ARGUMENTS):
            loads.append(f"%at.{argument} = getelementptr i64, ptr %arguments, i64 {k}")
            loads.append(f"%{argument} = load ptr, ptr %at.{argument}")
        loads.append(f"%at.count = getelementptr i64, ptr %arguments, i64 {len(ARGUMENTS)}")
        loads.append("%count = load i64, ptr %at.count")
        w = emit.width
        iota = ", ".join(f"i64 {k}" for k in range(w))
        heads = [
            "%i = phi i64 [ 0, %entry ], [ %after, %loop ]",
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
            f"define i64 @{name}(ptr noalias %arguments) {{", "entry:", *loads, "br label %loop", "loop:", *heads,
            *emit.lines, "%more = icmp slt i64 %after, %count", "br i1 %more, label %loop, label %done", "done:",
            "ret i64 0", "}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _look(self, emit: Emitter) -> str:
        run, given = self._begin(emit, False)
        result = run.run(
            first_look, self.tables, given["factors"], given["residuals"], given["order"], given["split"],
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

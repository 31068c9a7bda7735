"""The cost model over vectors of mappings (see ``vectors``): what runs, and its text for one machine and problem."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from ..kernels.vectors.emit import BOOL, FLOAT, INT, Emitter, Value, Vec
from ..kernels.vectors.interpret import Interpreter, Lanes, NotStraightError
from ..kernels.vectors.memory import RUN, WIDTH, Memory, starts
from ..traffic.geometry import Geometry
from ..traffic.levels import CYCLES, bypass, count_computes, count_traffic, mark_present, share_out
from ..traffic.nest import grow, is_imperfect, measure_spread, spread_levels
from ..traffic.packed import hop_table, shape_key
from ..traffic.regular_block import fill_regular_block
from ..traffic.regular_links import list_neighbours
from ..traffic.regular_loops import fetch_regular, list_steps, measure_boxes, weigh_loops
from ..traffic.workspace import Workspace
from .checks import IMPERFECT, check_compute, check_storage, measure_held
from .evaluate import total_energy, utilization
from .noc import REDUCTION_TREE
from .outcome import Failure
from .pricing import count_cycles, network_energy, storage_energy
from .rates import Rates

OK = int(Failure.OK)


@kernel
def first_look(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> int:
    """Failure class of row i, or ``IMPERFECT``: the checks of ``survey``, all of them."""
    work.failed_level[0] = 0
    presence = mark_present(geometry, keep[i], work)
    measure_spread(geometry, factors, order, split, i, work)
    spread_levels(geometry, work)
    failure, level = OK, -1
    for d in range(geometry.dims):
        work.reach[d] = 1
    for t in range(geometry.tiles):
        grow(geometry, factors, i, t, work)
        if geometry.tile_spatial[t]:
            continue
        s = geometry.tile_storage[t]
        measure_held(geometry, work, s)
        found = check_storage(geometry, work, s, False)
        level = s + 1 if failure == OK and found != OK else level
        failure = found if failure == OK else failure
    if is_imperfect(geometry, factors, residuals, i):
        failure, level = IMPERFECT, -1
    found = check_compute(geometry, work)
    if found != OK:
        failure, level = found, 0
    if presence != OK:
        failure, level = IMPERFECT, -1  # the general path finds out which
    work.failed_level[0] = level
    return failure


@kernel
def _fill_level(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    s: int,
    t: int,
) -> None:
    """Entries of level s; t is its spatial tiling level, -1 if there is none."""
    if t >= 0:
        list_neighbours(geometry, factors, order, split, i, work, t)
    for p in range(geometry.spaces):
        links = t >= 0 and geometry.link_transfers and not geometry.no_link_transfer[s, p]
        if t >= 0:
            fill_regular_block(geometry, factors, order, split, i, work, t, p, links)
        else:
            words = fetch_regular(geometry, factors, order, i, work, s, p, False, False)
            work.entries[s, p] = 1
            work.links[s, p] = 0.0
            work.unicast[s, p, 0] = 0.0
            work.multicast[s, p, 0] = 1
            work.scatter[s, p, 0] = 1
            work.accesses[s, p, 0] = float(words)
            work.hops[s, p, 0] = 0.0


@kernel
def figures(
    geometry: Geometry,
    rates: Rates,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> None:
    """All figures of a mapping that passed ``first_look``; nothing if it is irregular."""
    work.irregular[0] = False
    mark_present(geometry, keep[i], work)
    measure_spread(geometry, factors, order, split, i, work)
    spread_levels(geometry, work)
    measure_boxes(geometry, factors, i, work)
    list_steps(geometry, factors, order, i, work)
    work.counters[0] = 1.0
    work.counters[1] = float(weigh_loops(geometry, factors, order, i, work))
    for s in range(geometry.levels):
        block = -1
        for t in range(geometry.tiles):
            if geometry.tile_spatial[t] and geometry.tile_storage[t] == s:
                block = t
        _fill_level(geometry, factors, order, split, i, work, s, block)
    count_computes(work, False)
    share_out(geometry, work)
    bypass(geometry, work)
    if not count_traffic(geometry, work):
        work.irregular[0] = True
    cycles = count_cycles(geometry, rates, work)
    for s in range(geometry.levels):
        storage_energy(geometry, rates, work, s, cycles)
    for n in range(rates.networks):
        network_energy(geometry, rates, work, n)


CHUNK = 512
LARGEST = 2**53
MOST_ROWS = 16
"""Most rows of a block whose hops are summed row by row."""

RUN_ARGUMENTS = (
    "factors", "residuals", "order", "split", "keep", "cycles", "energy", "share", "failure", "level", "rows",
    "irregular", "left",
)  # fmt: skip


class Batch(Lanes):
    """An input array of all mappings: indices begin with the row, which is always that of the lane."""


class Entries(Lanes):
    """How many entries there are, the same for all lanes; taking them away in some leaves entries of no accesses."""

    accesses: Lanes


class Rows:
    """The row of each lane."""


def plain_records(geometry: Geometry, rates: Rates) -> tuple[SimpleNamespace, SimpleNamespace]:
    """The parts of the records that are in use, as ordinary arrays."""
    used = {
        "D": int(geometry.dims), "P": int(geometry.spaces), "S": int(geometry.levels), "T": int(geometry.tiles),
        "N": int(rates.networks), "R": int(geometry.rank_start[int(geometry.spaces)]),
    }  # fmt: skip
    return _plain(Geometry, geometry, used), _plain(Rates, rates, used)


def _plain(kind: type, record: Geometry | Rates, used: dict[str, int]) -> SimpleNamespace:
    result = SimpleNamespace()
    for name, annotation in kind.__annotations__.items():
        value = getattr(record, name)
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
            count = array.cells[index]
            assert isinstance(count, int)
            for e in range(count):
                super()._store_cell(array.accesses, (*index, e), 0.0)
            return
        super()._store_cell(array, index, value)

    def _index(self, node: Any, frame: Any) -> tuple[Any, ...]:
        return tuple(part for part in super()._index(node, frame) if not isinstance(part, Rows))

    def _eval_subscript(self, node: Any, frame: Any) -> Any:
        array = self._eval(node.value, frame)
        if isinstance(array, Batch) and isinstance(self._eval(node.slice, frame), Rows):
            return array
        return super()._eval_subscript(node, frame)


def _batch(shape: tuple[int, ...], values: list[Any]) -> Batch:
    batch = Batch(INT)
    batch.cells = dict(zip(np.ndindex(*shape), values, strict=True))
    return batch


def _arguments() -> list[str]:
    """Loads of all arguments from the array in which they are handed over."""
    lines = []
    for k, name in enumerate(RUN_ARGUMENTS):
        lines.append(f"%given.{name} = getelementptr i64, ptr %arguments, i64 {k}")
        lines.append(f"%{name} = load ptr, ptr %given.{name}")
    return lines


class Maker:
    """Makes the text of both functions."""

    def __init__(self, geometry: Geometry, rates: Rates) -> None:
        self.geometry, self.rates = plain_records(geometry, rates)

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
        self.emit, self.memory = emit, Memory(emit, listed)
        t = self.geometry
        inputs = {
            "factors": _batch((t.tiles, t.dims), self._factors()),
            "order": _batch((t.tiles, t.dims), self.memory.bytes("order", t.tiles * t.dims)),
            "split": _batch((t.tiles,), self.memory.bytes("split", t.tiles)),
            "keep": _batch(
                (t.levels, t.spaces), [emit.truth(v) for v in self.memory.bytes("keep", t.levels * t.spaces)]
            ),
        }
        special: dict[str, Callable[..., Any]] = {
            "divided": self._divided, "from_unsigned": self._from_unsigned, "to_unsigned": self._to_unsigned,
            "_partition": self._partition, "is_imperfect": self._is_imperfect,
            "packed_hops": self._packed_hops,
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
        self.run = _Interpreter(emit, special)
        return self.run, inputs

    def _factors(self) -> list[Value]:
        """Loop bounds; those of a dim of one step are 1, or else the mapping is left out (``_is_imperfect``)."""
        words = self.memory.words("factors", self.geometry.tiles * self.geometry.dims)
        unit = [self.geometry.bounds[at % self.geometry.dims] == 1 for at in range(len(words))]
        self.unit_factors = [word for word, is_one in zip(words, unit) if is_one]
        return [1 if is_one else word for word, is_one in zip(words, unit)]

    def _is_imperfect(self, *_: Any) -> Value:
        """Whether any residual differs: row by row, then the lanes."""
        emit, size = self.emit, self.geometry.tiles * self.geometry.dims
        differences: list[Value] = []
        if size < WIDTH:
            pairs = zip(self.memory.words("factors", size), self.memory.words("residuals", size))
            differences = [emit.xor(a, b) for a, b in pairs]
        else:
            rows = []
            for lane in range(WIDTH):
                found: Value = 0
                for start in starts(size, WIDTH):
                    a, b = (
                        self.memory.load(name, lane, "i64", size, start) for name in ("factors", "residuals")
                    )
                    found = emit.bit_or(found, emit.xor(a, b))
                rows.append(emit.convert(found, INT))
            differences = list(self.memory.transposed(rows))
        result: Value = 0
        for word in self.unit_factors:
            differences.append(emit.xor(word, 1))
        for difference in differences:
            result = emit.bit_or(result, difference)
        return emit.compare("!=", result, 0)

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
            first_look, self.geometry, given["factors"], None, given["order"], given["split"],
            given["keep"], Rows(), self.work,
        )  # fmt: skip
        self._store_bytes("failure", result)
        self._store_bytes("level", self.work.failed_level.cells[0,])
        return self._end(emit, "look", False)

    def _figures(self, emit: Emitter) -> str:
        run, given = self._begin(emit, True)
        run.run(
            figures,
            self.geometry,
            self.rates,
            given["factors"],
            given["order"],
            given["split"],
            given["keep"],
            Rows(),
            self.work,
        )
        cycles = self.work.counts.cells[CYCLES,]
        energy = run.run(total_energy, self.geometry, self.rates, self.work)
        share = run.run(utilization, self.geometry, self.work)
        self.memory.scatter("cycles", INT, cycles)
        self.memory.scatter("energy", FLOAT, energy)
        self.memory.scatter("share", FLOAT, share)
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

    def _packed_hops(
        self, geometry: Any, factors: Batch, order: Batch, i: Rows, _: Any, t: int, p: int
    ) -> Value:
        """A look-up by shape instead of a walk over the children."""
        emit, s = self.emit, geometry.tile_storage[t].item()
        table = hop_table(geometry.fanout_x[s].item(), geometry.fanout_y[s].item())
        if table is None:
            raise NotStraightError("hops of packed blocks")
        key = self.run.run(shape_key, geometry, factors, order, i, t, p)
        bucket = emit.bit_and(key, len(table.moved) - 1)
        start = emit.shifted("lshr", emit.arithmetic("*", key, signed(table.factor)), table.shift)
        slot = emit.xor(start, emit.lookup(table.moved, INT, bucket))
        return emit.lookup(table.hops, FLOAT, slot)


def signed(word: int) -> int:
    """The same 64 bits as a signed integer."""
    return word - 2**64 if word >= 2**63 else word


def module_text(geometry: Geometry, rates: Rates) -> str:
    """LLVM text of ``run`` for these records.

    Raises:
        NotStraightError: a kernel cannot be run over vectors for them.
    """
    return Maker(geometry, rates).text()


def fits(geometry: Geometry, rates: Rates) -> bool:
    """Whether ``regular`` covers the rules, and counts stay so small that doubles hold them."""
    t, priced = plain_records(geometry, rates)
    if t.rules_2022 or t.explicit_blocks or not t.coded or any(priced.net_kind == REDUCTION_TREE):
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

"""Rows of arrays in memory to vectors and back, and the loop over rows around both kernels."""

from __future__ import annotations

from .emit import BOOL, INT, Emitter, Value, Vec

WIDTH = 8

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
"""Chunks of rows: ``look`` at each, then ``figures`` of those that pass; returns how many rows are left over."""


PAIRS = ((0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
FOURS = ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
HALVES = ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))


class Memory:
    """Arrays, by the name of their pointer, in which the rows of mappings are contiguous.

    Args:
        emit: the code that is being made.
        listed: the lanes' rows are those of a list; otherwise consecutive ones.
    """

    def __init__(self, emit: Emitter, listed: bool) -> None:
        self.emit, self.listed = emit, listed
        rows = f"load {emit.type(INT)}, ptr %lanes.rows, align 8"
        self.rows = emit.raw(INT, rows) if listed else Vec(INT, "%lanes.next")

    def words(self, name: str, size: int) -> list[Vec]:
        """The ``size`` words of the lanes' rows, from memory in which a row is contiguous."""
        if size < WIDTH:
            offset = self.emit.arithmetic("*", self.rows, size)
            return [self._gather(name, offset, "i64", at) for at in range(size)]
        words: dict[int, Vec] = {}
        for start in starts(size, WIDTH):
            block = [self.load(name, lane, "i64", size, start) for lane in range(WIDTH)]
            words.update({start + k: word for k, word in enumerate(self.transposed(block))})
        return [words[at] for at in range(size)]

    def bytes(self, name: str, size: int) -> list[Vec]:
        """The same for bytes. Up to 64 bytes are read beyond the row: the caller leaves out the last rows."""
        emit = self.emit
        groups: list[Vec] = []
        if size < 32:
            offset = emit.arithmetic("*", self.rows, size)
            groups = [self._gather(name, offset, "i8", at) for at in range(0, size, 8)]
        else:
            for start in range(0, size, 64):
                groups += self.transposed([self.load(name, lane, "i8", size, start) for lane in range(WIDTH)])
        values = []
        for at in range(size):
            moved = emit.raw(
                INT, f"lshr {emit.type(INT)} {groups[at // 8].name}, {emit.text(at % 8 * 8, INT)}"
            )
            values.append(emit.raw(INT, f"and {emit.type(INT)} {moved.name}, {emit.text(255, INT)}"))
        return values

    def load(self, name: str, lane: int, element: str, size: int, start: int) -> Vec:
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

    def transposed(self, rows: list[Vec]) -> list[Vec]:
        """Columns of 8 x 8 words."""
        pairs = [
            self._shuffled(rows[k], rows[k + 1], mask) for mask in PAIRS for k in range(0, 8, 2)
        ]  # even columns of rows 0-1, 2-3, 4-5, 6-7, then odd ones
        fours = [
            [
                self._shuffled(pairs[4 * odd + 2 * half], pairs[4 * odd + 2 * half + 1], mask)
                for half in (0, 1)
            ]
            for mask in FOURS
            for odd in (0, 1)
        ]  # columns 0, 4; 1, 5; 2, 6; 3, 7
        return [self._shuffled(low, high, mask) for mask in HALVES for low, high in fours]

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
            INT,
            f"call {kind} {full}({addresses} align 1 {address.name}, {mask} splat (i1 true), {kind} poison)",
        )

    def scatter(self, name: str, kind: str, value: Value) -> None:
        """Store a word of each lane at its row."""
        emit = self.emit
        address = emit.raw("ptr", f"getelementptr i64, ptr %{name}, {emit.type(INT)} {self.rows.name}")
        short = "i64" if kind == INT else "f64"
        full = f"@llvm.masked.scatter.v{emit.width}{short}.v{emit.width}p0"
        emit.declared.add(f"declare void {full}({emit.type(kind)}, <{emit.width} x ptr>, {emit.type(BOOL)})")
        emit.lines.append(
            f"call void {full}({emit.type(kind)} {emit.text(value, kind)}, "
            f"<{emit.width} x ptr> align 8 {address.name}, {emit.type(BOOL)} splat (i1 true))"
        )


def starts(size: int, width: int) -> list[int]:
    """Where to read so many words: the last place overlaps the one before rather than reach beyond the end."""
    return [min(start, size - width) for start in range(0, size, width)]

"""The Trace: every evaluated sample of a search, in order, on disk; append-only and safe against kill -9 at any byte.

File: magic, header block, then one block per batch. A block is ``length, CRC-32, payload``; what a killed process left
half-written at the end is dropped on reading. Blocks go to the operating system (``write``) before the searcher is
told, so a killed process loses nothing it had evaluated; against power failure the file is synced every few seconds.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from .schema import damaged, fitted
from .tables import Tabular

MAGIC = b"TLMARL\x00\x01"
SYNC_SECONDS = 5.0
_FRAME = struct.Struct("<II")
_BATCH = struct.Struct("<IIdB")  # rows, rows asked for, seconds of search so far, bytes per candidate entry


_MOST_COLUMNS = 1 << 20
_FAILURES = [int(failure) for failure in Failure]


class Header(TypedDict):
    """First block of a trace; what else identifies the search may be anything."""

    axes: int
    accesses: int


@dataclass(frozen=True)
class TraceBatch:
    """One ask and its outcomes: candidates (m, axes), how many were asked for, search seconds at its end."""

    candidates: Int64[ndarray, "m axes"]
    outcome: Outcome
    asked: int
    seconds: float


class TraceWriter:
    """Appends batches. ``create`` starts a file, ``append_to`` goes on behind its last whole block."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self._synced = time.monotonic()

    @classmethod
    def create(cls, path: str | Path, header: Mapping[str, Any]) -> TraceWriter:
        """Start a new trace; ``UsageError`` if the file exists (a trace is never overwritten)."""
        file = Path(path)
        if file.exists():
            raise UsageError(f"{file}: there is a trace already; resume it, or choose another folder")
        # The header appears whole or not at all: a process killed here leaves no trace that cannot be read.
        young = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            young.unlink(
                missing_ok=True
            )  # of a killed process of the same number, or a link that leads elsewhere
            descriptor = os.open(young, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            writer = cls(file, descriptor)
            writer._write(MAGIC + _framed(json.dumps(dict(header), sort_keys=True).encode()))
            os.fsync(descriptor)
            young.replace(file)
        except OSError as error:
            raise UsageError(f"{file}: cannot write the trace: {error.strerror}") from error
        return writer

    @classmethod
    def append_to(cls, trace: TraceReader) -> TraceWriter:
        """Go on with a trace that was read to its end; a half-written block there is cut off."""
        try:
            descriptor = os.open(trace.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            os.ftruncate(descriptor, trace.end)
        except OSError as error:
            raise UsageError(f"{trace.path}: cannot write the trace: {error.strerror}") from error
        return cls(trace.path, descriptor)

    def append(self, batch: TraceBatch) -> None:
        """Write one batch. On return a killed process has lost nothing; after some seconds neither has the disk.

        Raises:
            UsageError: nothing can be written, or the file was deleted or replaced since.
        """
        self._write(_framed(_pack(batch)))
        self._check_place()
        now = time.monotonic()
        if now - self._synced > SYNC_SECONDS:
            os.fsync(self._descriptor)
            self._synced = now

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise UsageError(f"{self.path}: cannot write the trace: {error.strerror}") from error

    def _check_place(self) -> None:
        """What goes on writing into a file that nobody finds any more would be lost at its end."""
        try:
            there = os.path.samestat(os.fstat(self._descriptor), self.path.lstat())
        except OSError:
            there = False
        if not there:
            raise UsageError(
                f"{self.path}: deleted or replaced while the search was running; start anew with another -o folder"
            )

    def close(self) -> None:
        """Sync and close."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class TraceReader:
    """Reads a trace. ``header`` is known at once; ``end`` is the offset behind the last whole block read so far."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.dropped = 0  # bytes of a half-written block at the end, known once all batches are read
        try:
            self._size = self.path.stat().st_size
            with self.path.open("rb") as stream:
                magic = stream.read(len(MAGIC))
                self.end = len(MAGIC)
                found = self._block(stream) if magic == MAGIC else None
        except OSError as error:
            raise UsageError(f"{self.path}: cannot read the trace: {error.strerror}") from error
        if found is None:
            raise UsageError(f"{self.path}: not a trace of timeloop-marl (or it was cut before its header)")
        try:
            content = json.loads(found)
        except (ValueError, RecursionError):
            raise damaged(self.path, "its header is not JSON") from None
        self.header: dict[str, Any] = dict(fitted(self.path, content, Header))
        self._sizes = self.header["axes"], self.header["accesses"]
        if not all(0 <= size <= _MOST_COLUMNS for size in self._sizes):
            raise damaged(self.path, f"rows of {self._sizes[0]} choices and {self._sizes[1]} counts")
        self._start = self.end

    def skip_to(self, end: int) -> None:
        """Take the blocks up to the offset ``end`` as read.

        Raises ``UsageError`` if the file does not end there: somebody else has written to it.
        """
        if self._size != end:
            raise UsageError(f"{self.path}: another run has written here since this one did")
        self.end = end

    def batches(self) -> Iterator[TraceBatch]:
        """All whole batches, in order. Raises ``UsageError`` if the file is damaged before its end."""
        self.end, self.dropped = self._start, 0
        with self.path.open("rb") as stream:
            stream.seek(self.end)
            while (payload := self._block(stream)) is not None:
                try:
                    yield _unpack(payload, *self._sizes)
                except ValueError as error:
                    raise damaged(self.path, f"the block before byte {self.end}: {error}") from None
        self.dropped = self._size - self.end

    def _block(self, stream: Any) -> bytes | None:
        frame = stream.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(frame)
        payload: bytes = stream.read(length)
        if len(payload) < length:
            return None
        after = self.end + _FRAME.size + length
        if zlib.crc32(payload) != crc:
            if after < self._size:
                raise UsageError(
                    f"{self.path}: damaged at byte {self.end} of {self._size}; "
                    "whole blocks follow, so this is no half-written end: restore the file, or start anew"
                )
            return None
        self.end = after
        return payload


def sample_count(path: str | Path) -> int:
    """Samples in a trace, without reading them; 0 if there is none or it cannot be read."""
    try:
        reader = TraceReader(path)
        size, count, at = reader.path.stat().st_size, 0, reader.end
        with reader.path.open("rb") as stream:
            while at + _FRAME.size + _BATCH.size <= size:
                stream.seek(at)
                length, _ = _FRAME.unpack(stream.read(_FRAME.size))
                rows = _BATCH.unpack(stream.read(_BATCH.size))[0]
                at += _FRAME.size + length
                count += rows if at <= size else 0
    except (UsageError, OSError, struct.error):
        return 0
    return count


@dataclass(frozen=True, repr=False)
class Trace(Tabular):
    """All samples of a search, in the order in which they were evaluated. m rows, b batches.

    Attributes:
        header: what was searched, by whom: fingerprint of the input (``spec``), ``searcher``, ``seed``, ``options``,
            ``objective``, ``evaluator``, ``versions``, ``axes``, ``accesses``.
        candidates: rows of the searcher's mapspace, whose ``decode`` gives the mappings (``LearnersMapspace(spec)`` for
            all but Timeloop's own mappers).
        outcome: cycles, energy (pJ), utilisation, failure of every row.
        sizes: rows of every batch; ``asked``: how many the searcher was asked for.
        seconds: of search at the end of every batch, summed over resumed runs.
    """

    header: Mapping[str, Any]
    candidates: Int64[ndarray, "m axes"]
    outcome: Outcome
    sizes: Int64[ndarray, "b"]
    asked: Int64[ndarray, "b"]
    seconds: Float64[ndarray, "b"]

    def __len__(self) -> int:
        return len(self.candidates)

    def headline(self) -> str:
        """What was searched by whom."""
        valid = int((self.outcome.failure == Failure.OK).sum())
        return f"{len(self):,} samples, {valid:,} valid; {self.header.get('searcher')}, {self.header.get('objective')}"

    def columns(self) -> dict[str, Any]:
        """A row for every sample; figures of invalid ones are 0."""
        outcome = self.outcome
        return {
            "sample": np.arange(1, len(self) + 1),
            "valid": outcome.failure == Failure.OK,
            "failure": [Failure(code).name.lower() for code in outcome.failure.tolist()],
            "cycles": outcome.cycles,
            "energy_pj": outcome.energy_pj,
            "edp": outcome.energy_pj * outcome.cycles,
            "utilization": outcome.utilization,
        }


def read_trace(path: str | Path) -> Trace:
    """Read ``trace.bin``, or that of a run folder; also while the run goes on.

    Raises:
        UsageError: there is none, or it is damaged before its end.
    """
    reader = TraceReader(Path(path) / "trace.bin" if Path(path).is_dir() else path)
    batches = list(reader.batches())
    parts = batches or [_unpack(_BATCH.pack(0, 0, 0.0, 1), reader.header["axes"], reader.header["accesses"])]
    columns: dict[str, Any] = {}
    for column in fields(Outcome):
        values = [getattr(part.outcome, column.name) for part in parts]
        columns[column.name] = None if values[0] is None else np.concatenate(values)
    return Trace(
        header=reader.header,
        candidates=np.concatenate([part.candidates for part in parts]),
        outcome=Outcome(**columns),
        sizes=np.array([len(batch.candidates) for batch in batches], np.int64),
        asked=np.array([batch.asked for batch in batches], np.int64),
        seconds=np.array([batch.seconds for batch in batches], np.float64),
    )


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _pack(batch: TraceBatch) -> bytes:
    rows, o = batch.candidates, batch.outcome
    # Negative entries (bit patterns of 64-bit ids) survive the unsigned form only at full width.
    largest = int(rows.max(initial=0)) if rows.min(initial=0) >= 0 else 1 << 62
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4 if largest < 1 << 32 else 8
    columns = [
        rows.astype(f"<u{width}"),
        o.cycles.astype("<i8"),
        o.energy_pj.astype("<f8"),
        o.utilization.astype("<f8"),
        o.failure.astype("<i1"),
        o.failed_level.astype("<i1"),
    ]
    if o.accesses is not None:
        columns.append(o.accesses.astype("<i8"))
    head = _BATCH.pack(len(rows), batch.asked, batch.seconds, width)
    return head + b"".join(column.tobytes() for column in columns)


def _unpack(payload: bytes, axes: int, accesses: int) -> TraceBatch:
    if len(payload) < _BATCH.size:
        raise ValueError("it has no head")
    m, asked, seconds, width = _BATCH.unpack_from(payload)
    offset = _BATCH.size
    expected = offset + m * (axes * width + 3 * 8 + 2 + accesses * 8)
    if width not in (1, 2, 4, 8) or len(payload) != expected:
        raise ValueError(f"{len(payload)} bytes, expected {expected} of {m} rows")

    def column(kind: str, count: int) -> ndarray:
        nonlocal offset
        values = np.frombuffer(payload, kind, count, offset)
        offset += values.nbytes
        return values

    batch = TraceBatch(
        candidates=column(f"<u{width}", m * axes).astype(np.int64).reshape(m, axes),
        outcome=Outcome(
            cycles=column("<i8", m).astype(np.int64),
            energy_pj=column("<f8", m).astype(np.float64),
            utilization=column("<f8", m).astype(np.float64),
            failure=column("<i1", m).astype(np.int8),
            failed_level=column("<i1", m).astype(np.int8),
            accesses=column("<i8", m * accesses).astype(np.int64).reshape(m, accesses) if accesses else None,
        ),
        asked=asked,
        seconds=seconds,
    )
    outcome = batch.outcome
    if not np.isin(outcome.failure, _FAILURES).all() or not seconds >= 0 or (m and not m <= asked):
        raise ValueError("a failure that there is not, a time below 0, or more rows than were asked for")
    if not np.isfinite(outcome.energy_pj).all() or not np.isfinite(outcome.utilization).all():
        raise ValueError("an energy or a utilisation that is no number")
    return batch

"""Outcomes of evaluated mappings on disk, shared by runs and processes: nothing slow is paid for twice.

SQLite in write-ahead mode: several processes write at the same time, and a process killed at any moment leaves a file
that can be read. Entries are addressed by content: SHA-256 over what the costs depend on and over the loop nest.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from ..cost.outcome import Failure, Outcome, Rejection, Statistics
from ..errors import UsageError
from ..specs.mapping import Mapping, MappingBatch
from .base import Evaluator
from .wrappers import joined

BUSY_SECONDS = 60.0
VERSION = b"timeloop-marl outcomes 1"
_HEAD = struct.Struct(
    "<qddbb"
)  # cycles, energy pJ, utilisation, failure, failed level; accesses follow, int64 each


class OutcomeCache:
    """The file. Safe under concurrent writers and kill -9; entries are never changed.

    Args:
        path: the file; made when it is not there.

    Raises:
        UsageError: it cannot be opened, or is no such cache.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._own = threading.local()  # a connection belongs to one thread of one process
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection()
        except (OSError, sqlite3.Error) as error:
            raise self._error("cannot be opened", error) from error

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """One-row outcomes of those keys that are known."""
        found: dict[bytes, Outcome] = {}
        try:
            connection = self._connection()
            for key in set(keys):
                row = connection.execute("SELECT value FROM outcome WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = _unpacked(row[0])
        except (sqlite3.Error, struct.error) as error:
            raise self._error("cannot be read", error) from error
        return found

    def put(self, key: bytes, outcome: Outcome) -> None:
        """Add a one-row outcome; on return it survives a kill -9. A key that is there already stays as it is."""
        try:
            self._connection().execute("INSERT OR IGNORE INTO outcome VALUES (?, ?)", (key, _packed(outcome)))
        except sqlite3.Error as error:
            raise self._error("cannot be written", error) from error

    def __len__(self) -> int:
        try:
            return int(self._connection().execute("SELECT COUNT(*) FROM outcome").fetchone()[0])
        except sqlite3.Error as error:
            raise self._error("cannot be read", error) from error

    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread; a forked child must not go on with its parent's."""
        if getattr(self._own, "process", None) != os.getpid():
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            # In write-ahead mode NORMAL is safe against killed processes; power failure may cost the last entries.
            with closing(connection.execute("PRAGMA journal_mode = WAL")):
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS outcome (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )
            self._own.connection, self._own.process = connection, os.getpid()
        connection = self._own.connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def __reduce__(self) -> tuple[type[OutcomeCache], tuple[Path]]:
        return OutcomeCache, (self.path,)

    def _error(self, what: str, error: Exception) -> UsageError:
        return UsageError(
            f"{self.path}: the cache of evaluated mappings {what}: {error}; "
            "give another file with --cache, or remove this one"
        )


class CachedEvaluator:
    """Asks an evaluator about mappings that are not in the cache, and adds them one by one.

    Threads that come upon the same new mapping at the same time evaluate it once; processes may both do so.

    Args:
        evaluator: asked about single mappings, so that one that was paid for is kept even if the next one crashes.
        cache: the file.
        identity: what costs depend on beside the mapping: machine, problem, tables, options, evaluator and version.
    """

    def __init__(self, evaluator: Evaluator, cache: OutcomeCache, identity: str) -> None:
        self.name = evaluator.name
        self.hits = self.misses = 0
        self._evaluator, self._cache, self._identity = evaluator, cache, identity
        self._lock = threading.Lock()
        self._under_way: dict[bytes, threading.Event] = {}

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
        if not len(mappings):
            return self._evaluator(mappings)
        keys = [mapping_key(self._identity, mappings, i) for i in range(len(mappings))]
        known = self._cache.get(keys)
        self.hits += sum(key in known for key in keys)
        for i, key in enumerate(keys):
            if key not in known:
                known[key] = self._evaluated_once(key, mappings.take(slice(i, i + 1)))
        return joined([known[key] for key in keys])

    def _evaluated_once(self, key: bytes, row: MappingBatch) -> Outcome:
        """The outcome of a new mapping: our own, or that of the thread that has begun with it before."""
        while True:
            with self._lock:
                other = self._under_way.get(key)
                if other is None:
                    found = self._cache.get([key])  # it may have ended since we looked
                    if found:
                        self.hits += 1
                        return found[key]
                    self._under_way[key] = threading.Event()
                    break
            other.wait()
        try:
            return self._evaluated(key, row)
        finally:
            with self._lock:
                self._under_way.pop(key).set()

    def _evaluated(self, key: bytes, row: MappingBatch) -> Outcome:
        outcome = self._evaluator(row)
        self.misses += 1
        # What crashed may be well the next time (memory, time limit): only verdicts of the model stay.
        if outcome.failure[0] != Failure.OTHER:
            self._cache.put(key, outcome)
        return outcome

    def __reduce__(self) -> tuple[type[CachedEvaluator], tuple[Evaluator, OutcomeCache, str]]:
        return CachedEvaluator, (self._evaluator, self._cache, self._identity)

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        """Every figure of one mapping, or why it is invalid; evaluated anew, the cache holds outcomes only."""
        return self._evaluator.statistics(mapping)


def mapping_key(identity: str, mappings: MappingBatch, row: int) -> bytes:
    """The key of a mapping: loops of bound 1 and their order, which change nothing, do not tell mappings apart."""
    factors, residuals = mappings.factors[row], mappings.residuals[row]
    order, split = mappings.order[row], mappings.split[row]
    position = np.arange(order.shape[1])
    digest = hashlib.sha256(VERSION)
    digest.update(identity.encode() + b"\0")
    for t in range(factors.shape[0]):
        bounds = factors[t, order[t]]
        loops = np.stack([order[t], bounds, residuals[t, order[t]], position < split[t]], axis=1)[
            (bounds > 1) | (residuals[t, order[t]] != bounds)
        ]
        digest.update(struct.pack("<q", len(loops)) + loops.astype("<i8").tobytes())
    digest.update(np.packbits(mappings.keep[row]).tobytes())
    return digest.digest()


def _packed(outcome: Outcome) -> bytes:
    head = _HEAD.pack(
        int(outcome.cycles[0]),
        float(outcome.energy_pj[0]),
        float(outcome.utilization[0]),
        int(outcome.failure[0]),
        int(outcome.failed_level[0]),
    )
    return head if outcome.accesses is None else head + outcome.accesses[0].astype("<i8").tobytes()


def _unpacked(value: bytes) -> Outcome:
    cycles, energy, utilization, failure, level = _HEAD.unpack_from(value)
    rest = np.frombuffer(value, "<i8", offset=_HEAD.size).astype(np.int64)
    return Outcome(
        cycles=np.array([cycles], np.int64),
        energy_pj=np.array([energy], np.float64),
        utilization=np.array([utilization], np.float64),
        failure=np.array([failure], np.int8),
        failed_level=np.array([level], np.int8),
        accesses=rest[None, :] if len(rest) else None,
    )

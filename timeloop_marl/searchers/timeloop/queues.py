"""Which index factorisations (or, for ``random``, triples) a thread visits, in order: independent of any outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from jaxtyping import Int64, UInt64
from numpy import ndarray

from ...kernels.compiling import allocating, kernel
from ...mapspace.timeloop import MapspaceIds, TimeloopMapspace
from ...parallel.interruption import go_on
from .rng import Uniform, multiply_add, new_engine, take_digit, uniform_pair

BATCH = 512
TRIPLES = 4096


class Queue(Protocol):
    """A stream of candidate rows whose order, split and bypass digits matter for ``random`` only."""

    def more(self) -> Int64[ndarray, "Q axes"]:
        """The next entries; none = the algorithm is exhausted."""
        ...


@allocating
def draw_digits(
    engine: Int64[ndarray, "1"],
    limits: UInt64[ndarray, "3"],
    factor: int,
    addend: int,
    radices: Int64[ndarray, "k"],
    columns: Int64[ndarray, "Q k"],
) -> None:
    """Draw numbers, map each to ``factor * number + addend`` and write its mixed radix digits."""
    pair = np.empty(2, np.uint64)
    for i in range(columns.shape[0]):
        uniform_pair(engine, limits, pair)
        multiply_add(pair, factor, addend)
        for k in range(radices.shape[0]):
            columns[i, k] = take_digit(pair, radices[k])


@kernel
def count_up(
    row: Int64[ndarray, "k"], step: int, radices: Int64[ndarray, "k"], rows: Int64[ndarray, "Q k"]
) -> None:
    """Write ``row`` and its successors ``step`` apart; leaves the one after the last in ``row``."""
    for i in range(rows.shape[0]):
        for k in range(row.shape[0]):
            rows[i, k] = row[k]
        carry = step
        for k in range(row.shape[0]):
            value = row[k] + carry
            carry = value // radices[k]
            row[k] = value % radices[k]


class Counted:
    """linear_pruned and exhaustive: every factorisation of the thread's share, in order."""

    def __init__(self, space: TimeloopMapspace, thread: int, threads: int) -> None:
        self._space, self._threads = space, threads
        self._left = space.share(thread, threads)
        self._radices = space.radices[1 : 1 + space.dims]
        self._row = np.zeros(space.dims, np.int64)
        if self._left:
            ids = MapspaceIds(thread, 0, 0, 0)
            self._row[:] = space.candidate(ids)[1 : 1 + space.dims]

    def more(self) -> Int64[ndarray, "Q axes"]:
        """The next factorisations."""
        count = min(BATCH, self._left)
        rows = np.zeros((count, self._space.axes), np.int64)
        digits = np.zeros((count, self._space.dims), np.int64)
        count_up(self._row, self._threads, self._radices, digits)
        rows[:, 1 : 1 + self._space.dims] = digits
        self._left -= count
        return rows


class _Drawn:
    """Draws the digits of a sub-space with an engine of its own."""

    def __init__(self, size: int, radices: Int64[ndarray, "k"], thread: int = 0, threads: int = 1) -> None:
        self._engine, self._limits = new_engine(), Uniform.below(size).limits
        self._radices, self._thread, self._threads = np.ascontiguousarray(radices), thread, threads

    def __call__(self, count: int) -> Int64[ndarray, "Q k"]:
        columns = np.zeros((count, len(self._radices)), np.int64)
        draw_digits(self._engine, self._limits, self._threads, self._thread, self._radices, columns)
        return columns


def _without_seen(rows: Int64[ndarray, "Q axes"], seen: set[bytes]) -> Int64[ndarray, "q axes"]:
    """Drop what was drawn before, and remember the rest."""
    fresh = np.zeros(len(rows), np.bool_)
    for i, key in enumerate(row.tobytes() for row in rows):
        if key not in seen:
            seen.add(key)
            fresh[i] = True
    return rows[fresh]


class _Filtered:
    """Common part of the drawn queues: option filter_revisits."""

    def __init__(self, size: int, axes: int, filter_revisits: bool) -> None:
        self._size, self._axes = size, axes
        self._seen: set[bytes] | None = set() if filter_revisits else None

    def _fresh(self, draw: Callable[[], Int64[ndarray, "Q axes"]]) -> Int64[ndarray, "Q axes"]:
        empty = np.zeros((0, self._axes), np.int64)
        if self._size == 0:
            return empty
        if self._seen is None:
            return draw()
        fresh = empty
        while not len(fresh) and len(self._seen) < self._size:
            go_on()
            fresh = _without_seen(draw(), self._seen)
        return fresh


class DrawnFactorizations(_Filtered):
    """hybrid and random_pruned: factorisations drawn at random; hybrid starts with local id 0, not marked as seen."""

    def __init__(
        self, space: TimeloopMapspace, thread: int, threads: int, start: bool, filter_revisits: bool
    ) -> None:
        share = space.share(thread, threads)
        super().__init__(share, space.axes, filter_revisits)
        self._space = space
        self._draw = _Drawn(share, space.radices[1 : 1 + space.dims], thread, threads)
        self._start = Counted(space, thread, threads).more()[:1] if start else None

    def more(self) -> Int64[ndarray, "Q axes"]:
        """The next factorisations."""
        if self._start is not None:
            start, self._start = self._start, None
            return start
        return self._fresh(self._rows)

    def _rows(self) -> Int64[ndarray, "Q axes"]:
        rows = np.zeros((BATCH, self._space.axes), np.int64)
        rows[:, 1 : 1 + self._space.dims] = self._draw(BATCH)
        return rows


class DrawnTriples(_Filtered):
    """random: factorisation, permutation and split drawn independently, each with an engine of its own."""

    def __init__(self, space: TimeloopMapspace, thread: int, threads: int, filter_revisits: bool) -> None:
        share = space.share(thread, threads)
        sizes = space.sizes
        super().__init__(share * sizes.loop_permutation * sizes.spatial, space.axes, filter_revisits)
        orders = 1 + space.dims
        splits = orders + len(space.tiling_levels)
        self._axes = space.axes
        self._draws = (
            (slice(1, orders), _Drawn(share, space.radices[1:orders], thread, threads)),
            (slice(orders, splits), _Drawn(sizes.loop_permutation, space.radices[orders:splits])),
            (slice(splits, -1), _Drawn(sizes.spatial, space.radices[splits:-1])),
        )

    def more(self) -> Int64[ndarray, "Q axes"]:
        """The next triples."""
        return self._fresh(self._rows)

    def _rows(self) -> Int64[ndarray, "Q axes"]:
        rows = np.zeros((TRIPLES, self._axes), np.int64)
        for columns, draw in self._draws:
            rows[:, columns] = draw(TRIPLES)
        return rows


def queue_of(
    space: TimeloopMapspace, algorithm: str, thread: int, threads: int, filter_revisits: bool
) -> Queue:
    """The queue of one thread of an algorithm."""
    if algorithm == "random":
        return DrawnTriples(space, thread, threads, filter_revisits)
    if algorithm == "hybrid":
        return DrawnFactorizations(space, thread, threads, True, filter_revisits)
    if algorithm == "random_pruned":
        return DrawnFactorizations(space, thread, threads, False, False)
    return Counted(space, thread, threads)

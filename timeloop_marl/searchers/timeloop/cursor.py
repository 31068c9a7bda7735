"""State of one thread's enumeration and the block of samples it proposes, as plain arrays for the kernels."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64, UInt64
from numpy import ndarray

from ...mapspace.timeloop import TimeloopMapspace
from .rng import Uniform, new_engine


class At(IntEnum):
    """Where each number stands in ``Cursor.at``."""

    INSIDE = 0  # 1 while an index factorisation is being enumerated
    HEAD = 1  # next entry of the queue
    ORDERS_LEFT = 2  # random_pruned: permutations still to be drawn for this factorisation
    BYPASS = 3
    GROUP_FAILURES = 4  # failed bypass ids of the current (factorisation, permutation, split)
    CONSTRUCTION = 5  # construction failure of the current triple, -1 = none
    NEW_TRIPLE = 6  # 1 until the current triple was prepared
    NEED_ORDER = 7  # random_pruned: 1 if the next permutation has to be drawn


class Count(IntEnum):
    """Where each counter stands (mapspace section 3)."""

    TOTAL = 0
    VALID = 1
    FANOUT = 2  # failures since the last valid mapping, as counted towards the timeout
    CAPACITY = 3
    SUBOPTIMAL = 4
    HAS_BEST = 5
    ALL_FANOUT = 6
    ALL_CAPACITY = 7


class Rule(IntEnum):
    """Where each constant of a run stands; ``NO_LIMIT`` switches a limit off."""

    PRUNED = 0
    NESTED = 1  # 0: random, where every queue entry is one triple and nothing is skipped
    DRAWN_ORDERS = 2  # random_pruned: permutations are drawn
    MAX_ORDERS = 3
    SEARCH_SIZE = 4
    VICTORY = 5
    TIMEOUT = 6
    VALID_LIMIT = 7  # random: exhausted when that many were valid
    PENALIZE = 8
    BYPASS_SIZE = 9


class Stop(IntEnum):
    """Why a block of proposals ended."""

    FULL = 0
    QUEUE_EMPTY = 1
    TERMINATION = 2  # predicted
    PAUSE = 3


class Last(IntEnum):
    """Whether a sample ended its group of bypass ids, and what was then predicted."""

    NO = 0
    GO_ON = 1
    SKIP = 2


NO_LIMIT = 2**62
MOST_ORDERS = 2**30


class Cursor(NamedTuple):
    """Position of a thread: everything that a replay has to restore."""

    at: Int64[ndarray, "8"]
    counts: Int64[ndarray, "8"]
    row: Int64[ndarray, "axes"]
    previous: Int64[ndarray, "axes"]
    order_radix: Int64[ndarray, "T"]
    split_radix: Int64[ndarray, "C"]
    raw: Int64[ndarray, "T D"]
    factors: Int64[ndarray, "T D"]
    residuals: Int64[ndarray, "T D"]
    order: Int8[ndarray, "T D"]
    split: Int8[ndarray, "T"]
    volumes: Int64[ndarray, "S P"]
    keep: Bool[ndarray, "S P"]
    engine: Int64[ndarray, "1"]  # of the permutations that random_pruned draws
    order_limits: UInt64[ndarray, "3"]

    def copy(self) -> Cursor:
        """An independent copy."""
        return Cursor(*(array.copy() for array in self))

    def restore(self, other: Cursor) -> None:
        """Take over the content of a copy."""
        for mine, theirs in zip(self, other):
            mine[...] = theirs


class Block(NamedTuple):
    """Samples proposed at once. Rows stand for constructible samples only: construction failures need no model."""

    rows: Int64[ndarray, "R axes"]
    failed_rows: Int64[ndarray, "F axes"]  # construction failures, only with diagnostics
    construction: Int64[ndarray, "N"]  # per sample: construction failure, -1 = none
    same: Bool[ndarray, "N"]  # differs from the sample before in its bypass id alone
    last: Int8[ndarray, "N"]  # see Last


def new_cursor(space: TimeloopMapspace) -> Cursor:
    """A cursor before the first sample."""
    levels, dims = len(space.tiling_levels), space.dims
    storage, spaces = len(space.architecture.storage), len(space.problem.data_spaces)
    at = np.zeros(len(At), np.int64)
    return Cursor(
        at, np.zeros(len(Count), np.int64), np.zeros(space.axes, np.int64), np.full(space.axes, -1, np.int64),
        np.ones(levels, np.int64), np.ones(len(space.spatial_levels), np.int64),
        np.ones((levels, dims), np.int64), np.ones((levels, dims), np.int64), np.ones((levels, dims), np.int64),
        np.zeros((levels, dims), np.int8), np.full(levels, dims, np.int8),
        np.zeros((storage, spaces), np.int64), np.zeros((storage, spaces), np.bool_),
        new_engine(), Uniform.below(space.sizes.loop_permutation).limits,
    )  # fmt: skip


def new_block(space: TimeloopMapspace, rows: int, samples: int, diagnostics: bool) -> Block:
    """Room for ``samples`` samples, ``rows`` of them to be evaluated."""
    return Block(
        np.zeros((rows, space.axes), np.int64),
        np.zeros((samples if diagnostics else 0, space.axes), np.int64),
        np.zeros(samples, np.int64),
        np.zeros(samples, np.bool_),
        np.zeros(samples, np.int8),
    )


class Ledger(NamedTuple):
    """What accounting reports back per valid sample of a block, and the thread's best costs."""

    row: Int64[ndarray, "R"]
    total: Int64[ndarray, "R"]
    invalid_since: Int64[ndarray, "R"]
    suboptimal_since: Int64[ndarray, "R"]
    improved: Bool[ndarray, "R"]
    best: Float64[ndarray, "K"]


def new_ledger(rows: int, metrics: int) -> Ledger:
    """A ledger for blocks of at most ``rows`` rows."""
    return Ledger(
        np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int64),
        np.zeros(rows, np.bool_), np.zeros(metrics, np.float64),
    )  # fmt: skip

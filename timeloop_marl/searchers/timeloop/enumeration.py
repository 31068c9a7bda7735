"""The order in which Timeloop's mappers visit samples (mapspace section 4), run ahead of the evaluations.

The visits depend on outcomes in one way only: if all bypass ids of a (factorisation, permutation, split) fail, the rest
of the factorisation is skipped. ``propose`` predicts failures with the capacity pre-check, so whole blocks of samples
are known before any is evaluated; a wrong prediction costs the rest of its block, never a wrong sequence.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ...mapspace.jit import kernel
from ...mapspace.kernels import (
    capacity_failure,
    construction_failure,
    order_radix,
    split_radix,
    tile_volumes,
    unpack_bypass,
    unpack_dim,
    unpack_order,
    unpack_split,
)
from ...mapspace.tables import CapacityTables, FactorTables, LevelTables
from .counting import count_sample, is_over
from .cursor import MOST_ORDERS, At, Block, Count, Cursor, Last, Rule, Stop
from .rng import take_digit, uniform_pair


@kernel
def propose(
    lists: FactorTables,
    choices: LevelTables,
    capacity: CapacityTables,
    rules: Int64[ndarray, "10"],
    cursor: Cursor,
    queue: Int64[ndarray, "Q axes"],
    block: Block,
    max_rows: int,
    max_samples: int,
    known: Bool[ndarray, "k"],
    pause_at: int,
) -> tuple[int, int, int, int]:
    """Fill a block with the next samples; returns (rows, samples, failed rows, why it ended).

    ``known``: true failures of the first k rows, in place of predictions. ``pause_at``: stop before the sample that
    follows that many.
    """
    at, counts, row = cursor.at, cursor.counts, cursor.row
    rows, samples, failed_rows = 0, 0, 0
    while True:
        if rows == max_rows or samples == max_samples:
            return rows, samples, failed_rows, Stop.FULL
        if is_over(rules, counts):
            return rows, samples, failed_rows, Stop.TERMINATION
        if counts[Count.TOTAL] == pause_at:
            return rows, samples, failed_rows, Stop.PAUSE
        if at[At.INSIDE] == 0:
            if at[At.HEAD] == queue.shape[0]:
                return rows, samples, failed_rows, Stop.QUEUE_EMPTY
            enter(lists, choices, capacity, rules, cursor, queue)
        same = True
        if at[At.NEW_TRIPLE] == 1:
            same = prepare_triple(choices, cursor)
        row[row.shape[0] - 1] = at[At.BYPASS]
        # The very same id again is not exempt: only a change of the bypass alone is.
        same = same and cursor.previous[row.shape[0] - 1] != at[At.BYPASS]
        cursor.previous[row.shape[0] - 1] = at[At.BYPASS]
        block.same[samples] = same
        block.construction[samples] = at[At.CONSTRUCTION]
        failed = False
        if at[At.CONSTRUCTION] >= 0:
            if block.failed_rows.shape[0] > 0:
                block.failed_rows[failed_rows] = row
                failed_rows += 1
            count_sample(counts, rules, same, 1, False)
        else:
            block.rows[rows] = row
            if rows < known.shape[0]:
                failed = known[rows]
            else:
                unpack_bypass(choices, at[At.BYPASS], cursor.keep)
                failed = capacity_failure(capacity, cursor.volumes, cursor.keep) >= 0
            rows += 1
            count_sample(counts, rules, same, 2 if failed else 0, counts[Count.HAS_BEST] == 0)
        block.last[samples] = advance(rules, cursor, failed)
        samples += 1


@kernel
def enter(
    lists: FactorTables,
    choices: LevelTables,
    capacity: CapacityTables,
    rules: Int64[ndarray, "10"],
    cursor: Cursor,
    queue: Int64[ndarray, "Q axes"],
) -> None:
    """Begin the next queue entry: a factorisation, or for ``random`` a whole triple."""
    at, row, raw = cursor.at, cursor.row, cursor.raw
    levels, dims = raw.shape
    row[:] = queue[at[At.HEAD]]
    at[At.HEAD] += 1
    pruned = rules[Rule.PRUNED] == 1
    row[0] = rules[Rule.PRUNED]
    for d in range(dims):
        unpack_dim(lists, d, row[1 + d], raw, cursor.factors, cursor.residuals)
    tile_volumes(capacity, cursor.factors, cursor.volumes)
    at[At.INSIDE] = 1
    at[At.NEW_TRIPLE] = 1
    at[At.BYPASS] = 0
    at[At.GROUP_FAILURES] = 0
    if rules[Rule.NESTED] == 0:
        return
    orders = 1
    for t in range(levels):
        cursor.order_radix[t] = order_radix(choices, t, pruned, raw)
        orders = min(MOST_ORDERS, orders * min(MOST_ORDERS, cursor.order_radix[t]))
        if choices.spatial[t]:
            cursor.split_radix[choices.split_column[t]] = split_radix(choices, t, pruned, raw)
    row[1 + dims :] = 0
    at[At.ORDERS_LEFT] = min(orders, rules[Rule.MAX_ORDERS])
    if rules[Rule.DRAWN_ORDERS] == 1:
        draw_order(cursor)


@kernel
def draw_order(cursor: Cursor) -> None:
    """Draw a permutation id from the full range, modulo the size of the pruned sub-space."""
    levels, dims = cursor.raw.shape
    pair = np.empty(2, np.uint64)
    uniform_pair(cursor.engine, cursor.order_limits, pair)
    for t in range(levels):
        cursor.row[1 + dims + t] = take_digit(pair, cursor.order_radix[t])


@kernel
def prepare_triple(choices: LevelTables, cursor: Cursor) -> bool:
    """Decode a new (factorisation, permutation, split) for the fan-out filter; True if it is the last one again."""
    row, levels, dims = cursor.row, cursor.raw.shape[0], cursor.raw.shape[1]
    pruned = row[0] == 1
    same = True
    for k in range(row.shape[0] - 1):
        if row[k] != cursor.previous[k]:
            same = False
            cursor.previous[k] = row[k]
    for t in range(levels):
        if choices.spatial[t]:
            unpack_order(choices, t, pruned, cursor.raw, row[1 + dims + t], cursor.order[t])
            digit = row[1 + dims + levels + choices.split_column[t]]
            cursor.split[t] = unpack_split(choices, t, pruned, cursor.raw, digit)
    cursor.at[At.CONSTRUCTION] = construction_failure(choices, cursor.factors, cursor.order, cursor.split)
    cursor.at[At.NEW_TRIPLE] = 0
    return same


@kernel
def advance(rules: Int64[ndarray, "10"], cursor: Cursor, failed: bool) -> int:
    """Move on after a sample; returns the ``Last`` mark of that sample."""
    at = cursor.at
    at[At.BYPASS] += 1
    if rules[Rule.NESTED] == 0:
        if at[At.BYPASS] == rules[Rule.BYPASS_SIZE]:
            at[At.INSIDE] = 0
        return Last.NO
    if failed:
        at[At.GROUP_FAILURES] += 1
    if at[At.CONSTRUCTION] < 0 and at[At.BYPASS] < rules[Rule.BYPASS_SIZE]:
        return Last.NO
    skip = at[At.GROUP_FAILURES] == rules[Rule.BYPASS_SIZE]
    at[At.GROUP_FAILURES] = 0
    at[At.BYPASS] = 0
    if skip:
        at[At.INSIDE] = 0
        return Last.SKIP
    next_triple(rules, cursor)
    return Last.GO_ON


@kernel
def next_triple(rules: Int64[ndarray, "10"], cursor: Cursor) -> None:
    """The next split; after the last one the next permutation; after that the factorisation is done."""
    at, row = cursor.at, cursor.row
    levels, dims = cursor.raw.shape
    at[At.NEW_TRIPLE] = 1
    if step_digits(row, 1 + dims + levels, cursor.split_radix):
        return
    if rules[Rule.DRAWN_ORDERS] == 1:
        at[At.ORDERS_LEFT] -= 1
        if at[At.ORDERS_LEFT] > 0:
            draw_order(cursor)
            return
    elif step_digits(row, 1 + dims, cursor.order_radix):
        return
    at[At.INSIDE] = 0


@kernel
def step_digits(row: Int64[ndarray, "axes"], first: int, radices: Int64[ndarray, "k"]) -> bool:
    """Add 1 to the mixed radix number in ``row``; False if it wrapped to 0."""
    for k in range(radices.shape[0]):
        row[first + k] += 1
        if row[first + k] < radices[k]:
            return True
        row[first + k] = 0
    return False

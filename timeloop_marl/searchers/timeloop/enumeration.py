"""The order in which Timeloop's mappers visit samples (mapspace section 4), run ahead of the evaluations.

The visits depend on outcomes in one way only: if all bypass ids of a (factorisation, permutation, split) fail, the rest
of the factorisation is skipped. ``propose`` predicts failures with the capacity pre-check, so whole blocks of samples
are known before any is evaluated; a wrong prediction costs the rest of its block, never a wrong sequence.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from ...kernels.compiling import allocating, inlined, kernel
from ...kernels.record import Box
from ...mapspace.factorization import FactorTables
from ...mapspace.kernels import (
    capacity_failure,
    construction_failure,
    level_radices,
    tile_volumes,
    unpack_bypass,
    unpack_dim,
    unpack_orders,
)
from ...mapspace.patterns import LevelTables
from ...traffic.geometry import Geometry
from .counting import count_sample, is_over
from .cursor import MOST_ORDERS, At, Block, Count, Cursor, Last, Rule, Stop
from .rng import take_digit, uniform_pair


@kernel
def propose(
    geometry_box: Box[Geometry],
    lists: FactorTables,
    choices: LevelTables,
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
    geometry = geometry_box[0]
    at, counts, row, previous = cursor.at, cursor.counts, cursor.row, cursor.previous
    same_as_before, construction, last, bypass_column = (
        block.same,
        block.construction,
        block.last,
        row.shape[0] - 1,
    )
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
            enter(geometry, lists, choices, rules, cursor, queue)
        same = True
        if at[At.NEW_TRIPLE] == 1:
            same = prepare_triple(geometry, choices, cursor)
        # The very same id again is not exempt: only a change of the bypass alone is.
        same = same and previous[bypass_column] != at[At.BYPASS]
        row[bypass_column] = at[At.BYPASS]
        previous[bypass_column] = at[At.BYPASS]
        same_as_before[samples] = same
        construction[samples] = at[At.CONSTRUCTION]
        failed = False
        if at[At.CONSTRUCTION] >= 0:
            if block.failed_rows.shape[0] > 0:
                copy_row(row, block.failed_rows, failed_rows)
                failed_rows += 1
            count_sample(counts, rules, same, 1, False)
        else:
            copy_row(row, block.rows, rows)
            if rows < known.shape[0]:
                failed = known[rows]
            else:
                failed = predict(geometry, choices, at[At.BYPASS], cursor.volumes, cursor.keep)
            rows += 1
            count_sample(counts, rules, same, 2 if failed else 0, counts[Count.HAS_BEST] == 0)
        last[samples] = advance(rules, at, failed)
        if last[samples] == Last.GO_ON:
            next_triple(rules, at, row, cursor.raw.shape, cursor.order_radix, cursor.split_radix)
            if at[At.NEED_ORDER] == 1:
                draw_order(cursor)
        samples += 1


@kernel
def predict(
    geometry: Geometry,
    choices: LevelTables,
    bypass: int,
    volumes: Int64[ndarray, "S P"],
    keep: Bool[ndarray, "S P"],
) -> bool:
    """Whether the capacity pre-check fails; ``keep`` is scratch."""
    unpack_bypass(choices, bypass, keep)
    return capacity_failure(geometry, volumes, keep) >= 0


@inlined
def copy_row(source: Int64[ndarray, "axes"], target: Int64[ndarray, "m axes"], index: int) -> None:
    """Copy digits into a row: numba's own array copy is slower by far on so few."""
    for k in range(source.shape[0]):
        target[index, k] = source[k]


@kernel
def enter(
    geometry: Geometry,
    lists: FactorTables,
    choices: LevelTables,
    rules: Int64[ndarray, "10"],
    cursor: Cursor,
    queue: Int64[ndarray, "Q axes"],
) -> None:
    """Begin the next queue entry: a factorisation, or for ``random`` a whole triple."""
    at, row, raw = cursor.at, cursor.row, cursor.raw
    levels, dims = raw.shape
    for k in range(row.shape[0]):
        row[k] = queue[at[At.HEAD], k]
    at[At.HEAD] += 1
    pruned = rules[Rule.PRUNED] == 1
    row[0] = rules[Rule.PRUNED]
    for d in range(dims):
        unpack_dim(lists, d, row[1 + d], raw, cursor.factors, cursor.residuals)
    tile_volumes(geometry, cursor.factors, cursor.volumes)
    at[At.INSIDE] = 1
    at[At.NEW_TRIPLE] = 1
    at[At.BYPASS] = 0
    at[At.GROUP_FAILURES] = 0
    if rules[Rule.NESTED] == 0:
        return
    level_radices(choices, pruned, raw, cursor.order_radix, cursor.split_radix)
    orders = 1
    for t in range(levels):
        orders = min(MOST_ORDERS, orders * min(MOST_ORDERS, cursor.order_radix[t]))
    for k in range(1 + dims, row.shape[0]):
        row[k] = 0
    at[At.ORDERS_LEFT] = min(orders, rules[Rule.MAX_ORDERS])
    if rules[Rule.DRAWN_ORDERS] == 1:
        draw_order(cursor)


@allocating
def draw_order(cursor: Cursor) -> None:
    """Draw a permutation id from the full range, modulo the size of the pruned sub-space."""
    levels, dims = cursor.raw.shape
    pair = np.empty(2, np.uint64)
    uniform_pair(cursor.engine, cursor.order_limits, pair)
    for t in range(levels):
        cursor.row[1 + dims + t] = take_digit(pair, cursor.order_radix[t])


@kernel
def prepare_triple(geometry: Geometry, choices: LevelTables, cursor: Cursor) -> bool:
    """Decode a new (factorisation, permutation, split) for the fan-out filter; True if it is the last one again."""
    row = cursor.row
    same = True
    for k in range(row.shape[0] - 1):
        if row[k] != cursor.previous[k]:
            same = False
            cursor.previous[k] = row[k]
    unpack_orders(choices, True, cursor.raw, row, cursor.order, cursor.split)
    cursor.at[At.CONSTRUCTION] = construction_failure(
        geometry, choices, cursor.factors, cursor.order, cursor.split
    )
    cursor.at[At.NEW_TRIPLE] = 0
    return same


@inlined
def advance(rules: Int64[ndarray, "10"], at: Int64[ndarray, "8"], failed: bool) -> int:
    """Move on after a sample, to the next bypass id or out of its group; returns the ``Last`` mark of the sample."""
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
    return Last.GO_ON


@inlined
def next_triple(
    rules: Int64[ndarray, "10"],
    at: Int64[ndarray, "8"],
    row: Int64[ndarray, "axes"],
    shape: tuple[int, int],
    order_radix: Int64[ndarray, "T"],
    split_radix: Int64[ndarray, "C"],
) -> None:
    """The next split; after the last one the next permutation; after that the factorisation is done."""
    levels, dims = shape
    at[At.NEW_TRIPLE] = 1
    at[At.NEED_ORDER] = 0
    if step_digits(row, 1 + dims + levels, split_radix):
        return
    if rules[Rule.DRAWN_ORDERS] == 1:
        at[At.ORDERS_LEFT] -= 1
        at[At.NEED_ORDER] = 1 if at[At.ORDERS_LEFT] > 0 else 0
        at[At.INSIDE] = at[At.NEED_ORDER]
    elif not step_digits(row, 1 + dims, order_radix):
        at[At.INSIDE] = 0


@inlined
def step_digits(row: Int64[ndarray, "axes"], first: int, radices: Int64[ndarray, "k"]) -> bool:
    """Add 1 to the mixed radix number in ``row``; False if it wrapped to 0."""
    for k in range(radices.shape[0]):
        row[first + k] += 1
        if row[first + k] < radices[k]:
            return True
        row[first + k] = 0
    return False

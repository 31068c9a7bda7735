"""Local moves on canonical rows: one factor elsewhere, two factors exchanged, two loops swapped, a bypass toggled."""

from __future__ import annotations

import numpy as np

from ...kernels.compiling import inlined, kernel
from .decoding import load_factors, value_of
from .drawing import draw
from .tables import Tables, Work

MOVE, EXCHANGE, SWAP, TOGGLE = 0, 1, 2, 3
_NOWHERE = -1


@inlined
def _move(tables: Tables, work: Work, row: np.ndarray) -> int:
    """A factor to another slot: every second time the next one in or out, else any. A loop bound also by 2 or 3."""
    item = draw(work.state, work.chosen.shape[0])
    axis, count = tables.item_axis[item], tables.item_count[item]
    if tables.item_bound[item] and draw(work.state, 3) == 0:
        _scale(tables, row, item, 2 if draw(work.state, 2) == 0 else 3, draw(work.state, 2) == 0)
        return axis
    if draw(work.state, 2) == 0:
        step = 1 if draw(work.state, 2) == 0 else -1
        if 0 <= row[axis] + step < count:
            row[axis] += step
            return axis
    row[axis] = (row[axis] + 1 + draw(work.state, count - 1)) % count
    return axis


@inlined
def _choose(tables: Tables, row: np.ndarray, item: int, value: int) -> None:
    """The largest bound up to ``value``."""
    choice = 0
    while value_of(tables, item, choice) > max(1, value):
        choice += 1
    row[tables.item_axis[item]] = choice


@inlined
def _scale(tables: Tables, row: np.ndarray, item: int, by: int, up: bool) -> None:
    value = value_of(tables, item, row[tables.item_axis[item]])
    _choose(tables, row, item, value * by if up else -(-value // by))


@inlined
def _trade(tables: Tables, work: Work, row: np.ndarray, a: int) -> int:
    """Two bounds of one dim take each other's value, or one grows by 2 or 3 and the other shrinks."""
    count = work.chosen.shape[0]
    start, kind, up = draw(work.state, count), draw(work.state, 3), draw(work.state, 2) == 0
    for k in range(count):
        b = (start + k) % count
        if b == a or not tables.item_bound[b] or tables.item_dim[b] != tables.item_dim[a]:
            continue
        if kind > 0:
            _scale(tables, row, a, kind + 1, up)
            _scale(tables, row, b, kind + 1, not up)
        else:
            value_a = value_of(tables, a, row[tables.item_axis[a]])
            value_b = value_of(tables, b, row[tables.item_axis[b]])
            _choose(tables, row, a, value_b)
            _choose(tables, row, b, value_a)
        return tables.item_axis[a]
    return _NOWHERE


@inlined
def _exchange(tables: Tables, work: Work, row: np.ndarray) -> int:
    """Two factors in different slots take each other's slot."""
    count = work.chosen.shape[0]
    a = draw(work.state, count)
    if tables.item_bound[a]:
        return _trade(tables, work, row, a)
    start = draw(work.state, count)
    slot_a = tables.item_slots[tables.item_first[a] + row[tables.item_axis[a]]]
    for k in range(count):
        b = (start + k) % count
        slot_b = tables.item_slots[tables.item_first[b] + row[tables.item_axis[b]]]
        to_b, to_a = _NOWHERE, _NOWHERE
        for choice in range(tables.item_count[a]):
            if tables.item_slots[tables.item_first[a] + choice] == slot_b:
                to_b = choice
        for choice in range(tables.item_count[b]):
            if tables.item_slots[tables.item_first[b] + choice] == slot_a:
                to_a = choice
        if slot_a != slot_b and to_a != _NOWHERE and to_b != _NOWHERE:
            row[tables.item_axis[a]] = to_b
            row[tables.item_axis[b]] = to_a
            return tables.item_axis[a]
    return _NOWHERE


@inlined
def _swap(tables: Tables, work: Work, row: np.ndarray) -> bool:
    """Two loops of one level and side change places, one of them drawn to the inside every second time."""
    T, D = work.factor.shape
    load_factors(tables, work, row)
    start = draw(work.state, T)
    for k in range(T):
        t = (start + k) % T
        first = draw(work.state, D)
        for i in range(D):
            d = (first + i) % D
            if work.factor[t, d] == 1 or tables.rank_axis[t, d] < 0:
                continue
            wish = 0 if draw(work.state, 2) == 0 else draw(work.state, D)
            chosen = _NOWHERE
            for e in range(D):
                if (
                    e != d
                    and work.factor[t, e] > 1
                    and tables.rank_axis[t, e] >= 0
                    and work.side[t, e] == work.side[t, d]
                    and (chosen == _NOWHERE or row[tables.rank_axis[t, e]] == wish)
                ):
                    chosen = e
            if chosen != _NOWHERE:
                a, b = tables.rank_axis[t, d], tables.rank_axis[t, chosen]
                row[a], row[b] = row[b], row[a]
                return True
    return False


@inlined
def _toggle(tables: Tables, work: Work, row: np.ndarray) -> bool:
    """A free data space kept or bypassed at one level."""
    S, P = tables.keep_axis.shape
    start = draw(work.state, S * P)
    for k in range(S * P):
        s, p = divmod((start + k) % (S * P), P)
        axis = tables.keep_axis[s, p]
        if axis >= 0:
            row[axis] = 1 - row[axis]
            return True
    return False


@kernel
def move_row(tables: Tables, work: Work, row: np.ndarray, count: int, weights: np.ndarray) -> int:
    """Apply ``count`` random moves; returns the column of the last moved factor, -1 none."""
    total = weights.sum()
    first = _NOWHERE
    for _ in range(count):
        kind, mark = MOVE, draw(work.state, total)
        while mark >= weights[kind]:
            mark -= weights[kind]
            kind += 1
        done = False
        if kind == SWAP:
            done = _swap(tables, work, row)
        elif kind == TOGGLE:
            done = _toggle(tables, work, row)
        elif kind == EXCHANGE and work.chosen.shape[0] > 0:
            axis = _exchange(tables, work, row)
            done = axis != _NOWHERE
            if done:
                first = axis
        if not done and work.chosen.shape[0] > 0:
            first = _move(tables, work, row)
    return first


@kernel
def move_rows(
    tables: Tables,
    work: Work,
    rows: np.ndarray,
    seeds: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
) -> None:
    """Apply ``counts[i]`` random moves to row i; ``weights`` (4,) int: chances of the kinds of move.

    ``first[i]``: the column of the last moved factor, whose wish the repair serves first.
    """
    for i in range(rows.shape[0]):
        work.state[0] = seeds[i]
        first[i] = move_row(tables, work, rows[i], counts[i], weights)

"""Hops of packed blocks: the walk over children and the table by shape against the definition (section 5.2)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from timeloop_marl.traffic.packed import HopTable, group_hops, hop_table


def defined(bounds: tuple[int, ...], moves: tuple[int, ...], columns: int, rows: int) -> float:
    """Last column of each group, and in each of its columns up and down from the middle row."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for child, digits in enumerate(itertools.product(*(range(n) for n in reversed(bounds)))):
        place = tuple(x for x, moving in zip(reversed(digits), moves, strict=True) if moving)
        groups.setdefault(place, []).append(child)
    total, centre = 0.0, (rows - 1) / 2
    for members in groups.values():
        total += max(child % columns for child in members)
        for column in {child % columns for child in members}:
            used = [child // columns for child in members if child % columns == column]
            total += max(0.0, centre - min(used)) + max(0.0, max(used) - centre)
    return total


def key(bounds: tuple[int, ...], moves: tuple[int, ...]) -> int:
    """As ``shape_key``, but for one shape."""
    ends = np.cumprod(bounds).tolist()
    starts = [1, *ends[:-1]]
    idle = [(end, start) for end, start, moving in zip(ends, starts, moves, strict=True) if not moving]
    return sum(e**3 + 5 * e - s**3 - 5 * s for e, s in idle) * 65 + math.prod(bounds)


SHAPES = [
    ((5,), (1,)), ((6,), (0,)), ((2, 3), (0, 1)), ((3, 2), (0, 1)), ((2, 2, 3), (0, 1, 0)), ((7, 2), (1, 0)),
    ((2, 1, 2, 2), (0, 0, 1, 0)), ((3, 2, 2), (1, 0, 0)), ((2, 2, 2, 2), (1, 0, 1, 0)), ((3, 5), (0, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("bounds", "moves"), SHAPES)
def test_walk_and_table_give_what_is_defined(bounds: tuple[int, ...], moves: tuple[int, ...]) -> None:
    expected = defined(bounds, moves, 4, 4)
    assert group_hops(np.array(bounds), np.array(moves), len(bounds), 4, 4) == expected
    table = hop_table(4, 4)
    assert table is not None
    assert table.hops[table.slot(key(bounds, moves))] == expected


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (3, 5), (8, 8), (16, 4), (2, 32)])
def test_every_shape_has_its_place(columns: int, rows: int) -> None:
    """Two or three loops of all bounds that fit; loops next to each other that do the same are one shape."""
    table = hop_table(columns, rows)
    assert isinstance(table, HopTable)
    for bounds in itertools.product(range(1, 9), repeat=3):
        if columns < math.prod(bounds) <= columns * rows:
            for moves in itertools.product((0, 1), repeat=3):
                hops = group_hops(np.array(bounds), np.array(moves), 3, columns, rows)
                assert table.hops[table.slot(key(bounds, moves))] == hops

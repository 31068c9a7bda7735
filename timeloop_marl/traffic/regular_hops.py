"""Hops of a regular block (5.5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .packed import MOST_PACKED, packed_hops
from .regular_links import most_rows
from .workspace import Workspace


@kernel
def _first_rows(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    t: int,
    p: int,
) -> int:
    """The first row of each group of rows with equal data, as bits.

    Rows are numbers in mixed radix; those wanted have the digit 0 at each loop that does not move the box. A loop that
    does repeats the pattern of the loops inside it: bits that never overlap, so that a product repeats them.
    """
    bits, radix = 1, 1
    for k in range(geometry.dims):
        d = order[i, t, k]
        n = factors[i, t, d] if k >= split[i, t] else 1
        repeat = ((1 << (radix * n)) - 1) // ((1 << radix) - 1)
        bits *= repeat if geometry.used[p, d] else 1
        radix *= n
    return bits


@kernel
def _vertical(geometry: Geometry, work: Workspace, s: int, span: int, one_row: bool, starts: int) -> float:
    """Hops along the columns of one packet to each group of rows."""
    centre = (max(geometry.fanout_y[s], work.height[s]) - 1) / 2
    total = 0.0
    for row in range(most_rows(geometry, s)):
        there = row == 0 if one_row else starts & (1 << row) != 0
        part = max(0.0, centre - row) + max(0.0, row + float(span) - centre)
        total += part if there else 0.0
    return total


@kernel
def _unpacked_hops(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> float:
    """Sum over the groups of the hops of one packet to each, rows full or one row."""
    s = geometry.tile_storage[t]
    one_row = work.width[s] != max(geometry.fanout_x[s], work.width[s])
    columns, rows = 1, 1
    x_groups, y_groups, x_members = 1, 1, 1
    columns_twice, row_span = 0, 0
    for k in range(geometry.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        moves = geometry.used[p, d] != 0
        along = one_row or k < split[i, t]
        across, down = n if along else 1, 1 if along else n
        x_groups *= across if moves else 1
        x_members *= 1 if moves else across
        y_groups *= down if moves else 1
        columns_twice += (across - 1) * columns * (1 if moves else 2)
        row_span += 0 if moves else (down - 1) * rows
        columns *= across
        rows *= down
    starts = _first_rows(geometry, factors, order, split, i, t, p)
    vertical = _vertical(geometry, work, s, row_span, one_row, starts)
    return y_groups * (x_groups * (columns_twice / 2)) + x_groups * x_members * vertical


@kernel
def regular_hops(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> float:
    """Sum over the groups of the hops of one packet to each; large packed blocks are irregular."""
    s = geometry.tile_storage[t]
    hops = _unpacked_hops(geometry, factors, order, split, i, work, t, p)
    listed = geometry.fanout_y[s] > 1 and geometry.fanout_x[s] * geometry.fanout_y[s] <= MOST_PACKED
    if work.packed[0] and (not listed or work.height[s] > geometry.fanout_y[s]):
        work.irregular[0] = True
    elif work.packed[0] and listed:
        hops = packed_hops(geometry, factors, order, i, work, t, p)
    return 0.0 if work.width[s] * work.height[s] == 1 else hops

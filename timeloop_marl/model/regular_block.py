"""The entry of a spatial block whose children pass nothing on (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .layout import Tables, Workspace


@kernel
def _vertical(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    span: int,
    one_row: bool,
) -> float:
    """Hops along the columns of one packet to each group of rows."""
    s = tables.tile_storage[t]
    centre = (max(tables.fanout_y[s], work.height[s]) - 1) / 2
    total = 0.0
    for row in range(tables.compute[2] if s == 0 else tables.mesh_y[s - 1]):
        starts = True
        radix = 1
        for k in range(tables.dims):
            d = order[i, t, k]
            n = factors[i, t, d] if k >= split[i, t] else 1
            starts = starts and (tables.used[p, d] or row // radix % n == 0)
            radix *= n
        there = row == 0 if one_row else (starts and row < radix)
        part = max(0.0, centre - row) + max(0.0, row + float(span) - centre)
        total += part if there else 0.0
    return total


@kernel
def _hops(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
) -> float:
    """Sum over the groups of the hops of one packet to each (5.5)."""
    s = tables.tile_storage[t]
    one_row = work.width[s] != max(tables.fanout_x[s], work.width[s])
    columns, rows = 1, 1
    x_groups, y_groups, x_members = 1, 1, 1
    column_sum, row_span = 0.0, 0
    for k in range(tables.dims):
        d = order[i, t, k]
        n = factors[i, t, d]
        moves = tables.used[p, d] != 0
        along = one_row or k < split[i, t]
        across, down = n if along else 1, 1 if along else n
        x_groups *= across if moves else 1
        x_members *= 1 if moves else across
        y_groups *= down if moves else 1
        column_sum += (across - 1) * columns / 2 if moves else float((across - 1) * columns)
        row_span += 0 if moves else (down - 1) * rows
        columns *= across
        rows *= down
    vertical = _vertical(tables, factors, order, split, i, work, t, p, row_span, one_row)
    return y_groups * (x_groups * column_sum) + x_groups * x_members * vertical


@kernel
def _refuse_coupled(
    tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, t: int, p: int
) -> None:
    """Two loops of a block in one rank, or one in several, are irregular."""
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        loops = 0
        for d in range(tables.dims):
            if tables.rank_step[r, d] != 0:
                loops += 1 if factors[i, t, d] > 1 else 0
        if loops > 1:
            work.irregular[0] = True
    for d in range(tables.dims):
        if tables.used[p, d] and tables.rank_bit[p, d] == 0 and factors[i, t, d] > 1:
            work.irregular[0] = True


@kernel
def fill_regular_block(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    words: int,
) -> None:
    """The entry of a block whose children pass nothing on."""
    s = tables.tile_storage[t]
    shared, apart = 1, 1
    for d in range(tables.dims):
        if tables.used[p, d] or tables.no_multicast[s, p]:
            apart *= factors[i, t, d]
        else:
            shared *= factors[i, t, d]
    if not tables.no_multicast[s, p]:
        _refuse_coupled(tables, factors, i, work, t, p)
    hops = 0.0
    if tables.hops_needed:
        if work.packed[0] or tables.no_multicast[s, p]:
            work.irregular[0] = True
        hops = _hops(tables, factors, order, split, i, work, t, p)
        hops = 0.0 if work.width[s] * work.height[s] == 1 else hops
    accesses = float(apart) * float(words)
    work.multicast[s, p, 0] = shared
    work.scatter[s, p, 0] = apart
    work.accesses[s, p, 0] = accesses
    work.hops[s, p, 0] = (hops * accesses) / float(apart)

# ruff: noqa: SIM110  (compiled code has no generators)
"""Branch and bound over the tiles and order classes of one task, inside-out (docs/optimal.md)."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from ..kernels.record import Box
from ..traffic.geometry import Geometry
from .bounds import cost_of, passes, slowest, words_on
from .problem import MOST, SLACK, ProblemData, TileTable

DONE, FULL, PAUSED = 0, 1, 2
"""Answers of ``descend``: nothing is left, no room for another leaf, enough visits for now."""

VISITS, NODES, LEAVES = 0, 1, 2
"""Places in ``counts``: tiles looked at, bounds computed, leaves found."""


@kernel
def descend(
    geometry_box: Box[Geometry],
    data_box: Box[ProblemData],
    tiles: TileTable,
    cursor: Int64[ndarray, "1+2S"],
    incumbent: float,
    visits: int,
    leaves: Int64[ndarray, "n 2S+2"],
    counts: Int64[ndarray, "3"],
) -> int:
    """Go on from the cursor until nothing is left, ``leaves`` are full, or so many tiles have been looked at.

    Leaves that may cost less than ``incumbent`` are written to ``leaves``: tiles, classes of orders, levels where
    details of orders matter, and of layouts. ``counts[LEAVES]`` must be 0. The cursor is then where to go on.
    """
    geometry, data = geometry_box[0], data_box[0]
    S = geometry.levels
    begin(geometry, data)
    s = resume(geometry, data, tiles, cursor)
    limit = counts[VISITS] + visits
    while True:
        if data.choice[s] < 0:
            if not _next_tile(geometry, data, tiles, s, incumbent, counts):
                if s == 0:
                    return DONE
                s -= 1
                continue
            data.choice[s] = tiles.class_first[s, data.mask[s]] - 1
        data.choice[s] += 1
        if data.choice[s] >= tiles.class_first[s, data.mask[s] + 1]:
            data.choice[s] = -1
            data.place[s] += 1
            continue
        counts[NODES] += 1
        settle(geometry, data, tiles, s)
        energy = data.fixed + data.spent[s + 1] + tiles.worth[data.chosen[s], geometry.spaces + 1]
        if cost_of(geometry, data, energy, slowest(geometry, data, s + 1)) * (1.0 - SLACK) >= incumbent:
            continue
        if s == S - 1:
            _write_leaf(geometry, data, tiles, leaves, counts)
            if counts[LEAVES] == leaves.shape[0]:
                _save(geometry, data, cursor, s)
                return FULL
            continue
        s += 1
        data.place[s] = 0
        data.choice[s] = -1
        if counts[VISITS] >= limit:
            _save(geometry, data, cursor, s)
            return PAUSED


@kernel
def begin(geometry: Geometry, data: ProblemData) -> None:
    """Nothing is settled yet."""
    data.spent[0] = 0.0
    for b in range(data.bands):
        data.cycles[0, b] = data.start[b]
    for p in range(geometry.spaces):
        data.begins[0, p] = -1


@kernel
def resume(geometry: Geometry, data: ProblemData, tiles: TileTable, cursor: Int64[ndarray, "1+2S"]) -> int:
    """Stand where the cursor says; returns the level."""
    S = geometry.levels
    s = cursor[0]
    for u in range(S):
        data.place[u] = cursor[1 + u]
        data.choice[u] = cursor[1 + S + u]
    for u in range(s + 1):
        if data.choice[u] >= 0:
            _enter(
                geometry, data, tiles, u, tiles.rows[data.first[u] + data.place[u], tiles.rows.shape[1] - 1]
            )
            settle(geometry, data, tiles, u)
    return s


@kernel
def _save(geometry: Geometry, data: ProblemData, cursor: Int64[ndarray, "1+2S"], s: int) -> None:
    S = geometry.levels
    cursor[0] = s
    for u in range(S):
        cursor[1 + u] = data.place[u]
        cursor[1 + S + u] = data.choice[u]


@kernel
def _next_tile(
    geometry: Geometry,
    data: ProblemData,
    tiles: TileTable,
    s: int,
    incumbent: float,
    counts: Int64[ndarray, "3"],
) -> bool:
    """Enter the next tile of level s that fits and may pay; false if there is none."""
    waiting = data.fixed + data.spent[s]
    for p in range(geometry.spaces):
        waiting += data.price[s, p] * data.least[s, p]
    cycles = slowest(geometry, data, s)
    count = data.first[s + 1] - data.first[s]
    while data.place[s] < count:
        k = tiles.rows[data.first[s] + data.place[s], tiles.rows.shape[1] - 1]
        counts[VISITS] += 1
        # Tiles are sorted by value: what follows is no better.
        if (
            cost_of(geometry, data, waiting + tiles.worth[k, geometry.spaces + 1], cycles) * (1.0 - SLACK)
            >= incumbent
        ):
            return False
        if _enter(geometry, data, tiles, s, k):
            return True
        data.place[s] += 1
    return False


@kernel
def _enter(geometry: Geometry, data: ProblemData, tiles: TileTable, s: int, k: int) -> bool:
    """Choose tile k at level s: its loops, unless the tile below does not divide it or a factor is not allowed."""
    mask = 0
    for d in range(geometry.dims):
        under = data.inner[0, d]
        if s > 0:
            under = data.product[d, tiles.rows[data.chosen[s - 1], d], data.inner[s, d]]
        if under < 0:
            return False
        own = tiles.rows[k, d]
        factor = data.quotient[d, own, under]
        if factor < 0 or not data.allowed[s, d, factor]:
            return False
        whole = data.product[d, own, data.outside[s + 1, d]]
        if whole < 0:
            return False
        data.loop[s, d] = data.divisor[d, factor]
        data.stride[s, d] = data.divisor[d, under]
        data.rest[s, d] = geometry.bounds[d] // data.divisor[d, whole]
        if factor > 0:
            mask |= 1 << d
    data.mask[s] = mask
    data.chosen[s] = k
    return True


@kernel
def settle(geometry: Geometry, data: ProblemData, tiles: TileTable, s: int) -> None:
    """Account for the edges into levels below s, given the loops and the class of order of level s."""
    outside, all_outside = 1.0, 1.0
    for d in range(geometry.dims):
        outside *= data.rest[s, d]
        all_outside *= data.rest[s, d] * data.loop[s, d]
    spent = data.spent[s]
    for b in range(data.bands):
        data.cycles[s + 1, b] = data.cycles[s, b]
    mask = data.mask[s]
    for p in range(geometry.spaces):
        moved = mask & data.relevant[p] != 0
        free = tiles.class_free[data.choice[s], p]
        for a in range(data.begins[s, p], s):
            if data.parent[a + 1, p] < 0:
                continue
            least = data.least[a + 1, p]
            if a == s - 1:
                spent += data.price[a + 1, p] * least
            words = least
            k = data.chosen[a] if a >= 0 else -1
            if data.steady[a + 1, p]:
                if a == s - 1:
                    words = all_outside * (tiles.worth[k, p] if k >= 0 else 1.0)
            elif moved or s == geometry.levels - 1:
                words = words_on(geometry, data, tiles, a, p, k, s, free, outside, False)
            if words > least:
                spent += data.price[a + 1, p] * (words - least)
                for b in range(data.bands):
                    data.cycles[s + 1, b] += data.load[b, a + 1, p] * (words - least)
        data.begins[s + 1, p] = s if moved else data.begins[s, p]
    data.spent[s + 1] = spent


@kernel
def _write_leaf(
    geometry: Geometry,
    data: ProblemData,
    tiles: TileTable,
    leaves: Int64[ndarray, "n 2S+2"],
    counts: Int64[ndarray, "3"],
) -> None:
    S = geometry.levels
    row = leaves[counts[LEAVES]]
    for u in range(S):
        row[u] = data.chosen[u]
        row[S + u] = data.choice[u] - tiles.class_first[u, data.mask[u]]
    mark_details(geometry, data, tiles, row)
    counts[LEAVES] += 1


@kernel
def mark_details(
    geometry: Geometry, data: ProblemData, tiles: TileTable, leaf: Int64[ndarray, "2S+2"]
) -> None:
    """Write the levels (bits) whose whole order matters, then those whose layout of spatial loops does.

    Elsewhere the class of the order says all, and any layout is as good as any other.
    """
    orders, layouts = 0, 0
    everything = (1 << geometry.levels) - 1
    for p in range(geometry.spaces):
        for a in range(-1, geometry.levels - 1):
            passing = passes(geometry, a + 1, p) and _spread(geometry, data, a + 1)
            if a >= 0 and passing and geometry.no_temporal_reuse[a, p]:
                orders = everything
                layouts |= 1 << (a + 1)
                continue
            quiet = a < 0 and not data.steady[0, p]
            if quiet:
                layouts |= 1
            if not data.coupled[p]:
                continue
            end = _surely_new(geometry, data, a, p)
            met = data.parent[a + 1, p] >= 0 or data.hops
            if a < 0:
                met = quiet
            found = _meets(geometry, data, tiles, a, p, end, met, passing)
            if found > 0:
                orders |= ((1 << (end + 1)) - 1) & ~((1 << (a + 1)) - 1)
            if found > 1:
                layouts |= 1 << (a + 1)
    leaf[2 * geometry.levels] = orders
    leaf[2 * geometry.levels + 1] = layouts


@kernel
def _spread(geometry: Geometry, data: ProblemData, s: int) -> bool:
    for d in range(geometry.dims):
        if data.spatial[s, d] > 1:
            return True
    return False


@kernel
def _surely_new(geometry: Geometry, data: ProblemData, a: int, p: int) -> int:
    """First level above a with a loop of a dim that has a rank of p to itself: whatever moves later is new."""
    for s in range(a + 1, geometry.levels):
        if data.mask[s] & data.alone[p]:
            return s
    return geometry.levels - 1


@kernel
def _meets(
    geometry: Geometry,
    data: ProblemData,
    tiles: TileTable,
    a: int,
    p: int,
    end: int,
    met: bool,
    passing: bool,
) -> int:
    """Whether some order lets a tile meet an earlier one (1) or what a neighbour had (2); 0 neither."""
    result = 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        span, count = 0, 0
        for d in range(geometry.dims):
            n = data.spatial[a + 1, d]
            if n > 1 and passing:
                size = data.divisor[d, tiles.rows[data.chosen[a], d]] if a >= 0 else 1
                span += (n - 1) * geometry.rank_step[r, d] * size
        for s in range(a + 1, end + 1):
            for d in range(geometry.dims):
                if data.loop[s, d] > 1 and geometry.rank_step[r, d] > 0 and not data.alone[p] >> d & 1:
                    if count == MOST:
                        return 2
                    data.motions[count] = geometry.rank_step[r, d] * data.stride[s, d]
                    count += 1
        if met and result == 0 and _sum_again(data.motions, count):
            result = 1
        if span > 0 and _sum_near(data.motions, count, span):
            return 2
    return result


@kernel
def _sum_again(motions: Int64[ndarray, "MOST"], count: int) -> bool:
    """Whether one motion is a sum of others, or that and one of them once more: the box returns, or moves alike."""
    for j in range(count):
        for chosen in range(1, 1 << count):
            if chosen >> j & 1:
                continue
            total = 0
            for i in range(count):
                if chosen >> i & 1:
                    total += motions[i]
            if total == motions[j]:
                return True
            for f in range(count):
                if chosen >> f & 1 and total + motions[f] == motions[j]:
                    return True
    return False


@kernel
def _sum_near(motions: Int64[ndarray, "MOST"], count: int, span: int) -> bool:
    """Whether one motion is within ``span`` of 0 or of a sum of others: a neighbour may have had the box."""
    for j in range(count):
        for chosen in range(1 << count):
            if chosen >> j & 1:
                continue
            total = 0
            for i in range(count):
                if chosen >> i & 1:
                    total += motions[i]
            if abs(motions[j] - total) <= span:
                return True
    return False

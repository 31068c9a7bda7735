"""Branch and bound over the tiles and order classes of one task, inside-out (docs/optimal.md)."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..compiling import kernel
from ..traffic.record import Box
from .bounds import cost_of
from .coincidence import mark_details
from .program import SLACK, Desk, Stock
from .tables import slowest, words_on

DONE, FULL, PAUSED = 0, 1, 2
"""Answers of ``descend``: nothing is left, no room for another leaf, enough visits for now."""

VISITS, NODES, LEAVES = 0, 1, 2
"""Places in ``counts``: tiles looked at, bounds computed, leaves found."""


@kernel
def descend(
    desk_box: Box[Desk],
    stock: Stock,
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
    desk = desk_box[0]
    S = desk.levels
    begin(desk)
    s = resume(desk, stock, cursor)
    limit = counts[VISITS] + visits
    while True:
        if desk.choice[s] < 0:
            if not _next_tile(desk, stock, s, incumbent, counts):
                if s == 0:
                    return DONE
                s -= 1
                continue
            desk.choice[s] = stock.class_first[s, desk.mask[s]] - 1
        desk.choice[s] += 1
        if desk.choice[s] >= stock.class_first[s, desk.mask[s] + 1]:
            desk.choice[s] = -1
            desk.place[s] += 1
            continue
        counts[NODES] += 1
        settle(desk, stock, s)
        energy = desk.fixed + desk.spent[s + 1] + stock.worth[desk.chosen[s], desk.spaces + 1]
        if cost_of(desk, energy, slowest(desk, s + 1)) * (1.0 - SLACK) >= incumbent:
            continue
        if s == S - 1:
            _write_leaf(desk, stock, leaves, counts)
            if counts[LEAVES] == leaves.shape[0]:
                _save(desk, cursor, s)
                return FULL
            continue
        s += 1
        desk.place[s] = 0
        desk.choice[s] = -1
        if counts[VISITS] >= limit:
            _save(desk, cursor, s)
            return PAUSED


@kernel
def begin(desk: Desk) -> None:
    """Nothing is settled yet."""
    desk.spent[0] = 0.0
    for b in range(desk.bands):
        desk.cycles[0, b] = desk.start[b]
    for p in range(desk.spaces):
        desk.begins[0, p] = -1


@kernel
def resume(desk: Desk, stock: Stock, cursor: Int64[ndarray, "1+2S"]) -> int:
    """Stand where the cursor says; returns the level."""
    S = desk.levels
    s = cursor[0]
    for u in range(S):
        desk.place[u] = cursor[1 + u]
        desk.choice[u] = cursor[1 + S + u]
    for u in range(s + 1):
        if desk.choice[u] >= 0:
            _enter(desk, stock, u, stock.tiles[desk.first[u] + desk.place[u], desk.dims + desk.ranks])
            settle(desk, stock, u)
    return s


@kernel
def _save(desk: Desk, cursor: Int64[ndarray, "1+2S"], s: int) -> None:
    S = desk.levels
    cursor[0] = s
    for u in range(S):
        cursor[1 + u] = desk.place[u]
        cursor[1 + S + u] = desk.choice[u]


@kernel
def _next_tile(desk: Desk, stock: Stock, s: int, incumbent: float, counts: Int64[ndarray, "3"]) -> bool:
    """Enter the next tile of level s that fits and may pay; false if there is none."""
    waiting = desk.fixed + desk.spent[s]
    for p in range(desk.spaces):
        waiting += desk.price[s, p] * desk.least[s, p]
    cycles = slowest(desk, s)
    count = desk.first[s + 1] - desk.first[s]
    while desk.place[s] < count:
        k = stock.tiles[desk.first[s] + desk.place[s], desk.dims + desk.ranks]
        counts[VISITS] += 1
        # Tiles are sorted by value: what follows is no better.
        if cost_of(desk, waiting + stock.worth[k, desk.spaces + 1], cycles) * (1.0 - SLACK) >= incumbent:
            return False
        if _enter(desk, stock, s, k):
            return True
        desk.place[s] += 1
    return False


@kernel
def _enter(desk: Desk, stock: Stock, s: int, k: int) -> bool:
    """Choose tile k at level s: its loops, unless the tile below does not divide it or a factor is not allowed."""
    mask = 0
    for d in range(desk.dims):
        under = desk.inner[0, d]
        if s > 0:
            under = desk.product[d, stock.tiles[desk.chosen[s - 1], d], desk.inner[s, d]]
        if under < 0:
            return False
        own = stock.tiles[k, d]
        factor = desk.quotient[d, own, under]
        if factor < 0 or not desk.allowed[s, d, factor]:
            return False
        whole = desk.product[d, own, desk.outside[s + 1, d]]
        if whole < 0:
            return False
        desk.loop[s, d] = desk.divisor[d, factor]
        desk.stride[s, d] = desk.divisor[d, under]
        desk.rest[s, d] = desk.bounds[d] // desk.divisor[d, whole]
        if factor > 0:
            mask |= 1 << d
    desk.mask[s] = mask
    desk.chosen[s] = k
    return True


@kernel
def settle(desk: Desk, stock: Stock, s: int) -> None:
    """Account for the edges into levels below s, given the loops and the class of order of level s."""
    outside, all_outside = 1.0, 1.0
    for d in range(desk.dims):
        outside *= desk.rest[s, d]
        all_outside *= desk.rest[s, d] * desk.loop[s, d]
    spent = desk.spent[s]
    for b in range(desk.bands):
        desk.cycles[s + 1, b] = desk.cycles[s, b]
    mask = desk.mask[s]
    for p in range(desk.spaces):
        moved = mask & desk.relevant[p] != 0
        free = stock.class_free[desk.choice[s], p]
        for a in range(desk.begins[s, p], s):
            if desk.parent[a + 1, p] < 0:
                continue
            least = desk.least[a + 1, p]
            if a == s - 1:
                spent += desk.price[a + 1, p] * least
            words = least
            k = desk.chosen[a] if a >= 0 else -1
            if desk.steady[a + 1, p]:
                if a == s - 1:
                    words = all_outside * (stock.worth[k, p] if k >= 0 else 1.0)
            elif moved or s == desk.levels - 1:
                words = words_on(desk, stock, a, p, k, s, free, outside, False)
            if words > least:
                spent += desk.price[a + 1, p] * (words - least)
                for b in range(desk.bands):
                    desk.cycles[s + 1, b] += desk.load[b, a + 1, p] * (words - least)
        desk.begins[s + 1, p] = s if moved else desk.begins[s, p]
    desk.spent[s + 1] = spent


@kernel
def _write_leaf(
    desk: Desk, stock: Stock, leaves: Int64[ndarray, "n 2S+2"], counts: Int64[ndarray, "3"]
) -> None:
    S = desk.levels
    row = leaves[counts[LEAVES]]
    for u in range(S):
        row[u] = desk.chosen[u]
        row[S + u] = desk.choice[u] - stock.class_first[u, desk.mask[u]]
    mark_details(desk, stock, row)
    counts[LEAVES] += 1

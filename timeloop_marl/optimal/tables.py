"""A task made ready: prices, least costs of every tile and of everything outside it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..compiling import kernel
from ..traffic.record import Box
from .bounds import cost_of, fetched, price
from .program import Desk, Stock


@kernel
def prepare(
    desk_box: Box[Desk], stock: Stock, inner: Int64[ndarray, "S D"], way: Float64[ndarray, "S P"]
) -> bool:
    """Price everything for the spatial factors ``inner`` (divisor indices); false if nothing fits.

    ``way``: as on the desk. The tiles are not sorted yet: kernels cannot.
    """
    desk = desk_box[0]
    _set_way(desk, way)
    if not set_spatial(desk, inner):
        return False
    price(desk)
    _innermost(desk, stock)
    for a in range(desk.levels - 1):
        _own(desk, stock, a)
    for b in range(desk.bands):
        for e in range(desk.levels):
            for p in range(desk.spaces):
                desk.start[b] += desk.load[b, e, p] * desk.least[e, p]
    for a in range(desk.levels - 1):
        _spread(desk, stock, a)
    for a in range(desk.levels):
        last = a == desk.levels - 1
        for k in range(desk.first[a], desk.first[a + 1]):
            own = stock.worth[k, desk.spaces]
            stock.worth[k, desk.spaces + 1] = 0.0 if last else own + outer_cost(desk, stock, a, k)
    desk.bound = _root(desk, stock)
    return True


@kernel
def _set_way(desk: Desk, way: Float64[ndarray, "S P"]) -> None:
    for s in range(desk.levels):
        for p in range(desk.spaces):
            desk.way[s, p] = way[s, p]


@kernel
def set_spatial(desk: Desk, inner: Int64[ndarray, "S D"]) -> bool:
    """Enter spatial factors; false if their product does not divide the bounds."""
    for d in range(desk.dims):
        desk.outside[desk.levels, d] = 0
        for s in range(desk.levels - 1, -1, -1):
            desk.inner[s, d] = inner[s, d]
            desk.spatial[s, d] = desk.divisor[d, inner[s, d]]
            both = desk.product[d, desk.outside[s + 1, d], inner[s, d]]
            if both < 0:
                return False
            desk.outside[s, d] = both
    return True


@kernel
def _innermost(desk: Desk, stock: Stock) -> None:
    """Least words that compute asks for."""
    for p in range(desk.spaces):
        desk.least[0, p] = 0.0
        if desk.parent[0, p] < 0:
            continue
        words = 1.0
        for d in range(desk.dims):
            n = desk.bounds[d] // desk.divisor[d, desk.outside[0, d]]
            desk.loop[0, d] = n
            desk.rest[0, d] = 1
            desk.stride[0, d] = 1
            for s in range(desk.reach[0, d] + 1):
                desk.stride[0, d] *= desk.spatial[s, d]
            words *= n
        if not desk.steady[0, p]:
            merged = desk.merged[0] != 0
            words = fetched(desk, stock, -1, p, -1, 0, ~desk.relevant[p], 1.0, merged)
        desk.least[0, p] = words


@kernel
def _own(desk: Desk, stock: Stock, a: int) -> None:
    """Least cost of the edges into every tile of level a, and the least words of each."""
    for p in range(desk.spaces):
        desk.least[a + 1, p] = np.inf if desk.parent[a + 1, p] >= 0 else 0.0
    for k in range(desk.first[a], desk.first[a + 1]):
        mask = 0
        stock.worth[k, desk.spaces] = np.inf
        fits = True
        for d in range(desk.dims):
            whole = desk.product[d, stock.tiles[k, d], desk.outside[a + 1, d]]
            if whole < 0:
                fits = False
                break
            # The blocks up to the first loop that there can be: with more of them steps only grow.
            step = stock.tiles[k, d]
            for s in range(a + 1, desk.reach[a + 1, d] + 1):
                step = desk.product[d, step, desk.inner[s, d]]
            desk.loop[a, d] = desk.bounds[d] // desk.divisor[d, whole]
            desk.stride[a, d] = desk.divisor[d, step]
            desk.rest[a, d] = 1
            if desk.loop[a, d] > 1:
                mask |= 1 << d
        if fits:
            _price_tile(desk, stock, a, k, mask)
    for p in range(desk.spaces):
        if desk.least[a + 1, p] == np.inf:
            desk.least[a + 1, p] = 0.0


@kernel
def _price_tile(desk: Desk, stock: Stock, a: int, k: int, mask: int) -> None:
    """Least cost of the edges into tile k of level a over all orders of the loops outside it."""
    merged = desk.merged[a + 1] != 0
    for p in range(desk.spaces):
        if desk.parent[a + 1, p] >= 0:
            words = words_on(desk, stock, a, p, k, a, ~desk.relevant[p], 1.0, merged)
            desk.cheapest[p] = words
            desk.least[a + 1, p] = min(desk.least[a + 1, p], words)
    best = np.inf
    for c in range(stock.class_first[desk.levels, mask], stock.class_first[desk.levels, mask + 1]):
        total = 0.0
        for p in range(desk.spaces):
            if desk.parent[a + 1, p] >= 0:
                words = desk.cheapest[p]
                # Loops that do not move the box, but lie outside one that does, repeat everything.
                again = mask & ~desk.relevant[p] & ~stock.class_free[c, p]
                if again != 0 and mask & desk.relevant[p] != 0 and not desk.steady[a + 1, p]:
                    for d in range(desk.dims):
                        if again >> d & 1:
                            words *= desk.loop[a, d]
                total += desk.price[a + 1, p] * words
        best = min(best, total)
    stock.worth[k, desk.spaces] = best


@kernel
def words_on(
    desk: Desk, stock: Stock, a: int, p: int, k: int, at: int, free: int, outside: float, merged: bool
) -> float:
    """Least words on the edge into tile k of level a (-1: compute), given the loops of level ``at`` (``fetched``)."""
    if not desk.steady[a + 1, p]:
        return fetched(desk, stock, a, p, k, at, free, outside, merged)
    words = outside
    if k >= 0:
        words *= stock.worth[k, p]
    for d in range(desk.dims):
        words *= desk.loop[at, d]
    return words


@kernel
def _spread(desk: Desk, stock: Stock, a: int) -> None:
    """For every shape the least own cost among the tiles of level a that are multiples of it."""
    for number in range(stock.table.shape[1]):
        stock.table[a, number] = np.inf
    for k in range(desk.first[a], desk.first[a + 1]):
        number = 0
        for d in range(desk.dims):
            number += desk.weight[d] * stock.tiles[k, d]
        stock.table[a, number] = stock.worth[k, desk.spaces]
    for d in range(desk.dims):
        weight, count = desk.weight[d], desk.count[d]
        for q in range(desk.primes):
            step = desk.prime[d, q]
            if step == 0:
                break
            for number in range(stock.table.shape[1] - 1, -1, -1):
                i = number // weight % count
                j = desk.product[d, i, step]
                if j >= 0:
                    other = stock.table[a, number + (j - i) * weight]
                    stock.table[a, number] = min(stock.table[a, number], other)


@kernel
def outer_cost(desk: Desk, stock: Stock, s: int, k: int) -> float:
    """Least cost of all edges into levels above s, given tile k of level s (-1: of compute)."""
    total = 0.0
    for a in range(s + 1, desk.levels - 1):
        number = 0
        for d in range(desk.dims):
            i = stock.tiles[k, d] if k >= 0 else 0
            for u in range(s + 1, a + 1):
                i = desk.product[d, i, desk.inner[u, d]]
                if i < 0:
                    return np.inf
            number += desk.weight[d] * i
        total += stock.table[a, number]
    return total


@kernel
def _root(desk: Desk, stock: Stock) -> float:
    """Bound of the whole task."""
    energy = desk.fixed
    for p in range(desk.spaces):
        energy += desk.price[0, p] * desk.least[0, p]
    energy += outer_cost(desk, stock, -1, -1)
    return cost_of(desk, energy, slowest(desk, -1))


@kernel
def slowest(desk: Desk, s: int) -> float:
    """The most cycles that a bandwidth asks for, with the edges into levels below s settled (-1: none)."""
    most = 0.0
    for b in range(desk.bands):
        most = max(most, desk.cycles[s, b] if s >= 0 else desk.start[b])
    return most


@kernel
def rest_bound(desk_box: Box[Desk], stock: Stock, place: int) -> float:
    """Bound of all mappings whose innermost tile comes at ``place`` of the sorted ones or later."""
    desk = desk_box[0]
    k = stock.tiles[desk.first[0] + place, desk.dims + desk.ranks]
    energy = desk.fixed + stock.worth[k, desk.spaces + 1]
    for p in range(desk.spaces):
        energy += desk.price[0, p] * desk.least[0, p]
    return cost_of(desk, energy, slowest(desk, -1))


@kernel
def glance(
    desk_box: Box[Desk],
    inners: Int64[ndarray, "n S D"],
    ways: Float64[ndarray, "n S P"],
    bounds: Float64[ndarray, "n"],
) -> None:
    """Quick bounds of tasks, from spatial factors alone: every word travels once. Infinite if nothing fits."""
    desk = desk_box[0]
    for i in range(inners.shape[0]):
        _set_way(desk, ways[i])
        bounds[i] = _glance(desk, inners[i])


@kernel
def _glance(desk: Desk, inner: Int64[ndarray, "S D"]) -> float:
    if not set_spatial(desk, inner):
        return np.inf
    price(desk)
    return cost_of(desk, desk.fixed + _each_once(desk), slowest(desk, -1))


@kernel
def _each_once(desk: Desk) -> float:
    """Energy of all edges if every word travels once; the cycles of each bandwidth are added to ``start``."""
    energy = 0.0
    for p in range(desk.spaces):
        for a in range(-1, desk.levels - 1):
            if desk.parent[a + 1, p] < 0 or desk.coupled[p]:
                continue
            words = desk.steps
            if a >= 0 or not desk.steady[0, p]:
                words = 1.0
                for d in range(desk.dims):
                    if desk.relevant[p] >> d & 1:
                        words *= desk.bounds[d] // desk.divisor[d, desk.outside[a + 1, d]]
            energy += desk.price[a + 1, p] * words
            for b in range(desk.bands):
                desk.start[b] += desk.load[b, a + 1, p] * words
    return energy


@kernel
def glance_alone(
    desk_box: Box[Desk],
    inners: Int64[ndarray, "n S D"],
    ways: Float64[ndarray, "n S P"],
    energies: Float64[ndarray, "n"],
    cycles: Float64[ndarray, "n B"],
    common: Float64[ndarray, "n 3"],
) -> None:
    """What ``glance`` adds up, for one data space on the desk (nobody keeps the others): energy, cycles of bandwidths.

    ``common``: what does not depend on who keeps what: pJ of computing, temporal steps, pJ/cycle of leakage. Energies
    are infinite if nothing fits.
    """
    desk = desk_box[0]
    points = 1.0
    for d in range(desk.dims):
        points *= float(desk.bounds[d])
    for i in range(inners.shape[0]):
        _set_way(desk, ways[i])
        if not set_spatial(desk, inners[i]):
            energies[i] = np.inf
            continue
        price(desk)
        common[i, 0] = points * desk.compute_cost
        common[i, 1] = desk.steps
        common[i, 2] = desk.leak
        energies[i] = desk.fixed - common[i, 0] + _each_once(desk)
        for b in range(desk.bands):
            cycles[i, b] = desk.start[b]


@kernel
def glance_together(
    desk_box: Box[Desk],
    rows: Int64[ndarray, "m P"],
    energies: Float64[ndarray, "k n"],
    cycles: Float64[ndarray, "k n B"],
    common: Float64[ndarray, "n 3"],
    bounds: Float64[ndarray, "m"],
) -> None:
    """Quick bounds of whole choices of bypasses: ``rows`` names the result of ``glance_alone`` for each data space."""
    desk = desk_box[0]
    for m in range(rows.shape[0]):
        bounds[m] = np.inf
        for i in range(common.shape[0]):
            desk.steps = common[i, 1]
            desk.leak = common[i, 2]
            energy = common[i, 0]
            most = 0.0
            for p in range(desk.spaces):
                energy += energies[rows[m, p], i]
            for b in range(desk.bands):
                total = 0.0
                for p in range(desk.spaces):
                    total += cycles[rows[m, p], i, b]
                most = max(most, total)
            if energy < np.inf:
                bounds[m] = min(bounds[m], cost_of(desk, energy, most))

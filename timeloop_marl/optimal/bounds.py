# ruff: noqa: SIM110  (compiled code has no generators)
"""Admissible bounds: words on an edge, prices of edges, least cost of everything outside a tile (docs/optimal.md)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..kernels.compiling import inlined, kernel
from ..kernels.record import Box
from ..traffic.geometry import Geometry
from .prices import DELAY, ENERGY
from .problem import SLACK, ProblemData, TileTable


@inlined
def passes(geometry: Geometry, s: int, p: int) -> bool:
    """Whether neighbours below level s may pass words on."""
    return geometry.link_transfers and not geometry.no_link_transfer[s, p]


@inlined
def _elides(geometry: Geometry, s: int, p: int) -> bool:
    """Whether first updates need no read and no fill."""
    return geometry.first_read_elision and not geometry.rmw_first_update[s, p]


@kernel
def cost_of(geometry: Geometry, data: ProblemData, energy: float, cycles: float) -> float:
    """Objective value of so much energy (without leakage) and so many cycles (without network latencies)."""
    cycles = max(cycles, data.steps)
    cycles = np.ceil(cycles * (1.0 - SLACK))
    if data.goal == DELAY:
        return cycles + data.latency
    energy += data.leak * cycles
    if data.goal == ENERGY:
        return energy
    return energy * (cycles + data.latency)


@kernel
def fetched(
    geometry: Geometry,
    data: ProblemData,
    tiles: TileTable,
    a: int,
    p: int,
    k: int,
    at: int,
    free: int,
    outside: float,
    merged: bool,
) -> float:
    """Least words on edge (a, p), at most counting those that neighbours cannot pass on.

    k: tile of level a, -1 for the single word of compute. ``at``: first level above a with a loop that moves the box;
    its loops are in that row of ``loop`` and ``stride`` (``merged``: all loops of all levels above a), those further
    out in ``rest``, with the product ``outside``. ``free``: loops of the level that lie inside the first that moves.
    """
    dims = geometry.dims
    relevant = data.relevant[p]
    volume = 1.0
    if k >= 0:
        volume = tiles.worth[k, p]
    product = outside
    moving = 0
    for d in range(dims):
        if data.loop[at, d] > 1:
            if relevant >> d & 1:
                moving += 1
                product *= data.loop[at, d]
            elif not free >> d & 1:
                product *= data.loop[at, d]
    if moving == 0:
        return volume
    if not data.coupled[p]:
        return volume * product
    best = np.inf
    first_rank, end_rank = geometry.rank_start[p], geometry.rank_start[p + 1]
    linked = data.linked[a + 1, p]
    for f in range(dims):
        if data.loop[at, f] == 1 or not relevant >> f & 1:
            continue
        if data.alone[p] >> f & 1:
            best = min(best, volume * product)
            continue
        left = 1.0
        near = linked > 1.0
        for r in range(first_rank, end_rank):
            step = geometry.rank_step[r, f] * data.stride[at, f]
            size = tiles.rows[k, dims + r] if k >= 0 else 1
            left *= max(0, size - step)
            if step > 0 and near:
                span = 0
                for d in range(dims):
                    n = data.spatial[a + 1, d]
                    if n > 1:
                        size = data.divisor[d, tiles.rows[k, d]] if k >= 0 else 1
                        span += (n - 1) * geometry.rank_step[r, d] * size
                near = step <= span
        fresh = volume - left
        passed = fresh == volume and linked > 1.0
        suspects = 1.0
        for d in range(dims):
            if not relevant >> d & 1 or data.alone[p] >> d & 1:
                continue
            if d != f and data.loop[at, d] > 1 and _may_coincide(geometry, data, p, f, d, at, merged, passed):
                suspects *= data.loop[at, d]
            if data.rest[at, d] > 1 and _may_coincide_outside(geometry, data, p, f, d, at, passed):
                suspects *= data.rest[at, d]
        n = float(data.loop[at, f])
        share = n - 1.0
        if merged and suspects > 1.0:
            share = n * (1.0 - 1.0 / data.least_prime[f])
        words = product / n * (share * fresh + volume / suspects)
        if near:
            # Neighbours never have what a loop of a dim that is alone brings.
            whole = volume
            for d in range(dims):
                if data.alone[p] >> d & 1:
                    whole *= data.loop[at, d] * data.rest[at, d]
            words = max(words / linked, product / n * share * fresh / linked + whole)
        best = min(best, words)
    return best


@kernel
def _may_coincide(
    geometry: Geometry, data: ProblemData, p: int, f: int, d: int, at: int, merged: bool, passed: bool
) -> bool:
    """Whether loop d, outside f, may move the box back to where it was, or just as f does.

    ``merged``: loops stand for several of the same dim, whose strides are only known to lie in a range. ``passed``:
    any coincidence with a neighbour's box counts, too.
    """
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        own, first = (
            geometry.rank_step[r, d] * data.stride[at, d],
            geometry.rank_step[r, f] * data.stride[at, f],
        )
        if first == 0:
            continue
        if own == 0:
            return False
        if passed:
            continue
        if merged:
            if geometry.rank_step[r, d] * (geometry.bounds[d] // data.least_prime[d]) < first:
                return False
            if own > _sum_of_steps(geometry, data, r, f, d, at):
                return False
            continue
        most = 2 * first
        for e in range(geometry.dims):
            if e != f and e != d and data.loop[at, e] > 1:
                most += geometry.rank_step[r, e] * data.stride[at, e]
        if own < first or own > most or (most == 2 * first and own != first and own != most):
            return False
    return True


@kernel
def _sum_of_steps(geometry: Geometry, data: ProblemData, r: int, f: int, d: int, at: int) -> int:
    """Most that all loops of rank r but those of dim d can move the box by one step each, and f once more."""
    most = geometry.rank_step[r, f] * (geometry.bounds[f] // data.least_prime[f])
    for e in range(geometry.dims):
        if e != d and data.loop[at, e] * data.rest[at, e] > 1:
            most += geometry.rank_step[r, e] * (geometry.bounds[e] - 1)
    return most


@kernel
def _may_coincide_outside(
    geometry: Geometry, data: ProblemData, p: int, f: int, d: int, at: int, passed: bool
) -> bool:
    """The same of loops of dim d in the levels further out, all of whose inner loops are at work in between."""
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        for e in range(geometry.dims):
            moving = data.loop[at, e] > 1 and geometry.rank_step[r, e] > 0
            if moving and geometry.rank_step[r, d] == 0 and (not passed or data.alone[p] >> e & 1 or e == f):
                return False
        if passed or geometry.rank_step[r, f] == 0:
            continue
        # Its step exceeds the sum of all inner steps of its own dim by the first of them at least.
        if d != f and geometry.rank_step[r, d] * data.stride[at, d] > _sum_of_steps(
            geometry, data, r, f, d, at
        ):
            return False
        if d == f and data.loop[at, f] > 2:
            others = 0
            for e in range(geometry.dims):
                if e != f and data.loop[at, e] * data.rest[at, e] > 1:
                    others += geometry.rank_step[r, e] * (geometry.bounds[e] - 1)
            if geometry.rank_step[r, f] * data.stride[at, f] > others:
                return False
    return True


@kernel
def groups(geometry: Geometry, data: ProblemData, s: int, p: int, first: bool) -> float:
    """Least number of different boxes of level s's children, or (``first`` false) children per largest group."""
    if geometry.no_multicast[s, p]:
        total = 1.0
        for d in range(geometry.dims):
            total *= data.spatial[s, d]
        return total
    apart = 1.0
    seen = 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        most, together = 1, 1
        for d in range(geometry.dims):
            n = data.spatial[s, d]
            if n > 1 and geometry.rank_step[r, d] > 0 and not seen >> d & 1:
                seen |= 1 << d
                most = max(most, n)
                together += n - 1
        apart *= together if first else most
    return apart


@kernel
def _thinned(geometry: Geometry, data: ProblemData, s: int, p: int) -> float:
    """By how much the words that level s sends can shrink when its children pass them on to neighbours."""
    if not passes(geometry, s, p) or not data.coupled[p]:
        return 1.0
    most = 1.0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        places, dims = 1.0, 0
        for d in range(geometry.dims):
            if geometry.rank_step[r, d] > 0:
                dims += 1
                if data.spatial[s, d] > 1:
                    places *= data.spatial[s, d]
        if dims > 1:
            most = max(most, places)
    return most


@kernel
def _shares(geometry: Geometry, data: ProblemData, s: int, p: int) -> bool:
    """Whether some children of level s always hold the same words of p."""
    for d in range(geometry.dims):
        if data.spatial[s, d] > 1 and not data.relevant[p] >> d & 1:
            return True
    return False


@kernel
def _clear_prices(geometry: Geometry, data: ProblemData) -> None:
    for b in range(data.bands):
        data.start[b] = 0.0
    for e in range(geometry.levels):
        for p in range(geometry.spaces):
            data.price[e, p] = 0.0
            for b in range(data.bands):
                data.load[b, e, p] = 0.0


@kernel
def price(geometry: Geometry, data: ProblemData) -> None:
    """Cost and cycles of one word on every edge, and all constants, for the spatial factors on the data."""
    S, P, D = geometry.levels, geometry.spaces, geometry.dims
    _clear_prices(geometry, data)
    steps, points, fixed, leak = 1.0, 1.0, 0.0, 0.0
    for d in range(D):
        steps *= float(geometry.bounds[d] // data.divisor[d, data.outside[0, d]])
        points *= float(geometry.bounds[d])
    fixed += points * data.compute_cost
    for s in range(S):
        leak += data.leak_cost[s] * _leaking(geometry, data, s)
    for p in range(P):
        partition = data.words[p]
        for s in range(S - 1, -1, -1):
            if s < S - 1:
                for d in range(D):
                    if data.relevant[p] >> d & 1 and not data.coupled[p]:
                        partition /= data.spatial[s + 1, d]
            if data.keep[s, p] and data.bounded[p]:
                fixed += _price_level(geometry, data, s, p, partition)
        for a in range(S - 1):
            # Without reuse, words that neighbours pass on may be nearly all.
            if data.parent[a + 1, p] >= 0 and geometry.no_temporal_reuse[a, p] and passes(geometry, a + 1, p):
                data.price[a + 1, p] = 0.0
                for b in range(data.bands):
                    data.load[b, a + 1, p] = 0.0
    data.steps = steps
    data.fixed = fixed
    data.leak = leak


@kernel
def _leaking(geometry: Geometry, data: ProblemData, s: int) -> float:
    gate = data.gate[s]
    share = float(geometry.instances[s]) / float(geometry.instances[gate])
    if share > 1.0:
        return share * used(geometry, data, gate)
    return used(geometry, data, s)


@kernel
def used(geometry: Geometry, data: ProblemData, s: int) -> float:
    """Instances of level s that work: the spatial factors of the levels further out."""
    product = 1.0
    for d in range(geometry.dims):
        product *= data.divisor[d, data.outside[s + 1, d]]
    return product


@kernel
def _once(geometry: Geometry, data: ProblemData, a: int, p: int) -> float:
    """Words that one child of a level that does not keep them fetches at least: each of its share once."""
    words = 1.0
    for d in range(geometry.dims):
        if data.relevant[p] >> d & 1:
            words *= geometry.bounds[d] // data.divisor[d, data.outside[a + 1, d]]
    return words


@kernel
def _price_level(geometry: Geometry, data: ProblemData, s: int, p: int, partition: float) -> float:
    """Enter what level s pays for the edges of p below and above it; returns the constant part (first updates)."""
    working = used(geometry, data, s)
    clusters = min(working, float(data.clusters[s]))
    scale = clusters  # instances / (instances / clusters)
    rw = geometry.read_write[p]
    below = s - 1
    while below >= 0 and not data.keep[below, p]:
        below -= 1
    top = data.parent[s + 1, p] < 0
    carried = groups(geometry, data, below + 1, p, True)
    exact = not data.coupled[p]
    network = carried * data.ingress_cost[below + 1] * used(geometry, data, below + 1)
    network += data.hop_bound[below + 1, p] * used(geometry, data, below + 1)
    fixed = 0.0
    for o in range(below + 2, s + 1):
        carried *= groups(geometry, data, o, p, False)
        network += carried * data.ingress_cost[o] * used(geometry, data, o)
        fixed += data.hop_bound[o, p] * _once(geometry, data, o - 1, p) * used(geometry, data, o)
        exact = False
    access = data.read_cost[s] * scale
    fill = data.fill_cost[s] * scale + data.address_cost[s] * clusters
    if rw:
        access += data.update_cost[s] * scale + data.address_cost[s] * clusters
    else:
        access += data.address_cost[s] * clusters
    data.price[below + 1, p] += carried * access + network
    lost = 0.0 if exact else 1.0  # rounding of counts that are no whole numbers
    elided = partition if rw and _elides(geometry, s, p) else 0.0
    fixed -= (elided + lost) * data.read_cost[s] * scale
    if rw:
        fixed -= lost * (data.update_cost[s] * scale)
    if not top:
        data.price[s + 1, p] += fill
        fixed -= ((elided if rw else 0.0) + (1.0 if data.coupled[p] else 0.0)) * fill
    for b in range(data.bands):
        if data.band_level[b] != s:
            continue
        each = data.band_scale[s, p] / data.band_words[b]
        reads = 1.0 if data.band_reads[b] else 0.0
        writes = 1.0 if data.band_writes[b] else 0.0
        data.load[b, below + 1, p] += carried * each * (reads + (writes if rw else 0.0))
        data.start[b] -= each * (reads * (elided + lost) + (writes * lost if rw else 0.0))
        if not top:
            data.load[b, s + 1, p] += each * writes
            data.start[b] -= each * writes * ((elided if rw else 0.0) + (1.0 if data.coupled[p] else 0.0))
    # Compute reads at every step, unless neighbours pass words on below level 0.
    if below < 0:
        quiet = passes(geometry, 0, p) and (
            _shares(geometry, data, 0, p) or _thinned(geometry, data, 0, p) > 1.0
        )
        data.steady[0, p] = not quiet
        data.linked[0, p] = _thinned(geometry, data, 0, p)
    else:
        data.steady[below + 1, p] = geometry.no_temporal_reuse[below, p]
        data.linked[below + 1, p] = _thinned(geometry, data, below + 1, p)
    return fixed


@kernel
def prepare(
    geometry_box: Box[Geometry],
    data_box: Box[ProblemData],
    tiles: TileTable,
    inner: Int64[ndarray, "S D"],
    hops: Float64[ndarray, "S P"],
) -> bool:
    """Price everything for the spatial factors ``inner`` (divisor indices); false if nothing fits.

    ``hops``: ``ProblemData.hop_bound``. The tiles are not sorted yet: kernels cannot.
    """
    geometry, data = geometry_box[0], data_box[0]
    _set_hops(geometry, data, hops)
    if not set_spatial(geometry, data, inner):
        return False
    price(geometry, data)
    _innermost(geometry, data, tiles)
    for a in range(geometry.levels - 1):
        _own(geometry, data, tiles, a)
    for b in range(data.bands):
        for e in range(geometry.levels):
            for p in range(geometry.spaces):
                data.start[b] += data.load[b, e, p] * data.least[e, p]
    for a in range(geometry.levels - 1):
        _spread(geometry, data, tiles, a)
    for a in range(geometry.levels):
        last = a == geometry.levels - 1
        for k in range(data.first[a], data.first[a + 1]):
            own = tiles.worth[k, geometry.spaces]
            tiles.worth[k, geometry.spaces + 1] = (
                0.0 if last else own + outer_cost(geometry, data, tiles, a, k)
            )
    data.bound = _root(geometry, data, tiles)
    return True


@kernel
def _set_hops(geometry: Geometry, data: ProblemData, hops: Float64[ndarray, "S P"]) -> None:
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            data.hop_bound[s, p] = hops[s, p]


@kernel
def set_spatial(geometry: Geometry, data: ProblemData, inner: Int64[ndarray, "S D"]) -> bool:
    """Enter spatial factors; false if their product does not divide the bounds."""
    for d in range(geometry.dims):
        data.outside[geometry.levels, d] = 0
        for s in range(geometry.levels - 1, -1, -1):
            data.inner[s, d] = inner[s, d]
            data.spatial[s, d] = data.divisor[d, inner[s, d]]
            both = data.product[d, data.outside[s + 1, d], inner[s, d]]
            if both < 0:
                return False
            data.outside[s, d] = both
    return True


@kernel
def _innermost(geometry: Geometry, data: ProblemData, tiles: TileTable) -> None:
    """Least words that compute asks for."""
    for p in range(geometry.spaces):
        data.least[0, p] = 0.0
        if data.parent[0, p] < 0:
            continue
        words = 1.0
        for d in range(geometry.dims):
            n = geometry.bounds[d] // data.divisor[d, data.outside[0, d]]
            data.loop[0, d] = n
            data.rest[0, d] = 1
            data.stride[0, d] = 1
            for s in range(data.reach[0, d] + 1):
                data.stride[0, d] *= data.spatial[s, d]
            words *= n
        if not data.steady[0, p]:
            merged = data.merged[0] != 0
            words = fetched(geometry, data, tiles, -1, p, -1, 0, ~data.relevant[p], 1.0, merged)
        data.least[0, p] = words


@kernel
def _own(geometry: Geometry, data: ProblemData, tiles: TileTable, a: int) -> None:
    """Least cost of the edges into every tile of level a, and the least words of each."""
    for p in range(geometry.spaces):
        data.least[a + 1, p] = np.inf if data.parent[a + 1, p] >= 0 else 0.0
    for k in range(data.first[a], data.first[a + 1]):
        mask = 0
        tiles.worth[k, geometry.spaces] = np.inf
        fits = True
        for d in range(geometry.dims):
            whole = data.product[d, tiles.rows[k, d], data.outside[a + 1, d]]
            if whole < 0:
                fits = False
                break
            # The blocks up to the first loop that there can be: with more of them steps only grow.
            step = tiles.rows[k, d]
            for s in range(a + 1, data.reach[a + 1, d] + 1):
                step = data.product[d, step, data.inner[s, d]]
            data.loop[a, d] = geometry.bounds[d] // data.divisor[d, whole]
            data.stride[a, d] = data.divisor[d, step]
            data.rest[a, d] = 1
            if data.loop[a, d] > 1:
                mask |= 1 << d
        if fits:
            _price_tile(geometry, data, tiles, a, k, mask)
    for p in range(geometry.spaces):
        if data.least[a + 1, p] == np.inf:
            data.least[a + 1, p] = 0.0


@kernel
def _price_tile(geometry: Geometry, data: ProblemData, tiles: TileTable, a: int, k: int, mask: int) -> None:
    """Least cost of the edges into tile k of level a over all orders of the loops outside it."""
    merged = data.merged[a + 1] != 0
    for p in range(geometry.spaces):
        if data.parent[a + 1, p] >= 0:
            words = words_on(geometry, data, tiles, a, p, k, a, ~data.relevant[p], 1.0, merged)
            data.cheapest[p] = words
            data.least[a + 1, p] = min(data.least[a + 1, p], words)
    best = np.inf
    for c in range(tiles.class_first[geometry.levels, mask], tiles.class_first[geometry.levels, mask + 1]):
        total = 0.0
        for p in range(geometry.spaces):
            if data.parent[a + 1, p] >= 0:
                words = data.cheapest[p]
                # Loops that do not move the box, but lie outside one that does, repeat everything.
                again = mask & ~data.relevant[p] & ~tiles.class_free[c, p]
                if again != 0 and mask & data.relevant[p] != 0 and not data.steady[a + 1, p]:
                    for d in range(geometry.dims):
                        if again >> d & 1:
                            words *= data.loop[a, d]
                total += data.price[a + 1, p] * words
        best = min(best, total)
    tiles.worth[k, geometry.spaces] = best


@kernel
def words_on(
    geometry: Geometry,
    data: ProblemData,
    tiles: TileTable,
    a: int,
    p: int,
    k: int,
    at: int,
    free: int,
    outside: float,
    merged: bool,
) -> float:
    """Least words on the edge into tile k of level a (-1: compute), given the loops of level ``at`` (``fetched``)."""
    if not data.steady[a + 1, p]:
        return fetched(geometry, data, tiles, a, p, k, at, free, outside, merged)
    words = outside
    if k >= 0:
        words *= tiles.worth[k, p]
    for d in range(geometry.dims):
        words *= data.loop[at, d]
    return words


@kernel
def _spread(geometry: Geometry, data: ProblemData, tiles: TileTable, a: int) -> None:
    """For every shape the least own cost among the tiles of level a that are multiples of it."""
    for number in range(tiles.outer.shape[1]):
        tiles.outer[a, number] = np.inf
    for k in range(data.first[a], data.first[a + 1]):
        number = 0
        for d in range(geometry.dims):
            number += data.weight[d] * tiles.rows[k, d]
        tiles.outer[a, number] = tiles.worth[k, geometry.spaces]
    for d in range(geometry.dims):
        weight, count = data.weight[d], data.count[d]
        for q in range(data.primes):
            step = data.prime[d, q]
            if step == 0:
                break
            for number in range(tiles.outer.shape[1] - 1, -1, -1):
                i = number // weight % count
                j = data.product[d, i, step]
                if j >= 0:
                    other = tiles.outer[a, number + (j - i) * weight]
                    tiles.outer[a, number] = min(tiles.outer[a, number], other)


@kernel
def outer_cost(geometry: Geometry, data: ProblemData, tiles: TileTable, s: int, k: int) -> float:
    """Least cost of all edges into levels above s, given tile k of level s (-1: of compute)."""
    total = 0.0
    for a in range(s + 1, geometry.levels - 1):
        number = 0
        for d in range(geometry.dims):
            i = tiles.rows[k, d] if k >= 0 else 0
            for u in range(s + 1, a + 1):
                i = data.product[d, i, data.inner[u, d]]
                if i < 0:
                    return np.inf
            number += data.weight[d] * i
        total += tiles.outer[a, number]
    return total


@kernel
def _root(geometry: Geometry, data: ProblemData, tiles: TileTable) -> float:
    """Bound of the whole task."""
    energy = data.fixed
    for p in range(geometry.spaces):
        energy += data.price[0, p] * data.least[0, p]
    energy += outer_cost(geometry, data, tiles, -1, -1)
    return cost_of(geometry, data, energy, slowest(geometry, data, -1))


@kernel
def slowest(geometry: Geometry, data: ProblemData, s: int) -> float:
    """The most cycles that a bandwidth asks for, with the edges into levels below s settled (-1: none)."""
    most = 0.0
    for b in range(data.bands):
        most = max(most, data.cycles[s, b] if s >= 0 else data.start[b])
    return most


@kernel
def rest_bound(
    geometry_box: Box[Geometry], data_box: Box[ProblemData], tiles: TileTable, place: int
) -> float:
    """Bound of all mappings whose innermost tile comes at ``place`` of the sorted ones or later."""
    geometry, data = geometry_box[0], data_box[0]
    k = tiles.rows[data.first[0] + place, tiles.rows.shape[1] - 1]
    energy = data.fixed + tiles.worth[k, geometry.spaces + 1]
    for p in range(geometry.spaces):
        energy += data.price[0, p] * data.least[0, p]
    return cost_of(geometry, data, energy, slowest(geometry, data, -1))


@kernel
def relaxed_bounds(
    geometry_box: Box[Geometry],
    data_box: Box[ProblemData],
    inners: Int64[ndarray, "n S D"],
    hops: Float64[ndarray, "n S P"],
    bounds: Float64[ndarray, "n"],
) -> None:
    """Quick bounds of tasks, from spatial factors alone: every word travels once. Infinite if nothing fits."""
    geometry, data = geometry_box[0], data_box[0]
    for i in range(inners.shape[0]):
        _set_hops(geometry, data, hops[i])
        bounds[i] = _relaxed_bound(geometry, data, inners[i])


@kernel
def _relaxed_bound(geometry: Geometry, data: ProblemData, inner: Int64[ndarray, "S D"]) -> float:
    if not set_spatial(geometry, data, inner):
        return np.inf
    price(geometry, data)
    return cost_of(geometry, data, data.fixed + _each_once(geometry, data), slowest(geometry, data, -1))


@kernel
def _each_once(geometry: Geometry, data: ProblemData) -> float:
    """Energy of all edges if every word travels once; the cycles of each bandwidth are added to ``start``."""
    energy = 0.0
    for p in range(geometry.spaces):
        for a in range(-1, geometry.levels - 1):
            if data.parent[a + 1, p] < 0 or data.coupled[p]:
                continue
            words = data.steps
            if a >= 0 or not data.steady[0, p]:
                words = 1.0
                for d in range(geometry.dims):
                    if data.relevant[p] >> d & 1:
                        words *= geometry.bounds[d] // data.divisor[d, data.outside[a + 1, d]]
            energy += data.price[a + 1, p] * words
            for b in range(data.bands):
                data.start[b] += data.load[b, a + 1, p] * words
    return energy


@kernel
def relaxed_parts(
    geometry_box: Box[Geometry],
    data_box: Box[ProblemData],
    inners: Int64[ndarray, "n S D"],
    hops: Float64[ndarray, "n S P"],
    energies: Float64[ndarray, "n"],
    cycles: Float64[ndarray, "n B"],
    common: Float64[ndarray, "n 3"],
) -> None:
    """What ``relaxed_bounds`` adds up, for one data space (nobody keeps the others): energy, cycles of bandwidths.

    ``common``: what does not depend on who keeps what: pJ of computing, temporal steps, pJ/cycle of leakage. Energies
    are infinite if nothing fits.
    """
    geometry, data = geometry_box[0], data_box[0]
    points = 1.0
    for d in range(geometry.dims):
        points *= float(geometry.bounds[d])
    for i in range(inners.shape[0]):
        _set_hops(geometry, data, hops[i])
        if not set_spatial(geometry, data, inners[i]):
            energies[i] = np.inf
            continue
        price(geometry, data)
        common[i, 0] = points * data.compute_cost
        common[i, 1] = data.steps
        common[i, 2] = data.leak
        energies[i] = data.fixed - common[i, 0] + _each_once(geometry, data)
        for b in range(data.bands):
            cycles[i, b] = data.start[b]


@kernel
def relaxed_sums(
    geometry_box: Box[Geometry],
    data_box: Box[ProblemData],
    rows: Int64[ndarray, "m P"],
    energies: Float64[ndarray, "k n"],
    cycles: Float64[ndarray, "k n B"],
    common: Float64[ndarray, "n 3"],
    bounds: Float64[ndarray, "m"],
) -> None:
    """Quick bounds of whole choices of bypasses: ``rows`` names the result of ``relaxed_parts`` for each data space."""
    geometry, data = geometry_box[0], data_box[0]
    for m in range(rows.shape[0]):
        bounds[m] = np.inf
        for i in range(common.shape[0]):
            data.steps = common[i, 1]
            data.leak = common[i, 2]
            energy = common[i, 0]
            most = 0.0
            for p in range(geometry.spaces):
                energy += energies[rows[m, p], i]
            for b in range(data.bands):
                total = 0.0
                for p in range(geometry.spaces):
                    total += cycles[rows[m, p], i, b]
                most = max(most, total)
            if energy < np.inf:
                bounds[m] = min(bounds[m], cost_of(geometry, data, energy, most))

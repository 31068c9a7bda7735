# ruff: noqa: SIM110  (compiled code has no generators)
"""Admissible bounds: words on an edge, prices of edges, least cost of everything outside a tile (docs/optimal.md)."""

from __future__ import annotations

import numpy as np

from ..compiling import kernel
from .program import DELAY, ENERGY, SLACK, Desk, Stock


@kernel
def cost_of(desk: Desk, energy: float, cycles: float) -> float:
    """Objective value of so much energy (without leakage) and so many cycles (without network latencies)."""
    cycles = max(cycles, desk.steps)
    cycles = np.ceil(cycles * (1.0 - SLACK))
    if desk.goal == DELAY:
        return cycles + desk.latency
    energy += desk.leak * cycles
    if desk.goal == ENERGY:
        return energy
    return energy * (cycles + desk.latency)


@kernel
def fetched(
    desk: Desk,
    stock: Stock,
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
    dims = desk.dims
    relevant = desk.relevant[p]
    volume = 1.0
    if k >= 0:
        volume = stock.worth[k, p]
    product = outside
    moving = 0
    for d in range(dims):
        if desk.loop[at, d] > 1:
            if relevant >> d & 1:
                moving += 1
                product *= desk.loop[at, d]
            elif not free >> d & 1:
                product *= desk.loop[at, d]
    if moving == 0:
        return volume
    if not desk.coupled[p]:
        return volume * product
    best = np.inf
    first_rank, end_rank = desk.rank_start[p], desk.rank_start[p + 1]
    linked = desk.linked[a + 1, p]
    for f in range(dims):
        if desk.loop[at, f] == 1 or not relevant >> f & 1:
            continue
        if desk.alone[p] >> f & 1:
            best = min(best, volume * product)
            continue
        left = 1.0
        near = linked > 1.0
        for r in range(first_rank, end_rank):
            step = desk.distance[r, f] * desk.stride[at, f]
            size = stock.tiles[k, dims + r] if k >= 0 else 1
            left *= max(0, size - step)
            if step > 0 and near:
                span = 0
                for d in range(dims):
                    n = desk.spatial[a + 1, d]
                    if n > 1:
                        size = desk.divisor[d, stock.tiles[k, d]] if k >= 0 else 1
                        span += (n - 1) * desk.distance[r, d] * size
                near = step <= span
        fresh = volume - left
        passed = fresh == volume and linked > 1.0
        suspects = 1.0
        for d in range(dims):
            if not relevant >> d & 1 or desk.alone[p] >> d & 1:
                continue
            if d != f and desk.loop[at, d] > 1 and _may_coincide(desk, p, f, d, at, merged, passed):
                suspects *= desk.loop[at, d]
            if desk.rest[at, d] > 1 and _may_coincide_outside(desk, p, f, d, at, passed):
                suspects *= desk.rest[at, d]
        n = float(desk.loop[at, f])
        share = n - 1.0
        if merged and suspects > 1.0:
            share = n * (1.0 - 1.0 / desk.least_prime[f])
        words = product / n * (share * fresh + volume / suspects)
        if near:
            # Neighbours never have what a loop of a dim that is alone brings.
            whole = volume
            for d in range(dims):
                if desk.alone[p] >> d & 1:
                    whole *= desk.loop[at, d] * desk.rest[at, d]
            words = max(words / linked, product / n * share * fresh / linked + whole)
        best = min(best, words)
    return best


@kernel
def _may_coincide(desk: Desk, p: int, f: int, d: int, at: int, merged: bool, passed: bool) -> bool:
    """Whether loop d, outside f, may move the box back to where it was, or just as f does.

    ``merged``: loops stand for several of the same dim, whose strides are only known to lie in a range. ``passed``:
    any coincidence with a neighbour's box counts, too.
    """
    for r in range(desk.rank_start[p], desk.rank_start[p + 1]):
        own, first = desk.distance[r, d] * desk.stride[at, d], desk.distance[r, f] * desk.stride[at, f]
        if first == 0:
            continue
        if own == 0:
            return False
        if passed:
            continue
        if merged:
            if desk.distance[r, d] * (desk.bounds[d] // desk.least_prime[d]) < first:
                return False
            if own > _sum_of_steps(desk, r, f, d, at):
                return False
            continue
        most = 2 * first
        for e in range(desk.dims):
            if e != f and e != d and desk.loop[at, e] > 1:
                most += desk.distance[r, e] * desk.stride[at, e]
        if own < first or own > most or (most == 2 * first and own != first and own != most):
            return False
    return True


@kernel
def _sum_of_steps(desk: Desk, r: int, f: int, d: int, at: int) -> int:
    """Most that all loops of rank r but those of dim d can move the box by one step each, and f once more."""
    most = desk.distance[r, f] * (desk.bounds[f] // desk.least_prime[f])
    for e in range(desk.dims):
        if e != d and desk.loop[at, e] * desk.rest[at, e] > 1:
            most += desk.distance[r, e] * (desk.bounds[e] - 1)
    return most


@kernel
def _may_coincide_outside(desk: Desk, p: int, f: int, d: int, at: int, passed: bool) -> bool:
    """The same of loops of dim d in the levels further out, all of whose inner loops are at work in between."""
    for r in range(desk.rank_start[p], desk.rank_start[p + 1]):
        for e in range(desk.dims):
            moving = desk.loop[at, e] > 1 and desk.distance[r, e] > 0
            if moving and desk.distance[r, d] == 0 and (not passed or desk.alone[p] >> e & 1 or e == f):
                return False
        if passed or desk.distance[r, f] == 0:
            continue
        # Its step exceeds the sum of all inner steps of its own dim by the first of them at least.
        if d != f and desk.distance[r, d] * desk.stride[at, d] > _sum_of_steps(desk, r, f, d, at):
            return False
        if d == f and desk.loop[at, f] > 2:
            others = 0
            for e in range(desk.dims):
                if e != f and desk.loop[at, e] * desk.rest[at, e] > 1:
                    others += desk.distance[r, e] * (desk.bounds[e] - 1)
            if desk.distance[r, f] * desk.stride[at, f] > others:
                return False
    return True


@kernel
def groups(desk: Desk, s: int, p: int, first: bool) -> float:
    """Least number of different boxes of level s's children, or (``first`` false) children per largest group."""
    if not desk.multicast[s, p]:
        total = 1.0
        for d in range(desk.dims):
            total *= desk.spatial[s, d]
        return total
    apart = 1.0
    seen = 0
    for r in range(desk.rank_start[p], desk.rank_start[p + 1]):
        most, together = 1, 1
        for d in range(desk.dims):
            n = desk.spatial[s, d]
            if n > 1 and desk.distance[r, d] > 0 and not seen >> d & 1:
                seen |= 1 << d
                most = max(most, n)
                together += n - 1
        apart *= together if first else most
    return apart


@kernel
def _thinned(desk: Desk, s: int, p: int) -> float:
    """By how much the words that level s sends can shrink when its children pass them on to neighbours."""
    if not desk.passing[s, p] or not desk.coupled[p]:
        return 1.0
    most = 1.0
    for r in range(desk.rank_start[p], desk.rank_start[p + 1]):
        places, dims = 1.0, 0
        for d in range(desk.dims):
            if desk.distance[r, d] > 0:
                dims += 1
                if desk.spatial[s, d] > 1:
                    places *= desk.spatial[s, d]
        if dims > 1:
            most = max(most, places)
    return most


@kernel
def _shares(desk: Desk, s: int, p: int) -> bool:
    """Whether some children of level s always hold the same words of p."""
    for d in range(desk.dims):
        if desk.spatial[s, d] > 1 and not desk.relevant[p] >> d & 1:
            return True
    return False


@kernel
def _clear_prices(desk: Desk) -> None:
    for b in range(desk.bands):
        desk.start[b] = 0.0
    for e in range(desk.levels):
        for p in range(desk.spaces):
            desk.price[e, p] = 0.0
            for b in range(desk.bands):
                desk.load[b, e, p] = 0.0


@kernel
def price(desk: Desk) -> None:
    """Cost and cycles of one word on every edge, and all constants, for the spatial factors on the desk."""
    S, P, D = desk.levels, desk.spaces, desk.dims
    _clear_prices(desk)
    steps, points, fixed, leak = 1.0, 1.0, 0.0, 0.0
    for d in range(D):
        steps *= float(desk.bounds[d] // desk.divisor[d, desk.outside[0, d]])
        points *= float(desk.bounds[d])
    fixed += points * desk.compute_cost
    for s in range(S):
        leak += desk.leak_cost[s] * _leaking(desk, s)
    for p in range(P):
        partition = desk.words[p]
        for s in range(S - 1, -1, -1):
            if s < S - 1:
                for d in range(D):
                    if desk.relevant[p] >> d & 1 and not desk.coupled[p]:
                        partition /= desk.spatial[s + 1, d]
            if desk.keep[s, p] and desk.bounded[p]:
                fixed += _price_level(desk, s, p, partition)
        for a in range(S - 1):
            # Without reuse, words that neighbours pass on may be nearly all.
            if desk.parent[a + 1, p] >= 0 and not desk.reuse[a, p] and desk.passing[a + 1, p]:
                desk.price[a + 1, p] = 0.0
                for b in range(desk.bands):
                    desk.load[b, a + 1, p] = 0.0
    desk.steps = steps
    desk.fixed = fixed
    desk.leak = leak


@kernel
def _leaking(desk: Desk, s: int) -> float:
    gate = desk.gate[s]
    share = float(desk.instances[s]) / float(desk.instances[gate])
    if share > 1.0:
        return share * used(desk, gate)
    return used(desk, s)


@kernel
def used(desk: Desk, s: int) -> float:
    """Instances of level s that work: the spatial factors of the levels further out."""
    product = 1.0
    for d in range(desk.dims):
        product *= desk.divisor[d, desk.outside[s + 1, d]]
    return product


@kernel
def _once(desk: Desk, a: int, p: int) -> float:
    """Words that one child of a level that does not keep them fetches at least: each of its share once."""
    words = 1.0
    for d in range(desk.dims):
        if desk.relevant[p] >> d & 1:
            words *= desk.bounds[d] // desk.divisor[d, desk.outside[a + 1, d]]
    return words


@kernel
def _price_level(desk: Desk, s: int, p: int, partition: float) -> float:
    """Enter what level s pays for the edges of p below and above it; returns the constant part (first updates)."""
    working = used(desk, s)
    clusters = min(working, float(desk.clusters[s]))
    scale = clusters  # instances / (instances / clusters)
    rw = desk.read_write[p]
    below = s - 1
    while below >= 0 and not desk.keep[below, p]:
        below -= 1
    top = desk.parent[s + 1, p] < 0
    carried = groups(desk, below + 1, p, True)
    exact = not desk.coupled[p]
    network = carried * desk.ingress_cost[below + 1] * used(desk, below + 1)
    network += desk.way[below + 1, p] * used(desk, below + 1)
    fixed = 0.0
    for o in range(below + 2, s + 1):
        carried *= groups(desk, o, p, False)
        network += carried * desk.ingress_cost[o] * used(desk, o)
        fixed += desk.way[o, p] * _once(desk, o - 1, p) * used(desk, o)
        exact = False
    access = desk.read_cost[s] * scale
    fill = desk.fill_cost[s] * scale + desk.address_cost[s] * clusters
    if rw:
        access += desk.update_cost[s] * scale + desk.address_cost[s] * clusters
    else:
        access += desk.address_cost[s] * clusters
    desk.price[below + 1, p] += carried * access + network
    lost = 0.0 if exact else 1.0  # rounding of counts that are no whole numbers
    elided = partition if rw and desk.elided[s, p] else 0.0
    fixed -= (elided + lost) * desk.read_cost[s] * scale
    if rw:
        fixed -= lost * (desk.update_cost[s] * scale)
    if not top:
        desk.price[s + 1, p] += fill
        fixed -= ((elided if rw else 0.0) + (1.0 if desk.coupled[p] else 0.0)) * fill
    for b in range(desk.bands):
        if desk.band_level[b] != s:
            continue
        each = desk.band_scale[s, p] / desk.band_words[b]
        reads = 1.0 if desk.band_reads[b] else 0.0
        writes = 1.0 if desk.band_writes[b] else 0.0
        desk.load[b, below + 1, p] += carried * each * (reads + (writes if rw else 0.0))
        desk.start[b] -= each * (reads * (elided + lost) + (writes * lost if rw else 0.0))
        if not top:
            desk.load[b, s + 1, p] += each * writes
            desk.start[b] -= each * writes * ((elided if rw else 0.0) + (1.0 if desk.coupled[p] else 0.0))
    # Compute reads at every step, unless neighbours pass words on below level 0.
    if below < 0:
        quiet = desk.passing[0, p] and (_shares(desk, 0, p) or _thinned(desk, 0, p) > 1.0)
        desk.steady[0, p] = not quiet
        desk.linked[0, p] = _thinned(desk, 0, p)
    else:
        desk.steady[below + 1, p] = not desk.reuse[below, p]
        desk.linked[below + 1, p] = _thinned(desk, below + 1, p)
    return fixed

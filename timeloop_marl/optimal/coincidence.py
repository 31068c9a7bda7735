# ruff: noqa: SIM110  (compiled code has no generators)
"""Where every detail of loop orders and spatial layouts matters for a leaf (docs/optimal.md, rule R4)."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..compiling import kernel
from .program import MOST, Desk, Stock


@kernel
def mark_details(desk: Desk, stock: Stock, leaf: Int64[ndarray, "2S+2"]) -> None:
    """Write the levels (bits) whose whole order matters, then those whose layout of spatial loops does.

    Elsewhere the class of the order says all, and any layout is as good as any other.
    """
    orders, layouts = 0, 0
    everything = (1 << desk.levels) - 1
    for p in range(desk.spaces):
        for a in range(-1, desk.levels - 1):
            passing = desk.passing[a + 1, p] and _spread(desk, a + 1)
            if a >= 0 and passing and not desk.reuse[a, p]:
                orders = everything
                layouts |= 1 << (a + 1)
                continue
            quiet = a < 0 and not desk.steady[0, p]
            if quiet:
                layouts |= 1
            if not desk.coupled[p]:
                continue
            end = _surely_new(desk, a, p)
            met = desk.parent[a + 1, p] >= 0 or desk.hops
            if a < 0:
                met = quiet
            found = _meets(desk, stock, a, p, end, met, passing)
            if found > 0:
                orders |= ((1 << (end + 1)) - 1) & ~((1 << (a + 1)) - 1)
            if found > 1:
                layouts |= 1 << (a + 1)
    leaf[2 * desk.levels] = orders
    leaf[2 * desk.levels + 1] = layouts


@kernel
def _spread(desk: Desk, s: int) -> bool:
    for d in range(desk.dims):
        if desk.spatial[s, d] > 1:
            return True
    return False


@kernel
def _surely_new(desk: Desk, a: int, p: int) -> int:
    """First level above a with a loop of a dim that has a rank of p to itself: whatever moves later is new."""
    for s in range(a + 1, desk.levels):
        if desk.mask[s] & desk.alone[p]:
            return s
    return desk.levels - 1


@kernel
def _meets(desk: Desk, stock: Stock, a: int, p: int, end: int, met: bool, passing: bool) -> int:
    """Whether some order lets a tile meet an earlier one (1) or what a neighbour had (2); 0 neither."""
    result = 0
    for r in range(desk.rank_start[p], desk.rank_start[p + 1]):
        span, count = 0, 0
        for d in range(desk.dims):
            n = desk.spatial[a + 1, d]
            if n > 1 and passing:
                size = desk.divisor[d, stock.tiles[desk.chosen[a], d]] if a >= 0 else 1
                span += (n - 1) * desk.distance[r, d] * size
        for s in range(a + 1, end + 1):
            for d in range(desk.dims):
                if desk.loop[s, d] > 1 and desk.distance[r, d] > 0 and not desk.alone[p] >> d & 1:
                    if count == MOST:
                        return 2
                    desk.motions[count] = desk.distance[r, d] * desk.stride[s, d]
                    count += 1
        if met and result == 0 and _sum_again(desk.motions, count):
            result = 1
        if span > 0 and _sum_near(desk.motions, count, span):
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

"""Groups of the children of a regular block and the entries that they make (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import ANY_ENTRIES, EACH_ENTRY, Geometry
from .workspace import Workspace

MOST_ENTRIES = 4
"""Most entries of a block over vectors."""

EUCLID = 12
"""Most divisions to find a common divisor of two steps."""


@kernel
def most_groups(geometry: Geometry, s: int, p: int) -> int:
    """Most sizes of groups that two loops in one rank may give; 1: no such loops are taken."""
    if geometry.hops_needed or geometry.no_multicast[s, p] or geometry.asked[s, p] != ANY_ENTRIES:
        return 1
    most = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        first, second = 1, 1
        for d in range(geometry.dims):
            if geometry.rank_step[r, d] != 0:
                second = max(second, min(first, geometry.bounds[d]))
                first = max(first, geometry.bounds[d])
        most = max(most, second)
    return min(most, MOST_ENTRIES)


@kernel
def passes_groups(geometry: Geometry, s: int, p: int) -> bool:
    """Whether some groups of children may be served while others are not."""
    linked = (
        geometry.link_transfers and not geometry.no_link_transfer[s, p] and not geometry.no_multicast[s, p]
    )
    return linked and geometry.coupled[p] and not geometry.hops_needed and geometry.asked[s, p] != EACH_ENTRY


@kernel
def find_pair(
    geometry: Geometry, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, t: int, p: int, most: int
) -> bool:
    """Whether two loops of a block move one rank: their bounds and steps are left in ``pair``.

    Irregular: more than two, two pairs, a loop that moves several ranks, or a pair where ``most`` is 1.
    """
    n, m, a, b, pairs = 1, 1, 1, 1, 0
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        loops, n1, n2, step1, step2 = 0, 1, 1, 1, 1
        for d in range(geometry.dims):
            if geometry.rank_step[r, d] != 0:
                bound, step = factors[i, t, d], geometry.rank_step[r, d] * work.inside[t, d]
                n2, step2 = bound if loops == 1 else n2, step if loops == 1 else step2
                n1, step1 = bound if loops == 0 else n1, step if loops == 0 else step1
                loops += 1 if bound > 1 else 0
        if loops > 2:
            work.irregular[0] = True
        pairs += 1 if loops > 1 else 0
        n, m = n1 if loops > 1 else n, n2 if loops > 1 else m
        a, b = step1 if loops > 1 else a, step2 if loops > 1 else b
    for d in range(geometry.dims):
        if geometry.used[p, d] and geometry.rank_bit[p, d] == 0 and factors[i, t, d] > 1:
            work.irregular[0] = True
    if pairs > 1 or (pairs == 1 and most == 1):
        work.irregular[0] = True
    work.pair[0] = n
    work.pair[1] = m
    work.pair[2] = a
    work.pair[3] = b
    return pairs != 0


@kernel
def _widest_pair(geometry: Geometry, p: int) -> int:
    """The lesser step of two loops of perfect factors in one rank is at most this."""
    widest = 1
    for r in range(geometry.rank_start[p], geometry.rank_start[p + 1]):
        first, second = 1, 1
        for d in range(geometry.dims):
            if geometry.rank_step[r, d] != 0:
                step = geometry.rank_step[r, d]
                for q in range(geometry.bounds[d], 1, -1):  # the last is the least divisor
                    if geometry.bounds[d] % q == 0:
                        step = geometry.rank_step[r, d] * (geometry.bounds[d] // q)
                second = max(second, min(first, step))
                first = max(first, step)
        widest = max(widest, second)
    return widest


@kernel
def reduce_pair(geometry: Geometry, work: Workspace, p: int) -> None:
    """Divide the steps of the pair by what they have in common: Euclid's algorithm, so many steps for all."""
    divisor, rest, widest = work.pair[2], work.pair[3], _widest_pair(geometry, p)
    if widest == 1:
        if min(divisor, rest) != 1:
            work.irregular[0] = True
        return
    divisor, rest = max(divisor, rest), min(divisor, rest)
    for _ in range(EUCLID):
        if widest > 0:
            over = divisor % max(1, rest)
            divisor, rest = divisor if rest == 0 else rest, 0 if rest == 0 else over
        widest = widest * 2 // 3
    if rest != 0:
        work.irregular[0] = True
    work.pair[2] = work.pair[2] // divisor
    work.pair[3] = work.pair[3] // divisor


@kernel
def groups_of(work: Workspace, k: int) -> int:
    """How many offsets of the pair are shared by k children (5.4)."""
    return sums(work, k) - 2 * sums(work, k + 1) + sums(work, k + 2)


@kernel
def sums(work: Workspace, k: int) -> int:
    """Index pairs from which the same sum can be reached k - 1 times more."""
    n, m, a, b = work.pair[0], work.pair[1], work.pair[2], work.pair[3]
    return max(0, n - (k - 1) * b) * max(0, m - (k - 1) * a)

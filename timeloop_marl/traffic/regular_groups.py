"""Groups of the children of a regular block and the entries that they make (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int64
from numpy import ndarray

from ..compiling import kernel
from ..cost.networks import SIMPLE_MULTICAST
from .layout import Tables, Workspace

MOST_ENTRIES = 4
"""Most entries of a block over vectors."""

EUCLID = 12
"""Most divisions to find a common divisor of two steps."""


@kernel
def _one_signature(tables: Tables, s: int, p: int) -> bool:
    """Whether a network that level s feeds looks at how many entries there are, even empty ones."""
    found = False
    for n in range(tables.networks):
        if tables.net_outer[n] == s:
            found = found or tables.net_kind[n] == SIMPLE_MULTICAST
            found = found or (tables.net_doubles[n] and tables.read_write[p])
    return found


@kernel
def most_groups(tables: Tables, s: int, p: int) -> int:
    """Most sizes of groups that two loops in one rank may give; 1: no such loops are taken."""
    if tables.hops_needed or tables.no_multicast[s, p] or _one_signature(tables, s, p):
        return 1
    most = 1
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        first, second = 1, 1
        for d in range(tables.dims):
            if tables.rank_step[r, d] != 0:
                second = max(second, min(first, tables.bounds[d]))
                first = max(first, tables.bounds[d])
        most = max(most, second)
    return min(most, MOST_ENTRIES)


@kernel
def passes_groups(tables: Tables, s: int, p: int) -> bool:
    """Whether some groups of children may be served while others are not."""
    linked = tables.link_transfers and not tables.no_link_transfer[s, p] and not tables.no_multicast[s, p]
    doubled = False
    for n in range(tables.networks):
        if tables.net_outer[n] == s:
            doubled = doubled or (tables.net_doubles[n] and tables.read_write[p])
    return linked and tables.coupled[p] and not tables.hops_needed and not doubled


@kernel
def find_pair(
    tables: Tables, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, t: int, p: int, most: int
) -> bool:
    """Whether two loops of a block move one rank: their bounds and steps are left in ``pair``.

    Irregular: more than two, two pairs, a loop that moves several ranks, or a pair where ``most`` is 1.
    """
    n, m, a, b, pairs = 1, 1, 1, 1, 0
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        loops, n1, n2, step1, step2 = 0, 1, 1, 1, 1
        for d in range(tables.dims):
            if tables.rank_step[r, d] != 0:
                bound, step = factors[i, t, d], tables.rank_step[r, d] * work.inside[t, d]
                n2, step2 = bound if loops == 1 else n2, step if loops == 1 else step2
                n1, step1 = bound if loops == 0 else n1, step if loops == 0 else step1
                loops += 1 if bound > 1 else 0
        if loops > 2:
            work.irregular[0] = True
        pairs += 1 if loops > 1 else 0
        n, m = n1 if loops > 1 else n, n2 if loops > 1 else m
        a, b = step1 if loops > 1 else a, step2 if loops > 1 else b
    for d in range(tables.dims):
        if tables.used[p, d] and tables.rank_bit[p, d] == 0 and factors[i, t, d] > 1:
            work.irregular[0] = True
    if pairs > 1 or (pairs == 1 and most == 1):
        work.irregular[0] = True
    work.pair[0] = n
    work.pair[1] = m
    work.pair[2] = a
    work.pair[3] = b
    return pairs != 0


@kernel
def _widest_pair(tables: Tables, p: int) -> int:
    """The lesser step of two loops of perfect factors in one rank is at most this."""
    widest = 1
    for r in range(tables.rank_start[p], tables.rank_start[p + 1]):
        first, second = 1, 1
        for d in range(tables.dims):
            if tables.rank_step[r, d] != 0:
                step = tables.rank_step[r, d]
                for q in range(tables.bounds[d], 1, -1):  # the last is the least divisor
                    if tables.bounds[d] % q == 0:
                        step = tables.rank_step[r, d] * (tables.bounds[d] // q)
                second = max(second, min(first, step))
                first = max(first, step)
        widest = max(widest, second)
    return widest


@kernel
def reduce_pair(tables: Tables, work: Workspace, p: int) -> None:
    """Divide the steps of the pair by what they have in common: Euclid's algorithm, so many steps for all."""
    divisor, rest, widest = work.pair[2], work.pair[3], _widest_pair(tables, p)
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

"""The entries of a spatial block and what its children pass on (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from .layout import Tables, Workspace
from .regular_groups import find_pair, groups_of, most_groups, passes_groups, reduce_pair, sums
from .regular_hops import regular_hops
from .regular_links import count_served, meets, rows_meet


@kernel
def _enter(work: Workspace, s: int, p: int, e: int, multicast: int, scatter: int, words: int) -> None:
    """Write entry e, without hops."""
    work.multicast[s, p, e] = multicast
    work.scatter[s, p, e] = scatter
    work.accesses[s, p, e] = float(scatter) * float(words)
    work.hops[s, p, e] = 0.0
    work.unicast[s, p, e] = 0.0


@kernel
def _serve_all(tables: Tables, work: Workspace, s: int, p: int, paired: bool) -> int:
    """Words that each child finds at a neighbour that holds the same: all find it, or none."""
    held = work.held_words[0]
    same = held != 0 and meets(tables, work, p, 0)
    if same and (work.packed[0] or paired or tables.no_multicast[s, p]):
        work.irregular[0] = True
    return held if same else 0


@kernel
def _serve_groups(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    groups: int,
    paired: bool,
) -> int:
    """Groups that find what they fetch where a neighbour was before the first motion."""
    s = tables.tile_storage[t]
    motion = work.motion[s, p]
    served, matches = count_served(tables, factors, order, split, i, work, t, p, motion, groups)
    wanted = work.passed_words[0] != 0
    near = matches != 0
    if tables.fanout_x[s] > 1:
        several = paired or tables.no_multicast[s, p] != 0
        for d in range(tables.dims):
            if tables.used[p, d] and tables.rank_bit[p, d] == 0:
                several = several or work.motion_dim[s, p] == d
        rows = several or rows_meet(tables, factors, order, i, work, t, p, motion)
        near = near or (work.packed[0] and rows)
    if wanted and near and (work.packed[0] or paired or matches > 1 or tables.no_multicast[s, p]):
        work.irregular[0] = True
    if wanted and served != 0 and not passes_groups(tables, s, p):
        work.irregular[0] = True
    return served if wanted else 0


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
    links: bool,
) -> None:
    """The entries of a block each of whose children fetches ``words`` words, and its link transfers."""
    s = tables.tile_storage[t]
    shared, apart = 1, 1
    for d in range(tables.dims):
        if tables.used[p, d] or tables.no_multicast[s, p]:
            apart *= factors[i, t, d]
        else:
            shared *= factors[i, t, d]
    most = most_groups(tables, s, p)
    paired = False
    if not tables.no_multicast[s, p]:
        paired = find_pair(tables, factors, i, work, t, p, most)
    held, passed, served = 0, 0, 0
    if links:
        held = _serve_all(tables, work, s, p, paired)
    if links and tables.coupled[p]:
        served = _serve_groups(tables, factors, order, split, i, work, t, p, apart, paired)
        passed = work.passed_words[0] if served != 0 else 0
    work.links[s, p] = float(apart * shared * held + served * shared * passed)
    rest = words - held - passed
    if most > 1:
        work.entries[s, p] = most
        _enter_sizes(tables, work, s, p, most, shared, apart, rest, apart - served, passed)
        return
    if passes_groups(tables, s, p):
        work.entries[s, p] = 2
        _enter(work, s, p, 0, shared, apart - served, passed)
        _enter(work, s, p, 1, shared, apart, rest)
        return
    work.entries[s, p] = 1
    _enter(work, s, p, 0, shared, apart, rest)
    if tables.hops_needed:
        if tables.no_multicast[s, p]:
            work.irregular[0] = True
        hops = regular_hops(tables, factors, order, split, i, work, t, p)
        work.hops[s, p, 0] = (hops * work.accesses[s, p, 0]) / float(apart)


@kernel
def _enter_sizes(
    tables: Tables,
    work: Workspace,
    s: int,
    p: int,
    most: int,
    shared: int,
    apart: int,
    rest: int,
    left: int,
    passed: int,
) -> None:
    """Entries by the size of the groups; or, if some groups were served, one without them and one of all."""
    reduce_pair(tables, work, p)
    apart_each = apart // (work.pair[0] * work.pair[1])
    if sums(work, most + 1) != 0:
        work.irregular[0] = True
    split = passed != 0
    for e in range(most):
        scatter = groups_of(work, e + 1) * apart_each
        words, multicast = rest, (e + 1) * shared
        if e == 0:
            scatter, words = left if split else scatter, passed if split else rest
        if e == 1:
            scatter, multicast = apart if split else scatter, shared if split else multicast
        _enter(work, s, p, e, multicast, scatter, words)

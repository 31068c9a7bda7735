"""The entries of a spatial block and what its children pass on (section 5), for ``regular``."""

from __future__ import annotations

from jaxtyping import Int8, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from .geometry import Geometry
from .regular_groups import find_pair, groups_of, most_groups, passes_groups, reduce_pair, sums
from .regular_hops import regular_hops
from .regular_links import can_pack, list_rows, rows_meet
from .regular_loops import fetch_regular
from .regular_passing import WAY, find_way, list_ways
from .workspace import Workspace


@kernel
def _enter(work: Workspace, s: int, p: int, e: int, multicast: int, scatter: int, words: int) -> None:
    """Write entry e, without hops."""
    work.multicast[s, p, e] = multicast
    work.scatter[s, p, e] = scatter
    work.accesses[s, p, e] = float(scatter) * float(words)
    work.hops[s, p, e] = 0.0
    work.unicast[s, p, e] = 0.0


@kernel
def _serve_all(geometry: Geometry, work: Workspace, s: int, p: int, paired: bool) -> int:
    """Words that each child finds at a neighbour that holds the same: all find it, or none."""
    held = work.held_words[0]
    same = held != 0 and work.holds_same[p] != 0
    if same and (work.packed[0] or paired or geometry.no_multicast[s, p]):
        work.irregular[0] = True
    return held if same else 0


@kernel
def _serve_groups(geometry: Geometry, work: Workspace, s: int, p: int, groups: int, paired: bool) -> int:
    """Groups served by neighbours that were where they are now; ``passed_words`` becomes what each child finds."""
    motion = work.motion[s, p]
    way, others = find_way(geometry, work, p, motion)
    wanted = work.passed_words[0] != 0
    near = way != 0 or others != 0
    hard = way == 0 and others > 1
    strict = paired or work.packed[0] or geometry.no_multicast[s, p] != 0
    rows = False
    if can_pack(geometry, s):
        rows = work.packed[0] and rows_meet(work, motion)
    if wanted and (hard or rows or (strict and near)):
        work.irregular[0] = True
    first = way if wanted else 0
    met = work.met_way[0] if work.met_words[0] != 0 else 0
    if first != 0 and met != 0 and first != met:
        work.irregular[0] = True
    taken = first if first != 0 else met
    if taken != 0 and not passes_groups(geometry, s, p):
        work.irregular[0] = True
    work.passed_words[0] = (work.passed_words[0] if first != 0 else 0) + work.met_words[0]
    return groups * (taken // WAY) // (taken % WAY) if taken != 0 else 0


@kernel
def fill_regular_block(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    t: int,
    p: int,
    links: bool,
) -> None:
    """The entries of a spatial block and its link transfers."""
    s = geometry.tile_storage[t]
    shared, apart = 1, 1
    for d in range(geometry.dims):
        if geometry.used[p, d] or geometry.no_multicast[s, p]:
            apart *= factors[i, t, d]
        else:
            shared *= factors[i, t, d]
    most = most_groups(geometry, s, p)
    paired = False
    if not geometry.no_multicast[s, p]:
        paired = find_pair(geometry, factors, i, work, t, p, most)
    if links and geometry.coupled[p]:
        list_ways(geometry, factors, order, split, i, work, t, p)
        if can_pack(geometry, s):
            list_rows(geometry, factors, order, i, work, t, p)
    words = fetch_regular(geometry, factors, order, i, work, s, p, links, paired)
    held, passed, served = 0, 0, 0
    if links:
        held = _serve_all(geometry, work, s, p, paired)
    if links and geometry.coupled[p]:
        served = _serve_groups(geometry, work, s, p, apart, paired)
        passed = work.passed_words[0]
    work.links[s, p] = float(apart * shared * held + served * shared * passed)
    _enter_all(geometry, work, s, p, shared, apart, words - held - passed, apart - served, passed)
    if geometry.hops_needed:
        if geometry.no_multicast[s, p]:
            work.irregular[0] = True
        hops = regular_hops(geometry, factors, order, split, i, work, t, p)
        work.hops[s, p, 0] = (hops * work.accesses[s, p, 0]) / float(apart)


@kernel
def _enter_all(
    geometry: Geometry,
    work: Workspace,
    s: int,
    p: int,
    shared: int,
    apart: int,
    rest: int,
    left: int,
    passed: int,
) -> None:
    """Entries by the size of the groups; or, if some groups are served, one without them and one of all.

    Empty ones make up the number that all mappings have; they come first where only the last one counts.
    """
    most = most_groups(geometry, s, p)
    if most == 1 and not passes_groups(geometry, s, p):
        work.entries[s, p] = 1
        _enter(work, s, p, 0, shared, apart, rest)
        return
    if most == 1:
        work.entries[s, p] = 2
        _enter(work, s, p, 0, shared, left, passed)
        _enter(work, s, p, 1, shared, apart, rest)
        return
    work.entries[s, p] = most
    reduce_pair(geometry, work, p)
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

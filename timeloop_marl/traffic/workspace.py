"""``Workspace``: the record in which kernels leave what they count for one mapping, and their scratch.

Axes as in ``Geometry``, and L loops of a nest (inside-out), N networks, E entries per (level, data space), C children
of one block, G sizes of their groups.

Order of the stages for one mapping: ``nest.build_nest`` fills the loop arrays; then either the closed form (perfect
factors) or ``imperfect.walk`` (any R other than N) calls ``clear_entries`` and fills, for **every** level and data
space, bypassed or not, the block "filled by the closed form or the walk" (through ``add_entry``); everything
after that (sections 7 to 14) is common code.
"""

from __future__ import annotations

import math

from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..kernels.compiling import kernel
from ..kernels.record import allocate, rounded
from .geometry import Geometry

TEMPORAL, SPATIAL_X, SPATIAL_Y = 0, 1, 2
"""Values of ``Workspace.loop_kind``."""

OF_VECTORS = (
    "inside", "step", "lead", "weight", "start", "outside", "first_dim", "motion", "motion_dim", "motion_stride",
    "again", "visits", "near_motion", "near_dim", "near_stride", "near_again", "near_visits", "apart", "span",
    "holds_same", "packed", "first_bound", "first_weight", "same", "none", "held_words", "passed_words", "met_words",
    "meetings", "met_way", "way", "digit_bound", "digit_step", "row_apart", "pair", "irregular",
)  # fmt: skip
"""Arrays of ``Workspace`` that only the closed form over vectors of mappings uses (``regular``)."""

LEAST_CHILDREN = 65536
ENTRY_CAPACITY = 64


class Workspace:
    """Scratch of one thread, allocated once. What a mapping leaves is overwritten by the next."""

    # the nest (sections 1, 2): loops with N > 1 inside-out; a temporal level without any has one dummy loop
    loops: Int64[ndarray, "1"]  # number of loops L
    loop_dim: Int64[ndarray, "L"]
    loop_bound: Int64[ndarray, "L"]  # N
    loop_residual: Int64[ndarray, "L"]  # R
    loop_stride: Int64[ndarray, "L"]
    loop_level: Int64[ndarray, "L"]  # storage level
    loop_kind: Int64[ndarray, "L"]  # TEMPORAL, SPATIAL_X or SPATIAL_Y
    boundary: Int64[ndarray, "S"]  # b[s]: the last temporal loop of level s
    block_first: Int64[ndarray, "S"]  # first spatial loop of level s ..
    block_end: Int64[ndarray, "S"]  # .. one past its last; equal = no spatial block
    width: Int64[ndarray, "S"]  # LX, the product of N over the X loops of the block
    height: Int64[ndarray, "S"]  # LY
    # filled by the closed form or the walk: traffic that level s hands to its children, per instance of s
    entries: Int64[ndarray, "S P"]  # number of entries, sorted by (multicast, scatter)
    multicast: Int64[ndarray, "S P E"]
    scatter: Int64[ndarray, "S P E"]
    accesses: Float64[ndarray, "S P E"]
    hops: Float64[ndarray, "S P E"]  # hop sum: average hops times accesses
    unicast: Float64[ndarray, "S P E"]  # the same with one packet a child, for section 8
    links: Float64[ndarray, "S P"]  # link transfers inside the block of level s
    tile: Int64[ndarray, "S P"]  # largest box of level s, words
    block_tile: Int64[ndarray, "S P"]  # largest box at the spatial block of level s (where it has one)
    counters: Float64[ndarray, "2"]  # compute counters touched: how many, their sum
    # sections 7 to 10
    keep: Bool[ndarray, "S P"]
    present: Bool[ndarray, "S P"]  # kept and not in the region that section 9 resets at the top
    top: Int64[ndarray, "P"]  # outermost level where p is present, -1 if none
    rep: Int64[ndarray, "S"]  # utilised instances
    spread_x: Int64[ndarray, "S"]  # x_exp
    spread_y: Int64[ndarray, "S"]
    fanout: Int64[ndarray, "S P"]  # of the spatial block; 0 after a reset
    partition: Int64[ndarray, "S P"]
    held: Int64[ndarray, "S P"]  # utilised capacity, after distribution and bypass
    content: Float64[ndarray, "S P"]
    share: Float64[ndarray, "S P"]
    peer: Float64[ndarray, "S P"]
    spread: Int64[ndarray, "S P"]  # multicast factor of the distributed entry (section 8), 0 if there is none
    spread_scatter: Int64[ndarray, "S P"]
    spread_accesses: Float64[ndarray, "S P"]
    spread_hops: Float64[ndarray, "S P"]
    reads: Int64[ndarray, "S P"]
    fills: Int64[ndarray, "S P"]
    updates: Int64[ndarray, "S P"]
    # sections 12 and 13
    demand_read: Float64[ndarray, "S P"]  # words/cycle/instance before throttling
    demand_write: Float64[ndarray, "S P"]
    throttle: Float64[ndarray, "S"]
    cycles: Int64[ndarray, "S"]
    access_energy: Float64[ndarray, "S P"]  # pJ per instance
    leakage: Float64[ndarray, "S"]  # pJ, all instances
    level_energy: Float64[ndarray, "S"]
    network_energy: Float64[ndarray, "N"]
    # whole mapping
    counts: Int64[ndarray, "6"]  # see the names in ``collapse``
    failed_level: Int64[ndarray, "1"]  # 0 compute, s + 1 storage level s
    abort: Int64[ndarray, "1"]  # why the real program gives up, see ``reasons``
    # temporal loops with N > 1, inside-out
    outers: Int64[ndarray, "1"]
    outer_dim: Int64[ndarray, "L"]
    outer_bound: Int64[ndarray, "L"]
    outer_weight: Int64[ndarray, "L"]  # how often the loop advances
    outer_stride: Int64[ndarray, "L"]
    outer_start: Int64[ndarray, "S+1"]  # first of them that belongs to level s or further out
    # events of the delta rule (section 4), inside-out
    events: Int64[ndarray, "1"]
    event_bound: Int64[ndarray, "L+1"]
    event_weight: Int64[ndarray, "L+1"]
    event_motion: Int64[ndarray, "L+1 R"]
    event_code: Int64[ndarray, "L+1"]  # the motion as one integer
    event_words: Int64[ndarray, "L+1"]
    event_kind: Int64[ndarray, "L+1"]
    # every loop, those of one iteration too, by tiling level and dim or place in the order (``regular``)
    inside: Int64[ndarray, "T D"]  # stride
    step: Int64[ndarray, "T D P"]  # how far a box moves, 0 if N = 1
    lead: Int64[ndarray, "T D P"]  # by place: its step less those of all temporal loops inside
    weight: Int64[ndarray, "T D"]  # by place: how often it advances
    start: Int64[ndarray, "S P"]  # steps of all temporal loops inside level s
    outside: Int64[ndarray, "S"]  # product of the temporal bounds of level s and further out
    first_dim: Int64[ndarray, "S"]  # dim of the first temporal loop of level s or further out ..
    first_bound: Int64[ndarray, "S"]  # .. its bound ..
    first_weight: Int64[ndarray, "S"]  # .. and how often it advances
    motion: Int64[ndarray, "S P"]  # of the first of them that moves the box ..
    motion_dim: Int64[ndarray, "S P"]  # .. its dim ..
    motion_stride: Int64[ndarray, "S P"]  # .. and stride
    again: Int64[ndarray, "S P"]  # how often a child fetches what that motion uncovers ..
    visits: Int64[ndarray, "S P"]  # .. and how many visits there are from that loop on
    near_motion: Int64[ndarray, "P"]  # the same while loops are gone through
    near_dim: Int64[ndarray, "P"]
    near_stride: Int64[ndarray, "P"]
    near_again: Int64[ndarray, "P"]
    near_visits: Int64[ndarray, "P"]
    apart: Int64[ndarray, "D P"]  # by place in a block: how far children next to each other lie apart
    span: Int64[ndarray, "P"]  # .. and all children of the block at most
    holds_same: Bool[ndarray, "P"]  # whether children next to each other may hold the same
    packed: Bool[ndarray, "1"]  # a block that fills its last row only in part
    same: Int64[ndarray, "1"]  # how often a box moves as it did first ..
    none: Int64[ndarray, "1"]  # .. and how often it stays where it is
    held_words: Int64[ndarray, "1"]  # words that a neighbour may have held while the box stayed ..
    passed_words: Int64[ndarray, "1"]  # .. or before it moved as it did first
    met_words: Int64[ndarray, "1"]  # words that some held before it moved otherwise
    meetings: Int64[ndarray, "1"]  # how often it did so ..
    met_way: Int64[ndarray, "1"]  # .. and by which way neighbours are reached
    way: Int64[ndarray, "D"]  # by place in a block: the loop as a way to neighbours
    digit_bound: Int64[ndarray, "4"]  # loops of a packed block ..
    digit_step: Int64[ndarray, "4"]
    row_apart: Int64[ndarray, "8"]  # .. and how far children one row apart lie apart, by which digits carry
    pair: Int64[ndarray, "4"]  # two loops of a block that move one rank: bounds, steps
    irregular: Bool[ndarray, "1"]
    # children of one spatial block and their groups (section 5)
    child_offset: Int64[ndarray, "C R"]
    child_served: Bool[ndarray, "C"]
    child_order: Int64[ndarray, "C"]
    child_code: Int64[ndarray, "C"]  # the offset as one integer ..
    child_group: Int64[ndarray, "C"]  # .. and the group of children that share it
    slots: Int64[ndarray, "H"]  # hash table of the groups: number + 1, 0 where nothing is
    slot_code: Int64[ndarray, "H"]
    group_left: Int64[ndarray, "C"]  # by group: children that no neighbour serves
    groups: Int64[ndarray, "1"]  # number of different group sizes
    group_multicast: Int64[ndarray, "G"]
    group_scatter: Int64[ndarray, "G"]
    group_hops: Float64[ndarray, "G"]
    group_unicast: Float64[ndarray, "G"]
    # small scratch
    hull: Int64[ndarray, "R"]  # extents while the tiles grow
    extent: Int64[ndarray, "R"]
    jump: Int64[ndarray, "R"]
    stride: Int64[ndarray, "D"]
    reach: Int64[ndarray, "D"]
    tile_extent: Int64[ndarray, "S R"]  # extents of the tiles
    status: Int64[ndarray, "1"]  # 0, or 1 when E was too small (the row is repeated with a larger workspace)


def workspace_sizes(geometry: Geometry, entry_capacity: int = ENTRY_CAPACITY) -> dict[str, int]:
    """Sizes of the axes of ``Workspace``."""
    children = rounded(int(geometry.compute[0]), LEAST_CHILDREN)
    dims = geometry.bounds.shape[0]
    return {
        "D": dims,
        "P": geometry.read_write.shape[0],
        "S": geometry.instances.shape[0],
        "N": 2 * geometry.instances.shape[0],
        "T": geometry.tile_storage.shape[0],
        "L": geometry.tile_storage.shape[0] * dims + geometry.instances.shape[0],
        "R": geometry.term_start.shape[0] - 1,
        "C": children,
        "H": 2 * children,
        "G": math.isqrt(2 * children) + 2,  # k different sizes need at least k (k + 1) / 2 children
        "E": entry_capacity,
    }


def workspace(geometry: Geometry, entry_capacity: int = ENTRY_CAPACITY) -> Workspace:
    """Scratch for one thread. ``entry_capacity`` = E."""
    return allocate(Workspace, workspace_sizes(geometry, entry_capacity))


@kernel
def clear_entries(geometry: Geometry, work: Workspace) -> None:
    """Forget the traffic of the previous mapping."""
    for s in range(geometry.levels):
        for p in range(geometry.spaces):
            work.entries[s, p] = 0
            work.links[s, p] = 0.0
    work.status[0] = 0


@kernel
def add_entry(
    work: Workspace,
    s: int,
    p: int,
    multicast: int,
    scatter: int,
    accesses: float,
    hops: float,
    unicast: float,
) -> None:
    """Add to the entry of this signature, or insert it in key order; ``status`` is set if there is no room."""
    count = work.entries[s, p]
    e = 0
    while e < count and (
        work.multicast[s, p, e] < multicast
        or (work.multicast[s, p, e] == multicast and work.scatter[s, p, e] < scatter)
    ):
        e += 1
    known = e < count and work.multicast[s, p, e] == multicast and work.scatter[s, p, e] == scatter
    if not known:
        if count == work.multicast.shape[2]:
            work.status[0] = 1
            return
        _make_room(work, s, p, e, count)
        work.multicast[s, p, e] = multicast
        work.scatter[s, p, e] = scatter
        work.accesses[s, p, e] = 0.0
        work.hops[s, p, e] = 0.0
        work.unicast[s, p, e] = 0.0
    work.accesses[s, p, e] += accesses
    work.hops[s, p, e] += hops
    work.unicast[s, p, e] += unicast


@kernel
def _make_room(work: Workspace, s: int, p: int, place: int, count: int) -> None:
    """Shift the entries from ``place`` on by one."""
    for e in range(count, place, -1):
        work.multicast[s, p, e] = work.multicast[s, p, e - 1]
        work.scatter[s, p, e] = work.scatter[s, p, e - 1]
        work.accesses[s, p, e] = work.accesses[s, p, e - 1]
        work.hops[s, p, e] = work.hops[s, p, e - 1]
        work.unicast[s, p, e] = work.unicast[s, p, e - 1]
    work.entries[s, p] = count + 1

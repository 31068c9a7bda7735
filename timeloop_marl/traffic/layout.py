"""The arrays that all kernels share: ``Tables`` (what never changes for one Spec) and ``Workspace`` (scratch).

Axes: D dims, P data spaces, S storage levels (0 innermost), T tiling levels (inside-out), L loops of a nest
(inside-out), R ranks of all data spaces, N networks, E entries per (level, data space), C children of one block, G
sizes of their groups. ``Tables`` holds how much of each axis is used. A data space's ranks are
``rank_start[p] .. rank_start[p + 1] - 1``, a rank's terms ``term_start[r] .. term_start[r + 1] - 1``. Section numbers
are those of docs/model.md.

Order of the stages for one mapping: ``nest.build_nest`` fills the loop arrays; then either the closed form (perfect
factors) or ``walk.walk`` (any R other than N) calls ``entries.clear_entries`` and fills, for **every** level and data
space, bypassed or not, the block "filled by the closed form or the walk" (through ``entries.add_entry``); everything
after that (sections 7 to 14) is common code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from .record import allocate, rounded

TEMPORAL, SPATIAL_X, SPATIAL_Y = 0, 1, 2
"""Values of ``Workspace.loop_kind``."""

NO_LIMIT = -1
"""``Tables.capacity`` of a level without a size."""

OF_VECTORS = (
    "inside", "step", "lead", "weight", "start", "outside", "first_dim", "motion", "motion_dim", "motion_stride",
    "again", "visits", "near_motion", "near_dim", "near_stride", "near_again", "near_visits", "apart", "span",
    "holds_same", "packed", "first_bound", "first_weight", "same", "none", "held_words", "passed_words", "met_words",
    "meetings", "met_way", "way", "digit_bound", "digit_step", "row_apart", "pair", "irregular",
)  # fmt: skip
"""Arrays of ``Workspace`` that only the closed form over vectors of mappings uses (``regular``)."""

LEAST_CHILDREN = 65536
ENTRY_CAPACITY = 64
_LEAST = {"D": 12, "P": 4, "S": 16, "T": 32, "R": 24, "terms": 48, "N": 24, "A": 16}
# Axes are at least this long, so that practically all problems and machines share one compiled type.


class Tables:
    """Constants of one problem on one machine under one set of switches and options."""

    # how much of each axis is used
    dims: int
    spaces: int
    levels: int
    tiles: int
    networks: int
    # problem
    bounds: Int64[ndarray, "D"]
    read_write: Bool[ndarray, "P"]
    rank_start: Int64[ndarray, "P+1"]
    term_start: Int64[ndarray, "R+1"]
    term_dim: Int64[ndarray, "terms"]
    term_coefficient: Int64[ndarray, "terms"]
    term_distance: Int64[ndarray, "terms"]  # magnitude of the coefficient
    # where dim d occurs in data space p: ranks, each once, and by how much they move
    occurrence_start: Int64[ndarray, "P D"]
    occurrence_end: Int64[ndarray, "P D"]
    occurrence_rank: Int64[ndarray, "terms"]
    occurrence_distance: Int64[ndarray, "terms"]
    # the same for all data spaces, by dim: ranks moved by dim d
    moved_start: Int64[ndarray, "D+1"]
    moved_rank: Int64[ndarray, "terms"]
    moved_distance: Int64[ndarray, "terms"]
    rank_bit: Int64[ndarray, "P D"]  # bit of the only rank in which d occurs, 0 if there are several
    rank_distance: Int64[ndarray, "P D"]
    motion: Int64[ndarray, "P D"]  # coded motion of the box of p when x_d grows by 1 (section 18)
    used: Bool[ndarray, "P D"]  # dim d occurs in the projection of p
    lone: Bool[ndarray, "P D"]  # dim d moves a rank of p that no other dim moves
    coupled: Bool[ndarray, "P"]  # some used dim of p is not such a one
    rank_step: Int64[ndarray, "R D"]  # how far a step of dim d moves rank r, as a magnitude
    # tiling levels
    tile_storage: Int64[ndarray, "T"]
    tile_spatial: Bool[ndarray, "T"]
    blocks: int  # spatial tiling levels ..
    block_level: Int64[ndarray, "S"]  # .. and which these are, inside-out
    # machine (sections 1, 11)
    fanout_x: Int64[ndarray, "S"]
    fanout_y: Int64[ndarray, "S"]
    instances: Int64[ndarray, "S"]
    mesh_x: Int64[ndarray, "S"]
    mesh_y: Int64[ndarray, "S"]
    clusters: Int64[ndarray, "S"]  # instances div cluster_size
    block: Int64[ndarray, "S"]
    capacity: Int64[ndarray, "S"]  # effective size in words; NO_LIMIT = unlimited
    least: Float64[ndarray, "S"]  # effective size times min_utilization
    compute: Int64[ndarray, "3"]  # instances, meshX, meshY of the compute level
    # reuse switches (sections 3, 5, 9, 10) and distribution (section 8)
    no_temporal_reuse: Bool[ndarray, "S P"]
    rmw_first_update: Bool[ndarray, "S P"]
    no_coalesce: Bool[ndarray, "S P"]
    no_multicast: Bool[ndarray, "S P"]
    no_link_transfer: Bool[ndarray, "S P"]
    distributed: Bool[ndarray, "S"]  # network of sub-type M:N below this level
    # bandwidth in words/cycle/instance, inf = unlimited (section 12)
    read_bandwidth: Float64[ndarray, "S"]
    write_bandwidth: Float64[ndarray, "S"]
    shared_bandwidth: Float64[ndarray, "S"]
    bandwidth_scale: Float64[ndarray, "S P"]
    # energy in pJ (section 13)
    read_energy: Float64[ndarray, "S"]
    fill_energy: Float64[ndarray, "S"]
    update_energy: Float64[ndarray, "S"]
    address_energy: Float64[ndarray, "S"]  # 0 where none was given
    leak: Float64[ndarray, "S"]
    gate: Int64[ndarray, "S"]  # level at which s is power-gated, itself by default
    compute_energy: float
    # networks that are evaluated, in alphabetical order (section 14)
    net_kind: Int64[ndarray, "N"]  # 0 Legacy, 1 SimpleMulticast, 2 ReductionTree
    net_outer: Int64[ndarray, "N"]  # storage level that feeds it
    net_drains: Bool[ndarray, "N"]  # serves the update side
    net_doubles: Bool[ndarray, "N"]  # read-write traffic is read, modified and written here
    net_hop: Float64[ndarray, "N"]
    net_router: Float64[ndarray, "N"]
    net_ingress: Float64[ndarray, "N"]
    net_adder: Float64[ndarray, "N"]
    # SimpleMulticast: multicast factor (negative: any, 0: unused slot) and pJ of each action entry; the last match wins
    net_action_factor: Int64[ndarray, "N P A"]
    net_action_energy: Float64[ndarray, "N P A"]
    latency: int  # fill and drain latencies of all connections, cycles
    # options
    rules_2022: bool
    link_transfers: bool
    first_read_elision: bool
    all_figures: bool  # also those that only statistics show: partitions of read-only data spaces
    hops_needed: bool  # some network pays for hops or routers
    explicit_blocks: bool  # spatial blocks are always walked: some level distributes its multicast
    coded: bool  # ``motion`` fits in 64 bits; otherwise kernels compare rank by rank


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


def table_sizes(counts: Mapping[str, int]) -> dict[str, int]:
    """Sizes of the axes of ``Tables`` that hold the given counts."""
    return {axis: rounded(counts[axis], least) for axis, least in _LEAST.items()}


def workspace_sizes(tables: Tables, entry_capacity: int = ENTRY_CAPACITY) -> dict[str, int]:
    """Sizes of the axes of ``Workspace``."""
    children = rounded(int(tables.compute[0]), LEAST_CHILDREN)
    dims = tables.bounds.shape[0]
    return {
        "D": dims,
        "P": tables.read_write.shape[0],
        "S": tables.instances.shape[0],
        "N": tables.net_kind.shape[0],
        "T": tables.tile_storage.shape[0],
        "L": tables.tile_storage.shape[0] * dims + tables.instances.shape[0],
        "R": tables.term_start.shape[0] - 1,
        "C": children,
        "H": 2 * children,
        "G": math.isqrt(2 * children) + 2,  # k different sizes need at least k (k + 1) / 2 children
        "E": entry_capacity,
    }


def workspace(tables: Tables, entry_capacity: int = ENTRY_CAPACITY) -> Workspace:
    """Scratch for one thread. ``entry_capacity`` = E."""
    return allocate(Workspace, workspace_sizes(tables, entry_capacity))

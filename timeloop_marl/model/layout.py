"""The arrays that all kernels share: ``Tables`` (what never changes for one Spec) and ``Workspace`` (scratch).

Index names: D dims, P data spaces, S storage levels (0 innermost), T tiling levels (inside-out), L loops of a nest
(inside-out), E entries per (level, data space). A data space's ranks are ``rank_start[p] .. rank_start[p + 1] - 1``,
a rank's terms ``term_start[r] .. term_start[r + 1] - 1``. Section numbers are those of docs/model.md.

Order of the stages for one mapping: ``nest.build_nest`` fills the loop arrays; then either the closed form (perfect
factors) or ``walk.walk(tables, work, space)`` (any R other than N; ``space = walk.walk_space(tables)`` is its own scratch)
calls ``entries.clear_entries`` and fills, for **every** level and data space, bypassed or not, the block "filled by the
closed form or the walk" (through ``entries.add_entry``); everything after that (sections 7 to 14) is common code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

TEMPORAL, SPATIAL_X, SPATIAL_Y = 0, 1, 2
"""Values of ``Workspace.loop_kind``."""

NO_LIMIT = -1
"""``Tables.capacity`` of a level without a size."""


class Tables(NamedTuple):
    """Constants of one problem on one machine under one set of switches and options."""

    # problem
    bounds: Int64[ndarray, "D"]
    read_write: Bool[ndarray, "P"]
    rank_start: Int64[ndarray, "P+1"]
    term_start: Int64[ndarray, "ranks+1"]
    term_dim: Int64[ndarray, "terms"]
    term_coefficient: Int64[ndarray, "terms"]
    motion: Int64[ndarray, "P D"]  # coded motion of the box of p when x_d grows by 1 (section 18)
    used: Bool[ndarray, "P D"]  # dim d occurs in the projection of p
    # tiling levels
    tile_storage: Int64[ndarray, "T"]
    tile_spatial: Bool[ndarray, "T"]
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
    net_action: Float64[
        ndarray, "N P M"
    ]  # SimpleMulticast: pJ by multicast factor; the last column: any other
    latency: int  # fill and drain latencies of all connections, cycles
    # options
    rules_2022: bool
    link_transfers: bool
    first_read_elision: bool
    hops_needed: bool  # some network pays for hops or routers
    coded: bool  # ``motion`` fits in 64 bits; otherwise kernels compare rank by rank


class Workspace(NamedTuple):
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
    instances: Int64[ndarray, "S"]  # rep: utilised instances
    spread_x: Int64[ndarray, "S"]  # x_exp
    spread_y: Int64[ndarray, "S"]
    fanout: Int64[ndarray, "S P"]  # 0 after a reset
    partition: Int64[ndarray, "S P"]
    size: Int64[ndarray, "S P"]  # utilised capacity, after distribution and bypass
    content: Float64[ndarray, "S P"]
    share: Float64[ndarray, "S P"]
    peer: Float64[ndarray, "S P"]
    spread_entries: Int64[ndarray, "S P"]  # distributed entries (section 8): 0 or 1
    spread_multicast: Int64[ndarray, "S P"]
    spread_scatter: Int64[ndarray, "S P"]
    spread_accesses: Float64[ndarray, "S P"]
    spread_hops: Float64[ndarray, "S P"]
    reads: Int64[ndarray, "S P"]
    fills: Int64[ndarray, "S P"]
    updates: Int64[ndarray, "S P"]
    demand_read: Float64[ndarray, "S P"]  # words/cycle/instance before throttling
    demand_write: Float64[ndarray, "S P"]
    throttle: Float64[ndarray, "S"]
    cycles: Int64[ndarray, "S"]
    level_energy: Float64[ndarray, "S"]
    network_energy: Float64[ndarray, "N"]
    # children of one spatial block
    child_offset: Int64[ndarray, "children ranks"]
    child_code: Int64[ndarray, "children"]
    child_served: Bool[ndarray, "children"]
    child_order: Int64[ndarray, "children"]
    child_group: Int64[ndarray, "children"]
    # small per-loop and per-rank scratch
    extent: Int64[ndarray, "ranks"]
    step: Int64[ndarray, "L ranks"]
    stride: Int64[ndarray, "D"]
    status: Int64[ndarray, "1"]  # 0, or 1 when E was too small (the row is repeated with a larger workspace)


def workspace(tables: Tables, entry_capacity: int = 32) -> Workspace:
    """Scratch for one thread. ``entry_capacity`` = E."""
    levels, spaces = tables.no_multicast.shape
    dims = len(tables.bounds)
    loops = len(tables.tile_storage) * dims + levels
    networks = len(tables.net_kind)
    children = int(tables.compute[0])
    ranks = int(np.diff(tables.rank_start).max())
    return Workspace(
        loops=ints(1),
        loop_dim=ints(loops),
        loop_bound=ints(loops),
        loop_residual=ints(loops),
        loop_stride=ints(loops),
        loop_level=ints(loops),
        loop_kind=ints(loops),
        boundary=ints(levels),
        block_first=ints(levels),
        block_end=ints(levels),
        width=ints(levels),
        height=ints(levels),
        entries=ints(levels, spaces),
        multicast=ints(levels, spaces, entry_capacity),
        scatter=ints(levels, spaces, entry_capacity),
        accesses=floats(levels, spaces, entry_capacity),
        hops=floats(levels, spaces, entry_capacity),
        unicast=floats(levels, spaces, entry_capacity),
        links=floats(levels, spaces),
        tile=ints(levels, spaces),
        block_tile=ints(levels, spaces),
        counters=floats(2),
        instances=ints(levels),
        spread_x=ints(levels),
        spread_y=ints(levels),
        fanout=ints(levels, spaces),
        partition=ints(levels, spaces),
        size=ints(levels, spaces),
        content=floats(levels, spaces),
        share=floats(levels, spaces),
        peer=floats(levels, spaces),
        spread_entries=ints(levels, spaces),
        spread_multicast=ints(levels, spaces),
        spread_scatter=ints(levels, spaces),
        spread_accesses=floats(levels, spaces),
        spread_hops=floats(levels, spaces),
        reads=ints(levels, spaces),
        fills=ints(levels, spaces),
        updates=ints(levels, spaces),
        demand_read=floats(levels, spaces),
        demand_write=floats(levels, spaces),
        throttle=floats(levels),
        cycles=ints(levels),
        level_energy=floats(levels),
        network_energy=floats(networks),
        child_offset=ints(children, ranks),
        child_code=ints(children),
        child_served=flags(children),
        child_order=ints(children),
        child_group=ints(children),
        extent=ints(ranks),
        step=ints(loops, ranks),
        stride=ints(dims),
        status=ints(1),
    )


def ints(*shape: int) -> ndarray:
    """Zeros of type int64."""
    return np.zeros(shape, np.int64)


def floats(*shape: int) -> ndarray:
    """Zeros of type float64."""
    return np.zeros(shape, np.float64)


def flags(*shape: int) -> ndarray:
    """All false."""
    return np.zeros(shape, np.bool_)

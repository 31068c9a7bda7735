"""The closed form (sections 2 to 5) with loops that are as long for all mappings: what runs over vectors of them.

Covers perfect mappings but for rare blocks; ``work.irregular`` says whether a mapping has one. Same numbers as ``nest``
and ``accesses``, which list the loops that there are: fewer steps for one mapping, but different ones for each.
"""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..compiling import kernel
from ..traffic.bypass import bypass
from ..traffic.collapse import count_computes, mark_present, share_out
from ..traffic.geometry import Geometry
from ..traffic.layout import Workspace
from ..traffic.regular_block import fill_regular_block
from ..traffic.regular_links import list_neighbours
from ..traffic.regular_loops import fetch_regular, list_steps, measure_boxes, weigh_loops
from ..traffic.tiles import grow, is_imperfect, measure_spread, spread_levels
from ..traffic.words import count_traffic
from .capacity import check_compute, check_storage
from .energy import storage_energy
from .latency import count_cycles
from .network import network_energy
from .outcome import Failure
from .rates import Rates
from .survey import IMPERFECT, measure_held

OK = int(Failure.OK)


@kernel
def first_look(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> int:
    """Failure class of row i, or ``IMPERFECT``: the checks of ``survey``, all of them."""
    work.failed_level[0] = 0
    presence = mark_present(geometry, keep[i], work)
    measure_spread(geometry, factors, order, split, i, work)
    spread_levels(geometry, work)
    failure, level = OK, -1
    for d in range(geometry.dims):
        work.reach[d] = 1
    for t in range(geometry.tiles):
        grow(geometry, factors, i, t, work)
        if geometry.tile_spatial[t]:
            continue
        s = geometry.tile_storage[t]
        measure_held(geometry, work, s)
        found = check_storage(geometry, work, s)
        level = s + 1 if failure == OK and found != OK else level
        failure = found if failure == OK else failure
    if is_imperfect(geometry, factors, residuals, i):
        failure, level = IMPERFECT, -1
    found = check_compute(geometry, work)
    if found != OK:
        failure, level = found, 0
    if presence != OK:
        failure, level = IMPERFECT, -1  # the general path finds out which
    work.failed_level[0] = level
    return failure


@kernel
def _fill_level(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    i: int,
    work: Workspace,
    s: int,
    t: int,
) -> None:
    """Entries of level s; t is its spatial tiling level, -1 if there is none."""
    if t >= 0:
        list_neighbours(geometry, factors, order, split, i, work, t)
    for p in range(geometry.spaces):
        links = t >= 0 and geometry.link_transfers and not geometry.no_link_transfer[s, p]
        if t >= 0:
            fill_regular_block(geometry, factors, order, split, i, work, t, p, links)
        else:
            words = fetch_regular(geometry, factors, order, i, work, s, p, False, False)
            work.entries[s, p] = 1
            work.links[s, p] = 0.0
            work.unicast[s, p, 0] = 0.0
            work.multicast[s, p, 0] = 1
            work.scatter[s, p, 0] = 1
            work.accesses[s, p, 0] = float(words)
            work.hops[s, p, 0] = 0.0


@kernel
def figures(
    geometry: Geometry,
    rates: Rates,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> None:
    """All figures of a mapping that passed ``first_look``; nothing if it is irregular."""
    work.irregular[0] = False
    mark_present(geometry, keep[i], work)
    measure_spread(geometry, factors, order, split, i, work)
    spread_levels(geometry, work)
    measure_boxes(geometry, factors, i, work)
    list_steps(geometry, factors, order, i, work)
    work.counters[0] = 1.0
    work.counters[1] = float(weigh_loops(geometry, factors, order, i, work))
    for s in range(geometry.levels):
        block = -1
        for t in range(geometry.tiles):
            if geometry.tile_spatial[t] and geometry.tile_storage[t] == s:
                block = t
        _fill_level(geometry, factors, order, split, i, work, s, block)
    count_computes(work, False)
    share_out(geometry, work)
    bypass(geometry, work)
    if not count_traffic(geometry, work):
        work.irregular[0] = True
    cycles = count_cycles(geometry, rates, work)
    for s in range(geometry.levels):
        storage_energy(geometry, rates, work, s, cycles)
    for n in range(rates.networks):
        network_energy(geometry, rates, work, n)

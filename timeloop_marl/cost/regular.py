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
from ..traffic.layout import Tables, Workspace
from ..traffic.regular_block import fill_regular_block
from ..traffic.regular_links import list_neighbours
from ..traffic.regular_loops import fetch_regular, list_steps, measure_boxes, weigh_loops
from ..traffic.words import count_traffic
from .capacity import check_compute, check_storage
from .energy import storage_energy
from .latency import count_cycles
from .network import network_energy
from .outcome import Failure
from .survey import IMPERFECT, grow, is_imperfect, measure_held, measure_spread, spread_levels

OK = int(Failure.OK)


@kernel
def first_look(
    tables: Tables,
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
    presence = mark_present(tables, keep[i], work)
    measure_spread(tables, factors, order, split, i, work)
    spread_levels(tables, work)
    failure, level = OK, -1
    for d in range(tables.dims):
        work.reach[d] = 1
    for t in range(tables.tiles):
        grow(tables, factors, i, t, work)
        if tables.tile_spatial[t]:
            continue
        s = tables.tile_storage[t]
        measure_held(tables, work, s)
        found = check_storage(tables, work, s)
        level = s + 1 if failure == OK and found != OK else level
        failure = found if failure == OK else failure
    if is_imperfect(tables, factors, residuals, i):
        failure, level = IMPERFECT, -1
    found = check_compute(tables, work)
    if found != OK:
        failure, level = found, 0
    if presence != OK:
        failure, level = IMPERFECT, -1  # the general path finds out which
    work.failed_level[0] = level
    return failure


@kernel
def _fill_level(
    tables: Tables,
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
        list_neighbours(tables, factors, order, split, i, work, t)
    for p in range(tables.spaces):
        links = t >= 0 and tables.link_transfers and not tables.no_link_transfer[s, p]
        if t >= 0:
            fill_regular_block(tables, factors, order, split, i, work, t, p, links)
        else:
            words = fetch_regular(tables, factors, order, i, work, s, p, False, False)
            work.entries[s, p] = 1
            work.links[s, p] = 0.0
            work.unicast[s, p, 0] = 0.0
            work.multicast[s, p, 0] = 1
            work.scatter[s, p, 0] = 1
            work.accesses[s, p, 0] = float(words)
            work.hops[s, p, 0] = 0.0


@kernel
def figures(
    tables: Tables,
    factors: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
) -> None:
    """All figures of a mapping that passed ``first_look``; nothing if it is irregular."""
    work.irregular[0] = False
    mark_present(tables, keep[i], work)
    measure_spread(tables, factors, order, split, i, work)
    spread_levels(tables, work)
    measure_boxes(tables, factors, i, work)
    list_steps(tables, factors, order, i, work)
    work.counters[0] = 1.0
    work.counters[1] = float(weigh_loops(tables, factors, order, i, work))
    for s in range(tables.levels):
        block = -1
        for t in range(tables.tiles):
            if tables.tile_spatial[t] and tables.tile_storage[t] == s:
                block = t
        _fill_level(tables, factors, order, split, i, work, s, block)
    count_computes(work, False)
    share_out(tables, work)
    bypass(tables, work)
    if not count_traffic(tables, work):
        work.irregular[0] = True
    cycles = count_cycles(tables, work)
    for s in range(tables.levels):
        storage_energy(tables, work, s, cycles)
    for n in range(tables.networks):
        network_energy(tables, work, n)

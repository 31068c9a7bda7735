"""Placing factors one by one, with every limit checked as the tiles grow (spec: cost-model section 11, mapspace 2)."""

from __future__ import annotations

from ...compiling import inlined
from .tables import TEMPORAL, Tables, Work, X, Y


@inlined
def tile_words(tables: Tables, work: Work, s: int) -> int:
    """Words that the kept data spaces need at storage level s: hull volumes ``prod(1 + sum |c| (m - 1))``."""
    words = 0
    for p in range(tables.space_rank.shape[0] - 1):
        if work.keep[s, p] == 0:
            continue
        volume = 1
        for r in range(tables.space_rank[p], tables.space_rank[p + 1]):
            length = 1
            for k in range(tables.rank_term[r], tables.rank_term[r + 1]):
                length += tables.term_weight[k] * (work.extent[s, tables.term_dim[k]] - 1)
            volume *= length
        words += volume
    return words


@inlined
def clear(tables: Tables, work: Work) -> None:
    """Only the constant factors are placed; ``keep`` stays."""
    T, D = work.factor.shape
    work.extent[:] = 1
    work.used[:] = 1
    work.chosen[:] = -1
    work.roomy[:] = False
    for t in range(T):
        for d in range(D):
            f = tables.base_factor[t, d]
            work.factor[t, d] = f
            work.side[t, d] = tables.base_side[t, d]
            if f > 1:
                work.used[t, tables.base_side[t, d]] *= f
                for s in range(tables.storage_of[t], work.extent.shape[0]):
                    work.extent[s, d] *= f


@inlined
def side_allows(tables: Tables, work: Work, t: int, d: int, side: int) -> bool:
    """Whether dim d, still unit at spatial level t, may become an X or Y loop beside the loops already there."""
    D = work.factor.shape[1]
    if tables.ordered[t]:
        here = tables.position[t, d]
        for e in range(D):
            other = work.side[t, e]
            if e == d or other == TEMPORAL or other == side:  # noqa: SIM109 (a tuple here costs tenfold)
                continue
            there = tables.position[t, e]
            if (side == X and there < here) or (side == Y and there > here):
                return False
    if tables.split[t] >= 0 and tables.free[t, d]:
        count = 1
        for e in range(D):
            if e != d and work.side[t, e] == side and tables.free[t, e]:
                count += 1
        return count <= tables.free_sides[t, side]
    return True


@inlined
def instances_allow(tables: Tables, work: Work, t: int, value: int) -> bool:
    """Whether ``value`` times the instances in use outside tiling level t still exist."""
    for i in range(tables.storage_of[t] + 1):
        if tables.instances[i] > 0:
            product = value
            for u in range(work.used.shape[0]):
                if tables.storage_of[u] >= i:
                    product *= work.used[u, X] * work.used[u, Y]
            if product > tables.instances[i]:
                return False
    return True


@inlined
def fits(tables: Tables, work: Work, d: int, value: int, slot: int) -> bool:
    """Whether ``value`` more of dim d fits into the slot: factor limit, mesh, instances, side, all capacities."""
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    if work.factor[t, d] * value > tables.maximum[t, d]:
        return False
    if side != TEMPORAL:
        if work.used[t, side] * value > tables.fan[t, side]:
            return False
        if work.side[t, d] == TEMPORAL:
            if not side_allows(tables, work, t, d, side):
                return False
        elif work.side[t, d] != side:
            return False
        if not instances_allow(tables, work, t, value):
            return False
    for s in range(tables.storage_of[t], work.extent.shape[0]):
        if tables.capacity[s] >= 0 and not work.roomy[s]:
            before = work.extent[s, d]
            work.extent[s, d] = before * value
            words = tile_words(tables, work, s)
            work.extent[s, d] = before
            if words > tables.capacity[s]:
                return False
    return True


@inlined
def put(tables: Tables, work: Work, item: int, choice: int) -> None:
    """Place an item in one of its slots, without asking."""
    slot = tables.item_slots[tables.item_first[item] + choice]
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    d, value = tables.item_dim[item], tables.item_value[item]
    work.chosen[item] = choice
    work.factor[t, d] *= value
    if side != TEMPORAL:
        work.side[t, d] = side
        work.used[t, side] *= value
    for s in range(tables.storage_of[t], work.extent.shape[0]):
        work.extent[s, d] *= value


@inlined
def take(tables: Tables, work: Work, item: int) -> None:
    """Undo ``put``."""
    slot = tables.item_slots[tables.item_first[item] + work.chosen[item]]
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    d, value = tables.item_dim[item], tables.item_value[item]
    work.chosen[item] = -1
    work.factor[t, d] //= value
    if side != TEMPORAL:
        work.used[t, side] //= value
        if work.factor[t, d] == 1:
            work.side[t, d] = TEMPORAL
    for s in range(tables.storage_of[t], work.extent.shape[0]):
        work.extent[s, d] //= value


@inlined
def fits_choice(tables: Tables, work: Work, item: int, choice: int) -> bool:
    """Whether an item fits into its slot number ``choice``."""
    slot = tables.item_slots[tables.item_first[item] + choice]
    return fits(tables, work, tables.item_dim[item], tables.item_value[item], slot)


@inlined
def note_roomy(tables: Tables, work: Work) -> None:
    """Find the levels whose tile would fit with every item where it wishes to be: as long as none goes further in than
    that, nothing overflows there, and nobody has to look."""
    S, D = work.extent.shape
    for s in range(S):
        for d in range(D):
            work.before[s, d] = work.extent[s, d]
    for i in range(work.wish.shape[0]):
        slot = tables.item_slots[tables.item_first[i] + work.wish[i]]
        for s in range(tables.storage_of[tables.slot_level[slot]], S):
            work.extent[s, tables.item_dim[i]] *= tables.item_value[i]
    for s in range(S):
        if tables.capacity[s] >= 0:
            work.roomy[s] = tile_words(tables, work, s) <= tables.capacity[s]
        for d in range(D):
            work.extent[s, d] = work.before[s, d]


@inlined
def place_near(tables: Tables, work: Work, item: int, wish: int) -> bool:
    """Place an item in the slot wished for, else in the nearest feasible outer one, else inner one."""
    count = tables.item_count[item]
    for choice in range(wish, count):
        if fits_choice(tables, work, item, choice):
            put(tables, work, item, choice)
            return True
    work.roomy[:] = False
    for choice in range(wish - 1, -1, -1):
        if fits_choice(tables, work, item, choice):
            put(tables, work, item, choice)
            return True
    return False


@inlined
def parallelism(tables: Tables, work: Work) -> float:
    """Share of the fan-outs in use: the product over the spatial levels (mapspace section 2.4)."""
    share = 1.0
    for t in range(work.used.shape[0]):
        total = tables.fan[t, X] * tables.fan[t, Y]
        if total > 1:
            share *= (work.used[t, X] * work.used[t, Y]) / total
    return share

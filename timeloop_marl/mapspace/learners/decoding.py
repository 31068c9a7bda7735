"""Rows of the learners' view to loop nests, literally; and masks of what may still be chosen."""

from __future__ import annotations

import numpy as np

from ...kernels.compiling import inlined, kernel
from ...traffic.geometry import hull_words
from .tables import TEMPORAL, Tables, Work, X, Y


@kernel
def _load(tables: Tables, work: Work, row: np.ndarray, count: int) -> bool:
    """Place what the row says, unasked, except undecided (negative) items; whether every step fitted."""
    S, P = work.keep.shape
    for s in range(S):
        for p in range(P):
            axis = tables.keep_axis[s, p]
            work.keep[s, p] = tables.keep[s, p] if axis < 0 else max(row[axis], 0)
    clear(tables, work)
    ok = True
    for i in range(count):
        choice = row[tables.item_axis[i]]
        if choice >= 0:
            ok = fits_choice(tables, work, i, choice) and ok
            put(tables, work, i, choice)
    return ok


@kernel
def _held_everywhere(work: Work) -> bool:
    S, P = work.keep.shape
    for p in range(P):
        held = False
        for s in range(S):
            held = held or work.keep[s, p] == 1
        if not held:
            return False
    return True


@kernel
def place_literally(tables: Tables, work: Work, row: np.ndarray) -> bool:
    """Place what the row says, unasked; whether the whole meets every limit and constraint, checked once at the end."""
    T, D = work.factor.shape
    S, P = work.keep.shape
    for s in range(S):
        for p in range(P):
            axis = tables.keep_axis[s, p]
            work.keep[s, p] = tables.keep[s, p] if axis < 0 else row[axis]
    one_side = True
    work.used[:] = 1
    for t in range(T):
        for d in range(D):
            work.factor[t, d], work.side[t, d] = tables.base_factor[t, d], tables.base_side[t, d]
    for i in range(work.chosen.shape[0]):
        choice = row[tables.item_axis[i]]
        work.chosen[i] = choice
        slot = tables.item_slots[tables.item_first[i] + choice]
        t, side, d = tables.slot_level[slot], tables.slot_side[slot], tables.item_dim[i]
        value = value_of(tables, i, choice)
        work.factor[t, d] *= value
        if side != TEMPORAL and value > 1:
            one_side = one_side and (work.side[t, d] == TEMPORAL or work.side[t, d] == side)
            work.side[t, d] = side
    absorb(tables, work)
    if not (one_side and _held_everywhere(work) and _within_limits(tables, work)):
        return False
    tighten(tables, work)
    return True


@inlined
def _within_limits(tables: Tables, work: Work) -> bool:
    """Whether what is placed as a whole meets the limits; fills ``used`` and ``extent`` as far as it has to look."""
    geometry = tables.geometry[0]
    T, D = work.factor.shape
    for d in range(D):
        inside = 1
        for t in range(T):
            f = work.factor[t, d]
            if tables.absorber[d] >= 0 and f > 1 and inside >= geometry.bounds[d]:
                return False
            inside *= f
            if f > 1:
                side = work.side[t, d]
                if f != tables.base_factor[t, d] and f > tables.maximum[t, d]:
                    return False
                work.used[t, side] *= f
                if side != TEMPORAL and (
                    work.used[t, side] > tables.fan[t, side] or not side_allows(tables, work, t, d, side)
                ):
                    return False
            if tables.temporal_of[geometry.tile_storage[t]] == t:
                work.extent[geometry.tile_storage[t], d] = inside
    return instances_allow(tables, work, T - 1, 1) and _fits_and_suffices(tables, work)


@inlined
def _fits_and_suffices(tables: Tables, work: Work) -> bool:
    """Whether tiles fit, and as many factors and as much of the machine are used as is asked for."""
    geometry = tables.geometry[0]
    if parallelism(tables, work) < tables.min_parallelism:
        return False
    for s in range(work.keep.shape[0]):
        if geometry.capacity[s] >= 0:
            words = tile_words(tables, work, s)
            if words > geometry.capacity[s] or words < geometry.least[s]:
                return False
    for k in range(tables.demand.shape[0]):
        t, d, least = tables.demand[k]
        if work.factor[t, d] < least:
            return False
    return True


@kernel
def feasible_rows(tables: Tables, work: Work, rows: np.ndarray, feasible: np.ndarray) -> None:
    """Which rows, taken literally, meet every limit and constraint."""
    for i in range(rows.shape[0]):
        ok = _load(tables, work, rows[i], work.chosen.shape[0]) and _held_everywhere(work)
        feasible[i] = ok and _fits_and_suffices(tables, work)


@kernel
def mask_items(tables: Tables, work: Work, rows: np.ndarray, item: int, allowed: np.ndarray) -> None:
    """allowed[i, v]: slot v of ``item`` fits beside everything already decided (non-negative) in row i."""
    for i in range(rows.shape[0]):
        own = rows[i, tables.item_axis[item]]
        rows[i, tables.item_axis[item]] = -1
        _load(tables, work, rows[i], work.chosen.shape[0])
        rows[i, tables.item_axis[item]] = own
        for choice in range(tables.item_count[item]):
            allowed[i, choice] = fits_choice(tables, work, item, choice)


@kernel
def mask_keeps(tables: Tables, work: Work, rows: np.ndarray, s: int, p: int, allowed: np.ndarray) -> None:
    """allowed[i, k]: data space p bypassed (0) or kept (1) at level s is possible in row i."""
    geometry = tables.geometry[0]
    for i in range(rows.shape[0]):
        _load(tables, work, rows[i], work.chosen.shape[0])
        work.keep[s, p] = 1
        allowed[i, 1] = geometry.capacity[s] < 0 or tile_words(tables, work, s) <= geometry.capacity[s]
        allowed[i, 0] = False
        for other in range(work.keep.shape[0]):
            axis = tables.keep_axis[other, p]
            open_yet = work.keep[other, p] == 1 or (axis >= 0 and rows[i, axis] < 0)
            if other != s and open_yet:
                allowed[i, 0] = True


@kernel
def bounds(tables: Tables, work: Work, factors: np.ndarray, residuals: np.ndarray) -> None:
    """Loop bounds and residuals from the tuple of factors, inside-out (mapspace section 1.1)."""
    geometry = tables.geometry[0]
    T, D = work.factor.shape
    for d in range(D):
        rem = geometry.bounds[d]
        for t in range(T):
            n = min(work.factor[t, d], rem)
            factors[t, d], residuals[t, d] = n, n
            if n > 1:  # divisions are dear, and most loops have one iteration
                last = rem % n
                rem //= n
                if last > 0:
                    residuals[t, d] = last
                    rem += 1


@inlined
def order_key(tables: Tables, work: Work, row: np.ndarray, t: int, d: int) -> int:
    """What the loops of tiling level t are sorted by, inside-out."""
    D = work.factor.shape[1]
    rank = row[tables.rank_axis[t, d]] if tables.rank_axis[t, d] >= 0 else 0
    block = 1 if work.factor[t, d] == 1 else (2 if work.side[t, d] == Y else 0)
    return ((tables.position[t, d] * 4 + block) * (D + 1) + rank) * D + d


@kernel
def _order(tables: Tables, work: Work, row: np.ndarray, t: int, order: np.ndarray) -> None:
    """User's permutation; the free dims in its place: X loops by rank, unit loops, Y loops by rank.

    For a temporal level: the loops by rank, then the unit ones.
    """
    D = order.shape[0]
    key = work.extent[0]  # scratch: a sort key per dim
    for d in range(D):
        key[d] = order_key(tables, work, row, t, d)
        order[d] = d
    for i in range(1, D):
        d = order[i]
        j = i
        while j > 0 and key[order[j - 1]] > key[d]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = d


@kernel
def _split(tables: Tables, work: Work, t: int, order: np.ndarray) -> int:
    D = order.shape[0]
    if tables.split[t] >= 0:
        return min(tables.split[t], D)
    split, any_y = 0, False
    for k in range(D):
        if work.side[t, order[k]] == X:
            split = k + 1
        any_y = any_y or work.side[t, order[k]] == Y
    return split if any_y else D


@kernel
def decode_rows(
    tables: Tables,
    work: Work,
    rows: np.ndarray,
    factors: np.ndarray,
    residuals: np.ndarray,
    order: np.ndarray,
    split: np.ndarray,
    keep: np.ndarray,
) -> None:
    """Fill the arrays of a ``MappingBatch``."""
    for i in range(rows.shape[0]):
        load_factors(tables, work, rows[i])
        bounds(tables, work, factors[i], residuals[i])
        for t in range(work.factor.shape[0]):
            _order(tables, work, rows[i], t, order[i, t])
            if tables.fan[t, X] * tables.fan[t, Y] > 1:
                split[i, t] = _split(tables, work, t, order[i, t])
            else:
                split[i, t] = work.factor.shape[1]
        for s in range(keep.shape[1]):
            for p in range(keep.shape[2]):
                axis = tables.keep_axis[s, p]
                keep[i, s, p] = (tables.keep[s, p] if axis < 0 else rows[i, axis]) == 1


@kernel
def load_factors(tables: Tables, work: Work, row: np.ndarray) -> None:
    """Only factors and sides: decoding needs no tiles."""
    for t in range(tables.base_factor.shape[0]):
        for d in range(tables.base_factor.shape[1]):
            work.factor[t, d] = tables.base_factor[t, d]
            work.side[t, d] = tables.base_side[t, d]
    for i in range(work.chosen.shape[0]):
        choice = row[tables.item_axis[i]]
        slot, value = tables.item_slots[tables.item_first[i] + choice], value_of(tables, i, choice)
        t, side = tables.slot_level[slot], tables.slot_side[slot]
        work.chosen[i] = choice
        work.factor[t, tables.item_dim[i]] *= value
        if side != TEMPORAL and value > 1:
            work.side[t, tables.item_dim[i]] = side
    absorb(tables, work)
    tighten(tables, work)


@inlined
def value_of(tables: Tables, item: int, choice: int) -> int:
    """The factor that an item puts into its slot number ``choice``."""
    return tables.item_values[tables.item_first[item] + choice]


@inlined
def left_over(tables: Tables, work: Work, t: int, d: int) -> int:
    """What the other tiling levels leave of dim d to level t, rounded up."""
    left = tables.geometry[0].bounds[d]
    for u in range(work.factor.shape[0]):
        if u != t and work.factor[u, d] > 1:
            left = -(-left // work.factor[u, d])
    return left


@inlined
def absorb(tables: Tables, work: Work) -> None:
    """Give every absorber what all others leave."""
    for d in range(tables.absorber.shape[0]):
        t = tables.absorber[d]
        if t >= 0:
            work.factor[t, d] = left_over(tables, work, t, d)


@kernel
def tighten(tables: Tables, work: Work) -> None:
    """Lower the bounds of imperfect dims, inside-out, as far as they still cover them: the last step, after ``absorb``.

    Nothing costs more by it where bounds are taken whole; and a canonical row stands for a mapping of its own.
    """
    if not tables.tight:
        return
    for item in range(work.chosen.shape[0]):
        choice = work.chosen[item]
        if not tables.item_bound[item] or value_of(tables, item, choice) == 1:
            continue
        t, d = tables.slot_level[tables.item_slots[tables.item_first[item]]], tables.item_dim[item]
        least = left_over(tables, work, t, d)
        while value_of(tables, item, choice) > 1 and value_of(tables, item, choice + 1) >= least:
            choice += 1
        work.chosen[item] = choice
        work.factor[t, d] = value_of(tables, item, choice)
        if work.factor[t, d] == 1:
            work.side[t, d] = TEMPORAL


@inlined
def tile_words(tables: Tables, work: Work, s: int) -> int:
    """Words that the kept data spaces need at storage level s."""
    geometry = tables.geometry[0]
    words = 0
    for p in range(work.keep.shape[1]):
        if work.keep[s, p] != 0:
            words += hull_words(geometry, p, work.extent[s])
    return words


@inlined
def clear(tables: Tables, work: Work) -> None:
    """Only the constant factors are placed; ``keep`` stays."""
    geometry = tables.geometry[0]
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
                for s in range(geometry.tile_storage[t], work.extent.shape[0]):
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
    geometry = tables.geometry[0]
    for i in range(geometry.tile_storage[t] + 1):
        if tables.instances[i] > 0:
            product = value
            for u in range(work.used.shape[0]):
                if geometry.tile_storage[u] >= i:
                    product *= work.used[u, X] * work.used[u, Y]
            if product > tables.instances[i]:
                return False
    return True


@inlined
def fits(tables: Tables, work: Work, d: int, value: int, slot: int) -> bool:
    """Whether ``value`` more of dim d fits into the slot: factor limit, mesh, instances, side, all capacities."""
    geometry = tables.geometry[0]
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    if value == 1:
        return True
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
    for s in range(geometry.tile_storage[t], work.extent.shape[0]):
        if geometry.capacity[s] >= 0 and not work.roomy[s]:
            before = work.extent[s, d]
            work.extent[s, d] = before * value
            words = tile_words(tables, work, s)
            work.extent[s, d] = before
            if words > geometry.capacity[s]:
                return False
    return True


@inlined
def put(tables: Tables, work: Work, item: int, choice: int) -> None:
    """Place an item in one of its slots, without asking."""
    geometry = tables.geometry[0]
    slot = tables.item_slots[tables.item_first[item] + choice]
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    d, value = tables.item_dim[item], value_of(tables, item, choice)
    work.chosen[item] = choice
    if value == 1:
        return
    work.factor[t, d] *= value
    if side != TEMPORAL:
        work.side[t, d] = side
        work.used[t, side] *= value
    for s in range(geometry.tile_storage[t], work.extent.shape[0]):
        work.extent[s, d] *= value


@inlined
def take(tables: Tables, work: Work, item: int) -> None:
    """Undo ``put``."""
    geometry = tables.geometry[0]
    slot = tables.item_slots[tables.item_first[item] + work.chosen[item]]
    t, side = tables.slot_level[slot], tables.slot_side[slot]
    d, value = tables.item_dim[item], value_of(tables, item, work.chosen[item])
    work.chosen[item] = -1
    if value == 1:
        return
    work.factor[t, d] //= value
    if side != TEMPORAL:
        work.used[t, side] //= value
        if work.factor[t, d] == 1:
            work.side[t, d] = TEMPORAL
    for s in range(geometry.tile_storage[t], work.extent.shape[0]):
        work.extent[s, d] //= value


@inlined
def fits_choice(tables: Tables, work: Work, item: int, choice: int) -> bool:
    """Whether an item fits into its slot number ``choice``."""
    slot, d = tables.item_slots[tables.item_first[item] + choice], tables.item_dim[item]
    value = value_of(tables, item, choice)
    lower = value_of(tables, item, choice + 1) if value > 1 and tables.item_bound[item] else 0
    if lower > 0 and lower >= left_over(tables, work, tables.absorber[d], d):
        return False  # the next lower bound covers what is left, too
    return fits(tables, work, d, value, slot)


@inlined
def note_roomy(tables: Tables, work: Work) -> None:
    """Find the levels whose tile would fit with every item where it wishes to be: as long as none goes further in than
    that, nothing overflows there, and nobody has to look."""
    geometry = tables.geometry[0]
    S, D = work.extent.shape
    for s in range(S):
        for d in range(D):
            work.before[s, d] = work.extent[s, d]
    for i in range(work.wish.shape[0]):
        slot = tables.item_slots[tables.item_first[i] + work.wish[i]]
        for s in range(geometry.tile_storage[tables.slot_level[slot]], S):
            work.extent[s, tables.item_dim[i]] *= value_of(tables, i, work.wish[i])
            if tables.absorber[tables.item_dim[i]] >= 0:  # no tile has more than twice what there is
                most = 2 * geometry.bounds[tables.item_dim[i]]
                work.extent[s, tables.item_dim[i]] = min(work.extent[s, tables.item_dim[i]], most)
    for s in range(S):
        if geometry.capacity[s] >= 0:
            work.roomy[s] = tile_words(tables, work, s) <= geometry.capacity[s]
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

"""Turning any genome into the nearest mapping that every limit and constraint allows, in canonical form.

Factors are placed one by one in random order; one that would overflow a capacity, a mesh or a user limit goes to the
nearest feasible outer slot. A genome that is feasible already comes back unchanged, whatever the order, because every
part of a feasible placement is feasible.
"""

from __future__ import annotations

import numpy as np

from ...kernels.compiling import kernel
from .decoding import (
    absorb,
    clear,
    fits_choice,
    note_roomy,
    parallelism,
    place_near,
    put,
    take,
    tighten,
    tile_words,
    value_of,
)
from .drawing import draw, shuffle
from .tables import TEMPORAL, Tables, Work

ATTEMPTS = 24
FAITHFUL = 4  # attempts that keep to the genome's wishes; later ones draw wishes anew
_FREE = 2


@kernel
def _wishes(tables: Tables, work: Work, row: np.ndarray, attempt: int) -> None:
    """``work.wish``: where each item would like to go."""
    for i in range(work.wish.shape[0]):
        if attempt < FAITHFUL:
            work.wish[i] = row[tables.item_axis[i]]
        else:
            work.wish[i] = draw(work.state, tables.item_count[i])


@kernel
def _level(tables: Tables, item: int, choice: int) -> int:
    return tables.slot_level[tables.item_slots[tables.item_first[item] + choice]]


@kernel
def _overflows(tables: Tables, work: Work, s: int) -> bool:
    geometry = tables.geometry[0]
    return geometry.capacity[s] >= 0 and tile_words(tables, work, s) > geometry.capacity[s]


@kernel
def _drop_one(tables: Tables, work: Work, s: int) -> bool:
    P = work.keep.shape[1]
    start = draw(work.state, P)
    for i in range(P):
        p = (start + i) % P
        if tables.keep[s, p] == _FREE and work.keep[s, p] == 1:
            work.keep[s, p] = 0
            return True
    return False


@kernel
def _keep_somewhere(tables: Tables, work: Work, p: int) -> bool:
    """Data space p is held by a level already, or by the outermost free one that has room."""
    S = work.keep.shape[0]
    for s in range(S):
        if work.keep[s, p] == 1:
            return True
    for s in range(S - 1, -1, -1):
        if tables.keep[s, p] == _FREE:
            work.keep[s, p] = 1
            if not _overflows(tables, work, s):
                return True
            work.keep[s, p] = 0
    return False


@kernel
def _settle_keeps(tables: Tables, work: Work, row: np.ndarray, attempt: int) -> bool:
    """Bypass choices that fit while nothing but the constant factors is placed.

    Every fourth attempt bypasses what it may; beside these, late attempts draw the free choices anew.
    """
    geometry = tables.geometry[0]
    S, P = work.keep.shape
    lean = attempt % 4 == 3
    for s in range(S):
        for p in range(P):
            kind = tables.keep[s, p]
            work.keep[s, p] = kind if kind != _FREE else row[tables.keep_axis[s, p]]
            if kind == _FREE and attempt >= FAITHFUL:
                work.keep[s, p] = draw(work.state, 2)
            if lean and kind == _FREE and geometry.capacity[s] >= 0:
                work.keep[s, p] = 0
    ok = True
    for s in range(S):
        while _overflows(tables, work, s):
            if not _drop_one(tables, work, s):
                ok = False
                break
    for p in range(P):
        ok = _keep_somewhere(tables, work, p) and ok
    return ok


@kernel
def _arrange(tables: Tables, work: Work, attempt: int, first: int) -> None:
    """Order of placing: random; large factors first in the second attempt; always ``first`` (if any) at the head."""
    count = work.order.shape[0]
    for i in range(count):
        work.order[i] = i
    shuffle(work.state, work.order, count)
    if attempt == 1:
        for i in range(1, count):
            j = i
            item = work.order[i]
            while j > 0 and value_of(tables, work.order[j - 1], 0) < value_of(tables, item, 0):
                work.order[j] = work.order[j - 1]
                j -= 1
            work.order[j] = item
    if first >= 0:
        for i in range(count):
            if tables.item_axis[work.order[i]] == first:
                work.order[0], work.order[i] = work.order[i], work.order[0]


@kernel
def _put_at_level(tables: Tables, work: Work, item: int, t: int) -> bool:
    for choice in range(tables.item_count[item]):
        if _level(tables, item, choice) == t and fits_choice(tables, work, item, choice):
            put(tables, work, item, choice)
            return True
    return False


@kernel
def _meet_demand(tables: Tables, work: Work, t: int, d: int, least: int) -> bool:
    """Lower factor limits: factors that already want this level first, then any others of the dimension."""
    for willing in (True, False):
        for item in work.order:
            if work.factor[t, d] >= least:
                return True
            if tables.item_dim[item] != d or work.chosen[item] >= 0:
                continue
            wish = work.wish[item]
            if willing and _level(tables, item, wish) == t:
                if fits_choice(tables, work, item, wish):
                    put(tables, work, item, wish)
            elif not willing:
                _put_at_level(tables, work, item, t)
    return work.factor[t, d] >= least


@kernel
def _spread(tables: Tables, work: Work, item: int) -> bool:
    for choice in range(tables.item_count[item]):
        slot = tables.item_slots[tables.item_first[item] + choice]
        if tables.slot_side[slot] != TEMPORAL and fits_choice(tables, work, item, choice):
            put(tables, work, item, choice)
            return True
    return False


@kernel
def _raise_parallelism(tables: Tables, work: Work) -> bool:
    """Move factors from temporal to spatial slots until enough of the array is used."""
    for item in work.order:
        if parallelism(tables, work) >= tables.min_parallelism:
            return True
        before = work.chosen[item]
        slot = tables.item_slots[tables.item_first[item] + before]
        if (tables.slot_side[slot] == TEMPORAL) != tables.item_bound[item]:
            take(tables, work, item)
            if not _spread(tables, work, item):
                put(tables, work, item, before)
    return parallelism(tables, work) >= tables.min_parallelism


@kernel
def _pull_in(tables: Tables, work: Work, item: int, s: int, words: int) -> None:
    """Move an item from outside storage level s to the outermost slot inside where the tile grows and all fits."""
    before = work.chosen[item]
    inside = tables.temporal_of[s]
    if _level(tables, item, before) <= inside and not tables.item_bound[item]:
        return
    take(tables, work, item)
    for choice in range(before - 1, -1, -1):
        if _level(tables, item, choice) <= inside and fits_choice(tables, work, item, choice):
            put(tables, work, item, choice)
            if tile_words(tables, work, s) > words:
                return
            take(tables, work, item)
    put(tables, work, item, before)


@kernel
def _raise_fill(tables: Tables, work: Work, s: int) -> bool:
    """Lower limit of a buffer's use: keep more data spaces if none is kept, then larger tiles, then keep more."""
    geometry = tables.geometry[0]
    P = work.keep.shape[1]
    for final in (False, True):
        start = draw(work.state, P)
        for i in range(P):
            p = (start + i) % P
            words = tile_words(tables, work, s)
            if words >= geometry.least[s]:
                return True
            if (final or words == 0) and tables.keep[s, p] == _FREE and work.keep[s, p] == 0:
                work.keep[s, p] = 1
                if _overflows(tables, work, s):
                    work.keep[s, p] = 0
        for item in work.order:
            words = tile_words(tables, work, s)
            if words >= geometry.least[s]:
                return True
            _pull_in(tables, work, item, s, words)
    return tile_words(tables, work, s) >= geometry.least[s]


@kernel
def _place_all(tables: Tables, work: Work, attempt: int) -> bool:
    ok = True
    for k in range(tables.demand.shape[0]):
        t, d, least = tables.demand[k]
        ok = _meet_demand(tables, work, t, d, least) and ok
    if attempt > 0 and tables.min_parallelism > 0.0:
        for item in work.order:
            if work.chosen[item] < 0:
                _spread(tables, work, item)
    for item in work.order:
        if work.chosen[item] < 0 and not place_near(tables, work, item, work.wish[item]):
            # Nowhere feasible: it stays outermost, and the candidate is known to be infeasible.
            put(tables, work, item, tables.item_count[item] - 1)
            ok = False
    return ok


@kernel
def _demands_met(tables: Tables, work: Work) -> bool:
    for k in range(tables.demand.shape[0]):
        if work.factor[tables.demand[k, 0], tables.demand[k, 1]] < tables.demand[k, 2]:
            return False
    return True


@kernel
def _meet_lower_limits(tables: Tables, work: Work) -> bool:
    geometry = tables.geometry[0]
    ok = True
    work.roomy[:] = False
    if tables.min_parallelism > 0.0:
        ok = _raise_parallelism(tables, work)
    lower = tables.min_parallelism > 0.0
    for s in range(work.keep.shape[0]):
        if geometry.capacity[s] >= 0 and geometry.least[s] > 0.0:
            lower = True
            ok = _raise_fill(tables, work, s) and ok
    if not lower:
        return ok
    # Filling one level may have emptied another, a spatial level, or a level with a smallest factor.
    for s in range(work.keep.shape[0]):
        if geometry.capacity[s] >= 0 and tile_words(tables, work, s) < geometry.least[s]:
            ok = False
    return ok and parallelism(tables, work) >= tables.min_parallelism and _demands_met(tables, work)


@kernel
def place_row(tables: Tables, work: Work, row: np.ndarray, first: int) -> bool:
    """Build the candidate in ``work``; ``False`` if no attempt met all limits (the last one is left there)."""
    ok = False
    for attempt in range(ATTEMPTS):
        clear(tables, work)
        ok = _settle_keeps(tables, work, row, attempt)
        _arrange(tables, work, attempt, first)
        _wishes(tables, work, row, attempt)
        if tables.demand.shape[0] == 0 and (attempt == 0 or tables.min_parallelism == 0.0):
            note_roomy(tables, work)
        ok = _place_all(tables, work, attempt) and ok
        absorb(tables, work)
        tighten(tables, work)
        ok = _meet_lower_limits(tables, work) and ok
        absorb(tables, work)
        if ok:
            break
    return ok


@kernel
def _rank(tables: Tables, work: Work, row: np.ndarray, t: int) -> None:
    """Ranks of the loops of a level made dense, per side, ties by dim; unit loops get 0."""
    D = work.factor.shape[1]
    for d in range(D):
        work.extent[0, d] = row[tables.rank_axis[t, d]] if tables.rank_axis[t, d] >= 0 else 0
    for d in range(D):
        axis = tables.rank_axis[t, d]
        if axis < 0:
            continue
        rank = 0
        if work.factor[t, d] > 1:
            for e in range(D):
                if (
                    tables.rank_axis[t, e] >= 0
                    and work.factor[t, e] > 1
                    and work.side[t, e] == work.side[t, d]
                    and (work.extent[0, e], e) < (work.extent[0, d], d)
                ):
                    rank += 1
        row[axis] = rank


@kernel
def write_row(tables: Tables, work: Work, row: np.ndarray) -> None:
    """Write ``work`` back as a canonical row. Uses ``work.extent`` as scratch afterwards."""
    for i in range(work.chosen.shape[0]):
        row[tables.item_axis[i]] = work.chosen[i]
        j = i
        while tables.item_twin[j] and row[tables.item_axis[j - 1]] > row[tables.item_axis[j]]:
            a, b = tables.item_axis[j - 1], tables.item_axis[j]
            row[a], row[b] = row[b], row[a]
            j -= 1
    S, P = work.keep.shape
    for s in range(S):
        for p in range(P):
            if tables.keep_axis[s, p] >= 0:
                row[tables.keep_axis[s, p]] = work.keep[s, p]
    for t in range(work.factor.shape[0]):
        _rank(tables, work, row, t)


@kernel
def repair_rows(
    tables: Tables,
    work: Work,
    rows: np.ndarray,
    seeds: np.ndarray,
    first: np.ndarray,
    feasible: np.ndarray,
) -> None:
    """Repair rows (m, A) in place; ``first[i]`` is the axis whose wish is served first, -1 none."""
    for i in range(rows.shape[0]):
        work.state[0] = seeds[i]
        feasible[i] = place_row(tables, work, rows[i], first[i])
        write_row(tables, work, rows[i])


@kernel
def sample_rows(
    tables: Tables, work: Work, rows: np.ndarray, seeds: np.ndarray, feasible: np.ndarray
) -> None:
    """Every axis drawn uniformly, then repaired; an infeasible draw is repeated a few times."""
    for i in range(rows.shape[0]):
        work.state[0] = seeds[i]
        for _ in range(4):
            for a in range(rows.shape[1]):
                rows[i, a] = draw(work.state, tables.cardinality[a])
            feasible[i] = place_row(tables, work, rows[i], -1)
            if feasible[i]:
                break
        write_row(tables, work, rows[i])

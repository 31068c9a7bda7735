"""A first look at a mapping, before its loop nest is built: is everything kept somewhere, and does it fit?

Random mappings mostly fail here, so this looks at as little as it can, in the order of section 11, and stops at the
first failure: spatial factors first, then level by level only the boxes that are held there. Kernels get whole batches
and a row: a view of the row, made for each mapping, costs more than all the products of its spatial factors.
"""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..compiling import inlined
from ..traffic.collapse import ABORTS, mark_present
from ..traffic.geometry import NO_LIMIT, Geometry, hull_words
from ..traffic.layout import Workspace
from ..traffic.tiles import grow, is_imperfect, measure_spread, measure_tiles, spread_levels
from .capacity import check_compute, check_storage, precheck_storage
from .outcome import Failure

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)

IMPERFECT = -1
"""Answer of ``survey``: fits the array, but the levels of an imperfect mapping have to be measured by the walk."""


@inlined
def find_tops(geometry: Geometry, keep: Bool[ndarray, "m S P"], i: int, work: Workspace) -> int:
    """Outermost level where each data space is present; the failure class if one is nowhere."""
    for p in range(geometry.spaces):
        s = geometry.levels - 1
        while s >= 0 and (not keep[i, s, p] or geometry.no_coalesce[s, p]):
            s -= 1
        if s < 0:
            return OTHER if mark_present(geometry, keep[i], work) == ABORTS else BYPASS
        work.top[p] = s
    return OK


@inlined
def check_levels(
    geometry: Geometry, factors: Int64[ndarray, "m T D"], i: int, work: Workspace, prechecks: bool
) -> int:
    """Failure class of the first level, inside-out, that fails the evaluation's check or the mapper's pre-check."""
    for d in range(geometry.dims):
        work.reach[d] = 1
    for t in range(geometry.tiles):
        grow(geometry, factors, i, t, work)
        if geometry.tile_spatial[t]:
            continue
        s = geometry.tile_storage[t]
        measure_held(geometry, work, s)
        failure = precheck_storage(geometry, work, s) if prechecks else check_storage(geometry, work, s)
        if failure != OK:
            work.failed_level[0] = s + 1
            return failure
    return OK


@inlined
def measure_held(geometry: Geometry, work: Workspace, s: int) -> None:
    """Boxes that a level of limited size holds."""
    if geometry.capacity[s] == NO_LIMIT:
        return
    for p in range(geometry.spaces):
        if work.present[s, p]:
            work.tile[s, p] = hull_words(geometry, p, work.reach)


@inlined
def survey(
    geometry: Geometry,
    factors: Int64[ndarray, "m T D"],
    residuals: Int64[ndarray, "m T D"],
    order: Int8[ndarray, "m T D"],
    split: Int8[ndarray, "m T"],
    keep: Bool[ndarray, "m S P"],
    i: int,
    work: Workspace,
    prechecked: bool,
) -> int:
    """Failure class of row i, as far as it shows before the loop nest is built; see ``IMPERFECT``."""
    work.failed_level[0] = 0
    failure = find_tops(geometry, keep, i, work)
    if failure != OK:
        return failure
    if prechecked:
        mark_present(geometry, keep[i], work)
        failure = check_levels(geometry, factors, i, work, True)
        if failure != OK:
            return failure
    measure_spread(geometry, factors, order, split, i, work)
    failure = check_compute(geometry, work)
    if failure != OK:
        return failure
    if not prechecked:
        mark_present(geometry, keep[i], work)
    if is_imperfect(geometry, factors, residuals, i):
        return IMPERFECT
    spread_levels(geometry, work)
    failure = check_levels(geometry, factors, i, work, False)
    if failure == OK:
        measure_tiles(geometry, factors, i, work)
    return failure

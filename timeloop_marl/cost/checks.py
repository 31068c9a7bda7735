"""Does a mapping fit (section 11)? Before its nest is built, as far as that shows; and why it does not, in words.

Random mappings mostly fail here, so this looks at as little as it can, in the order of section 11, and stops at the
first failure: spatial factors first, then level by level only the boxes that are held there. Kernels get whole batches
and a row: a view of the row, made for each mapping, costs more than all the products of its spatial factors.
"""

from __future__ import annotations

from jaxtyping import Bool, Int8, Int64
from numpy import ndarray

from ..kernels.compiling import inlined, plain
from ..specs.spec import Spec
from ..traffic.geometry import NO_LIMIT, Geometry, hull_words
from ..traffic.levels import ABORTS, SPREAD_X, SPREAD_Y, mark_present
from ..traffic.nest import grow, is_imperfect, measure_spread, measure_tiles, spread_levels
from ..traffic.workspace import Workspace
from .outcome import Failure, Rejection

OK, BYPASS, OTHER = int(Failure.OK), int(Failure.BYPASS), int(Failure.OTHER)
CAPACITY, UTILIZATION, FANOUT = int(Failure.CAPACITY), int(Failure.UTILIZATION), int(Failure.FANOUT)


@inlined
def check_compute(geometry: Geometry, work: Workspace) -> int:
    """Failure class of the compute level."""
    across, down = work.counts[SPREAD_X], work.counts[SPREAD_Y]
    if across * down > geometry.compute[0] or across > geometry.compute[1] or down > geometry.compute[2]:
        return FANOUT
    return OK


@inlined
def tile_words(geometry: Geometry, work: Workspace, s: int) -> int:
    """Words of all data spaces that live at level s."""
    words = 0
    for p in range(geometry.spaces):
        if work.present[s, p]:
            words += work.tile[s, p]
    return words


@inlined
def check_storage(geometry: Geometry, work: Workspace, s: int, prechecks: bool) -> int:
    """Failure class of storage level s; in the mapper's pre-check an M:N network lets the instances share one tile."""
    if geometry.capacity[s] != NO_LIMIT:
        words = tile_words(geometry, work, s)
        if words > geometry.capacity[s] * (
            geometry.instances[s] if prechecks and geometry.distributed[s] else 1
        ):
            return CAPACITY
        if words < geometry.least[s]:
            return UTILIZATION
    if not prechecks and (
        work.rep[s] > geometry.instances[s]
        or work.spread_x[s] > geometry.mesh_x[s]
        or work.spread_y[s] > geometry.mesh_y[s]
    ):
        return FANOUT
    return OK


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
        failure = check_storage(geometry, work, s, prechecks)
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


NOWHERE = "one of the tensors is bypassed in all storage levels"

REASONS = (
    "no level is left that holds one of the tensors: no_coalesce at its outermost level",
    "an imperfect spatial loop has no loop of its dimension outside it",
    "complex multicast signature under a distributed network",
    "fewer accesses than first updates of a read-write tensor",
)
"""By ``Workspace.abort``; the real program ends with an assertion or a message of its own."""

_tile_words = plain(tile_words)


def rejection(spec: Spec, geometry: Geometry, work: Workspace, failure: Failure) -> Rejection:
    """The reason of the failure found last."""
    level = int(work.failed_level[0])
    architecture = spec.architecture
    name = architecture.compute.name if level == 0 else architecture.storage[level - 1].name
    if failure is Failure.BYPASS:
        message = NOWHERE
    elif failure is Failure.OTHER:
        message = REASONS[int(work.abort[0])]
    elif level == 0:
        message = _compute_reason(geometry, work)
    else:
        message = _tile_reason(geometry, work, level - 1) + _fanout_reason(geometry, work, level - 1)
    return Rejection(failure, level, name, message)


def _compute_reason(geometry: Geometry, work: Workspace) -> str:
    across, down = int(work.counts[SPREAD_X]), int(work.counts[SPREAD_Y])
    instances, mesh_x, mesh_y = (int(x) for x in geometry.compute)
    for what, needed, available in (
        ("instances", across * down, instances),
        ("X expansion", across, mesh_x),
        ("Y expansion", down, mesh_y),
    ):
        if needed > available:
            return f"mapped max Arithmetic {what} {needed} exceeds hardware instances {available}"
    return ""


def _tile_reason(geometry: Geometry, work: Workspace, s: int) -> str:
    words, capacity, least = (
        int(_tile_words(geometry, work, s)),
        int(geometry.capacity[s]),
        float(geometry.least[s]),
    )
    if capacity == NO_LIMIT:
        return ""
    if words > capacity:
        return f"mapped tile size {words} exceeds buffer capacity {capacity}"
    if words < least:
        return f"mapped tile size {words} is less than constrained minimum utilization {least:g}"
    return ""


def _fanout_reason(geometry: Geometry, work: Workspace, s: int) -> str:
    for what, needed, available in (
        ("instances", work.rep[s], geometry.instances[s]),
        ("X expansion", work.spread_x[s], geometry.mesh_x[s]),
        ("Y expansion", work.spread_y[s], geometry.mesh_y[s]),
    ):
        if needed > available:
            return f"mapped {what} {int(needed)} exceeds available hardware instances {int(available)}"
    return ""

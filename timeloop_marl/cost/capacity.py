"""Whether a mapping fits (section 11)."""

from __future__ import annotations

from ..compiling import inlined
from ..traffic.collapse import SPREAD_X, SPREAD_Y
from ..traffic.geometry import NO_LIMIT, Geometry
from ..traffic.layout import Workspace
from .outcome import Failure

OK, CAPACITY, UTILIZATION, FANOUT = (
    int(Failure.OK),
    int(Failure.CAPACITY),
    int(Failure.UTILIZATION),
    int(Failure.FANOUT),
)


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
def check_storage(geometry: Geometry, work: Workspace, s: int) -> int:
    """Failure class of storage level s."""
    failure = _check_words(geometry, work, s, 1)
    if failure != OK:
        return failure
    if (
        work.rep[s] > geometry.instances[s]
        or work.spread_x[s] > geometry.mesh_x[s]
        or work.spread_y[s] > geometry.mesh_y[s]
    ):
        return FANOUT
    return OK


@inlined
def precheck_storage(geometry: Geometry, work: Workspace, s: int) -> int:
    """The mapper's pre-check of level s: an M:N network lets the instances share one tile."""
    return _check_words(geometry, work, s, geometry.instances[s] if geometry.distributed[s] else 1)


@inlined
def _check_words(geometry: Geometry, work: Workspace, s: int, sharers: int) -> int:
    if geometry.capacity[s] == NO_LIMIT:
        return OK
    words = tile_words(geometry, work, s)
    if words > geometry.capacity[s] * sharers:
        return CAPACITY
    return UTILIZATION if words < geometry.least[s] else OK

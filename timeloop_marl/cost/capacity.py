"""Whether a mapping fits (section 11)."""

from __future__ import annotations

from ..compiling import inlined
from ..traffic.collapse import SPREAD_X, SPREAD_Y
from ..traffic.layout import NO_LIMIT, Tables, Workspace
from .outcome import Failure

OK, CAPACITY, UTILIZATION, FANOUT = (
    int(Failure.OK),
    int(Failure.CAPACITY),
    int(Failure.UTILIZATION),
    int(Failure.FANOUT),
)


@inlined
def check_compute(tables: Tables, work: Workspace) -> int:
    """Failure class of the compute level."""
    across, down = work.counts[SPREAD_X], work.counts[SPREAD_Y]
    if across * down > tables.compute[0] or across > tables.compute[1] or down > tables.compute[2]:
        return FANOUT
    return OK


@inlined
def tile_words(tables: Tables, work: Workspace, s: int) -> int:
    """Words of all data spaces that live at level s."""
    words = 0
    for p in range(tables.spaces):
        if work.present[s, p]:
            words += work.tile[s, p]
    return words


@inlined
def check_storage(tables: Tables, work: Workspace, s: int) -> int:
    """Failure class of storage level s."""
    failure = _check_words(tables, work, s, 1)
    if failure != OK:
        return failure
    if (
        work.rep[s] > tables.instances[s]
        or work.spread_x[s] > tables.mesh_x[s]
        or work.spread_y[s] > tables.mesh_y[s]
    ):
        return FANOUT
    return OK


@inlined
def precheck_storage(tables: Tables, work: Workspace, s: int) -> int:
    """The mapper's pre-check of level s: an M:N network lets the instances share one tile."""
    return _check_words(tables, work, s, tables.instances[s] if tables.distributed[s] else 1)


@inlined
def _check_words(tables: Tables, work: Workspace, s: int, sharers: int) -> int:
    if tables.capacity[s] == NO_LIMIT:
        return OK
    words = tile_words(tables, work, s)
    if words > tables.capacity[s] * sharers:
        return CAPACITY
    return UTILIZATION if words < tables.least[s] else OK

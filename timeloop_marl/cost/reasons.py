"""Why a mapping is invalid, in Timeloop's words (section 11)."""

from __future__ import annotations

from ..compiling import plain
from ..specs.spec import Spec
from ..traffic.collapse import SPREAD_X, SPREAD_Y
from ..traffic.geometry import NO_LIMIT, Geometry
from ..traffic.layout import Workspace
from .capacity import tile_words
from .outcome import Failure, Rejection

NOWHERE = "one of the tensors is bypassed in all storage levels"

ABORTS = (
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
        message = ABORTS[int(work.abort[0])]
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

"""Reads, fills and updates of every level, per instance (section 10)."""

from __future__ import annotations

from ..compiling import kernel
from .geometry import Geometry
from .layout import Workspace


@kernel
def round_half_away(value: float) -> int:
    """Nearest integer, halves away from zero."""
    size = abs(value)
    whole = int(size)
    if size - float(whole) >= 0.5:
        whole += 1
    return whole if value >= 0.0 else -whole


@kernel
def count_traffic(geometry: Geometry, work: Workspace) -> bool:
    """Fill reads, fills and updates; false where the real program aborts on fewer reads than first updates."""
    fine = True
    for p in range(geometry.spaces):
        fine = count_space(geometry, work, p) and fine
    return fine


@kernel
def count_space(geometry: Geometry, work: Workspace, p: int) -> bool:
    """``count_traffic`` of one data space."""
    fine = True
    for s in range(geometry.levels):
        work.reads[s, p] = 0
        work.fills[s, p] = 0
        work.updates[s, p] = 0
        if work.held[s, p] == 0:
            continue
        incoming = work.share[s, p] + work.peer[s, p]
        outgoing = work.content[s, p] + work.peer[s, p]
        if not geometry.read_write[p]:
            work.reads[s, p] = round_half_away(outgoing)
            work.fills[s, p] = int(incoming)
        else:
            fine = _count_read_write(geometry, work, s, p, outgoing, incoming) and fine
    return fine


@kernel
def _count_read_write(
    geometry: Geometry, work: Workspace, s: int, p: int, outgoing: float, incoming: float
) -> bool:
    """Partial sums: every access updates; the first update of each word needs no read and no fill."""
    work.updates[s, p] = round_half_away(work.content[s, p])
    first = float(work.partition[s, p])
    if geometry.no_coalesce[s, p]:
        work.reads[s, p] = round_half_away(outgoing)
        work.fills[s, p] = work.reads[s, p]
    elif geometry.rmw_first_update[s, p] or not geometry.first_read_elision:
        work.reads[s, p] = round_half_away(outgoing)
        work.fills[s, p] = round_half_away(incoming)
    else:
        work.reads[s, p] = round_half_away(outgoing - first)
        elided = s != work.top[p] and not geometry.rules_2022
        work.fills[s, p] = round_half_away(incoming - first if elided else incoming)
    return not outgoing < first

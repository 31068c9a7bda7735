"""Cycles of every level, throttled by its bandwidth, and of the whole mapping (section 12)."""

from __future__ import annotations

import numpy as np

from ..compiling import kernel
from ..traffic.collapse import CYCLES, STEPS
from ..traffic.geometry import Geometry
from ..traffic.layout import Workspace
from .rates import Rates
from .unsigned import from_unsigned


@kernel
def count_cycles(geometry: Geometry, rates: Rates, work: Workspace) -> int:
    """Fill cycles, throttling and demands of all levels; returns the cycles without network latencies."""
    slowest = work.counts[STEPS]
    for s in range(geometry.levels):
        slowest = max(slowest, level_cycles(geometry, rates, work, s))
    work.counts[CYCLES] = slowest + rates.latency
    return slowest


@kernel
def level_cycles(geometry: Geometry, rates: Rates, work: Workspace, s: int) -> int:
    """Cycles that level s needs."""
    steps = float(work.counts[STEPS])
    whole = work.rep[s] == work.spread_x[s] * work.spread_y[s]  # always, for perfect mappings
    spread = float(work.spread_x[s]) * work.spread_y[s] / work.rep[s]
    read = 0.0
    write = 0.0
    for p in range(geometry.spaces):
        scale = rates.bandwidth_scale[s, p]
        reads = float(work.reads[s, p])
        writes = from_unsigned(work.fills[s, p] + work.updates[s, p])
        if not whole:
            reads = np.ceil(reads / spread)
            writes = np.ceil(writes / spread)
        work.demand_read[s, p] = (reads / steps) * scale
        work.demand_write[s, p] = (writes / steps) * scale
        read += work.demand_read[s, p]
        write += work.demand_write[s, p]
    slow = 1.0
    if rates.read_bandwidth[s] < read:
        slow = min(slow, rates.read_bandwidth[s] / read)
    if rates.write_bandwidth[s] < write:
        slow = min(slow, rates.write_bandwidth[s] / write)
    if rates.shared_bandwidth[s] < write + read:
        slow = min(slow, rates.shared_bandwidth[s] / (write + read))
    work.throttle[s] = slow
    work.cycles[s] = _throttled(steps, slow)
    return work.cycles[s]


@kernel
def _throttled(steps: float, slow: float) -> int:
    """Cycles at a slow-down. What does not fit in 64 bits becomes 0, as on the real program's machine."""
    if slow == 0.0:
        return 0
    cycles = np.ceil(steps / slow)
    return int(cycles) if cycles < 9.0e18 else 0

"""Scratch of one GPU thread: the model's ``Workspace`` with axes as short as the machine and the problem allow.

It lies in the thread's local memory, which the hardware interleaves over the threads of a warp: threads that look at
the same place of their scratch read one line. Only what is touched is ever moved. So nothing is laid out anew for the
GPU, and the kernels read the same record as on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.layout import Tables, Workspace
from ..model.record import record_type

ENTRIES = 4
"""Access entries for each (level, data space); rows that need more are evaluated on the CPU."""

UNUSED = (
    "event_motion", "child_offset", "child_served", "child_order", "group_multicast", "group_scatter", "group_hops",
    "group_unicast",
)  # fmt: skip
"""What only explicitly walked blocks use. Every byte counts: numba clears the scratch when a thread begins."""


def scratch_type(tables: Tables, entries: int = ENTRIES) -> np.dtype[Any]:
    """The record of one thread."""
    dims, levels, tiles = int(tables.dims), int(tables.levels), int(tables.tiles)
    sizes = {
        "D": dims,
        "P": int(tables.spaces),
        "S": levels,
        "N": max(1, int(tables.networks)),
        "L": tiles * dims + levels,
        "R": int(tables.rank_start[tables.spaces]),
        "C": 1,
        "G": 1,
        "E": entries,
    }
    return record_type(Workspace, sizes, UNUSED)

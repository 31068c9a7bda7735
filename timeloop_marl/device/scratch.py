"""Scratch of one GPU thread: the model's ``Workspace`` with axes as short as the machine and the problem allow.

It lies in the thread's local memory, which the hardware interleaves over the threads of a warp: threads that look at
the same place of their scratch read one line. Only what is touched is ever moved. So nothing is laid out anew for the
GPU, and the kernels read the same record as on the CPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..traffic.geometry import Geometry
from ..traffic.layout import OF_VECTORS, Workspace
from ..traffic.record import record_type, rounded

ENTRIES = 4
"""Access entries for each (level, data space); rows that need more go to the deep kernel."""

DEEP_ENTRIES = 64
"""The same there; rows that need more go to the CPU."""

DEEP_BYTES = 1 << 31
"""Memory for the scratch of the deep kernel: it takes as many threads as fit."""

UNUSED = (
    "event_motion", "child_offset", "child_served", "child_order", "group_multicast", "group_scatter", "group_hops",
    "group_unicast", "child_code", "child_group", "slots", "slot_code", "group_left",
)  # fmt: skip
"""What only explicitly walked blocks use. Every byte counts: numba clears the scratch when a thread begins."""


def scratch_type(geometry: Geometry) -> np.dtype[Any]:
    """The record of one thread, but for what only explicitly walked blocks use."""
    return record_type(Workspace, _sizes(geometry, ENTRIES, 1), (*UNUSED, *OF_VECTORS))


def deep_type(geometry: Geometry) -> np.dtype[Any]:
    """The record of one thread of the deep kernel, with room for the children of the largest block."""
    return record_type(Workspace, _sizes(geometry, DEEP_ENTRIES, int(geometry.compute[0])), OF_VECTORS)


def _sizes(geometry: Geometry, entries: int, children: int) -> dict[str, int]:
    dims, levels, tiles = int(geometry.dims), int(geometry.levels), int(geometry.tiles)
    return {
        "D": dims,
        "P": int(geometry.spaces),
        "S": levels,
        "N": 2 * levels,
        "T": tiles,
        "L": tiles * dims + levels,
        "R": int(geometry.rank_start[geometry.spaces]),
        "C": children,
        "H": 2 * rounded(children, 1),
        "G": math.isqrt(2 * children) + 2,  # as in traffic.layout
        "E": entries,
    }

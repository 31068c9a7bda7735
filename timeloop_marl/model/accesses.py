"""Traffic between levels for perfect factors (sections 4 and 5)."""

from __future__ import annotations

from .entries import clear_entries
from .explicit import fill_explicit
from .jit import kernel
from .layout import Tables, Workspace


@kernel
def fill_accesses(tables: Tables, work: Workspace) -> None:
    """Entries and link transfers of all levels, and the compute counter."""
    clear_entries(tables, work)
    for s in range(tables.levels):
        for p in range(tables.spaces):
            fill_explicit(tables, work, s, p)
    steps = 1
    for l in range(work.loops[0]):  # noqa: E741
        if work.loop_kind[l] == 0:
            steps *= work.loop_bound[l]
    work.counters[0] = 1.0
    work.counters[1] = float(steps)

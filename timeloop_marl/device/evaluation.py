"""The kernels that evaluate rows of a batch, one thread a row.

Most rows take closed forms and a few kB of scratch. Those whose spatial blocks have no formula walk over the children
of a block, with scratch of the size of the array; a second, *deep* kernel does them, with fewer threads, so that the
others need not wait for them. The exact walk of imperfect factors is left to the CPU.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..cost.evaluate import _evaluate_imperfect, evaluate, level_accesses, total_energy, utilization
from ..cost.outcome import Failure
from ..traffic.collapse import CYCLES
from ..traffic.explicit import fill_explicit
from .translation import Translator, device_function, device_kernel

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

DONE, CROWDED, BLOCK, WALK = 0, 1, 2, 3
"""``Workspace.status`` of a row: evaluated; too many access entries; a block without a formula; imperfect factors."""

OK, OTHER = int(Failure.OK), int(Failure.OTHER)


def leave_imperfect(
    geometry: Any, rates: Any, factors: Any, residuals: Any, order: Any, split: Any, work: Any, space: Any
) -> int:
    """In place of the exact walk."""
    work.status[0] = WALK
    return OTHER


def leave_block(geometry: Any, work: Any, s: int, p: int) -> None:
    """In place of the walk over the children of a spatial block; an entry that later stages can divide by."""
    work.status[0] = BLOCK
    work.entries[s, p] = 1
    work.multicast[s, p, 0] = 1
    work.scatter[s, p, 0] = 1
    work.accesses[s, p, 0] = 1.0
    work.hops[s, p, 0] = 0.0
    work.unicast[s, p, 0] = 0.0


@cache
def model_translator(deep: bool) -> Translator:
    """Translates kernels of the model, without what the kernel or the GPU leaves to others."""
    left = {_evaluate_imperfect: leave_imperfect}
    return Translator(left if deep else {**left, fill_explicit: leave_block})


@cache
def evaluation_kernel(scratch: np.dtype[Any]) -> Any:
    """The kernel for one type of scratch. Kept: layers of one shape on one machine share it."""
    evaluate_row = _row_function(deep=False)

    def evaluate_rows(
        geometry_box: Any, rates_box: Any,
        factors: Any, residuals: Any, order: Any, split: Any, keep: Any, precheck: bool,
        cycles: Any, energy: Any, share: Any, failure: Any, level: Any, accesses: Any, levels: int, status: Any,
    ) -> None:  # fmt: skip
        """Outcomes of the rows whose ``status`` becomes ``DONE``; ``accesses`` of the first ``levels`` levels."""
        work_box = cuda.local.array(1, scratch)
        for i in range(cuda.grid(1), factors.shape[0], cuda.gridsize(1)):
            evaluate_row(
                geometry_box[0], rates_box[0], work_box[0], factors, residuals, order, split, keep, i, precheck,
                cycles, energy, share, failure, level, accesses, levels, status,
            )  # fmt: skip

    return device_kernel(evaluate_rows)


@cache
def deep_kernel() -> Any:
    """As ``evaluation_kernel``, with a box of scratch for each thread."""
    evaluate_row = _row_function(deep=True)

    def evaluate_deep(
        work_boxes: Any,
        geometry_box: Any, rates_box: Any,
        factors: Any, residuals: Any, order: Any, split: Any, keep: Any, precheck: bool,
        cycles: Any, energy: Any, share: Any, failure: Any, level: Any, accesses: Any, levels: int, status: Any,
    ) -> None:  # fmt: skip
        """As ``evaluate_rows``."""
        for i in range(cuda.grid(1), factors.shape[0], cuda.gridsize(1)):
            evaluate_row(
                geometry_box[0], rates_box[0], work_boxes[cuda.grid(1)],
                factors, residuals, order, split, keep, i, precheck,
                cycles, energy, share, failure, level, accesses, levels, status,
            )  # fmt: skip

    return device_kernel(evaluate_deep)


def _row_function(deep: bool) -> Any:
    """Evaluates row i of a batch."""
    translate = model_translator(deep)
    evaluated, energy_of, share_of, words_of = (
        translate(kernel) for kernel in (evaluate, total_energy, utilization, level_accesses)
    )

    def evaluate_row(
        geometry: Any, rates: Any, work: Any,
        factors: Any, residuals: Any, order: Any, split: Any, keep: Any, i: int, precheck: bool,
        cycles: Any, energy: Any, share: Any, failure: Any, level: Any, accesses: Any, levels: int, status: Any,
    ) -> None:  # fmt: skip
        result = evaluated(geometry, rates, factors, residuals, order, split, keep, i, work, work, precheck)
        status[i] = work.status[0]
        failure[i] = result
        level[i] = -1
        if result != OK:
            level[i] = work.failed_level[0]
        elif work.status[0] == DONE:
            cycles[i] = work.counts[CYCLES]
            energy[i] = energy_of(geometry, rates, work)
            share[i] = share_of(geometry, work)
            for s in range(levels):
                accesses[i, s] = words_of(geometry, work, s)

    return device_function(evaluate_row, True)

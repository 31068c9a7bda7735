"""The cost model of one Spec on the GPU: its constants there once, batches in and outcomes out, one thread a row.

Most rows take closed forms and a few kB of scratch. Those whose spatial blocks have no formula walk over the children
of a block, with scratch of the size of the array; a second, *deep* kernel does them, with fewer threads, so that the
others need not wait for them. The exact walk of imperfect factors is left to the CPU.

Scratch is the model's ``Workspace`` with axes as short as the machine and the problem allow. It lies in the thread's
local memory, which the hardware interleaves over the threads of a warp: threads that look at the same place of their
scratch read one line. Only what is touched is ever moved. So nothing is laid out anew for the GPU, and the kernels
read the same record as on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...cost.evaluate import _evaluate_imperfect, evaluate, level_accesses, total_energy, utilization
from ...cost.outcome import Failure, Outcome
from ...cost.rates import Rates
from ...kernels.cuda.translation import Translator, device_function, device_kernel, launch
from ...kernels.record import boxed, record_type, rounded
from ...specs.mapping import MappingBatch
from ...traffic.explicit import fill_explicit
from ...traffic.geometry import Geometry
from ...traffic.levels import CYCLES
from ...traffic.workspace import OF_VECTORS, Workspace

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

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


THREADS = 128
"""Threads of a block."""

DEEP_THREADS = 32
"""The same for the deep kernel."""

BATCH = 1 << 18
"""Most rows on the device at once: some 1 kB each."""

BLOCKS = 1 << 11
"""Most blocks of a launch; threads go on to further rows, which spares them the clearing of their scratch."""

COLUMNS = ("factors", "residuals", "order", "split", "keep")
RESULTS = ("cycles", "energy_pj", "utilization", "failure", "failed_level")


@dataclass(frozen=True)
class Resident:
    """A batch and its outcomes on the device: arrays as in ``MappingBatch`` and ``Outcome``; status of each row."""

    count: int
    levels: int
    columns: tuple[Any, ...]
    results: tuple[Any, ...]
    accesses: Any
    status: Any


class DeviceModel:
    """Evaluates batches on the GPU.

    Args:
        geometry, rates: of one Spec.
        precheck: as for ``NativeEvaluator``.
    """

    def __init__(self, geometry: Geometry, rates: Rates, precheck: bool = False) -> None:
        self.precheck = precheck
        self._given = cuda.to_device(boxed(geometry)), cuda.to_device(boxed(rates))
        self._kernel = evaluation_kernel(scratch_type(geometry))
        self._deep = deep_type(geometry)
        self._checked: set[int] = set()

    def evaluate(self, mappings: MappingBatch, outcome: Outcome) -> Int64[ndarray, "left"]:
        """Fill the outcomes of a checked batch; returns the rows that are left to the CPU."""
        left = [np.zeros(0, np.int64)]
        for first in range(0, len(mappings), BATCH):
            part = np.arange(first, min(first + BATCH, len(mappings)))
            status = self._part(mappings, outcome, part, self.run)
            again = part[(status == BLOCK) | (status == CROWDED)]
            left.append(part[status == WALK])
            if len(again):
                left.append(again[self._part(mappings, outcome, again, self.run_deep) != DONE])
        return np.sort(np.concatenate(left))

    def put(self, rows: MappingBatch, levels: int = 0) -> Resident:
        """Bring a checked batch to the device, with room for its outcomes and for accesses of ``levels`` levels."""
        count = len(rows)
        # Columns side by side: the threads of a warp read neighbouring rows.
        columns = (np.asfortranarray(getattr(rows, name)) for name in COLUMNS)
        results = (np.zeros(count, kind) for kind in (np.int64, np.float64, np.float64, np.int8, np.int8))
        return Resident(
            count,
            levels,
            tuple(cuda.to_device(array) for array in columns),
            tuple(cuda.to_device(array) for array in results),
            cuda.to_device(np.zeros((count, max(1, levels)), np.int64)),
            cuda.to_device(np.zeros(count, np.int8)),
        )

    def run(self, batch: Resident) -> None:
        """Evaluate a batch that is on the device."""
        blocks = min(BLOCKS, -(-batch.count // THREADS))
        launch(self._kernel, blocks, THREADS, self._arguments(batch), self._checked)

    def run_deep(self, batch: Resident) -> None:
        """The same for rows that need large scratch."""
        blocks, threads, boxes = deep_scratch(self._deep, batch.count)
        launch(deep_kernel(), blocks, threads, (boxes, *self._arguments(batch)), self._checked)

    def _arguments(self, batch: Resident) -> tuple[Any, ...]:
        return (
            *self._given, *batch.columns, self.precheck, *batch.results, batch.accesses, batch.levels, batch.status,
        )  # fmt: skip

    def _part(
        self, mappings: MappingBatch, outcome: Outcome, rows: ndarray, run: Callable[[Resident], None]
    ) -> ndarray:
        """Status of each row of one launch."""
        count = len(rows)
        # Columns of one row are of another type to the compiler.
        chosen = mappings.take(rows if count > 1 else np.repeat(rows, 2))
        batch = self.put(chosen, 0 if outcome.accesses is None else outcome.accesses.shape[1])
        run(batch)
        for name, result in zip(RESULTS, batch.results, strict=True):
            getattr(outcome, name)[rows] = result.copy_to_host()[:count]
        if outcome.accesses is not None:
            outcome.accesses[rows] = batch.accesses.copy_to_host()[:count]
        return np.asarray(batch.status.copy_to_host()[:count])


def deep_scratch(kind: np.dtype[Any], rows: int) -> tuple[int, int, Any]:
    """Blocks and threads of a block for a deep kernel over so many rows, and their scratch."""
    most = min(rows, max(1, DEEP_BYTES // kind.itemsize))
    threads = min(most, DEEP_THREADS)
    blocks = most // threads
    return blocks, threads, cuda.device_array(blocks * threads, kind)

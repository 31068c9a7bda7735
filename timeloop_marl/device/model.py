"""The cost model of one Spec on the GPU: tables there once, batches in and outcomes out."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..mapping import MappingBatch
from ..model.layout import Tables
from ..model.outcome import Outcome
from ..model.record import boxed
from .evaluation import DONE, evaluation_kernel
from .scratch import scratch_type
from .target import simulated
from .translation import check_unfused, unfused

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

THREADS = 128
"""Threads of a block."""

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
        tables: of one Spec.
        precheck: as for ``NativeEvaluator``.
    """

    def __init__(self, tables: Tables, precheck: bool = False) -> None:
        self.precheck = precheck
        self._tables = cuda.to_device(boxed(tables))
        self._kernel = evaluation_kernel(scratch_type(tables))
        self._checked = False

    def evaluate(self, mappings: MappingBatch, outcome: Outcome) -> Int64[ndarray, "left"]:
        """Fill the outcomes of a checked batch; returns the rows that are left to the CPU."""
        left = [np.zeros(0, np.int64)]
        for first in range(0, len(mappings), BATCH):
            part = slice(first, min(first + BATCH, len(mappings)))
            left.append(first + np.flatnonzero(self._part(mappings.take(part), outcome, part) != DONE))
        return np.concatenate(left)

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
        self._launch(
            batch.count,
            *batch.columns,
            self.precheck,
            *batch.results,
            batch.accesses,
            batch.levels,
            batch.status,
        )

    def _part(self, rows: MappingBatch, outcome: Outcome, place: slice) -> ndarray:
        """Status of each row of one launch."""
        count = len(rows)
        if count == 1:  # columns of one row are of another type to the compiler
            rows = rows.take(np.zeros(2, np.int64))
        batch = self.put(rows, 0 if outcome.accesses is None else outcome.accesses.shape[1])
        self.run(batch)
        for name, result in zip(RESULTS, batch.results, strict=True):
            getattr(outcome, name)[place] = result.copy_to_host()[:count]
        if outcome.accesses is not None:
            outcome.accesses[place] = batch.accesses.copy_to_host()[:count]
        return np.asarray(batch.status.copy_to_host()[:count])

    def _launch(self, rows: int, *arguments: Any) -> None:
        """Run the kernel over ``rows`` rows whose arrays are on the device."""
        blocks = min(BLOCKS, -(-rows // THREADS))
        with unfused():
            self._kernel[blocks, THREADS](self._tables, *arguments)
        if not self._checked and not simulated():
            for ptx in self._kernel.inspect_asm().values():
                check_unfused(ptx)
            self._checked = True

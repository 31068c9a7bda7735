"""The cost model of one Spec on the GPU: its constants there once, batches in and outcomes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..cost.outcome import Outcome
from ..cost.rates import Rates
from ..mapping import MappingBatch
from ..traffic.geometry import Geometry
from ..traffic.record import boxed
from .evaluation import BLOCK, CROWDED, DONE, WALK, deep_kernel, evaluation_kernel
from .scratch import DEEP_BYTES, deep_type, scratch_type
from .translation import launch

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

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

"""The best of so many numbered draws of one Spec, on the GPU."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.tables import workspace
from ..model.layout import Tables
from ..model.record import boxed
from .drawing import LEFT, VALID, drawing_kernel, plain_record, selection_kernel
from .model import BLOCKS, THREADS
from .scratch import scratch_type
from .target import simulated
from .translation import check_unfused, unfused

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

PART = 4096
"""Costs among which one block chooses."""


class DeviceDraws:
    """Draws, evaluates and keeps the best; ``costs`` and ``numbers`` stay on the device until they are asked for.

    Args:
        space: the mapspace.
        tables: of the model.
        metric: ``EDP``, ``ENERGY`` or ``DELAY``.
        seed: of the draws.
        kept: how many to keep.
        batch: draws of one launch.
    """

    def __init__(
        self, space: LearnersMapspace, tables: Tables, metric: int, seed: int, kept: int, batch: int
    ) -> None:
        work, draw = scratch_type(tables), plain_record(workspace(space.tables))
        shape = (space.axes, *space.tables.base_factor.shape, *space.tables.keep.shape)
        self._kernel = drawing_kernel(work, draw.dtype, shape)
        self._threads = (
            4 if simulated() else THREADS
        )  # threads that wait for each other are slow in the simulator
        self._select = selection_kernel(self._threads)
        self._boxes = cuda.to_device(boxed(tables)), cuda.to_device(plain_record(space.tables))
        self._seed, self._metric, self._kept, self._batch = seed, metric, kept, batch
        parts = -(-batch // PART)
        # The best of all launches come first, then those of each part of this one.
        self._best = self._pair((parts + 1) * kept)
        self._merged = self._pair(kept)
        self._checked = False

    def run(self, first: int, count: int) -> tuple[int, Int64[ndarray, "left"]]:
        """Make the draws from ``first`` on, at most a batch; how many are valid, and which are left to the CPU."""
        kept, parts = self._kept, -(-count // PART)
        costs, numbers = self._pair(count)
        counts = cuda.to_device(np.zeros(2, np.int64))
        left = cuda.to_device(np.zeros(count, np.int64))
        best_costs, best_numbers = self._best
        with unfused():
            self._kernel[min(BLOCKS, -(-count // THREADS)), THREADS](
                *self._boxes, self._seed, first, self._metric, False, costs, numbers, counts, left
            )
            self._select[parts, self._threads](
                costs, numbers, PART, kept, best_costs[kept:], best_numbers[kept:]
            )
            whole = (parts + 1) * kept
            self._select[1, self._threads](
                best_costs[:whole], best_numbers[:whole], whole, kept, *self._merged
            )
        self._check()
        best_costs[:kept].copy_to_device(self._merged[0])
        best_numbers[:kept].copy_to_device(self._merged[1])
        found = counts.copy_to_host()
        return int(found[VALID]), np.sort(left[: int(found[LEFT])].copy_to_host())

    def best(self) -> tuple[Float64[ndarray, "kept"], Int64[ndarray, "kept"]]:
        """Costs and numbers of the best so far, best first; infinite and -1 where there are fewer."""
        costs, numbers = (array[: self._kept].copy_to_host() for array in self._best)
        return costs, numbers

    def _pair(self, count: int) -> tuple[Any, Any]:
        """Costs (infinite) and numbers (-1)."""
        return cuda.to_device(np.full(count, np.inf)), cuda.to_device(np.full(count, -1, np.int64))

    def _check(self) -> None:
        if not self._checked and not simulated():
            for ptx in self._kernel.inspect_asm().values():
                check_unfused(ptx)
        self._checked = True

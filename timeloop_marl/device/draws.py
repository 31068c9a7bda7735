"""The best of so many numbered draws of one Spec, on the GPU."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.rates import Rates
from ..mapspace.axes import LearnersMapspace
from ..mapspace.learners.tables import workspace
from ..traffic.geometry import Geometry
from ..traffic.record import boxed
from .drawing import LEFT, VALID, deep_drawing_kernel, drawing_kernel, plain_record, selection_kernel
from .model import BLOCKS, THREADS, deep_scratch
from .scratch import deep_type, scratch_type
from .target import simulated
from .translation import launch

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

PART = 4096
"""Costs among which one block chooses."""


class DeviceDraws:
    """Draws, evaluates and keeps the best; ``costs`` and ``numbers`` stay on the device until they are asked for.

    Args:
        space: the mapspace.
        geometry, rates: of the model.
        metric: ``EDP``, ``ENERGY`` or ``DELAY``.
        seed: of the draws.
        kept: how many to keep.
        batch: draws of one launch.
    """

    def __init__(
        self,
        space: LearnersMapspace,
        geometry: Geometry,
        rates: Rates,
        metric: int,
        seed: int,
        kept: int,
        batch: int,
    ) -> None:
        draw = plain_record(workspace(space.tables)).dtype
        shape = (space.axes, *space.tables.base_factor.shape, *space.tables.keep.shape)
        self._kernel = drawing_kernel(scratch_type(geometry), draw, shape)
        self._deep, self._deep_type = deep_drawing_kernel(draw, shape), deep_type(geometry)
        self._threads = (
            4 if simulated() else THREADS
        )  # threads that wait for each other are slow in the simulator
        self._select = selection_kernel(self._threads)
        records = boxed(geometry), boxed(rates), plain_record(space.tables)
        self._given = *(cuda.to_device(record) for record in records), seed, metric
        self._kept = kept
        # The best of all launches come first, then those of each part of this one.
        self._best = self._pair((-(-batch // PART) + 1) * kept)
        self._merged = self._pair(kept)
        self._checked: set[int] = set()

    def run(self, first: int, count: int) -> tuple[int, Int64[ndarray, "left"]]:
        """Make the draws from ``first`` on, at most a batch; how many are valid, and which are left to the CPU."""
        valid, left = self._launch(np.arange(first, first + count), deep=False)
        if len(left):
            more, left = self._launch(left, deep=True)
            valid += more
        return valid, left

    def best(self) -> tuple[Float64[ndarray, "kept"], Int64[ndarray, "kept"]]:
        """Costs and numbers of the best so far, best first; infinite and -1 where there are fewer."""
        costs, numbers = (array[: self._kept].copy_to_host() for array in self._best)
        return costs, numbers

    def _launch(self, which: Int64[ndarray, "n"], deep: bool) -> tuple[int, Int64[ndarray, "left"]]:
        """Make these draws; how many are valid, and which are left."""
        count = len(which)
        numbers, costs = cuda.to_device(which), cuda.device_array(count, np.float64)
        counts, left = cuda.to_device(np.zeros(2, np.int64)), cuda.device_array(count, np.int64)
        given = (*self._given, numbers, costs, counts, left)
        if deep:
            blocks, threads, boxes = deep_scratch(self._deep_type, count)
            self._run(self._deep, blocks, threads, (boxes, *given))
        else:
            self._run(self._kernel, min(BLOCKS, -(-count // THREADS)), THREADS, given)
        self._keep(costs, numbers, count)
        found = counts.copy_to_host()
        return int(found[VALID]), np.sort(left.copy_to_host()[: int(found[LEFT])])

    def _keep(self, costs: Any, numbers: Any, count: int) -> None:
        """Keep the best of these and of those before."""
        kept, parts = self._kept, -(-count // PART)
        best_costs, best_numbers = self._best
        whole = (parts + 1) * kept
        given = costs, numbers, PART, kept, best_costs[kept:], best_numbers[kept:]
        self._run(self._select, parts, self._threads, given)
        given = best_costs[:whole], best_numbers[:whole], whole, kept, *self._merged
        self._run(self._select, 1, self._threads, given)
        best_costs[:kept].copy_to_device(self._merged[0])
        best_numbers[:kept].copy_to_device(self._merged[1])

    def _run(self, kernel: Any, blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
        launch(kernel, blocks, threads, arguments, self._checked)

    def _pair(self, count: int) -> tuple[Any, Any]:
        """Costs (infinite) and numbers (-1)."""
        return cuda.to_device(np.full(count, np.inf)), cuda.to_device(np.full(count, -1, np.int64))

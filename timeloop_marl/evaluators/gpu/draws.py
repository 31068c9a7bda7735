"""The best of many random mappings of one Spec that never leave the GPU.

One thread draws, repairs, decodes and evaluates a mapping. Each draw has a number and depends on nothing but that and
the seed, so the CPU can make any of them again.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...cost.evaluate import evaluate, total_energy
from ...cost.rates import Rates
from ...kernels.cuda.target import simulated
from ...kernels.cuda.translation import Translator, device_function, device_kernel, launch
from ...kernels.record import boxed
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.decoding import decode_rows
from ...mapspace.learners.drawing import start
from ...mapspace.learners.repair import sample_rows
from ...mapspace.learners.tables import workspace
from ...traffic.geometry import Geometry
from ...traffic.levels import CYCLES
from .evaluation import BLOCKS, DONE, OK, THREADS, deep_scratch, deep_type, model_translator, scratch_type

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it


EDP, ENERGY, DELAY = 0, 1, 2
"""What ``draw_best`` can minimise."""

VALID, LEFT = 0, 1
"""Places in ``counts``: valid draws, and draws left to others."""


@cache
def drawing_kernel(model_type: np.dtype[Any], draw_type: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """The kernel for scratch of the model and of a draw; ``shape``: axes, T, D, S, P."""
    draw_row = _draw_function(draw_type, shape, deep=False)

    def draw_rows(
        geometry_box: Any,
        rates_box: Any,
        space_box: Any,
        seed: int,
        metric: int,
        numbers: Any,
        costs: Any,
        counts: Any,
        left: Any,
    ) -> None:
        """Costs of the draws of these numbers, infinite where invalid; numbers of those left to the deep kernel."""
        work_box = cuda.local.array(1, model_type)
        draw_row(
            work_box[0],
            geometry_box[0],
            rates_box[0],
            space_box[0],
            seed,
            metric,
            numbers,
            costs,
            counts,
            left,
        )

    return device_kernel(draw_rows)


@cache
def deep_drawing_kernel(draw_type: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """As ``drawing_kernel``, with a box of scratch for each thread; what is left then is left to the CPU."""
    draw_row = _draw_function(draw_type, shape, deep=True)

    def draw_deep(
        work_boxes: Any, geometry_box: Any, rates_box: Any, space_box: Any, seed: int, metric: int,
        numbers: Any, costs: Any, counts: Any, left: Any,
    ) -> None:  # fmt: skip
        """As ``draw_rows``."""
        work = work_boxes[cuda.grid(1)]
        draw_row(
            work, geometry_box[0], rates_box[0], space_box[0], seed, metric, numbers, costs, counts, left
        )

    return device_kernel(draw_deep)


def _draw_function(draw_type: np.dtype[Any], shape: tuple[int, ...], deep: bool) -> Any:
    """Makes and evaluates every draw of a thread."""
    model, mapspace = model_translator(deep), Translator()
    evaluated, energy_of = model(evaluate), model(total_energy)
    begun, sampled, decoded = mapspace(start), mapspace(sample_rows), mapspace(decode_rows)
    row_shape, loop_shape = (1, shape[0]), (1, shape[1], shape[2])
    split_shape, keep_shape = (1, shape[1]), (1, shape[3], shape[4])

    def draw_row(
        work: Any,
        geometry: Any,
        rates: Any,
        space: Any,
        seed: int,
        metric: int,
        numbers: Any,
        costs: Any,
        counts: Any,
        left: Any,
    ) -> None:
        draw_box = cuda.local.array(1, draw_type)
        row = cuda.local.array(row_shape, np.int64)
        factors, residuals = cuda.local.array(loop_shape, np.int64), cuda.local.array(loop_shape, np.int64)
        order, split = cuda.local.array(loop_shape, np.int8), cuda.local.array(split_shape, np.int8)
        keep = cuda.local.array(keep_shape, np.bool_)
        feasible = cuda.local.array(1, np.bool_)
        state = cuda.local.array(1, np.uint64)
        draws = draw_box[0]
        for i in range(cuda.grid(1), numbers.shape[0], cuda.gridsize(1)):
            costs[i] = math.inf
            begun(state, seed, numbers[i])
            sampled(space, draws, row, state, feasible)
            decoded(space, draws, row, factors, residuals, order, split, keep)
            result = evaluated(geometry, rates, factors, residuals, order, split, keep, 0, work, work, False)
            if work.status[0] != DONE:
                left[cuda.atomic.add(counts, LEFT, 1)] = numbers[i]
            elif result == OK:
                cuda.atomic.add(counts, VALID, 1)
                energy, cycles = energy_of(geometry, rates, work), float(work.counts[CYCLES])
                costs[i] = energy * cycles if metric == EDP else energy if metric == ENERGY else cycles

    return device_function(draw_row, True)


@cache
def selection_kernel(threads: int) -> Any:
    """The kernel that keeps the best of each part, for blocks of so many threads."""

    def keep_best(costs: Any, numbers: Any, part: int, kept: int, best_costs: Any, best_numbers: Any) -> None:
        """Block b writes the ``kept`` least costs of its ``part`` entries, equal ones by number; ``costs`` is used up.

        Where there are fewer, infinite costs of number -1.
        """
        cost = cuda.shared.array(threads, np.float64)
        place = cuda.shared.array(threads, np.int64)
        me, begin = cuda.threadIdx.x, cuda.blockIdx.x * part
        end = min(begin + part, costs.shape[0])
        for k in range(kept):
            mine = -1
            for i in range(begin + me, end, threads):
                if costs[i] < math.inf and (
                    mine < 0
                    or costs[i] < costs[mine]
                    or (costs[i] == costs[mine] and numbers[i] < numbers[mine])
                ):
                    mine = i
            cost[me] = math.inf if mine < 0 else costs[mine]
            place[me] = mine
            cuda.syncthreads()
            if me == 0:
                winner = -1
                for other in range(threads):
                    i = place[other]
                    if i >= 0 and (
                        winner < 0
                        or cost[other] < costs[winner]
                        or (cost[other] == costs[winner] and numbers[i] < numbers[winner])
                    ):
                        winner = i
                at = cuda.blockIdx.x * kept + k
                best_costs[at] = math.inf
                best_numbers[at] = -1
                if winner >= 0:
                    best_costs[at] = costs[winner]
                    best_numbers[at] = numbers[winner]
                    costs[winner] = math.inf
            cuda.syncthreads()

    return device_kernel(keep_best)


def plain_record(values: Any) -> np.ndarray:
    """A named tuple of arrays and numbers as a box with one record, arrays in their exact shapes."""
    fields: list[tuple[str, Any, tuple[int, ...]]] = []
    for name, value in values._asdict().items():
        array = np.asarray(value)
        fields.append((name, np.uint8 if array.dtype == np.bool_ else array.dtype, array.shape))
    box = np.zeros(1, np.dtype((np.record, np.dtype(fields, align=True))))
    for name, value in values._asdict().items():
        box[name][0] = value
    return box


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

"""Random mappings that never leave the GPU: drawn, repaired, decoded and evaluated by one thread, the best ones kept.

Each draw has a number and depends on nothing but that and the seed, so the CPU can make any of them again.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..cost.evaluate import evaluate, total_energy
from ..mapspace.learners.decoding import decode_rows
from ..mapspace.learners.drawing import start
from ..mapspace.learners.repair import sample_rows
from ..traffic.collapse import CYCLES
from .evaluation import DONE, OK, model_translator
from .translation import Translator, device_function, device_kernel

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

"""The best of very many random mappings: drawn by number, evaluated, all but the best forgotten.

For spaces so large, or machines so fast, that no list of samples could be kept. Draw i of a seed is the same mapping
on the CPU and on a GPU, so a result can be checked, and gone on with, anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.objective import Objective, parse_objective, plain_name
from ..errors import UsageError
from ..evaluators.choice import chosen_device, native_evaluator
from ..mapspace.awkward import PERFECT
from ..mapspace.axes import LearnersMapspace
from ..specs.mapping import Mapping
from ..specs.spec import Spec
from .inputs import load

METRICS = ("edp", "energy", "delay")
BATCH = {"cpu": 1 << 14, "cuda": 1 << 22}
"""Draws made at once."""


@dataclass(frozen=True)
class Draws:
    """The best of ``drawn`` random mappings, best first, equal ones by number.

    Attributes:
        costs: pJ, cycles or pJ·cycles.
        numbers: of the draws.
        mappings: what was drawn.
        drawn: how many were looked at.
        valid: how many of them are valid.
        left: how many a GPU left to the CPU (more access entries than it has room for).
    """

    costs: tuple[float, ...]
    numbers: tuple[int, ...]
    mappings: tuple[Mapping, ...]
    drawn: int
    valid: int
    left: int = 0


def best_of_draws(
    spec: Spec | str,
    count: int,
    *,
    objective: str = "edp",
    keep: int = 10,
    seed: int = 1,
    first: int = 0,
    device: str = "cpu",
    threads: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> Draws:
    """Evaluate draws ``first`` to ``first + count - 1`` of a seed and keep the best. The device changes nothing.

    Draws have perfect factors: that is what the kernels of a GPU decode and evaluate.

    Args:
        spec: what ``load`` returned, or files.
        objective: edp, energy or delay.
        keep: how many to keep.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: of the CPU.
        on_progress: told how many draws were looked at, after every batch.

    Raises:
        UsageError: another objective, a count below 1, or no such device.
        UnsupportedFeatureError: the design is outside the native model.
        InfeasibleError: the constraints leave no mapping.
    """
    spec = (spec if isinstance(spec, Spec) else load(spec)).with_factors(PERFECT)
    objective = plain_name(objective)
    if objective not in METRICS:
        raise UsageError(f"draws are judged by one of {', '.join(METRICS)}, not by {objective!r}")
    for name, value, least in (
        ("count", count, 1),
        ("keep", keep, 1),
        ("first", first, 0),
        ("seed", seed, 0),
    ):
        if value < least:
            raise UsageError(f"{name} must be at least {least}, not {value}")
    aim = parse_objective(objective, len(spec.architecture.storage))
    kind = "cpu" if spec.sparsity is not None and device == "auto" else chosen_device(device)
    make = _OnDevice if kind == "cuda" else _OnHost
    work = make(spec, aim, seed, keep, threads, min(count, BATCH[kind]))
    for begin in range(first, first + count, BATCH[kind]):
        work.run(begin, min(BATCH[kind], first + count - begin))
        if on_progress is not None:
            on_progress(begin - first + min(BATCH[kind], first + count - begin))
    costs, numbers = work.best()
    batch = work.space.decode(work.space.numbered(seed, numbers))
    return Draws(
        tuple(float(cost) for cost in costs),
        tuple(int(number) for number in numbers),
        tuple(batch[i] for i in range(len(numbers))),
        count,
        work.valid,
        work.left,
    )


class _OnHost:
    """Draws on the CPU."""

    def __init__(self, spec: Spec, aim: Objective, seed: int, keep: int, threads: int, batch: int) -> None:
        self.space, self.valid, self.left = LearnersMapspace(spec), 0, 0
        self._evaluator = native_evaluator(spec, threads=threads)
        self._aim, self._seed, self._keep = aim, seed, keep
        self._costs, self._numbers = np.zeros(0), np.zeros(0, np.int64)

    def run(self, first: int, count: int) -> None:
        """Draws ``first`` to ``first + count - 1``."""
        self.judge(self.space.consecutive(self._seed, first, count), np.arange(first, first + count))

    def judge(self, rows: Int64[ndarray, "m axes"], numbers: Int64[ndarray, "m"]) -> None:
        """Evaluate rows and keep the best of them and of those before."""
        costs = self._aim.costs(self._evaluator(self.space.decode(rows)))
        self.valid += int(np.isfinite(costs).sum())
        self.add(costs, numbers)

    def add(self, costs: Float64[ndarray, "m"], numbers: Int64[ndarray, "m"]) -> None:
        """Keep the best of these and of those before."""
        all_costs = np.concatenate([self._costs, costs])
        all_numbers = np.concatenate([self._numbers, numbers])
        order = np.lexsort((all_numbers, all_costs))[: self._keep]
        order = order[np.isfinite(all_costs[order])]
        self._costs, self._numbers = all_costs[order], all_numbers[order]

    def best(self) -> tuple[Float64[ndarray, "k"], Int64[ndarray, "k"]]:
        """Costs and numbers of the best, best first."""
        return self._costs, self._numbers


class _OnDevice(_OnHost):
    """Draws on a GPU; those it cannot evaluate on the CPU."""

    def __init__(self, spec: Spec, aim: Objective, seed: int, keep: int, threads: int, batch: int) -> None:
        super().__init__(spec, aim, seed, keep, threads, batch)
        from ..evaluators.gpu.draws import DeviceDraws

        model = self._evaluator
        self._draws = DeviceDraws(
            self.space, model.geometry, model.rates, METRICS.index(aim.name), seed, keep, batch
        )

    def run(self, first: int, count: int) -> None:
        """Draws ``first`` to ``first + count - 1``."""
        valid, left = self._draws.run(first, count)
        self.valid += valid
        self.left += len(left)
        if len(left):
            self.judge(self.space.numbered(self._seed, left), left)

    def best(self) -> tuple[Float64[ndarray, "k"], Int64[ndarray, "k"]]:
        """Costs and numbers of the best, best first."""
        self.add(*self._draws.best())
        return super().best()

"""CMA-ES by pycma on a continuous relaxation of the axes (Hansen, arXiv 1604.00772; restarts: Auger, Hansen 2005)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.objective import Objective
from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace
from ..base import Rows, at_least, one_of
from ..registry import searcher
from .shared import BatchSearcher, GlobalState, finite_logs

ENCODINGS = ("argmax", "rounding")


@dataclass(frozen=True)
class CmaOptions:
    """Options of ``cma-es``. ``population`` 0 = what pycma takes for the number of variables."""

    population: int = 32
    sigma: float = 1.0  # first step; variables start near 0 (argmax) or lie in 0 .. 1 (rounding: take 0.3)
    encoding: str = "argmax"
    diagonal: bool = True  # separable: variances only
    growth: float = 2.0  # of the population at a restart

    def __post_init__(self) -> None:
        at_least(0, population=self.population)
        one_of("encoding", self.encoding, ENCODINGS)
        if not self.sigma > 0 or not self.growth >= 1:
            raise UsageError("sigma must be above 0 and growth at least 1")


@searcher("cma-es", "CMA-ES by pycma, on a continuous relaxation", CmaOptions, extra="library")
class CmaSearcher(BatchSearcher):
    """One variable per axis, rounded (``rounding``), or one per value, the largest wins (``argmax``); then repair.

    When pycma says that it has converged, it starts again from a random point with a larger population.
    """

    def __init__(self, space: LearnersMapspace, objective: Objective, seed: int, options: CmaOptions) -> None:
        super().__init__(space, objective, seed)
        self.options = options
        self._state = GlobalState(seed)
        self._firsts = np.concatenate([[0], np.cumsum(space.cardinalities)]).astype(np.int64)
        self._population = options.population
        if space.axes:
            self._start()

    def _start(self) -> None:
        import cma

        argmax = self.options.encoding == "argmax"
        variables = int(self._firsts[-1]) if argmax else self.learners.axes
        start = self.rng.normal(0, 0.1, variables) if argmax else self.rng.random(variables)
        settings: dict[str, Any] = {"verbose": -9, "seed": np.nan, "CMA_diagonal": self.options.diagonal}
        if not argmax:
            settings["bounds"] = [0, 1]
        if self._population:
            settings["popsize"] = self._population
        with self._state.active():
            # One variable is more than pycma covers; a second one without effect does no harm.
            start = np.append(start, 0.5) if variables == 1 else start
            self._strategy = cma.CMAEvolutionStrategy(start, self.options.sigma, settings)
        self._population = int(self._strategy.popsize)
        self.batch = self._population

    def _next_batch(self) -> Rows:
        with self._state.active():
            if self._strategy.stop():
                self._population = int(self._population * self.options.growth)
                self._start()
            self._points = self._strategy.ask()
        return self.learners.repair(self._decoded(np.array(self._points)), self.rng)[0]

    def _decoded(self, points: Float64[ndarray, "m variables"]) -> Rows:
        cardinalities = self.learners.cardinalities
        if self.options.encoding == "rounding":
            inside = np.clip(points[:, : self.learners.axes], 0.0, 1.0)
            return np.minimum((inside * cardinalities).astype(np.int64), cardinalities - 1)
        parts = zip(self._firsts[:-1], self._firsts[1:])
        return np.stack([points[:, a:b].argmax(axis=1) for a, b in parts], axis=1).astype(np.int64)

    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        with self._state.active():
            self._strategy.tell(self._points, finite_logs(costs).tolist())

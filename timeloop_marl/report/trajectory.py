"""The course of a search, as plots need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray


@dataclass(frozen=True)
class Trajectory:
    """Best cost and invalid samples against samples.

    ``samples`` (k,) ascending 1-based counts of evaluated samples; ``best`` (k,) best objective so far, ``inf`` while
    nothing valid was found; ``invalid`` (k,) invalid samples so far. ``objective`` and ``unit`` name the axis.
    """

    samples: Int64[ndarray, "k"]
    best: Float64[ndarray, "k"]
    invalid: Int64[ndarray, "k"]
    objective: str = "EDP"
    unit: str = ""
    label: str = ""

    @classmethod
    def of_costs(
        cls,
        costs: Sequence[float] | Float64[ndarray, "n"],
        objective: str = "EDP",
        unit: str = "",
        label: str = "",
    ) -> Trajectory:
        """From the cost of every sample in order, ``inf`` where invalid."""
        values = np.asarray(costs, np.float64)
        samples = np.arange(1, len(values) + 1, dtype=np.int64)
        best = np.minimum.accumulate(values) if len(values) else values
        invalid = np.cumsum(~np.isfinite(values), dtype=np.int64)
        return cls(samples, best, invalid, objective, unit, label)

    def thinned(self, points: int = 2000) -> Trajectory:
        """At most about ``points`` points: every improvement (the best ones if too many) and a logarithmic grid."""
        if len(self.samples) <= points:
            return self
        grid = np.unique(np.geomspace(1, len(self.samples), points // 2).astype(np.int64) - 1)
        before = np.concatenate(([np.inf], self.best[:-1]))
        steps = np.flatnonzero(self.best < before)[-points // 2 :]
        rows = np.union1d(grid, steps)
        return Trajectory(
            self.samples[rows], self.best[rows], self.invalid[rows], self.objective, self.unit, self.label
        )

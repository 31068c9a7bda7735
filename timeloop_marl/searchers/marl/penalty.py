"""Rewards where invalid mappings are penalised: standardised against all samples so far."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


class Rewards:
    """Reward = minus log cost; invalid: ``penalty`` standard deviations below the worst valid reward so far.

    Mean and deviation are running ones with a memory of about 20 batches.
    """

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty
        self._worst = -np.inf  # largest log cost seen
        self._mean, self._square, self._weight = 0.0, 0.0, 0.0

    def advantages(self, logs: Float64[ndarray, "m"]) -> Float64[ndarray, "m"]:
        """Advantage of every sample of a batch, within -3 .. 3; +inf in ``logs`` = invalid."""
        finite = logs[np.isfinite(logs)]
        if len(finite):
            self._worst = max(self._worst, float(finite.max()))
        if not np.isfinite(self._worst):
            return np.zeros(len(logs))  # nothing valid so far: nothing to tell apart
        spread = self._deviation()
        rewards = -np.where(np.isfinite(logs), logs, self._worst + self.penalty * spread)
        keep = 0.95 if self._weight else 0.0
        self._mean = keep * self._mean + (1 - keep) * float(rewards.mean())
        self._square = keep * self._square + (1 - keep) * float((rewards**2).mean())
        self._weight = 1.0
        return np.clip((rewards - self._mean) / self._deviation(), -3.0, 3.0)

    def _deviation(self) -> float:
        variance = self._square - self._mean**2
        return float(np.sqrt(variance)) if variance > 1e-12 else 1.0

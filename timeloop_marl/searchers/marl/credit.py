"""Advantages: how good a row was, and which agents are told so."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray


def ranked(logs: Float64[ndarray, "n"], recent: Float64[ndarray, "recent"]) -> Float64[ndarray, "n"]:
    """1 for the lowest of ``recent`` log costs (which contain ``logs``) to -1 for the highest; +inf is the highest."""
    if len(recent) < 2:
        return np.zeros(len(logs))
    order = np.sort(recent, kind="stable")
    place = (np.searchsorted(order, logs, "left") + np.searchsorted(order, logs, "right") - 1) / 2.0
    return 1.0 - 2.0 * place / (len(recent) - 1)


def gains(logs: Float64[ndarray, "n"], before: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
    """Improvement over the row that was changed, -1 .. 1, in units of the batch's median change."""
    change = np.where(np.isfinite(logs), before - logs, -np.inf)
    finite = np.abs(change[np.isfinite(change)])
    unit = float(np.median(finite)) if len(finite) else 0.0
    if unit <= 0.0:
        return np.sign(change)
    return np.tanh(np.clip(change / unit, -50.0, 50.0))


def shared_out(
    full: Float64[ndarray, "n"],
    moved: Float64[ndarray, "n"],
    is_move: Bool[ndarray, "n"],
    changed: Bool[ndarray, "n agents"],
) -> Float64[ndarray, "n agents"]:
    """Advantage of every agent: of whole rows to all, of moves to those whose choices changed."""
    value = np.where(is_move, moved, full)[:, None]
    return np.where(changed | ~is_move[:, None], value, 0.0)


def dealt(advantage: Float64[ndarray, "n agents"]) -> Float64[ndarray, "n agents"]:
    """Every row left to one of the agents that it has an advantage for, to whom fewest were dealt so far."""
    own = np.zeros_like(advantage)
    held = np.zeros(advantage.shape[1], np.int64)
    for i, row in enumerate(advantage):
        told = np.flatnonzero(row)
        if len(told):
            agent = told[held[told].argmin()]
            held[agent] += 1
            own[i, agent] = row[agent]
    return own


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

"""Simulated annealing on log cost: several chains side by side, temperature from the first samples, restarts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..mapspace.axes import LearnersMapspace
from .base import LearnerSearcher, Rows, at_least, share
from .registry import searcher

_TRIES = 8  # draws of a neighbour that was not evaluated before


@dataclass(frozen=True)
class AnnealingOptions:
    """Options. Temperatures are in units of log cost (0.01 = one percent), relative to the spread of random costs."""

    chains: int = 4
    samples: int = (
        16  # random mappings per chain at each start: they set the temperature, the best one starts
    )
    hot: float = (
        0.1  # first temperature as a share of the standard deviation of the log costs of those samples
    )
    cold: float = 0.001  # last temperature, absolute
    cycle: int = 3000  # samples from hot to cold, all chains together
    moves: float = 0.5  # mean number of local moves per step beyond the first
    restart_from_best: float = 0.5  # chance that a chain starts its next cycle from the best mapping so far

    def __post_init__(self) -> None:
        at_least(1, chains=self.chains, samples=self.samples, cycle=self.cycle)
        at_least(0, moves=self.moves, hot=self.hot)
        at_least(1e-9, cold=self.cold)
        share(restart_from_best=self.restart_from_best)


@searcher("annealing", "simulated annealing, several chains, restarts", AnnealingOptions)
class AnnealingSearcher(LearnerSearcher):
    """Each chain proposes one neighbour per round; a worse one is accepted with ``exp(-increase / temperature)``."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: AnnealingOptions
    ) -> None:
        super().__init__(space, objective, seed)
        self.options, self.batch = options, options.chains
        self._best: tuple[float, ndarray] | None = None
        self._begin()

    def _begin(self) -> None:
        """A new cycle: random samples first."""
        self._rows: Rows = np.zeros((0, self.space.axes), np.int64)
        self._logs: Float64[ndarray, "chains"] = np.zeros(0)
        self._start_rows: list[Rows] = []
        self._start_logs: list[ndarray] = []
        self._spent, self._hot = 0, 0.0
        self._chains = np.zeros(0, np.int64)  # whose neighbours were proposed last

    @property
    def _starting(self) -> bool:
        return len(self._rows) == 0

    def _propose(self, n: int) -> Rows:
        if self._starting:
            missing = self.options.chains * self.options.samples - sum(len(rows) for rows in self._start_rows)
            return self.fresh_random(min(n, missing))
        # Few rows asked for: the chains take turns.
        self._chains = (self._spent + np.arange(min(n, len(self._rows)))) % len(self._rows)
        rows = self._neighbours(self._chains)
        known = self._known(rows)
        for _ in range(_TRIES):
            if not known.any():
                break
            rows[known] = self._neighbours(self._chains[known])
            known = self._known(rows)
        # All neighbours of a chain were seen before: a random mapping takes their place.
        spare = self.fresh_random(int(known.sum()))
        stuck = np.flatnonzero(known)
        rows[stuck[: len(spare)]] = spare
        left = np.delete(np.arange(len(rows)), stuck[len(spare) :])
        self._chains = self._chains[left]
        for key in self.space.keys(rows[left]):
            self._remember(key)
        return rows[left]

    def _neighbours(self, chains: Int64[ndarray, "m"]) -> Rows:
        steps = 1 + self.rng.poisson(self.options.moves, len(chains))
        return self.space.moved(self._rows[chains], self.rng, steps)

    def _known(self, rows: Rows) -> Bool[ndarray, "m"]:
        """Rows proposed before, or twice in this batch."""
        batch: set[bytes] = set()
        known = []
        for key in self.space.keys(rows):
            known.append(key in self._seen or key in batch)
            batch.add(key)
        return np.array(known, np.bool_)

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        with np.errstate(divide="ignore"):
            logs = np.log(costs)
        best = int(np.argmin(logs))
        if np.isfinite(logs[best]) and (self._best is None or logs[best] < self._best[0]):
            self._best = float(logs[best]), rows[best]
        if self._starting:
            self._learn_start(rows, logs)
        else:
            self._learn_step(rows, logs)

    def _learn_start(self, rows: Rows, logs: Float64[ndarray, "m"]) -> None:
        self._start_rows.append(rows)
        self._start_logs.append(logs)
        every, all_logs = np.concatenate(self._start_rows), np.concatenate(self._start_logs)
        if len(every) < self.options.chains * self.options.samples:
            return
        finite = all_logs[np.isfinite(all_logs)]
        self._hot = max(self.options.cold, self.options.hot * float(finite.std()) if len(finite) else 1.0)
        chosen = np.argsort(all_logs, kind="stable")[: self.options.chains]
        self._rows, self._logs = every[chosen].copy(), all_logs[chosen].copy()
        if self._best is not None:
            for chain in np.flatnonzero(self.rng.random(len(chosen)) < self.options.restart_from_best):
                self._logs[chain], self._rows[chain] = self._best

    def _temperature(self) -> float:
        progress = min(1.0, self._spent / self.options.cycle)
        return float(self._hot * (self.options.cold / self._hot) ** progress)

    def _learn_step(self, rows: Rows, logs: Float64[ndarray, "m"]) -> None:
        before = self._logs[self._chains]
        with np.errstate(invalid="ignore", over="ignore"):
            chance = np.exp((before - logs) / self._temperature())
        accepted = (logs <= before) | (self.rng.random(len(rows)) < np.nan_to_num(chance))
        self._rows[self._chains[accepted]] = rows[accepted]
        self._logs[self._chains[accepted]] = logs[accepted]
        self._spent += len(rows)
        if self._spent >= self.options.cycle:
            self._begin()

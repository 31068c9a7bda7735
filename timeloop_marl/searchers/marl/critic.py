"""The centralised critic: predicts log cost before a sample is spent; used in training and proposing only.

Log cost = a trend plus a Gaussian process. The trend of energy-like costs is a non-negative combination of moved words
(what a word costs at each level is learnt), that of cycles the number of temporal iterations.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from .features import FeatureMaker, Features
from .gaussian import GaussianProcess

_LENGTHS = (0.5, 1.0, 2.0, 4.0)  # in units of the root of the number of varying features
_NOISES = (1e-4, 1e-2)
_TINY = 1e-300
_JUDGED = 192  # points whose likelihood chooses the kernel's parameters
_LEAST = 8  # points below which nothing is predicted
_EXPECTED = 16.0  # what the samples of all other layers weigh together in the prices, in samples of this one


class Critic:
    """Regression of log cost on features of the mapping.

    Args:
        metric: ``edp``, ``energy``, ``delay``, or any other name for a cost taken as it is.
        points: most samples kept; beyond it the best half and the newest quarter stay.
        trend: whether the trend is used (else the process alone).
    """

    def __init__(self, space: LearnersMapspace, metric: str, points: int, trend: bool) -> None:
        self.make = FeatureMaker(space)
        self.metric, self.capacity, self.trend = metric, points, trend
        self.words_matter = trend and metric != "delay"
        self.steps_matter = trend and metric in ("edp", "delay")
        self._data: Features | None = None
        self._logs: Float64[ndarray, "n"] = np.zeros(0)
        self._energies: Float64[ndarray, "n"] = np.zeros(0)
        self._prices: Float64[ndarray, "parts"] = np.zeros(0)
        self._process: GaussianProcess | None = None
        self._centre = 0.0
        self._varying: Int64[ndarray, "inputs"] = np.zeros(0, np.int64)
        self._shift: Float64[ndarray, "inputs"] = np.zeros(0)
        self._stretch: Float64[ndarray, "inputs"] = np.zeros(0)
        self._tuned = 0  # number of samples at which the kernel was chosen last
        self._expected: Float64[ndarray, "n parts"] = np.zeros(
            (0, 0)
        )  # words per pJ of other layers' samples

    def expect(self, words: Float64[ndarray, "n parts"], energy: Float64[ndarray, "n"]) -> None:
        """Samples of other layers on this machine, both per computation: they tell what a word costs."""
        if self.metric not in ("edp", "energy") or not self.words_matter:
            return
        computations = float(np.prod(np.asarray(self.make.space.tables.bounds, np.float64)))
        self._expected = words / (energy * computations)[:, None]
        self._prices = nonnegative(self._expected, np.ones(len(energy)), np.zeros(words.shape[1]))

    @property
    def foresees(self) -> bool:
        """Whether the trend is known before the first sample."""
        return self.trend and (len(self._prices) > 0 if self.words_matter else self.steps_matter)

    def foresee(self, rows: Int64[ndarray, "m axes"]) -> Float64[ndarray, "m"]:
        """The trend alone."""
        return self._trend(self.make(rows))

    @property
    def ready(self) -> bool:
        """Whether it has seen enough to predict."""
        return self._process is not None

    def forget(self) -> None:
        """All samples; what a word costs is remembered."""
        self._data, self._process, self._tuned = None, None, 0
        self._logs, self._energies = np.zeros(0), np.zeros(0)

    def learn(
        self,
        rows: Int64[ndarray, "m axes"],
        costs: Float64[ndarray, "m"],
        energies: Float64[ndarray, "m"],
    ) -> None:
        """More samples. ``costs`` may be +inf (invalid): taken as ten times the worst valid cost."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(costs, _TINY))
        finite = np.concatenate([self._logs, logs[np.isfinite(logs)]])
        if not len(finite):
            return
        valid = np.isfinite(logs)
        logs = np.where(valid, logs, finite.max() + np.log(10.0))
        new = self.make(rows)
        self._data = new if self._data is None else _joined(self._data, new)
        self._logs = np.concatenate([self._logs, logs])
        self._energies = np.concatenate([self._energies, np.where(valid, energies, np.nan)])
        self._trim()
        if len(self._logs) >= _LEAST:
            self._update()

    def predict(
        self, rows: Int64[ndarray, "m axes"], deviations: bool = True
    ) -> tuple[Float64[ndarray, "m"], Float64[ndarray, "m"]]:
        """Mean and standard deviation of log cost."""
        if self._process is None or not len(rows):
            return np.zeros(len(rows)), np.zeros(len(rows))
        features = self.make(rows)
        mean, deviation = self._process.predict(self._scaled(features), deviations)
        return mean + self._centre + self._trend(features), deviation

    def _trim(self) -> None:
        n = len(self._logs)
        if n <= self.capacity or self._data is None:
            return
        best = np.argsort(self._logs, kind="stable")[: self.capacity // 2]
        newest = np.arange(n - self.capacity // 4, n)
        stay = np.union1d(best, newest)
        self._data = Features(self._data.words[stay], self._data.logs[stay], self._data.steps[stay])
        self._logs, self._energies = self._logs[stay], self._energies[stay]
        self._process = None

    def _update(self) -> None:
        data, n = self._data, len(self._logs)
        if data is None:
            return
        if self.words_matter:
            self._prices = self._fitted_prices(data)
        # The kernel is chosen anew whenever the samples have doubled: likelihoods cost as much as hundreds of samples.
        if self._process is None or n >= 2 * self._tuned:
            self._rebuild(data)
        process = self._process
        if process is None:
            return
        process.add(self._scaled(data)[process.count :])
        residual = self._logs - self._trend(data)
        self._centre = float(np.median(residual))
        process.fit(residual - self._centre)

    def _rebuild(self, data: Features) -> None:
        deviation = data.logs.std(axis=0)
        self._varying = np.flatnonzero(deviation > 1e-9)  # the others would only cost time
        self._shift = data.logs[:, self._varying].mean(axis=0)
        root = np.sqrt(max(1, len(self._varying)))
        self._stretch = 1.0 / (np.maximum(deviation[self._varying], 0.25) * root)
        if self._tuned == 0 or len(self._logs) >= 2 * self._tuned:
            self._parameters = self._chosen(data)
            self._tuned = len(self._logs)
        length, noise = self._parameters
        self._process = GaussianProcess(self.capacity + 256, len(self._varying), length, noise)

    def _chosen(self, data: Features) -> tuple[float, float]:
        """Length scale and noise of the largest marginal likelihood on the newest points."""
        newest = slice(max(0, len(self._logs) - _JUDGED), None)
        inputs = self._scaled(data)[newest]
        residual = (self._logs - self._trend(data))[newest]
        residual -= np.median(residual)
        best, chosen = -np.inf, (1.0, _NOISES[0])
        for length in _LENGTHS:
            for noise in _NOISES:
                process = GaussianProcess(len(inputs), inputs.shape[1], length, noise)
                process.add(inputs)
                likelihood = process.fit(residual)
                if likelihood > best:
                    best, chosen = likelihood, (length, noise)
        return chosen

    def _scaled(self, features: Features) -> Float64[ndarray, "m inputs"]:
        return (features.logs[:, self._varying] - self._shift) * self._stretch

    def _trend(self, features: Features) -> Float64[ndarray, "m"]:
        trend = np.zeros(len(features.steps))
        if self.words_matter:
            trend += np.log(np.maximum(weighted(features.words, self._prices), _TINY))
        if self.steps_matter:
            trend += features.steps
        return trend

    def _fitted_prices(self, data: Features) -> Float64[ndarray, "parts"]:
        """Prices of a word per part: non-negative least squares of the relative error, shrunk a little."""
        targets = self._energies if self.metric in ("edp", "energy") else np.exp(self._logs)
        good = np.isfinite(targets) & (targets > 0)
        if not good.any():
            return np.ones(data.words.shape[1])
        # Cheap mappings count more: the trend has to be right where the search goes.
        weight = np.exp(-0.5 * (self._logs[good] - self._logs[good].min()))
        scaled = data.words[good] / targets[good, None]
        if len(self._expected):
            scaled = np.concatenate([scaled, self._expected])
            others = np.full(len(self._expected), _EXPECTED / len(self._expected))
            weight = np.concatenate([weight, others])
        start = self._prices if len(self._prices) else np.zeros(data.words.shape[1])
        return nonnegative(scaled, weight, start)


def _joined(a: Features, b: Features) -> Features:
    return Features(
        np.concatenate([a.words, b.words]),
        np.concatenate([a.logs, b.logs]),
        np.concatenate([a.steps, b.steps]),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def weighted(words: ndarray, prices: ndarray) -> ndarray:
    """words @ prices in one fixed order."""
    out = np.zeros(words.shape[0])
    for i in range(words.shape[0]):
        for k in range(words.shape[1]):
            out[i] += words[i, k] * prices[k]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def nonnegative(columns: ndarray, weight: ndarray, start: ndarray) -> ndarray:
    """Non-negative prices that bring ``columns @ prices`` close to 1, by coordinate descent from ``start``."""
    n, parts = columns.shape
    gram = np.zeros((parts, parts))
    aim = np.zeros(parts)
    for i in range(n):
        for a in range(parts):
            value = weight[i] * columns[i, a]
            if value != 0.0:
                aim[a] += value
                for b in range(parts):
                    gram[a, b] += value * columns[i, b]
    prices = start.copy()
    for _ in range(60):
        for a in range(parts):
            if gram[a, a] <= 0.0:
                continue
            slope = aim[a]
            for b in range(parts):
                slope -= gram[a, b] * prices[b]
            # 1e-6 keeps parts that move together from growing against each other.
            prices[a] = max(
                0.0, prices[a] + (slope - 1e-6 * gram[a, a] * prices[a]) / (1.000001 * gram[a, a])
            )
    return prices

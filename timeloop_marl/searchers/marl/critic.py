"""The centralised critic: predicts log cost before a sample is spent; used in training and proposing only.

Log cost = a trend (``trend.py``: words times prices learnt, the slowest path) plus a Gaussian process on what remains,
if anything does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from .features import Counted, Features, Prices, Process, WordCounter, no_process
from .gaussian import GaussianProcess
from .trend import Samples, Trend

_LENGTHS = (0.5, 1.0, 2.0, 4.0)  # in units of the root of the number of varying features
_NOISES = (1e-4, 1e-2)
_TINY = 1e-300
_JUDGED = 192  # points whose likelihood chooses the kernel's parameters
_LEAST = 8  # points below which nothing is predicted
_RARELY = 16  # prices and process are computed anew when samples have grown by one part in so many
_RETUNED = 4  # growth of the samples at which the kernel is chosen anew
_SURE = 0.002  # log cost; with nine samples in ten as close to the trend, a process has nothing to add
_RIGHT = 0.0003  # log cost; a prediction as good as that needs no correction
_DEPTH = 2.0  # standard deviations below the trend beyond which the process is not expected


class Critic:
    """Regression of log cost on features of the mapping.

    Args:
        metrics: ``edp``, ``energy``, ``delay``, or any other name for a cost taken as it is; costs told have later ones
            at a small weight (``trend.LESSER``).
        points: most samples kept; beyond it the best half and the newest quarter stay.
    """

    def __init__(self, space: LearnersMapspace, metrics: Sequence[str], points: int) -> None:
        self.count = WordCounter(space)
        self.capacity = points
        levels = len(space.tables.temporal_of)
        self.trend = Trend(metrics, levels, self.count.parts)
        self._samples = Samples()
        self._process: GaussianProcess | None = None
        self._centre = 0.0
        self._varying: Int64[ndarray, "inputs"] = np.zeros(0, np.int64)
        self._input_of: Int64[ndarray, "features"] = np.zeros(0, np.int64)
        self._shift: Float64[ndarray, "inputs"] = np.zeros(0)
        self._stretch: Float64[ndarray, "inputs"] = np.zeros(0)
        self._sure = False  # the trend explains the samples
        self._tuned = 0  # number of samples at which the kernel was chosen last
        self._unread = 0  # samples since the last update
        self.version = 0  # counts updates
        self._prices: dict[bool, Prices] = {}  # made for compiled code, until something changes
        self._asked: Process | None = None

    def expect(self, words: Float64[ndarray, "n parts"], energy: Float64[ndarray, "n"]) -> None:
        """Samples of other layers on this machine, both per computation: they tell what a word costs."""
        if self.trend.words_matter:
            computations = float(np.prod(np.asarray(self.count.space.spec.problem.bounds, np.float64)))
            self.trend.expect(words, energy * computations)
            self._changed()

    @property
    def foresees(self) -> bool:
        """Whether the trend is known before the first sample."""
        return self.trend.known

    def foresee(self, rows: Int64[ndarray, "m axes"]) -> Float64[ndarray, "m"]:
        """The trend alone, all samples counting alike: right on average rather than where the search is."""
        self.count.judged += len(rows)
        return self.trend(self.count(rows), even=True)

    @property
    def ready(self) -> bool:
        """Whether it has seen enough to predict."""
        return self._sure or self._process is not None

    def forget(self) -> None:
        """The samples of this epoch, except for what they tell about prices."""
        self.trend.keep(self._samples)
        self._samples, self._process, self._tuned, self._unread = Samples(), None, 0, 0
        self._sure = False
        self._changed()

    def learn(
        self,
        rows: Int64[ndarray, "m axes"],
        costs: Float64[ndarray, "m"],
        energies: Float64[ndarray, "m"],
        cycles: Float64[ndarray, "m"],
    ) -> None:
        """More samples. ``costs`` may be +inf (invalid): taken as ten times the worst valid cost."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(costs, _TINY))
        valid = np.isfinite(logs)
        finite = np.concatenate([self._samples.logs, logs[valid]])
        if not len(finite):
            return
        logs = np.where(valid, logs, finite.max() + np.log(10.0))
        new = Samples(
            self.count(rows), logs, np.where(valid, energies, np.nan), np.where(valid, cycles, np.nan)
        )
        self._samples = self._samples.joined(new)
        self._unread += 0 if self._foreseen(new) else len(rows)
        self._trim()
        n = len(self._samples)
        if n >= _LEAST and (not self.ready or _RARELY * self._unread >= n):
            self._update()

    def predict(self, rows: Int64[ndarray, "m axes"]) -> Float64[ndarray, "m"]:
        """Log cost."""
        if not self.ready or not len(rows):
            return np.zeros(len(rows))
        self.count.judged += len(rows)
        features = self.count(rows)
        if self._process is None:
            return self.trend(features)
        return self._process.predict(self._scaled(features)) + self._centre + self.trend(features)

    def prices(self, even: bool) -> Prices:
        """Of the trend, for compiled code: as ``foresee`` (``even``) or as part of ``predict``."""
        if even not in self._prices:
            self._prices[even] = self.trend.prices(even)
        return self._prices[even]

    def counted(self, even: bool) -> Counted:
        """Scratch in which compiled code counts what ``prices(even)`` ask for."""
        return self.count.counted(self.trend.has_networks(self.prices(even)))

    def process(self, asked: bool) -> Process:
        """The process for compiled code; an empty one if not asked or not there yet."""
        process = self._process
        if process is None or not asked:
            return no_process()
        if self._asked is None:
            self._asked = Process(
                number=np.array([process.count]),
                points=process.points,
                weights=process.weights,
                input_of=self._input_of,
                shift=self._shift,
                stretch=self._stretch,
                length=np.array([float(process.length)]),
                centre=np.array([self._centre]),
                slack=np.array([_DEPTH * process.scale - self._centre]),
            )
        return self._asked

    def _changed(self) -> None:
        """What compiled code was given is out of date."""
        self._prices, self._asked = {}, None

    def __getstate__(self) -> dict[str, Any]:
        """Without what compiled code was given, which is made again."""
        return {**self.__dict__, "_prices": {}, "_asked": None}

    def _foreseen(self, new: Samples) -> bool:
        """Whether the trend was right about new samples: then there is nothing to learn from them."""
        if not self._sure or new.data is None:
            return False
        return bool((np.abs(new.logs - self.trend(new.data)) < _RIGHT).all())

    def _trim(self) -> None:
        n = len(self._samples)
        if n > self.capacity:
            best = np.argsort(self._samples.logs, kind="stable")[: self.capacity // 2]
            newest = np.arange(n - self.capacity // 4, n)
            self._samples = self._samples[np.union1d(best, newest)]
            self._process = None

    def _update(self) -> None:
        data, n = self._samples.data, len(self._samples)
        if data is None:
            return
        self._unread = 0
        self.version += 1
        self.trend.fit(self._samples)
        residual = self._samples.logs - self.trend(data)
        self._sure = float(np.quantile(np.abs(residual), 0.9)) < _SURE
        self._centre = 0.0 if self._sure else float(np.median(residual))
        if self._sure:
            self._process = None
            self._changed()
            return
        # The kernel is chosen anew now and then: likelihoods cost as much as hundreds of samples.
        if self._process is None or n >= _RETUNED * self._tuned:
            self._process = self._rebuilt(data, residual)
        process = self._process
        process.add(self._scaled(data)[process.count :])
        process.fit(residual - self._centre)
        self._changed()

    def _rebuilt(self, data: Features, residual: Float64[ndarray, "n"]) -> GaussianProcess:
        deviation = data.logs.std(axis=0)
        self._varying = np.flatnonzero(deviation > 1e-9)  # the others would only cost time
        self._input_of = np.full(data.logs.shape[1], -1)
        self._input_of[self._varying] = np.arange(len(self._varying))
        self._shift = data.logs[:, self._varying].mean(axis=0)
        root = np.sqrt(max(1, len(self._varying)))
        self._stretch = 1.0 / (np.maximum(deviation[self._varying], 0.25) * root)
        if self._tuned == 0 or len(residual) >= _RETUNED * self._tuned:
            self._parameters = self._chosen(data, residual)
            self._tuned = len(residual)
        length, noise = self._parameters
        return GaussianProcess(self.capacity + 256, len(self._varying), length, noise)

    def _chosen(self, data: Features, residual: Float64[ndarray, "n"]) -> tuple[float, float]:
        """Length scale and noise of the largest marginal likelihood on the newest points."""
        newest = slice(max(0, len(residual) - _JUDGED), None)
        inputs, rest = self._scaled(data)[newest], residual[newest]
        rest = rest - np.median(rest)
        best, chosen = -np.inf, (1.0, _NOISES[0])
        for length in _LENGTHS:
            for noise in _NOISES:
                process = GaussianProcess(len(inputs), inputs.shape[1], length, noise)
                process.add(inputs)
                likelihood = process.fit(rest)
                if likelihood > best:
                    best, chosen = likelihood, (length, noise)
        return chosen

    def _scaled(self, features: Features) -> Float64[ndarray, "m inputs"]:
        return (features.logs[:, self._varying] - self._shift) * self._stretch

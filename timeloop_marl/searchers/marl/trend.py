"""The critic's trend, learnt from samples: energy as words times prices, cycles as iterations or the slowest path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...compiling import allocating
from .bottlenecks import Bottlenecks
from .features import Features
from .foresight import Foresight
from .prices import nonnegative

_TINY = 1e-300
_EXPLAINED = ("edp", "energy", "delay")
LESSER = 0.02  # weight of each further metric in what the critic predicts
_EXPECTED = 16.0  # what the samples of all other layers weigh together in the prices, in samples of this one
_FOCUS = 0.5  # weight of a sample in the prices: exp(-0.5 log cost), for they have to be right where the search goes
_SHRINKAGE = (1e-8, 1e-3)  # of prices that all data spaces share, and of those of their own
_SIMPLER, _EXACT = (
    1.05,
    1e-9,
)  # squared error, relative and absolute, that prices without networks may have more
_KEPT = 256  # samples of earlier epochs that still tell prices


class Trend:
    """Log cost as far as words and iterations explain it.

    Args:
        metrics: ``edp`` (energy x cycles), ``energy``, ``delay``, later ones at a small weight (``LESSER``); or another
            name for a cost that words explain.
        levels, parts: storage levels; parts of ``Features.words``, of which the first 2 levels + 1 and the last
            2 levels are shared by all data spaces: a word of a level costs much the same whatever it belongs to.
    """

    def __init__(self, metrics: Sequence[str], levels: int, parts: int) -> None:
        self.metric = metrics[0]
        # Weights of log words and of log iterations.
        self.words_matter, self.steps_matter = 1.0, 0.0
        if all(metric in _EXPLAINED for metric in metrics):
            weights = [LESSER**place for place in range(len(metrics))]
            self.words_matter = sum(w for w, metric in zip(weights, metrics) if metric != "delay")
            self.steps_matter = sum(w for w, metric in zip(weights, metrics) if metric != "energy")
        self._shrinkage = np.where(
            (np.arange(parts) <= 2 * levels) | (np.arange(parts) >= parts - 2 * levels), *_SHRINKAGE
        )
        self._networks = 2 * levels  # parts that networks cost
        self._prices: Float64[ndarray, "parts"] = np.zeros(0)
        self._even_prices: Float64[ndarray, "parts"] = np.zeros(0)
        self._bottlenecks = Bottlenecks()
        self._expected: Float64[ndarray, "n parts"] = np.zeros(
            (0, parts)
        )  # words per pJ of other layers' samples
        self._kept = Samples()

    def __call__(self, features: Features, even: bool = False) -> Float64[ndarray, "m"]:
        """Log cost of m mappings. ``even``: by prices to which cheap and dear samples counted alike."""
        trend = np.zeros(len(features.steps))
        if self.words_matter:
            words = weighted(features.words, self._prices_of(even))
            trend += self.words_matter * np.log(np.maximum(words, _TINY))
        if self.steps_matter:
            trend += self.steps_matter * self._bottlenecks.log_cycles(features.flows, features.steps)
        return trend

    def _prices_of(self, even: bool) -> Float64[ndarray, "parts"]:
        return self._even_prices if even and len(self._even_prices) else self._prices

    def foresight(self, levels: int, spaces: int, even: bool) -> Foresight:
        """The same for compiled code, of a machine of so many storage levels and a problem of so many data spaces."""
        delay = np.zeros(3 * levels)
        delay[self._bottlenecks.paths] = self._bottlenecks.delay
        prices = self._prices_of(even)
        if not len(prices):
            prices = np.zeros(4 * levels + 1 + 2 * levels * spaces)
        return Foresight.of(prices, delay, levels, spaces, self.words_matter, self.steps_matter)

    @property
    def known(self) -> bool:
        """Whether it can be asked before the first sample."""
        return len(self._prices) > 0 if self.metric != "delay" else self.steps_matter > 0

    def expect(self, words: Float64[ndarray, "n parts"], energy: Float64[ndarray, "n"]) -> None:
        """Samples of other layers on this machine, both per computation of this layer: what a word costs there."""
        if self.metric in _EXPLAINED:
            self._expected = words / energy[:, None]
            self._prices = nonnegative(
                self._expected, np.ones(len(energy)), np.zeros(words.shape[1]), self._shrinkage
            )

    def keep(self, samples: Samples) -> None:
        """Samples of an epoch that is over; a few hundred of all epochs, good ones and others, still tell prices."""
        both = self._kept.joined(samples)
        order = np.argsort(both.logs, kind="stable")
        rest = order[_KEPT // 2 :]
        some = rest[np.linspace(0, len(rest) - 1, min(len(rest), _KEPT // 2)).astype(np.int64)]
        self._kept = both[np.sort(np.concatenate([order[: _KEPT // 2], some]))]

    def fit(self, samples: Samples) -> None:
        """Prices and bottlenecks from the samples of this epoch and those kept."""
        known = self._kept.joined(samples)
        data = known.data
        if data is None:
            return
        if self.words_matter:
            self._prices = self._fitted(known, data, _FOCUS, self._prices)
            self._even_prices = self._fitted(known, data, 0.0, self._even_prices)
        if self.steps_matter:
            good = np.isfinite(known.cycles)
            self._bottlenecks.fit(data.flows[good], data.steps[good], known.cycles[good])

    def _fitted(
        self, known: Samples, data: Features, focus: float, before: Float64[ndarray, "parts"]
    ) -> Float64[ndarray, "parts"]:
        """Prices of a word per part: non-negative least squares of the relative error."""
        targets = known.energies if self.metric in _EXPLAINED else np.exp(known.logs)
        good = np.isfinite(targets) & (targets > 0)
        if not good.any():
            return np.ones(data.words.shape[1])
        weight = np.exp(-focus * (known.logs[good] - known.logs[good].min()))
        scaled = data.words[good] / targets[good, None]
        if len(self._expected):
            scaled = np.concatenate([scaled, self._expected])
            others = np.full(len(self._expected), _EXPECTED / len(self._expected))
            weight = np.concatenate([weight, others])
        start = before if len(before) else np.zeros(data.words.shape[1])
        return self._simplest(scaled, weight, start)

    def _simplest(
        self,
        columns: Float64[ndarray, "n parts"],
        weight: Float64[ndarray, "n"],
        start: Float64[ndarray, "parts"],
    ) -> Float64[ndarray, "parts"]:
        """Prices without networks, unless these explain something."""
        whole = nonnegative(columns, weight, start, self._shrinkage)
        networks = np.arange(len(start)) >= len(start) - self._networks
        plain = np.where(networks, 0.0, columns)
        prices = nonnegative(plain, weight, np.where(networks, 0.0, start), self._shrinkage)
        error, least = (_error(columns, weight, p) for p in (prices, whole))
        return prices if error <= _SIMPLER * least + _EXACT * weight.sum() else whole


@allocating
def weighted(words: ndarray, prices: ndarray) -> ndarray:
    """words @ prices in one fixed order."""
    out = np.zeros(words.shape[0])
    for i in range(words.shape[0]):
        for k in range(words.shape[1]):
            out[i] += words[i, k] * prices[k]
    return out


@allocating
def _error(columns: ndarray, weight: ndarray, prices: ndarray) -> float:
    """Weighted squared error of ``columns @ prices`` against 1."""
    sums = weighted(columns, prices)
    total = 0.0
    for i in range(len(sums)):
        total += weight[i] * (sums[i] - 1.0) ** 2
    return total


class Samples:
    """Features with log cost, energy in pJ and cycles (nan where invalid)."""

    def __init__(
        self,
        data: Features | None = None,
        logs: Float64[ndarray, "n"] | None = None,
        energies: Float64[ndarray, "n"] | None = None,
        cycles: Float64[ndarray, "n"] | None = None,
    ) -> None:
        self.data = data
        self.logs = np.zeros(0) if logs is None else logs
        self.energies = np.zeros(0) if energies is None else energies
        self.cycles = np.zeros(0) if cycles is None else cycles

    def __len__(self) -> int:
        return len(self.logs)

    def __getitem__(self, index: Int64[ndarray, "k"]) -> Samples:
        data = None if self.data is None else self.data[index]
        return Samples(data, self.logs[index], self.energies[index], self.cycles[index])

    def joined(self, more: Samples) -> Samples:
        """These and more."""
        if self.data is None or more.data is None:
            return more if self.data is None else self
        return Samples(
            self.data.joined(more.data),
            np.concatenate([self.logs, more.logs]),
            np.concatenate([self.energies, more.energies]),
            np.concatenate([self.cycles, more.cycles]),
        )

"""The critic's trend, learnt from samples: energy as words times prices, cycles as iterations or the slowest path.

Prices: non-negative least squares by an active set (Lawson & Hanson 1974, chapter 23). Prices that share words move
together, and coordinate descent creeps along such valleys: on a few hundred samples of deep_hierarchy it was 1 % off in
predicted energy after a thousand sweeps, where the solution is 0.2 % off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...cost.objective import powers
from ...kernels.compiling import allocating
from .features import Features, Prices

_SLOWER = 1.001  # beyond this factor of the temporal iterations something else must have set the pace
_CLOSE = 0.02  # relative error within which a path explains a sample


class Bottlenecks:
    """Cycles = the largest of the temporal iterations and, for some paths, the words per instance over a width.

    A path that carried q words in a run of c cycles is at least q / c words a cycle wide. The width of each path is
    taken as the largest of these bounds; which paths limit at all is found by explaining the samples that took longer
    than their iterations: the path that explains most of them first.
    """

    def __init__(self) -> None:
        self.paths: list[int] = []
        self.delay: Float64[ndarray, "paths"] = np.zeros(0)  # cycles per word

    def fit(
        self, flows: Float64[ndarray, "n paths"], steps: Float64[ndarray, "n"], cycles: Float64[ndarray, "n"]
    ) -> None:
        """Infer from n samples; ``steps`` are natural logarithms, ``cycles`` are not."""
        self.paths, self.delay = [], np.zeros(0)
        slow = cycles > np.exp(steps) * _SLOWER
        if not slow.any():
            return
        ratio = np.divide(cycles[:, None], flows, out=np.full(flows.shape, np.inf), where=flows > 0)
        delay = ratio.min(axis=0)
        explained = np.isfinite(delay) & (ratio[slow] <= delay * (1.0 + _CLOSE))
        while explained.size and explained.any():
            best = int(np.argmax(explained.sum(axis=0)))
            self.paths.append(best)
            explained = explained[~explained[:, best]]
        self.delay = delay[self.paths]

    def log_cycles(
        self, flows: Float64[ndarray, "m paths"], steps: Float64[ndarray, "m"]
    ) -> Float64[ndarray, "m"]:
        """Natural logarithms of the cycles of m mappings."""
        longest = steps
        for path, delay in zip(self.paths, self.delay):
            with np.errstate(divide="ignore"):
                longest = np.maximum(longest, np.log(flows[:, path] * delay))
        return longest


_GAIN = 1e-9  # slope, relative to the largest, from which on a price is worth having
_FLAT = 1e-13  # pivot, relative to the diagonal, below which a column adds nothing to those before it


@allocating
def nonnegative(
    columns: Float64[ndarray, "n parts"],
    weight: Float64[ndarray, "n"],
    start: Float64[ndarray, "parts"],
    shrinkage: Float64[ndarray, "parts"],
) -> Float64[ndarray, "parts"]:
    """Non-negative prices that bring ``columns @ prices`` closest to 1.

    Args:
        weight: of the squared error of each row.
        start: prices to begin with; they change how long it takes, not what comes out.
        shrinkage: of each price, in units of its column's own square: keeps prices that move together from growing
            against each other.
    """
    n, parts = columns.shape
    gram, aim = np.zeros((parts, parts)), np.zeros(parts)
    for i in range(n):
        for a in range(parts):
            value = weight[i] * columns[i, a]
            if value != 0.0:
                aim[a] += value
                for b in range(a + 1):
                    gram[a, b] += value * columns[i, b]
    for a in range(parts):
        for b in range(a):
            gram[b, a] = gram[a, b]
    scale = np.zeros(parts)
    for a in range(parts):
        if gram[a, a] > 0.0:
            scale[a] = 1.0 / np.sqrt(gram[a, a])
    for a in range(parts):
        aim[a] *= scale[a]
        for b in range(parts):
            gram[a, b] *= scale[a] * scale[b]
        gram[a, a] += shrinkage[a]
    scaled = np.zeros(parts)
    for a in range(parts):
        scaled[a] = start[a] / scale[a] if scale[a] > 0.0 else 0.0
    active = scaled > 0.0
    _settle(gram, aim, active, scaled)
    largest = np.abs(aim).max() if parts else 0.0
    refused = np.zeros(parts, np.bool_)
    for _ in range(3 * parts):
        entering, steepest = -1, _GAIN * largest
        for a in range(parts):
            if not active[a] and not refused[a] and scale[a] > 0.0:
                slope = aim[a]
                for b in range(parts):
                    slope -= gram[a, b] * scaled[b]
                if slope > steepest:
                    entering, steepest = a, slope
        if entering < 0:
            break
        active[entering] = True
        if _settle(gram, aim, active, scaled) or active[entering]:
            refused[:] = False
        else:
            refused[entering] = True  # what it would gain is lost in rounding
    return scaled * scale


@allocating
def _settle(gram: ndarray, aim: ndarray, active: Bool[ndarray, "parts"], prices: ndarray) -> bool:
    """The best prices of the active parts, others 0; parts whose price would be negative on the way become inactive.

    Returns whether all that were active still are.
    """
    whole = True
    solution = np.zeros(len(aim))
    while True:
        _solve(gram, aim, active, solution)
        share, leaving = 1.0, -1
        for a in range(len(aim)):
            if active[a] and solution[a] <= 0.0:
                step = prices[a] / (prices[a] - solution[a]) if prices[a] > 0.0 else 0.0
                if leaving < 0 or step < share:
                    share, leaving = step, a
        if leaving < 0:
            prices[:] = solution
            return whole
        whole = False
        for a in range(len(aim)):
            if active[a]:
                prices[a] += share * (solution[a] - prices[a])
        active[leaving], prices[leaving] = False, 0.0


@allocating
def _solve(gram: ndarray, aim: ndarray, active: ndarray, solution: ndarray) -> None:
    """Solve for the active parts by Cholesky's decomposition; others and those without a pivot become 0."""
    index = np.flatnonzero(active)
    n = len(index)
    lower, half = np.zeros((n, n)), np.zeros(n)
    solution[:] = 0.0
    for i in range(n):
        for j in range(i + 1):
            value = gram[index[i], index[j]]
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            if j < i:
                lower[i, j] = value / lower[j, j] if lower[j, j] > 0.0 else 0.0
            elif value > _FLAT:
                lower[i, i] = np.sqrt(value)
        value = aim[index[i]]
        for k in range(i):
            value -= lower[i, k] * half[k]
        half[i] = value / lower[i, i] if lower[i, i] > 0.0 else 0.0
    for i in range(n - 1, -1, -1):
        value = half[i]
        for k in range(i + 1, n):
            value -= lower[k, i] * solution[index[k]]
        solution[index[i]] = value / lower[i, i] if lower[i, i] > 0.0 else 0.0


_TINY = 1e-300
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
        metrics: products of powers of energy and delay, such as ``edp``, later ones at a small weight (``LESSER``); or
            another name for a cost that words explain.
        levels, parts: storage levels; parts of ``Features.words``, of which the first 2 levels + 1 and the last
            2 levels are shared by all data spaces: a word of a level costs much the same whatever it belongs to.
    """

    def __init__(self, metrics: Sequence[str], levels: int, parts: int) -> None:
        self._first = powers(metrics[0])  # of energy and delay in the first metric
        # Weights of log words and of log iterations.
        self.words_matter, self.steps_matter = 1.0, 0.0
        explained = [found for metric in metrics if (found := powers(metric)) is not None]
        if len(explained) == len(metrics):
            self.words_matter = sum(LESSER**place * energy for place, (energy, _) in enumerate(explained))
            self.steps_matter = sum(LESSER**place * delay for place, (_, delay) in enumerate(explained))
        self._shrinkage = np.where(
            (np.arange(parts) <= 2 * levels) | (np.arange(parts) >= parts - 2 * levels), *_SHRINKAGE
        )
        self._levels, self._networks = levels, 2 * levels  # levels; parts that networks cost
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

    def prices(self, even: bool) -> Prices:
        """What compiled code has to know. ``even``: as above."""
        words = self._prices_of(even)
        delay = np.zeros(3 * self._levels)
        delay[self._bottlenecks.paths] = self._bottlenecks.delay
        matter = np.array([self.words_matter, self.steps_matter])
        return Prices(words if len(words) else np.zeros(len(self._shrinkage)), delay, matter)

    def has_networks(self, prices: Prices) -> bool:
        """Whether hops or routers cost anything."""
        return bool((prices.words[len(prices.words) - self._networks :] > 0.0).any())

    @property
    def known(self) -> bool:
        """Whether it can be asked before the first sample."""
        on_words = self._first is None or self._first[0] > 0.0
        return len(self._prices) > 0 if on_words else self.steps_matter > 0

    def expect(self, words: Float64[ndarray, "n parts"], energy: Float64[ndarray, "n"]) -> None:
        """Samples of other layers on this machine, both per computation of this layer: what a word costs there."""
        if self._first is not None:
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
        targets = known.energies if self._first is not None else np.exp(known.logs)
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

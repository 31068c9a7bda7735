"""One agent: a group of axes with its own policy, drawing and learning by itself.

The policy is an autoregressive categorical distribution given by tables of logits: axis j of the agent has the logits
``bias[j, v] + sum over its parents q of pair[q, w, v]``, w being the value that the parent took. Without parents the
axes are independent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...kernels.compiling import allocating, inlined, kernel


@inlined
def soften(logits: np.ndarray, count: int) -> None:
    """The first ``count`` logits become probabilities, in place."""
    top = -1e300
    for v in range(count):
        top = max(top, logits[v])
    total = 0.0
    for v in range(count):
        logits[v] = np.exp(logits[v] - top)
        total += logits[v]
    for v in range(count):
        logits[v] /= total


@inlined
def pick(chances: np.ndarray, count: int, u: float) -> int:
    """The value in whose share of 0 .. 1 ``u`` lies."""
    v = 0
    while v < count - 1 and u >= chances[v]:
        u -= chances[v]
        v += 1
    return v


@inlined
def pull_of(advantage: float, now: float, before: float, clip: float) -> float:
    """Weight of a row's slope: advantage times ratio of probabilities, 0 where the ratio has been clipped."""
    ratio = np.exp(min(now - before, 20.0))
    if (advantage > 0.0 and ratio > 1.0 + clip) or (advantage < 0.0 and ratio < 1.0 - clip):
        return 0.0
    return advantage * ratio


@inlined
def disorder_of(chances: np.ndarray, count: int, logs: np.ndarray) -> float:
    """Entropy in nats; fills in the logarithms of the chances."""
    total = 0.0
    for v in range(count):
        logs[v] = np.log(max(chances[v], 1e-300))
        total -= chances[v] * logs[v]
    return total


@inlined
def step_of(pull: float, chosen: bool, chance: float, log: float, entropy: float, disorder: float) -> float:
    """Slope of one logit: of the clipped objective plus ``entropy`` times the entropy. ``log``: of the chance."""
    step = pull * ((1.0 if chosen else 0.0) - chance)
    step -= entropy * chance * (log + disorder)
    return step


@inlined
def chances_of(
    bias: np.ndarray,
    pair: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
    count: int,
    row: np.ndarray,
    j: int,
    out: np.ndarray,
) -> None:
    """Probabilities of the values of axis j beside the values that its parents have in ``row``."""
    for v in range(count):
        z = bias[j, v]
        for q in range(first[j], first[j + 1]):
            z += pair[q, row[parent[q]], v]
        out[v] = z
    soften(out, count)


@allocating
def draw_rows(
    bias: np.ndarray,
    pair: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
    counts: np.ndarray,
    uniform: np.ndarray,
    explore: float,
    stay: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Draw rows (n, axes) in place from ``uniform``; where ``stay`` holds, the value that is there remains.

    With chance ``explore`` an axis is drawn uniformly instead.
    """
    chances = np.empty(bias.shape[1])
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if stay[i, j]:
                continue
            count = counts[j]
            u = uniform[i, j]
            if u < explore:
                rows[i, j] = min(count - 1, int(u / explore * count))
                continue
            u = (u - explore) / (1.0 - explore)
            chances_of(bias, pair, first, parent, count, rows[i], j, chances)
            rows[i, j] = pick(chances, count, u)


@allocating
def gradient(
    bias: np.ndarray,
    pair: np.ndarray,
    first: np.ndarray,
    parent: np.ndarray,
    counts: np.ndarray,
    rows: np.ndarray,
    advantage: np.ndarray,
    before: np.ndarray,
    first_pass: bool,
    clip: float,
    entropy: float,
    d_bias: np.ndarray,
    d_pair: np.ndarray,
) -> float:
    """Ascent direction of the clipped objective (Schulman et al. 2017, eq. 7) plus ``entropy`` times the entropy.

    Args:
        before: log-probabilities of the rows before the first pass, which fills them in; rows of zero advantage do
            not count.

    Returns:
        Mean entropy per axis in nats.
    """
    n, k = rows.shape
    chances = np.empty((k, bias.shape[1]))
    logs = np.empty(bias.shape[1])
    used, disorder = 0, 0.0
    for i in range(n):
        if advantage[i] == 0.0:
            continue
        used += 1
        total = 0.0
        for j in range(k):
            chances_of(bias, pair, first, parent, counts[j], rows[i], j, chances[j])
            total += np.log(max(chances[j, rows[i, j]], 1e-300))
        if first_pass:
            before[i] = total
        pull = pull_of(advantage[i], total, before[i], clip)
        for j in range(k):
            spread = disorder_of(chances[j], counts[j], logs)
            disorder += spread / k
            for v in range(counts[j]):
                step = step_of(pull, v == rows[i, j], chances[j, v], logs[v], entropy, spread)
                d_bias[j, v] += step
                for q in range(first[j], first[j + 1]):
                    d_pair[q, rows[i, parent[q]], v] += step
    if used > 0:
        d_bias /= used
        d_pair /= used
        disorder /= used
    return disorder


@kernel
def adam(
    table: np.ndarray, slope: np.ndarray, mean: np.ndarray, square: np.ndarray, rate: float, step: int
) -> None:
    """One ascent step on flat arrays (Kingma and Ba 2015, algorithm 1; decays 0.9 and 0.99)."""
    up, down = 1.0 - 0.9**step, 1.0 - 0.99**step
    for i in range(table.shape[0]):
        mean[i] = 0.9 * mean[i] + 0.1 * slope[i]
        square[i] = 0.99 * square[i] + 0.01 * slope[i] * slope[i]
        table[i] += rate * (mean[i] / up) / (np.sqrt(square[i] / down) + 1e-3)


# An axis sees no other axis of its agent, the one before, all before.
CONDITIONING = ("none", "chain", "pairs")


@dataclass(frozen=True)
class Learning:
    """How an agent learns: step size of the logits, clip range, weight of the entropy, passes over the batch."""

    rate: float
    clip: float
    entropy: float
    epochs: int


@dataclass
class Agent:
    """Policy over ``axes`` (columns of a candidate row), in the order in which they are drawn.

    Args:
        counts: number of values of each of its axes.
        bias: logits (axes, values), all zeros = uniform.
        conditioning: one of ``CONDITIONING``.
    """

    axes: Int64[ndarray, "k"]
    counts: Int64[ndarray, "k"]
    bias: Float64[ndarray, "k values"]
    conditioning: str
    first: Int64[ndarray, "k+1"] = field(init=False)
    parent: Int64[ndarray, "pairs"] = field(init=False)
    pair: Float64[ndarray, "pairs values values"] = field(init=False)
    entropy: float = 0.0  # mean per axis when it last learnt, nats
    steps: int = 0
    _moments: list[Float64[ndarray, "entries"]] = field(init=False)

    def __post_init__(self) -> None:
        k = len(self.axes)
        parents = [_parents(j, self.conditioning) for j in range(k)]
        self.first = np.cumsum([0, *(len(p) for p in parents)]).astype(np.int64)
        self.parent = np.array([p for chosen in parents for p in chosen], np.int64)
        values = self.bias.shape[1]
        self.pair = np.zeros((len(self.parent), values, values))
        self._moments = [
            np.zeros(size) for size in (self.bias.size, self.bias.size, self.pair.size, self.pair.size)
        ]

    @property
    def parameters(self) -> int:
        """Number of logits that matter."""
        own = int(self.counts.sum())
        children = np.repeat(np.arange(len(self.counts)), np.diff(self.first))
        return own + int((self.counts[self.parent] * self.counts[children]).sum())

    def draw(
        self,
        uniform: Float64[ndarray, "n k"],
        explore: float,
        rows: Int64[ndarray, "n k"] | None = None,
        stay: Bool[ndarray, "n k"] | None = None,
    ) -> Int64[ndarray, "n k"]:
        """Choices for its axes; where ``stay`` holds, those of ``rows`` remain."""
        chosen = np.zeros(uniform.shape, np.int64) if rows is None else rows.copy()
        kept = np.zeros(uniform.shape, np.bool_) if stay is None else stay
        u = np.ascontiguousarray(uniform)
        draw_rows(self.bias, self.pair, self.first, self.parent, self.counts, u, explore, kept, chosen)
        return chosen

    def learn(self, rows: Int64[ndarray, "n k"], advantage: Float64[ndarray, "n"], how: Learning) -> Agent:
        """Raise the chances of choices of positive advantage; rows of advantage 0 are not its own doing."""
        if not advantage.any():
            return self
        before = np.zeros(len(rows))
        for epoch in range(how.epochs):
            d_bias, d_pair = np.zeros_like(self.bias), np.zeros_like(self.pair)
            self.entropy = gradient(
                self.bias,
                self.pair,
                self.first,
                self.parent,
                self.counts,
                rows,
                advantage,
                before,
                epoch == 0,
                how.clip,
                how.entropy,
                d_bias,
                d_pair,
            )
            self.steps += 1
            mean, square, pair_mean, pair_square = self._moments
            adam(self.bias.reshape(-1), d_bias.reshape(-1), mean, square, how.rate, self.steps)
            adam(self.pair.reshape(-1), d_pair.reshape(-1), pair_mean, pair_square, how.rate, self.steps)
        return self


def _parents(j: int, conditioning: str) -> list[int]:
    if conditioning == "none" or j == 0:
        return []
    return [j - 1] if conditioning == "chain" else list(range(j))

"""One agent: a group of axes with its own policy, drawing and learning by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from . import policy

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
        policy.draw(self.bias, self.pair, self.first, self.parent, self.counts, u, explore, kept, chosen)
        return chosen

    def log_chance(self, rows: Int64[ndarray, "n k"]) -> Float64[ndarray, "n"]:
        """Log-probability of choices."""
        out = np.zeros(len(rows))
        policy.log_chance(self.bias, self.pair, self.first, self.parent, self.counts, rows, out)
        return out

    def learn(self, rows: Int64[ndarray, "n k"], advantage: Float64[ndarray, "n"], how: Learning) -> Agent:
        """Raise the chances of choices of positive advantage; rows of advantage 0 are not its own doing."""
        if not advantage.any():
            return self
        before = np.zeros(len(rows))
        for epoch in range(how.epochs):
            d_bias, d_pair = np.zeros_like(self.bias), np.zeros_like(self.pair)
            self.entropy = policy.gradient(
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
            policy.adam(self.bias.reshape(-1), d_bias.reshape(-1), mean, square, how.rate, self.steps)
            policy.adam(
                self.pair.reshape(-1), d_pair.reshape(-1), pair_mean, pair_square, how.rate, self.steps
            )
        return self


def _parents(j: int, conditioning: str) -> list[int]:
    if conditioning == "none" or j == 0:
        return []
    return [j - 1] if conditioning == "chain" else list(range(j))

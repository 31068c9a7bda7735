"""An agent whose policy is a small network: a neural autoregressive distribution (Larochelle and Murray 2011).

Axis j has the logits ``bias[j, v] + read[j, v] · tanh(start + sum over the axes q before it of embed[q, value of q])``:
one hidden layer, shared by all axes of the agent, where ``conditioning=pairs`` has a table for every pair of axes.
Everything is compiled and adds in one order, so that results depend on neither threads nor a library.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...compiling import allocating, inlined
from .agent import Agent, Learning
from .policy import adam, disorder_of, pick, pull_of, soften, step_of

WIDTH = 16  # hidden units
_STEP = 0.1  # step size of the weights, relative to that of the logits
_SPREAD = 0.5  # of the first embeddings, all axes together


@dataclass
class NetworkAgent(Agent):
    """An ``Agent`` with weights instead of tables of pairs; its logits at the start are ``bias`` alone."""

    start: Float64[ndarray, "hidden"] = field(init=False)
    embed: Float64[ndarray, "k values hidden"] = field(init=False)
    read: Float64[ndarray, "k values hidden"] = field(init=False)
    _weight_moments: list[Float64[ndarray, "entries"]] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (*self.bias.shape, WIDTH)
        # Drawn from the axes alone: the same agent for the same group, whoever makes it.
        rng = np.random.default_rng(self.axes)
        self.start = np.zeros(WIDTH)
        self.embed = rng.normal(scale=_SPREAD / np.sqrt(max(len(self.axes), 1)), size=shape)
        self.read = np.zeros(shape)
        self._weight_moments = [np.zeros(w.size) for w in self._weights for _ in range(2)]

    @property
    def _weights(self) -> tuple[ndarray, ndarray, ndarray]:
        return self.start, self.embed, self.read

    @property
    def parameters(self) -> int:
        """Number of logits and weights that matter."""
        return int(self.counts.sum()) * (1 + 2 * WIDTH) + WIDTH

    def draw(
        self,
        uniform: Float64[ndarray, "n k"],
        explore: float,
        rows: Int64[ndarray, "n k"] | None = None,
        stay: Bool[ndarray, "n k"] | None = None,
    ) -> Int64[ndarray, "n k"]:
        """As ``Agent.draw``."""
        chosen = np.zeros(uniform.shape, np.int64) if rows is None else rows.copy()
        kept = np.zeros(uniform.shape, np.bool_) if stay is None else stay
        u = np.ascontiguousarray(uniform)
        _draw(self.bias, self.start, self.embed, self.read, self.counts, u, explore, kept, chosen)
        return chosen

    def log_chance(self, rows: Int64[ndarray, "n k"]) -> Float64[ndarray, "n"]:
        """Log-probability of choices."""
        out = np.zeros(len(rows))
        _log_chance(self.bias, self.start, self.embed, self.read, self.counts, rows, out)
        return out

    def learn(self, rows: Int64[ndarray, "n k"], advantage: Float64[ndarray, "n"], how: Learning) -> Agent:
        """As ``Agent.learn``."""
        if not advantage.any():
            return self
        before = self.log_chance(rows)
        for _ in range(how.epochs):
            slope = np.zeros_like(self.bias)
            d_start, d_embed, d_read = (np.zeros_like(weight) for weight in self._weights)
            self.entropy = gradient(
                self.bias,
                self.start,
                self.embed,
                self.read,
                self.counts,
                rows,
                advantage,
                before,
                how.clip,
                how.entropy,
                slope,
                d_start,
                d_embed,
                d_read,
            )
            self.steps += 1
            mean, square = self._moments[:2]
            adam(self.bias.reshape(-1), slope.reshape(-1), mean, square, how.rate, self.steps)
            moments = self._weight_moments
            for weight, down, mean, square in zip(
                self._weights, (d_start, d_embed, d_read), moments[::2], moments[1::2]
            ):
                adam(weight.reshape(-1), down.reshape(-1), mean, square, _STEP * how.rate, self.steps)
        return self


@inlined
def _chances(bias: ndarray, read: ndarray, hidden: ndarray, count: int, j: int, out: ndarray) -> None:
    """Probabilities of the values of axis j beside the hidden units."""
    for v in range(count):
        z = bias[j, v]
        for h in range(hidden.shape[0]):
            z += read[j, v, h] * hidden[h]
        out[v] = z
    soften(out, count)


@allocating
def _draw(
    bias: ndarray,
    start: ndarray,
    embed: ndarray,
    read: ndarray,
    counts: ndarray,
    uniform: ndarray,
    explore: float,
    stay: ndarray,
    rows: ndarray,
) -> None:
    """As ``policy.draw``."""
    chances = np.empty(bias.shape[1])
    for i in range(rows.shape[0]):
        state = start.copy()
        for j in range(rows.shape[1]):
            if not stay[i, j]:
                count, u = counts[j], uniform[i, j]
                if u < explore:
                    v = min(count - 1, int(u / explore * count))
                else:
                    u = (u - explore) / (1.0 - explore)
                    _chances(bias, read, np.tanh(state), count, j, chances)
                    v = pick(chances, count, u)
                rows[i, j] = v
            state += embed[j, rows[i, j]]


@allocating
def _log_chance(
    bias: ndarray,
    start: ndarray,
    embed: ndarray,
    read: ndarray,
    counts: ndarray,
    rows: ndarray,
    out: ndarray,
) -> None:
    """out[i]: natural logarithm of the probability of row i."""
    chances = np.empty(bias.shape[1])
    for i in range(rows.shape[0]):
        state, total = start.copy(), 0.0
        for j in range(rows.shape[1]):
            _chances(bias, read, np.tanh(state), counts[j], j, chances)
            total += np.log(max(chances[rows[i, j]], 1e-300))
            state += embed[j, rows[i, j]]
        out[i] = total


@allocating
def gradient(
    bias: ndarray,
    start: ndarray,
    embed: ndarray,
    read: ndarray,
    counts: ndarray,
    rows: ndarray,
    advantage: ndarray,
    before: ndarray,
    clip: float,
    entropy: float,
    d_bias: ndarray,
    d_start: ndarray,
    d_embed: ndarray,
    d_read: ndarray,
) -> float:
    """As ``policy.gradient``, through the network."""
    k, width = rows.shape[1], start.shape[0]
    chances, hidden = np.empty((k, bias.shape[1])), np.empty((k, width))
    logs = np.empty(bias.shape[1])
    used, disorder = 0, 0.0
    for i in range(rows.shape[0]):
        if advantage[i] == 0.0:
            continue
        used += 1
        state, total = start.copy(), 0.0
        for j in range(k):
            hidden[j] = np.tanh(state)
            _chances(bias, read, hidden[j], counts[j], j, chances[j])
            total += np.log(max(chances[j, rows[i, j]], 1e-300))
            state += embed[j, rows[i, j]]
        pull = pull_of(advantage[i], total, before[i], clip)
        back = np.zeros(width)  # slope of what the axes after j were told
        for j in range(k - 1, -1, -1):
            d_embed[j, rows[i, j]] += back
            spread = disorder_of(chances[j], counts[j], logs)
            disorder += spread / k
            for v in range(counts[j]):
                step = step_of(pull, v == rows[i, j], chances[j, v], logs[v], entropy, spread)
                d_bias[j, v] += step
                for h in range(width):
                    d_read[j, v, h] += step * hidden[j, h]
                    back[h] += step * read[j, v, h] * (1.0 - hidden[j, h] * hidden[j, h])
        d_start += back
    if used > 0:
        d_bias /= used
        d_start /= used
        d_embed /= used
        d_read /= used
        disorder /= used
    return disorder

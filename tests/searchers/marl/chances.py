"""What an agent would choose, in numbers: how the tests look at policies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from timeloop_marl.searchers.marl.agent import Agent, chances_of


def log_chance(agent: Agent, rows: Int64[ndarray, "n k"]) -> Float64[ndarray, "n"]:
    """Natural logarithm of the probability of each row."""
    chances, out = np.empty(agent.bias.shape[1]), np.zeros(len(rows))
    for i, row in enumerate(rows):
        for j in range(len(row)):
            chances_of(agent.bias, agent.pair, agent.first, agent.parent, agent.counts[j], row, j, chances)
            out[i] += np.log(max(chances[row[j]], 1e-300))
    return out

"""Compiling (or loading from the cache) what team and critic need, on rows and objects that are thrown away."""

from __future__ import annotations

import numpy as np

from ...mapspace.axes import LearnersMapspace
from .agent import Learning
from .clustering import SIGNALS, strengths
from .critic import Critic
from .grouping import by_dimension
from .parallel import Workers
from .policy import adopt
from .team import Team

_ROWS = 12


def warm_team(space: LearnersMapspace, conditioning: str) -> None:
    """Drawing, drawing anew, exchanging, learning, and every signal of the clustering."""
    if not space.axes:
        return
    rng = np.random.default_rng(0)
    team = Team(space, space.groups(by_dimension), conditioning, 1.0, Workers(1, "threading"))
    team.draw(2, rng, 0.1)
    rows = space.sample(_ROWS, rng)
    everyone = np.ones((_ROWS, len(team)), np.bool_)
    team.redraw(rows, everyone, 0.5, rng, 0.1)
    adopt(
        rows.copy(),
        rows[::-1].copy(),
        team.owner,
        np.ones(_ROWS, np.int64),
        rng.random((_ROWS, 1)),
        np.empty(_ROWS, np.int64),
    )
    team.learn(rows, everyone.astype(np.float64), Learning(0.1, 0.2, 0.01, 1))
    for signal in SIGNALS:
        strengths(signal, rows, rng.random(_ROWS), space.cardinalities)


def warm_critic(space: LearnersMapspace) -> None:
    """Features, prices, the process and its predictions."""
    rng = np.random.default_rng(0)
    rows, costs = space.sample(_ROWS, rng), 1.0 + rng.random(_ROWS)
    critic = Critic(space, "edp", 16, True)
    critic.learn(rows, costs, costs, costs)
    critic.predict(rows)

"""Compiling (or loading from the cache) what team and critic need, on rows and objects that are thrown away."""

from __future__ import annotations

import numpy as np

from ...mapspace.axes import LearnersMapspace
from .agent import Learning
from .candidates import traced
from .clustering import SIGNALS, by_dimension, strengths
from .critic import Critic
from .rehearsal import Known, Rehearsal
from .team import Team, Workers

_ROWS = 12


def warm_team(space: LearnersMapspace, conditioning: str) -> None:
    """Drawing, drawing anew, learning, and every signal of the clustering."""
    if not space.axes:
        return
    rng = np.random.default_rng(0)
    team = Team(space, space.groups(by_dimension), conditioning, 1.0, Workers(1, "threading"))
    team.draw(2, rng, 0.1)
    rows = space.sample(_ROWS, rng)
    everyone = np.ones((_ROWS, len(team)), np.bool_)
    team.redraw(rows, everyone, 0.5, rng, 0.1)
    team.learn(rows, everyone.astype(np.float64), Learning(0.1, 0.2, 0.01, 1))
    for signal in SIGNALS:
        strengths(signal, rows, rng.random(_ROWS), space.cardinalities)


def warm_critic(space: LearnersMapspace) -> None:
    """Features, prices, the process, its predictions and the rehearsals on it."""
    rng = np.random.default_rng(0)
    rows, costs = space.sample(_ROWS, rng), 1.0 + rng.random(_ROWS)
    critic = Critic(space, ["edp"], 16)
    critic.learn(rows, costs, costs, costs)
    critic.predict(rows)
    known = Known()
    imagination = Rehearsal(critic, rng, lambda n: space.sample(n, rng), known, 0.5)
    imagination.rehearse(rows[:2], rows, np.zeros(space.axes, np.int64), 1, 1)
    known.add(rows)
    traced(rows, rows, np.log(costs))

"""A PettingZoo parallel environment: agents that decide their axes at the same time and share the reward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Int64
from numpy import ndarray
from pettingzoo import ParallelEnv

from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis
from .task import MappingTask, scaled

Observation = Float32[ndarray, "features"]
Actions = Mapping[str, Int64[ndarray, "k"]]

_LABELS: Mapping[str, Callable[[Axis], object]] = {
    "axis": lambda axis: axis.name,
    "kind": lambda axis: axis.kind.value,
    "dim": lambda axis: axis.kind.value if axis.dim is None else f"dim {axis.dim}",
    "level": lambda axis: "factors" if axis.storage is None else f"level {axis.storage}",
}
GROUPS = tuple(_LABELS)


class TeamEnv(ParallelEnv[str, Observation, Int64[ndarray, "k"]]):
    """One agent per axis or per group of axes.

    In each of ``rounds`` rounds every agent chooses values for its axes (``MultiDiscrete``); the joint row is
    evaluated, one sample a round, and all get its reward. An agent sees the context, the joint row of the round before
    (``scaled``; 0 in the first round) and the share of rounds gone.

    Args:
        groups: ``axis``, ``kind``, ``dim``, ``level``, or tuples of columns that together hold every axis once.
    """

    metadata = {"name": "timeloop_marl_team_v0", "render_modes": []}  # noqa: RUF012 (PettingZoo wants a plain dict)
    render_mode = None

    def __init__(
        self, task: MappingTask, *, groups: str | Sequence[Sequence[int]] = "axis", rounds: int = 1
    ) -> None:
        if rounds < 1:
            raise UsageError(f"rounds must be at least 1, got {rounds}")
        self.task, self.rounds = task, rounds
        self.columns = team(task.space, groups)
        self.possible_agents = list(self.columns)
        self.agents: list[str] = []
        length = len(task.context) + task.space.axes + 1
        seen = spaces.Box(0.0, 1.0, (length,), np.float32)
        cardinalities = task.space.cardinalities
        self.observation_spaces = dict.fromkeys(self.columns, seen)
        self.action_spaces = {
            agent: spaces.MultiDiscrete(cardinalities[list(columns)])
            for agent, columns in self.columns.items()
        }
        self._rng = np.random.default_rng()
        self._row = self._undecided()
        self._round = 0

    def observation_space(self, agent: str) -> spaces.Space[Observation]:
        """The same object at every call, as PettingZoo asks."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Int64[ndarray, "k"]]:
        """The same object at every call, as PettingZoo asks."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode; the seed fixes the repair."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self._row, self._round = self._undecided(), 0
        return self._seen(), {agent: {} for agent in self.agents}

    def step(
        self, actions: Actions
    ) -> tuple[
        dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """Evaluate the joint choice of all agents."""
        missing = [agent for agent in self.agents if agent not in actions]
        if missing or not self.agents:
            raise UsageError(
                f"no action for agent {missing[0]!r}"
                if missing
                else "the episode has ended: reset() before the next step"
            )
        rows = self._undecided()
        for agent in self.agents:
            rows[0, list(self.columns[agent])] = actions[agent]
        scored = self.task.score(rows, self._rng)
        self._row, self._round = scored.rows, self._round + 1
        cost = float(scored.costs[0])
        info = {"candidate": scored.rows[0], "cost": cost, "valid": bool(np.isfinite(cost))}
        ended, everyone = self._round == self.rounds, self.agents
        result = (
            self._seen(),
            {agent: float(scored.rewards[0]) for agent in everyone},
            dict.fromkeys(everyone, ended),
            dict.fromkeys(everyone, False),
            {agent: dict(info) for agent in everyone},
        )
        if ended:
            self.agents = []
        return result

    def state(self) -> Observation:
        """The observation that all agents share."""
        gone = np.array([self._round / self.rounds], np.float32)
        return np.concatenate([self.task.context, scaled(self.task.space, self._row)[0], gone])

    def render(self) -> None:
        """Nothing to see; the report draws mappings."""

    def close(self) -> None:
        """Nothing to release."""

    def _seen(self) -> dict[str, Observation]:
        return {agent: self.state() for agent in self.agents}

    def _undecided(self) -> Int64[ndarray, "1 axes"]:
        return np.full((1, self.task.space.axes), -1, np.int64)


def team(space: LearnersMapspace, groups: str | Sequence[Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Agents by name and the columns that each decides.

    Raises:
        UsageError: an unknown grouping, or groups that leave out an axis or hold one twice.
    """
    if isinstance(groups, str):
        if groups not in _LABELS:
            raise UsageError(f"unknown grouping {groups!r}; one of {', '.join(GROUPS)}, or tuples of columns")
        label = _LABELS[groups]
        found = space.groups(label)
        return {str(label(space.columns[group[0]])): group for group in found}
    columns = sorted(int(column) for group in groups for column in group)
    if columns != list(range(space.axes)) or not all(len(group) for group in groups):
        raise UsageError(f"the groups must hold each of the columns 0 .. {space.axes - 1} once, got {groups}")
    return {f"agent_{k}": tuple(int(column) for column in group) for k, group in enumerate(groups)}

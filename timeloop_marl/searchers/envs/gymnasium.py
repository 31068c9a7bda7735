"""Gymnasium environments of the mapping problem: all axes in one step, or one axis a step with action masks."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float32, Int64
from numpy import ndarray

from ...errors import UsageError
from .task import Episodes, MappingTask, Scored

Observation = Float32[ndarray, "features"]
Step = tuple[Observation, float, bool, bool, dict[str, Any]]


class OneStepEnv(gymnasium.Env[Observation, Int64[ndarray, "axes"]]):
    """An episode is one joint action: a value for every axis (``MultiDiscrete``). The observation is the context."""

    def __init__(self, task: MappingTask) -> None:
        self.task = task
        self.action_space = spaces.MultiDiscrete(task.space.cardinalities)
        self.observation_space = spaces.Box(0.0, 1.0, task.context.shape, np.float32)
        self._ready = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; the seed fixes the repair."""
        super().reset(seed=seed)
        self._ready = True
        return self.task.context.copy(), {}

    def step(self, action: Int64[ndarray, "axes"]) -> Step:
        """Evaluate the mapping: one sample; the episode ends."""
        if not self._ready:
            raise UsageError("the episode has ended: reset() before the next step")
        self._ready = False
        rows = np.asarray(action, np.int64)[None]
        scored = self.task.score(rows, self.np_random)
        return self.task.context.copy(), float(scored.rewards[0]), True, False, described(scored)


class SequentialEnv(gymnasium.Env[Observation, np.int64]):
    """An episode decides the axes one after the other; the last step evaluates: one sample an episode.

    ``action_masks()`` says what the next axis may take, for sb3-contrib's MaskablePPO and others.
    """

    def __init__(self, task: MappingTask) -> None:
        self.task = task
        self._episode = Episodes(task, 1)
        self.action_space = spaces.Discrete(self._episode.values)
        self.observation_space = spaces.Box(0.0, 1.0, (self._episode.features,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; the seed fixes the repair."""
        super().reset(seed=seed)
        self._episode.reset()
        return self._episode.observations()[0], {}

    def action_masks(self) -> Bool[ndarray, "values"]:
        """Which actions are allowed now; at least one is."""
        return self._episode.masks()[0]

    def step(self, action: np.int64) -> Step:
        """Decide one axis; the reward comes with the last one."""
        self._episode.choose(np.array([action], np.int64))
        observation = self._episode.observations()[0]
        if not self._episode.complete:
            return observation, 0.0, False, False, {}
        scored = self.task.score(self._episode.rows, self.np_random)
        return observation, float(scored.rewards[0]), True, False, described(scored)


def described(scored: Scored) -> dict[str, Any]:
    """What ``info`` says at the end of an episode: the row that was evaluated, its cost, whether it is valid."""
    cost = float(scored.costs[0])
    return {"candidate": scored.rows[0].copy(), "cost": cost, "valid": bool(np.isfinite(cost))}

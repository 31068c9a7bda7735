"""The mapping problem as a vectorised environment of Stable-Baselines3: m episodes in step, evaluated in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from .task import Episodes, MappingTask


class MappingVecEnv(VecEnv):
    """All episodes end together: the one-step form after each step, the sequential one after every axis."""

    def __init__(self, task: MappingTask, episodes: int, form: str, rng: np.random.Generator) -> None:
        self._task, self._rng = task, rng
        self._sequence = Episodes(task, episodes) if form == "sequential" else None
        features = len(task.context) if self._sequence is None else self._sequence.features
        action: spaces.Space[Any] = spaces.MultiDiscrete(task.space.cardinalities)
        if self._sequence is not None:
            action = spaces.Discrete(self._sequence.values)
        self._actions = np.zeros(0, np.int64)
        self.render_mode = None
        super().__init__(episodes, spaces.Box(0.0, 1.0, (features,), np.float32), action)

    @property
    def length(self) -> int:
        """Steps of an episode."""
        return 1 if self._sequence is None else self._task.space.axes

    def reset(self) -> np.ndarray:
        """Begin all episodes."""
        if self._sequence is not None:
            self._sequence.reset()
        return self._observations()

    def _observations(self) -> np.ndarray:
        if self._sequence is None:
            return np.tile(self._task.context, (self.num_envs, 1))
        return self._sequence.observations()

    def action_masks(self) -> list[np.ndarray]:
        """Allowed actions of every episode."""
        if self._sequence is None:
            everything = np.ones(int(self._task.space.cardinalities.sum()), np.bool_)
            return [everything] * self.num_envs
        return list(self._sequence.masks())

    def step_async(self, actions: np.ndarray) -> None:
        """Remember what is to be done."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        """Do it."""
        if self._sequence is not None:
            self._sequence.choose(self._actions)
            if not self._sequence.complete:
                nothing = np.zeros(self.num_envs)
                return (
                    self._observations(),
                    nothing.astype(np.float32),
                    nothing.astype(np.bool_),
                    [{} for _ in range(self.num_envs)],
                )
        rows = self._actions if self._sequence is None else self._sequence.rows
        rewards = self._task.score(rows, self._rng).rewards.astype(np.float32)
        infos: list[dict[str, Any]] = [
            {"terminal_observation": last, "TimeLimit.truncated": False} for last in self._observations()
        ]
        return self.reset(), rewards, np.ones(self.num_envs, np.bool_), infos

    def close(self) -> None:
        """Nothing to release."""

    def has_attr(self, attr_name: str) -> bool:
        """Whether the episodes know a name; they know ``action_masks`` and what the environment itself has."""
        return hasattr(self, attr_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, once per episode."""
        return [getattr(self, attr_name)] * self._count(indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environment."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Results of a method of all episodes."""
        found: list[Any] = getattr(self, method_name)(*args, **kwargs)
        return found

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No episode is."""
        return [False] * self._count(indices)

    def _count(self, indices: int | Iterable[int] | None) -> int:
        if indices is None:
            return self.num_envs
        return len(indices) if isinstance(indices, Sequence) else 1

"""PPO, A2C and MaskablePPO of Stable-Baselines3 and sb3-contrib as searchers: single-agent RL by others.

Raffin et al., JMLR 22 (268), 2021; Huang and Ontañón, FLAIRS 2022 (action masks). Their training loops are left as they
are; a thread runs them and hands the rows of finished episodes out.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, PPO

from ...envs.task import MappingTask, decoder
from ...mapspace.axes import LearnersMapspace
from ...objective import Objective
from ..learner import Rows
from .batches import BatchSearcher
from .globals import GlobalState
from .handover import Evaluate, Handover
from .options import A2cOptions, MaskablePpoOptions, PpoOptions
from .sb3_env import MappingVecEnv

AnyOptions: TypeAlias = PpoOptions | MaskablePpoOptions | A2cOptions
_ENDLESS = 10**15  # time steps: the search loop says when to stop, and no default schedule looks at them


class Sb3Searcher(BatchSearcher):
    """One algorithm of Stable-Baselines3. ``build(env, seed)`` makes the model that is let to learn."""

    def __init__(
        self,
        space: LearnersMapspace,
        objective: Objective,
        seed: int,
        options: AnyOptions,
        build: Callable[[MappingVecEnv, int], Any],
    ) -> None:
        super().__init__(
            space, objective, seed, space=decoder(space, options.infeasible), memory=options.memory
        )
        self.options, self.batch = options, options.batch
        self._handover: Handover | None = None
        if not space.axes:
            return
        rng = np.random.Generator(np.random.PCG64([seed, 1]))
        form = getattr(options, "form", "sequential")

        def body(evaluate: Evaluate) -> None:
            task = MappingTask(space, evaluate, infeasible=options.infeasible)
            env = MappingVecEnv(task, options.batch, form, rng)
            build(env, seed % 2**32).learn(_ENDLESS)

        self._handover = Handover(body, GlobalState(seed, torch=True))
        weakref.finalize(self, self._handover.close)

    def _next_batch(self) -> Rows:
        assert self._handover is not None
        return self._handover.rows()

    def _batch_costs(self, costs: Float64[ndarray, "m"]) -> None:
        assert self._handover is not None
        self._handover.told(costs)


def ppo(space: LearnersMapspace, objective: Objective, seed: int, options: PpoOptions) -> Sb3Searcher:
    """Proximal policy optimisation."""
    return Sb3Searcher(space, objective, seed, options, lambda env, own: PPO(**_ppo(env, own, options)))


def maskable_ppo(
    space: LearnersMapspace, objective: Objective, seed: int, options: MaskablePpoOptions
) -> Sb3Searcher:
    """PPO that never takes what does not fit."""
    return Sb3Searcher(
        space, objective, seed, options, lambda env, own: MaskablePPO(**_ppo(env, own, options))
    )


def a2c(space: LearnersMapspace, objective: Objective, seed: int, options: A2cOptions) -> Sb3Searcher:
    """Advantage actor-critic."""

    def build(env: MappingVecEnv, own: int) -> Any:
        return A2C(**_common(env, own, options), normalize_advantage=options.normalize_advantage)

    return Sb3Searcher(space, objective, seed, options, build)


def _common(env: MappingVecEnv, seed: int, options: AnyOptions) -> dict[str, Any]:
    return {
        "policy": "MlpPolicy",
        "env": env,
        "n_steps": env.length,  # one episode of each environment per update
        "gamma": 1.0,  # one reward, at the end
        "gae_lambda": options.gae_lambda,
        "learning_rate": options.learning_rate,
        "ent_coef": options.ent_coef,
        "seed": seed,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [options.width, options.width]},
    }


def _ppo(env: MappingVecEnv, seed: int, options: PpoOptions | MaskablePpoOptions) -> dict[str, Any]:
    rollout = env.num_envs * env.length
    return {
        **_common(env, seed, options),
        "n_epochs": options.n_epochs,
        "batch_size": max(2, rollout // options.minibatches),
        "clip_range": options.clip_range,
    }

"""The Gymnasium environments: the library's own checker, seeds, masks, one sample an episode."""

from __future__ import annotations

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.api.environments import gymnasium_env
from timeloop_marl.errors import UsageError
from timeloop_marl.testing import FakeEvaluator

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra 'envs'")

SPEC = three_level(gemm(16, 24, 40))


def make(sequential: bool = True, **choices: object) -> object:
    choices = {"evaluator": FakeEvaluator((1,)), **choices}
    return gymnasium_env(SPEC, sequential=sequential, **choices)


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize("infeasible", ["repair", "penalise"])
def test_the_checker_of_gymnasium_is_content(sequential: bool, infeasible: str) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(make(sequential, infeasible=infeasible, evaluator=None), skip_render_check=True)


def played(env: object, seed: int, masked: bool = False) -> list[object]:
    """One episode of random (allowed) actions: rewards, infos."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    history: list[object] = [observation.tolist(), info]
    ended = False
    while not ended:
        mask = env.action_masks().astype(np.int8) if masked else None
        action = env.action_space.sample(mask) if masked else env.action_space.sample()
        observation, reward, ended, truncated, info = env.step(action)
        assert not truncated
        assert env.observation_space.contains(observation)
        history += [observation.tolist(), reward, {k: np.asarray(v).tolist() for k, v in info.items()}]
    return history


@pytest.mark.parametrize("sequential", [True, False])
def test_seeds_reproduce_episodes(sequential: bool) -> None:
    assert played(make(sequential), 5) == played(make(sequential), 5)
    assert played(make(sequential), 5) != played(make(sequential), 6)


@pytest.mark.parametrize("sequential", [True, False])
def test_one_episode_is_one_sample(sequential: bool) -> None:
    evaluator = FakeEvaluator((1,))
    env = make(sequential, evaluator=evaluator)
    for seed in range(3):
        history = played(env, seed)
        assert evaluator.evaluated == seed + 1
    assert history[-1]["valid"]
    assert np.isfinite(history[-1]["cost"])


def test_masked_episodes_evaluate_what_was_chosen() -> None:
    env = make()
    for seed in range(20):
        env.action_space.seed(seed)
        env.reset(seed=seed)
        chosen, ended = [], False
        while not ended:
            chosen.append(int(env.action_space.sample(env.action_masks().astype(np.int8))))
            _, _, ended, _, info = env.step(np.int64(chosen[-1]))
        space = env.task.space
        assert space.feasible(np.array([chosen]))[0]
        ours, canonical = space.decode(np.array([chosen]))[0], space.decode(info["candidate"][None])[0]
        assert [level.factors for level in ours.loops] == [level.factors for level in canonical.loops]


@pytest.mark.parametrize("sequential", [True, False])
def test_a_step_beyond_the_end_is_an_error(sequential: bool) -> None:
    env = make(sequential)
    played(env, 1)
    with pytest.raises(UsageError, match="reset"):
        env.step(env.action_space.sample())

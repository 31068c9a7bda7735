"""The PettingZoo environment: the library's own tests, groupings, shared reward."""

from __future__ import annotations

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.api.environments import pettingzoo_env
from timeloop_marl.errors import UsageError
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.testing import FakeEvaluator

pytest.importorskip("pettingzoo", reason="needs the extra 'envs'")

SPEC = three_level(gemm(16, 24, 40))
SPACE = LearnersMapspace(SPEC)
HALVES = (tuple(range(0, SPACE.axes, 2)), tuple(range(1, SPACE.axes, 2)))


def make(**choices: object) -> object:
    return pettingzoo_env(SPEC, **{"evaluator": FakeEvaluator((1,)), **choices})


@pytest.mark.parametrize("groups", ["axis", "kind", "dim", "level", HALVES])
@pytest.mark.parametrize("rounds", [1, 3])
def test_the_api_test_of_pettingzoo_passes(groups: object, rounds: int) -> None:
    from pettingzoo.test import parallel_api_test

    parallel_api_test(make(groups=groups, rounds=rounds), num_cycles=50)


def test_the_seed_test_of_pettingzoo_passes() -> None:
    from pettingzoo.test import parallel_seed_test

    parallel_seed_test(lambda: make(rounds=2), num_cycles=10)


def played(env: object, seed: int) -> list[object]:
    for k, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + k)
    history: list[object] = []
    env.reset(seed=seed)
    while env.agents:
        step = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        assert len(set(step[1].values())) == 1, "the reward is shared"
        first = next(iter(step[4].values()))
        history.append((next(iter(step[1].values())), first["candidate"].tolist(), env.state().tolist()))
    return history


def test_seeds_reproduce_episodes() -> None:
    assert played(make(rounds=3), 4) == played(make(rounds=3), 4)
    assert played(make(rounds=3), 4) != played(make(rounds=3), 5)


def test_a_round_is_one_sample_and_the_joint_row_is_what_the_agents_chose() -> None:
    evaluator = FakeEvaluator((1,))
    env = make(evaluator=evaluator, groups=HALVES, rounds=2)
    env.reset(seed=0)
    row = SPACE.sample(1, np.random.default_rng(0))
    actions = {agent: row[0, list(columns)] for agent, columns in env.columns.items()}
    *_, infos = env.step(actions)
    np.testing.assert_array_equal(infos["agent_0"]["candidate"], row[0])
    assert evaluator.evaluated == 1


def test_agents_per_axis_bear_its_name() -> None:
    assert make().possible_agents == [axis.name for axis in SPACE.columns]


@pytest.mark.parametrize("groups", [((0, 1),), (tuple(range(SPACE.axes)), (0,)), "cluster"])
def test_groups_must_be_a_partition(groups: object) -> None:
    with pytest.raises(UsageError, match="group"):
        make(groups=groups)


def test_wrong_calls() -> None:
    env = make()
    with pytest.raises(UsageError, match="reset"):
        env.step({})
    env.reset(seed=0)
    with pytest.raises(UsageError, match="no action for agent"):
        env.step({})
    with pytest.raises(UsageError, match="rounds"):
        make(rounds=0)

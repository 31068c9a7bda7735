"""The team: credit goes to whom it belongs, regrouping keeps what was learnt, advantages mean what they say."""

from __future__ import annotations

import numpy as np
from chances import log_chance
from machines import gemm, three_level

from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.tables import TEMPORAL, AxisKind
from timeloop_marl.searchers.marl import credit
from timeloop_marl.searchers.marl.agent import Learning
from timeloop_marl.searchers.marl.clustering import by_dimension
from timeloop_marl.searchers.marl.team import AgentWorkers, Team

SPACE = LearnersMapspace(three_level(gemm(16, 24, 40)))
HOW = Learning(0.1, 0.2, 0.01, 2)


def team(conditioning: str = "pairs", spatial: float = 0.0) -> Team:
    return Team(SPACE, SPACE.groups(by_dimension), conditioning, spatial, AgentWorkers(1, "threading"))


def test_only_credited_agents_learn() -> None:
    made = team()
    rows = SPACE.sample(8, np.random.default_rng(0))
    advantage = np.zeros((8, len(made)))
    advantage[:, 1] = np.linspace(-1, 1, 8)
    before = [agent.bias.copy() for agent in made.agents]
    made.learn(rows, advantage, HOW)
    changed = [not np.array_equal(a, agent.bias) for a, agent in zip(before, made.agents)]
    assert changed == [k == 1 for k in range(len(made))]


def test_only_acting_agents_change_a_row() -> None:
    made = team()
    rows = SPACE.sample(50, np.random.default_rng(0))
    acting = np.zeros((50, len(made)), np.bool_)
    acting[:, 0] = True
    moved = made.redraw(rows, acting, 1.0, np.random.default_rng(1), 0.1)
    changed = made.changed(moved, rows)
    assert changed[:, 0].any()
    assert not changed[:, 1:].any()


def test_regrouping_keeps_logits_and_pairs_that_stay_together() -> None:
    made = team()
    rng = np.random.default_rng(2)
    for agent in made.agents:
        agent.bias[:] = rng.normal(size=agent.bias.shape)
        agent.pair[:] = rng.normal(size=agent.pair.shape)
    rows = SPACE.sample(20, rng)
    before = sum(log_chance(agent, rows[:, agent.axes]) for agent in made.agents)
    made.regroup(made.groups[::-1])
    after = sum(log_chance(agent, rows[:, agent.axes]) for agent in made.agents)
    np.testing.assert_allclose(after, before)
    made.regroup([tuple(range(SPACE.axes))])
    joint = log_chance(made.agents[0], rows)
    np.testing.assert_allclose(joint, before)  # pairs across the old groups start at zero


def test_regrouping_keeps_the_networks_of_groups_that_stay() -> None:
    made = team("network")
    rows, rng = SPACE.sample(20, np.random.default_rng(2)), np.random.default_rng(3)
    made.learn(rows, rng.normal(size=(20, len(made))), HOW)
    before = [log_chance(agent, rows[:, agent.axes]) for agent in made.agents]
    first = made.groups[0]
    made.regroup([*made.groups[:0:-1], *((a,) for a in first)])
    after = [log_chance(agent, rows[:, agent.axes]) for agent in made.agents]
    np.testing.assert_array_equal(after[: len(before) - 1], before[:0:-1])
    assert made.groups[-1] == (first[-1],)


def test_spatial_slots_are_likelier_at_the_start() -> None:
    chosen = {}
    for bias in (0.0, 2.0):
        rows = team(spatial=bias).draw(400, np.random.default_rng(3), 0.0)
        in_array = [
            SPACE.tables.slot_side[np.array(SPACE.columns[a].slots)][rows[:, a]] != TEMPORAL
            for a, axis in enumerate(SPACE.columns)
            if axis.kind is AxisKind.FACTOR and axis.factor == 2
        ]
        chosen[bias] = np.mean(in_array)
    # Two of a factor 2's five slots are in the array: 2 / 5, and 2 e^2 / (2 e^2 + 3).
    assert abs(chosen[0.0] - 0.4) < 0.03
    assert abs(chosen[2.0] - 2 * np.e**2 / (2 * np.e**2 + 3)) < 0.03


def test_ranks_run_from_one_to_minus_one_and_ties_share() -> None:
    logs = np.array([3.0, 1.0, np.inf, 1.0, 2.0])
    np.testing.assert_allclose(credit.ranked(logs, logs), [-0.5, 0.75, -1.0, 0.75, 0.0])


def test_gains_have_the_sign_of_the_improvement() -> None:
    gain = credit.gains(np.array([1.0, 2.0, 2.5, np.inf]), np.full(4, 2.0))
    assert gain[0] > 0
    assert gain[1] == 0
    assert gain[2] < 0
    assert gain[3] <= gain[2]


def test_every_row_is_dealt_to_one_of_the_agents_that_it_concerns_in_even_shares() -> None:
    advantage = np.array(
        [[0.5, 0.5, 0.0], [0.2, 0.2, 0.2], [0.0, -1.0, -1.0], [0.0, 0.0, 0.0], [0.1, 0.1, 0.1]]
    )
    own = credit.dealt(advantage)
    np.testing.assert_array_equal(own, [[0.5, 0, 0], [0, 0.2, 0], [0, 0, -1.0], [0, 0, 0], [0.1, 0, 0]])


def test_agents_learn_alike_whether_rows_of_others_are_handed_to_them_or_not() -> None:
    made, alone = team(), team()
    rows, rng = SPACE.sample(12, np.random.default_rng(4)), np.random.default_rng(5)
    advantage = credit.dealt(rng.normal(size=(12, len(made))))
    made.learn(rows, advantage, HOW)
    for k, agent in enumerate(alone.agents):
        agent.learn(np.ascontiguousarray(rows[:, agent.axes]), np.ascontiguousarray(advantage[:, k]), HOW)
        np.testing.assert_array_equal(agent.bias, made.agents[k].bias)
        assert (agent.bias != 0).any()


def test_moves_credit_the_changed_and_whole_rows_everyone() -> None:
    changed = np.array([[True, False], [False, False]])
    out = credit.shared_out(np.array([9.0, 0.5]), np.array([0.7, 9.0]), np.array([True, False]), changed)
    np.testing.assert_array_equal(out, [[0.7, 0.0], [0.5, 0.5]])

"""An agent's policy: a proper distribution, the right gradient, learning that goes where the reward is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from chances import log_chance

from timeloop_marl.searchers.marl.agent import Agent, Learning, gradient

COUNTS = np.array([2, 3, 2])
ROWS = np.array(list(itertools.product(range(2), range(3), range(2))), np.int64)


def agent(conditioning: str, seed: int = 0) -> Agent:
    rng = np.random.default_rng(seed)
    made = Agent(np.arange(3), COUNTS, rng.normal(size=(3, 3)), conditioning)
    made.pair[:] = rng.normal(size=made.pair.shape)
    return made


@pytest.mark.parametrize(("conditioning", "pairs"), [("none", 0), ("chain", 2), ("pairs", 3)])
def test_probabilities_sum_to_one(conditioning: str, pairs: int) -> None:
    made = agent(conditioning)
    assert len(made.pair) == pairs
    assert np.exp(log_chance(made, ROWS)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("explore", [0.0, 0.3])
def test_draws_follow_the_policy_mixed_with_uniform(explore: float) -> None:
    made = Agent(np.arange(1), np.array([3]), np.array([[0.0, 1.0, 2.0]]), "none")
    n = 20_000
    uniform = (np.arange(n)[:, None] + 0.5) / n
    drawn = np.bincount(made.draw(uniform, explore)[:, 0], minlength=3) / n
    soft = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    np.testing.assert_allclose(drawn, (1 - explore) * soft + explore / 3, atol=2e-4)


def test_drawn_rows_have_the_frequencies_of_their_chances() -> None:
    made = agent("pairs")
    rows = made.draw(np.random.default_rng(1).random((40_000, 3)), 0.0)
    share = [(rows == row).all(axis=1).mean() for row in ROWS]
    np.testing.assert_allclose(share, np.exp(log_chance(made, ROWS)), atol=0.01)


def test_what_stays_is_not_drawn() -> None:
    made = agent("pairs")
    stay = np.array([[True, False, True]] * len(ROWS))
    rows = made.draw(np.random.default_rng(1).random((len(ROWS), 3)), 0.1, ROWS, stay)
    np.testing.assert_array_equal(rows[:, [0, 2]], ROWS[:, [0, 2]])


def _objective(
    made: Agent, rows: np.ndarray, advantage: np.ndarray, before: np.ndarray, weight: float
) -> float:
    """The clipped objective and the entropy of every conditional that the rows pass through."""
    total = 0.0
    for row, value, old in zip(rows, advantage, before):
        ratio = np.exp(log_chance(made, row[None])[0] - old)
        total += min(ratio * value, np.clip(ratio, 0.8, 1.2) * value)
        for j in range(3):
            z = made.bias[j, : COUNTS[j]].copy()
            for q in range(made.first[j], made.first[j + 1]):
                z += made.pair[q, row[made.parent[q]], : COUNTS[j]]
            p = np.exp(z) / np.exp(z).sum()
            total -= weight * (p * np.log(p)).sum()
    return total / len(rows)


@pytest.mark.parametrize("conditioning", ["none", "chain", "pairs"])
def test_gradient_by_differences(conditioning: str) -> None:
    made = agent(conditioning)
    rows, rng = ROWS[[1, 4, 7, 10]], np.random.default_rng(2)
    advantage = np.array([1.0, -0.5, 0.3, -1.0])
    before = log_chance(made, rows) + np.array([0.05, -0.1, 0.5, 0.6])  # the last two outside the clip range
    d_bias, d_pair = np.zeros_like(made.bias), np.zeros_like(made.pair)
    gradient(
        made.bias,
        made.pair,
        made.first,
        made.parent,
        COUNTS,
        rows,
        advantage,
        before,
        False,
        0.2,
        0.0,
        d_bias,
        d_pair,
    )
    for table, slope in ((made.bias, d_bias), (made.pair, d_pair)):
        for _ in range(6 if table.size else 0):
            at = tuple(rng.integers(0, size) for size in table.shape)
            old = table[at]
            values = []
            for step in (1e-6, -1e-6):
                table[at] = old + step
                values.append(_objective(made, rows, advantage, before, 0.0))
            table[at] = old
            assert slope[at] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-6)


def test_entropy_pulls_towards_uniform() -> None:
    made = Agent(np.arange(1), np.array([2]), np.array([[2.0, 0.0]]), "none")
    rows = np.array([[0], [1]])
    # Advantages that cancel leave the entropy alone at work.
    for _ in range(200):
        made.learn(rows, np.array([1e-12, 1e-12]), Learning(0.1, 0.2, 1.0, 1))
    assert abs(made.bias[0, 0] - made.bias[0, 1]) < 0.1


def test_learning_finds_a_joint_optimum_that_single_axes_cannot_see() -> None:
    """Reward if and only if axes 0 and 2 agree: no axis alone has a preference."""
    made = Agent(np.arange(3), COUNTS, np.zeros((3, 3)), "pairs")
    rng = np.random.default_rng(3)
    for _ in range(150):
        rows = made.draw(rng.random((16, 3)), 0.02)
        made.learn(rows, np.where(rows[:, 0] == rows[:, 2], 1.0, -1.0), Learning(0.1, 0.2, 0.01, 2))
    rows = made.draw(rng.random((200, 3)), 0.0)
    assert (rows[:, 0] == rows[:, 2]).mean() > 0.9


def test_without_advantage_nothing_changes() -> None:
    made = agent("pairs")
    before = made.bias.copy()
    made.learn(ROWS, np.zeros(len(ROWS)), Learning(0.1, 0.2, 0.01, 2))
    np.testing.assert_array_equal(made.bias, before)
    assert made.steps == 0

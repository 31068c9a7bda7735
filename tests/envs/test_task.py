"""Rewards, episodes and masks behind the environments; no RL library needed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from machines import gemm, level, three_level
from machines import spec as machine

from timeloop_marl.api.environments import mapping_task
from timeloop_marl.cost.outcome import Failure
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace, LiteralSpace
from timeloop_marl.searchers.envs.task import Episodes, MappingTask, RewardScale, context, scaled
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.testing import FakeEvaluator

SPEC = three_level(gemm(16, 24, 40))
SPACE = LearnersMapspace(SPEC)


def uniform_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, SPACE.cardinalities, (count, SPACE.axes))


def test_reward_is_the_logarithm_of_the_improvement_over_the_reference() -> None:
    costs = iter([np.array([np.inf, 200.0, 100.0]), np.array([50.0, 400.0])])
    task = MappingTask(SPACE, lambda rows: next(costs), scale=RewardScale(penalty=-3.0))
    rng = np.random.default_rng(0)
    first = task.score(uniform_rows(3), rng)
    assert first.rewards.tolist() == pytest.approx([-3.0, 0.0, math.log(2)])
    assert task.score(uniform_rows(2), rng).rewards.tolist() == pytest.approx([math.log(4), -math.log(2)])


def test_a_given_reference_is_kept() -> None:
    task = MappingTask(SPACE, lambda rows: np.full(len(rows), 10.0), scale=RewardScale(reference=1.0))
    assert task.score(uniform_rows(1), np.random.default_rng(0)).rewards[0] == pytest.approx(-math.log(10))
    with pytest.raises(UsageError, match="reference"):
        RewardScale(reference=0.0)


def test_repair_evaluates_feasible_rows_only() -> None:
    task = mapping_task(SPEC, evaluator=FakeEvaluator())
    scored = task.score(uniform_rows(200), np.random.default_rng(0))
    assert SPACE.feasible(scored.rows).all()
    assert np.isfinite(scored.costs).all()


def test_penalised_rows_are_taken_literally_and_the_infeasible_ones_are_invalid() -> None:
    task = mapping_task(SPEC, infeasible="penalise")
    rows = uniform_rows(300)
    scored = task.score(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(scored.rows, rows)
    feasible = SPACE.feasible(rows)
    assert 0 < feasible.sum() < len(rows)
    np.testing.assert_array_equal(np.isfinite(scored.costs), feasible)
    assert (scored.rewards[~feasible] == -10.0).all()


def test_a_row_that_breaks_only_a_users_rule_is_invalid_to_every_evaluator() -> None:
    """At most 2 of dim M in DRAM: no evaluator knows the rule."""
    rule = {(2, False): LoopConstraint(maximum={0: 2})}
    spec = machine(gemm(8, 2, 2), [level("BUF", 4096), level("MID", 4096), level("DRAM", None)], loops=rule)
    space = LearnersMapspace(spec)
    rows = np.random.default_rng(0).integers(0, space.cardinalities, (300, space.axes))
    broken = ~space.feasible(rows)
    judged = NativeEvaluator(spec)
    literal = judged(space.decode(rows)).failure == Failure.OK
    assert (literal & broken).any(), "some broken rows must look valid to the evaluator, or nothing is tested"
    assert not ((judged(LiteralSpace(space).decode(rows)).failure == Failure.OK) & broken).any()


def test_masked_choices_need_no_repair_for_upper_limits() -> None:
    task = mapping_task(SPEC, evaluator=FakeEvaluator())
    episodes = Episodes(task, 64)
    rng = np.random.default_rng(3)
    while not episodes.complete:
        masks = episodes.masks()
        assert masks.any(axis=1).all()
        episodes.choose((rng.random(masks.shape) * masks).argmax(axis=1))
    assert SPACE.feasible(episodes.rows).all()


def test_masks_are_not_all_true() -> None:
    episodes = Episodes(mapping_task(SPEC, evaluator=FakeEvaluator()), 8)
    seen = []
    while not episodes.complete:
        masks = episodes.masks()[:, : SPACE.cardinalities[episodes.position]]
        seen.append(masks.all())
        episodes.choose(masks.argmax(axis=1))
    assert not all(seen)


def test_observations_tell_decisions_and_position() -> None:
    task = mapping_task(SPEC, evaluator=FakeEvaluator())
    episodes = Episodes(task, 2)
    known = len(context(SPACE))
    first = episodes.observations()
    assert first.shape == (2, episodes.features)
    assert first[:, known : known + SPACE.axes].max() == 0.0
    assert first[0, known + SPACE.axes :].argmax() == 0
    episodes.choose(np.array([0, 1]))
    second = episodes.observations()
    cardinality = SPACE.cardinalities[0]
    assert second[:, known] == pytest.approx([1 / cardinality, 2 / cardinality])
    assert second[0, known + SPACE.axes :].argmax() == 1
    assert second.min() >= 0.0 and second.max() <= 1.0


def test_an_action_beyond_the_axis_counts_modulo() -> None:
    episodes = Episodes(mapping_task(SPEC, evaluator=FakeEvaluator()), 1)
    episodes.choose(np.array([int(SPACE.cardinalities[0]) + 1]))
    assert episodes.rows[0, 0] == 1


def test_scaled_ends() -> None:
    rows = np.stack([np.full(SPACE.axes, -1), SPACE.cardinalities - 1])
    assert scaled(SPACE, rows).tolist() == [[0.0] * SPACE.axes, [1.0] * SPACE.axes]


def test_wrong_choices() -> None:
    with pytest.raises(UsageError, match="repair, penalise"):
        mapping_task(SPEC, infeasible="ignore")
    with pytest.raises(UsageError, match="unknown objective"):
        mapping_task(SPEC, objective="speed")
    fixed = machine(gemm(1, 1, 1), [level("BUF", 9), level("DRAM", None)], bypass=(("1", "1"),) * 3)
    with pytest.raises(UsageError, match="nothing to decide"):
        mapping_task(fixed)

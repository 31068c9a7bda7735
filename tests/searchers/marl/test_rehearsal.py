"""Rehearsals improve predictions, keep to what is unknown, and begin anew elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.decoding import place_literally
from timeloop_marl.searchers.marl.critic import Critic
from timeloop_marl.searchers.marl.features import trend_of
from timeloop_marl.searchers.marl.rehearsal import Island, Known, Rehearsal
from timeloop_marl.searchers.marl.searcher import joined, traced, whole
from timeloop_marl.specs import load
from timeloop_marl.testing import FakeEvaluator

ROOT = Path(__file__).resolve().parents[3]
SPACE = LearnersMapspace(three_level(gemm(16, 24, 32)))
OWNER = np.arange(SPACE.axes) % 5


def taught(metric: str = "edp", samples: int = 40) -> Critic:
    critic = Critic(SPACE, [metric], 60)
    rows = SPACE.sample(samples, np.random.default_rng(0))
    outcome = FakeEvaluator((1,))(SPACE.decode(rows))
    cycles = outcome.cycles.astype(float)
    critic.learn(rows, outcome.energy_pj * cycles, outcome.energy_pj, cycles)
    return critic


@pytest.mark.parametrize("metric", ["edp", "energy", "delay", "last_level_accesses"])
def test_compiled_predictions_are_those_of_the_critic(metric: str) -> None:
    critic, rows = taught(metric), SPACE.sample(50, np.random.default_rng(1))
    island = Island(critic, Known(), even=False)
    predicted = island._assessed(rows)
    np.testing.assert_allclose(predicted, critic.predict(rows), atol=1e-9)
    np.testing.assert_array_equal(island._assessed(rows[::-1]), predicted[::-1])  # now from memory
    other = Island(critic, Known(), even=True)
    np.testing.assert_allclose(other._assessed(rows), critic.foresee(rows), atol=1e-9)


def test_compiled_predictions_have_the_hops_of_the_critic() -> None:
    files = [
        *sorted((ROOT / "arch" / "deep_hierarchy").glob("*.yaml")),
        ROOT / "problems" / "resnet18" / "conv4_3x3.yaml",
    ]
    spec = load(files)
    space, evaluator = LearnersMapspace(spec), NativeEvaluator(spec)
    critic, rows = Critic(space, ["edp"], 400), space.sample(450, np.random.default_rng(1))
    outcome = evaluator(space.decode(rows))
    cycles = outcome.cycles.astype(float)
    critic.learn(rows[:400], (outcome.energy_pj * cycles)[:400], outcome.energy_pj[:400], cycles[:400])
    assert critic.trend.has_networks(critic.prices(False))
    island = Island(critic, Known(), even=False)
    np.testing.assert_allclose(island._assessed(rows), critic.predict(rows), atol=1e-9)


def test_what_was_asked_is_forgotten_when_the_critic_learns() -> None:
    critic, rows = taught(), SPACE.sample(50, np.random.default_rng(1))
    island = Island(critic, Known(), even=False)
    before = island._assessed(rows)
    more = SPACE.sample(40, np.random.default_rng(9))
    outcome = FakeEvaluator((1,))(SPACE.decode(more))
    critic.learn(more, outcome.energy_pj * outcome.cycles, outcome.energy_pj, outcome.cycles.astype(float))
    after = island._assessed(rows)
    assert (after != before).any()
    np.testing.assert_allclose(after, critic.predict(rows), atol=1e-9)


def test_chains_improve_and_the_shelf_keeps_the_best_that_is_new() -> None:
    critic, known, rng = taught(), Known(), np.random.default_rng(2)
    start = SPACE.sample(8, rng)
    known.add(start)
    island = Island(critic, known, even=False)
    island.begin(start)
    nobody, before = start[:0], island.chains.predicted.min()
    island.live(2000, start, OWNER, 0.3, rng)
    population = island.population
    assert island.walked == 2000
    assert island.predicted[0] < before
    assert (np.diff(island.predicted) >= 0).all()
    assert SPACE.feasible(population).all() and SPACE.feasible(island.chains.rows).all()
    keys = SPACE.keys(population)
    assert len(set(keys)) == len(keys) and not set(keys) & set(SPACE.keys(start))
    np.testing.assert_array_equal(population, SPACE.repair(population, rng)[0])  # canonical
    np.testing.assert_allclose(island.predicted, critic.predict(population), atol=1e-9)
    known.add(population[:10])
    island.settle(nobody, nobody)
    np.testing.assert_array_equal(island.population[:22], population[10:])


def test_a_limit_changes_only_whether_a_candidate_is_counted_to_the_end() -> None:
    critic, rows = taught(), SPACE.sample(60, np.random.default_rng(3))
    island = Island(critic, Known(), even=True)
    costs = island._assessed(rows)
    tables, counted, prices, _, work, least = island._asked()
    limit = float(np.median(costs))
    for row, cost in zip(rows, costs):
        place_literally(tables, work, row)
        found = trend_of(tables, work, row, counted, prices, least, limit, False)
        assert found == (cost if cost <= limit else np.inf)


def test_every_candidate_that_is_judged_is_counted() -> None:
    critic, rng = taught(), np.random.default_rng(4)
    rows, before = SPACE.sample(8, rng), critic.count.judged
    island = Island(critic, Known(), even=True)
    island.begin(rows)
    island.live(800, rows[:0], OWNER, 0.0, rng)
    critic.predict(rows)
    assert critic.count.judged - before == 8 + 800 + 8


def test_the_other_island_begins_anew_and_its_people_come_home() -> None:
    critic, rng = taught(), np.random.default_rng(5)
    drawn: list[int] = []

    def fresh(n: int) -> np.ndarray:
        drawn.append(n)
        return SPACE.sample(n, rng)

    rehearsal = Rehearsal(critic, rng, fresh, Known(), 0.2)
    elites = SPACE.sample(4, rng)
    rehearsal.rehearse(elites[:0], elites, OWNER, 80, 400)
    best = rehearsal.away.population[:1]
    rehearsal.away.walked = 10**6
    rehearsal.rehearse(elites[:0], elites, OWNER, 0, 8)
    assert len(drawn) == 2
    assert rehearsal.home.predicted[0] <= critic.predict(best)[0] + 1e-9


def test_what_is_known_grows_without_limit() -> None:
    known, rng = Known(), np.random.default_rng(6)
    rows = SPACE.sample(3000, rng)
    known.add(rows)
    assert len(known.table) >= 2 * np.count_nonzero(known.table)
    assert np.count_nonzero(known.table) == len(set(SPACE.keys(rows)))


def test_rows_are_compared_with_the_nearest_elite() -> None:
    elites = np.array([[0, 0, 0, 0], [1, 1, 1, 1]])
    found = traced(np.array([[0, 0, 0, 2], [1, 1, 1, 0], [3, 3, 3, 0]]), elites, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(found.before, [5.0, 6.0, np.nan])
    np.testing.assert_array_equal(found.origin, [[0, 0, 0, 0], [1, 1, 1, 1], [3, 3, 3, 0]])


def test_candidates_are_joined_in_order() -> None:
    rows = SPACE.sample(4, np.random.default_rng(4))
    both = joined([whole(rows[:1]), whole(rows[1:])])
    np.testing.assert_array_equal(both.rows, rows)
    assert np.isnan(both.before).all()

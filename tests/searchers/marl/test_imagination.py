"""Rehearsals improve predictions, spend what they are told, and begin anew elsewhere when they stagnate."""

from __future__ import annotations

import numpy as np
from machines import gemm, three_level

from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.marl.critic import Critic
from timeloop_marl.searchers.marl.imagination import Candidates, Climbers, Imagination, Island, joined, whole

SPACE = LearnersMapspace(three_level(gemm(16, 24, 32)))


def predicted(rows: np.ndarray) -> np.ndarray:
    return rows.sum(axis=1).astype(np.float64)


def distinct(pool: Candidates, others: np.ndarray) -> Candidates:
    known = set(SPACE.keys(others))
    index = []
    for i, key in enumerate(SPACE.keys(pool.rows)):
        if key not in known:
            known.add(key)
            index.append(i)
    return pool[np.array(index, np.int64)]


class Counting:
    """Local moves, counted."""

    def __init__(self) -> None:
        self.children, self.rng = 0, np.random.default_rng(0)

    def __call__(self, parents: Candidates, donors: Candidates) -> Candidates:
        self.children += len(parents)
        return Candidates(SPACE.moved(parents.rows, self.rng), parents.origin, parents.before)


def test_an_island_keeps_the_best_and_remembers_where_they_came_from() -> None:
    start, vary = SPACE.sample(8, np.random.default_rng(1)), Counting()
    island = Island(whole(start))
    island.settle(None, predicted, distinct)
    first = island.mean[0]
    island.live(500, np.random.default_rng(2), vary, predicted, distinct)
    assert vary.children == 500
    assert island.mean[0] < first
    assert (np.diff(island.mean) >= 0).all()
    np.testing.assert_array_equal(island.mean, predicted(island.people.rows))
    assert len(set(SPACE.keys(island.people.rows))) == len(island.people)
    assert set(SPACE.keys(island.people.origin)) <= set(SPACE.keys(start))


def test_the_other_island_begins_anew_when_it_stagnates_and_its_people_come_home() -> None:
    rng = np.random.default_rng(3)
    critic = Critic(SPACE, "delay", 40, True)
    rows = SPACE.sample(20, rng)
    steps = critic.make(rows).steps
    critic.learn(rows, np.exp(steps), np.ones(20), np.exp(steps))
    drawn: list[int] = []

    def fresh(n: int) -> np.ndarray:
        drawn.append(n)
        return SPACE.sample(n, rng)

    vary = Counting()
    imagination = Imagination(critic, rng, fresh, vary, distinct, climbing=False)
    imagination.rehearse(whole(SPACE.sample(4, rng)), 100, 100)
    settled = imagination.away.people
    assert vary.children == 200
    imagination.away.stale = 10**6
    imagination.rehearse(whole(SPACE.sample(4, rng)), 0, 50)
    assert len(drawn) == 3  # nobody, the first island, the second
    best = critic.predict(settled.rows, False)[0].min()
    assert imagination.home.mean[0] <= best + 1e-12


def test_chains_cool_and_remember_the_best_they_came_past() -> None:
    vary = Counting()
    chains = Climbers(whole(SPACE.sample(8, np.random.default_rng(1))))
    chains.settle(None, predicted, distinct)
    first, rng = chains.mean[0], np.random.default_rng(2)
    chains.live(400, rng, vary, predicted, distinct)
    assert vary.children == 400
    assert not chains.over
    assert chains.mean[0] < first
    assert (np.diff(chains.mean) >= 0).all()
    assert chains.mean[0] <= chains.height.min()
    np.testing.assert_array_equal(chains.height, predicted(chains.at.rows))
    assert len(set(SPACE.keys(chains.people.rows))) == len(chains.people)
    chains.live(4000, rng, vary, predicted, distinct)
    assert chains.over
    cold = chains.height.copy()
    chains.live(400, rng, vary, predicted, distinct)
    assert (chains.height <= cold + 0.1).all()  # hardly a step uphill any more


def test_chains_and_populations_take_turns_elsewhere() -> None:
    rng = np.random.default_rng(5)
    critic = Critic(SPACE, "delay", 40, True)
    rows = SPACE.sample(20, rng)
    steps = critic.make(rows).steps
    critic.learn(rows, np.exp(steps), np.ones(20), np.exp(steps))
    imagination = Imagination(critic, rng, lambda n: SPACE.sample(n, rng), Counting(), distinct)
    imagination.rehearse(whole(SPACE.sample(4, rng)), 0, 4400)
    assert isinstance(imagination.away, Climbers)
    imagination.rehearse(whole(SPACE.sample(4, rng)), 0, 32)
    assert not isinstance(imagination.away, Climbers)


def test_candidates_are_joined_in_order() -> None:
    rows = SPACE.sample(4, np.random.default_rng(4))
    both = joined([whole(rows[:1]), whole(rows[1:])])
    np.testing.assert_array_equal(both.rows, rows)
    assert np.isnan(both.before).all()

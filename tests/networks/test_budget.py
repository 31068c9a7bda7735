"""Where the samples go, and which of the evaluated mappings add up to the least total."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloop_marl.cost.objective import cost_of
from timeloop_marl.networks.budget import (
    CHUNK,
    FIRST,
    WARM,
    Course,
    Standing,
    Step,
    expected_drops,
    first_samples,
    next_targets,
)
from timeloop_marl.networks.choice import Point, best_product, lower_hull


def course(samples: int, *steps: tuple[int, float]) -> Course:
    found = tuple(Step(n, cost, int(cost**0.5) + 1, cost / (int(cost**0.5) + 1)) for n, cost in steps)
    return Course(samples, samples, found)


FLAT = course(256, (1, 1e6))
FALLING = course(256, (1, 8e6), (60, 4e6), (120, 2e6), (250, 1e6))


def given_samples(standings: list[Standing], budget: int | None = None, objective: str = "edp") -> list[int]:
    after = next_targets(standings, objective, budget)
    return [n - s.course.samples for n, s in zip(after, standings)]


def test_the_first_round_is_even() -> None:
    assert first_samples(3, None, warm=False) == first_samples(3, 10_000, warm=False) == FIRST
    assert first_samples(3, None, warm=True) == WARM < FIRST
    assert first_samples(3, 30, warm=False) == first_samples(3, 30, warm=True) == 10


def test_a_layer_that_still_falls_gets_the_samples() -> None:
    flat, falling = given_samples([Standing(1, FLAT), Standing(1, FALLING)])
    assert falling > flat
    flat_drop, falling_drop = expected_drops([Standing(1, FLAT), Standing(1, FALLING)])
    assert falling_drop > flat_drop > 0


def test_a_layer_that_stands_still_is_not_given_up_while_others_fall() -> None:
    """It may have missed what they have found: a search that has stood still for two doublings often falls yet."""
    alone = expected_drops([Standing(1, FLAT)])[0]
    assert expected_drops([Standing(1, FLAT), Standing(1, FALLING)])[0] > 10 * alone
    few, many = course(64, (1, 1e6)), course(512, (1, 1e6))
    less, more = expected_drops([Standing(1, few), Standing(1, many), Standing(1, FALLING)])[:2]
    assert less > more, "what doublings bring falls with the samples that a layer has had"


def test_a_layer_that_occurs_often_comes_first() -> None:
    once, often = given_samples([Standing(1, FLAT), Standing(50, FLAT)])
    assert often > once


def test_a_large_layer_comes_first() -> None:
    small, large = given_samples([Standing(1, FLAT), Standing(1, course(256, (1, 1e9)))], objective="energy")
    assert large > small


def test_a_layer_without_a_mapping_comes_before_one_that_is_flat() -> None:
    none, flat = given_samples([Standing(1, Course(256, 0)), Standing(1, FLAT)])
    assert none > flat


def test_nothing_beyond_the_budget_and_nothing_for_the_exhausted() -> None:
    assert sum(given_samples([Standing(1, FLAT), Standing(1, FALLING)], budget=520)) == 8
    assert given_samples([Standing(1, FLAT, exhausted=True), Standing(1, FLAT)])[0] == 0
    assert given_samples([Standing(1, FLAT, exhausted=True)]) == [0]
    assert given_samples([Standing(1, FLAT)], budget=256) == [0]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2000), st.floats(1.0, 1e12)), min_size=1, max_size=9)
)
def test_rounds_spend_the_whole_budget(entries: list[tuple[int, int, float]]) -> None:
    standings = [Standing(count, course(n, (1, cost))) for count, n, cost in entries]
    budget = sum(n for _, n, _ in entries) + 500
    for _ in range(60):
        targets = next_targets(standings, "edp", budget)
        assert all(new >= s.course.samples for new, s in zip(targets, standings))
        assert sum(targets) <= budget
        standings = [
            Standing(s.count, course(n, (1, s.course.steps[0].cost))) for n, s in zip(targets, standings)
        ]
    assert sum(s.course.samples for s in standings) == budget


def test_chunks_are_whole_batches() -> None:
    assert CHUNK % 8 == 0 and FIRST % 8 == 0, "a batch cut short would cost the searcher its rhythm"


def points(rng: random.Random, n: int) -> list[Point]:
    return [Point(k + 1, rng.randint(1, 60), rng.randint(1, 60) / 4) for k in range(n)]


@pytest.mark.parametrize("objective", ["edp", "energy*delay^2", "energy^3*delay"])
@pytest.mark.parametrize("seed", range(40))
def test_the_chosen_combination_is_the_best_of_all(seed: int, objective: str) -> None:
    rng = random.Random(seed)
    layers = [points(rng, rng.randint(1, 7)) for _ in range(rng.randint(1, 4))]
    counts = [rng.randint(1, 5) for _ in layers]
    chosen = best_product([lower_hull(layer) for layer in layers], counts, objective)

    def product(combination: tuple[Point, ...] | list[Point]) -> float:
        energy = sum(c * p.energy_pj for c, p in zip(counts, combination))
        return float(cost_of(objective, energy, sum(c * p.cycles for c, p in zip(counts, combination))))

    assert product(chosen) == min(product(combination) for combination in itertools.product(*layers))
    assert all(point in layer for point, layer in zip(chosen, layers))


def test_of_equal_points_the_first_sampled() -> None:
    assert lower_hull([Point(7, 3, 2.0), Point(2, 3, 2.0), Point(9, 3, 5.0)]) == (Point(2, 3, 2.0),)

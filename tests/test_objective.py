"""Objectives: metrics, lexicographic order, Timeloop's tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from machines import gemm, three_level

import timeloop_marl as tm
from timeloop_marl.cost.objective import parse_objective, plain_name
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import UnsupportedFeatureError, UsageError
from timeloop_marl.run.options import Settings
from timeloop_marl.run.units import cost_text
from timeloop_marl.searchers.marl.trend import Trend


def an_outcome(cycles: list[int], energy: list[float], failed: list[bool] | None = None) -> Outcome:
    m = len(cycles)
    bad = np.array(failed or [False] * m)
    return Outcome(
        cycles=np.where(bad, 0, np.array(cycles, np.int64)),
        energy_pj=np.where(bad, 0.0, np.array(energy, np.float64)),
        utilization=np.ones(m),
        failure=np.where(bad, 2, 0).astype(np.int8),
        failed_level=np.full(m, -1, np.int8),
        accesses=np.arange(m * 3).reshape(m, 3) + 1,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("edp", [6.0, 20.0]),
        ("energy", [3.0, 5.0]),
        ("delay", [2.0, 4.0]),
        ("last_level_accesses", [3.0, 6.0]),
        ("accesses-0", [1.0, 4.0]),
        ("latency", [2.0, 4.0]),
        ("cycles", [2.0, 4.0]),
        ("ed2p", [12.0, 80.0]),
        ("energy*delay^2", [12.0, 80.0]),
        ("latency ** 2 * energy", [12.0, 80.0]),
        ("edp*energy", [18.0, 100.0]),
        ("delay^0.5", [2.0**0.5, 2.0]),
    ],
)
def test_single_metrics(name: str, expected: list[float]) -> None:
    outcome = an_outcome([2, 4, 9], [3.0, 5.0, 9.0], [False, False, True])
    assert parse_objective(name, 3).costs(outcome).tolist() == [*expected, np.inf]


def test_lists_order_lexicographically_within_the_tolerance() -> None:
    # Delays 1000 and 1000.2 are within a step; energy decides. 2000 is worse whatever its energy.
    outcome = an_outcome([100_000, 100_001, 200_000, 5], [9.0, 1.0, 0.1, 1.0], [False, False, False, True])
    costs = parse_objective("delay,energy", 3).costs(outcome)
    assert costs[1] < costs[0] < costs[2] < costs[3] == np.inf
    assert costs[0] == pytest.approx(100_000, rel=0.002)


@pytest.mark.parametrize(
    ("candidate", "incumbent", "better"),
    [
        ((99.0,), (100.0,), True),
        ((99.999,), (100.0,), True),  # one metric: better even within the tolerance
        ((100.0,), (100.0,), False),
        ((100.05, 1.0), (100.0, 2.0), True),  # within 0.1 %: the next metric decides
        ((99.95, 2.0), (100.0, 1.0), False),
        ((99.95, 1.0), (100.0, 1.0), True),  # slightly better
        ((100.05, 1.0), (100.0, 1.0), False),
        ((101.0, 1.0), (100.0, 2.0), False),
        ((0.0,), (0.0,), False),
        ((1.0,), (0.0,), False),
    ],
)
def test_timeloops_rule(candidate: tuple[float, ...], incumbent: tuple[float, ...], better: bool) -> None:
    objective = parse_objective(["edp", "energy"][: len(candidate)], 3)
    assert objective.better(candidate, incumbent) is better


def test_ordered_accesses_and_needs() -> None:
    objective = parse_objective("ordered_accesses", 3)
    assert objective.metrics == ("accesses-2", "accesses-1", "accesses-0")
    assert objective.needs_accesses
    assert not parse_objective("edp,delay", 3).needs_accesses


@pytest.mark.parametrize("name", ["epd", "accesses-3", "", "accesses--1"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown objective"):
        parse_objective(name, 3)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UsageError, match="did you mean 'energy'"):
        parse_objective("enrgy", 3)
    with pytest.raises(UsageError, match=r"did you mean 'energy\*delay\^2'"):
        parse_objective("energy*dealy^2", 3)


@pytest.mark.parametrize(
    "name", ["energy^9", "energy*accesses-1", "energy/delay", "energy^-1", "energy^0", "2*energy"]
)
def test_what_is_no_product_of_powers_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown objective"):
        parse_objective(name, 3)


def test_one_name_for_each_metric() -> None:
    assert plain_name("latency, ed2p,energy*cycles") == "delay,energy*delay^2,edp"
    assert plain_name("accesses-1") == "accesses-1"
    assert Settings(objective="latency") == Settings(objective="delay")
    assert parse_objective("ed2p", 3) == parse_objective("energy*delay^2", 3)


def test_their_units() -> None:
    assert cost_text("energy*delay^2", 5e12) == "energy*delay^2 5 J·cycle^2"
    assert cost_text("edp", 5e12) == "EDP 5 J·cycle"


def test_the_critic_weighs_logarithms_by_powers() -> None:
    trend = Trend(["energy*delay^2"], 3, 20)
    assert (trend.words_matter, trend.steps_matter) == (1.0, 2.0)
    assert not trend.known
    assert Trend(["delay^3"], 3, 20).known


def test_a_search_for_a_product_of_powers() -> None:
    spec = three_level(gemm(16, 24, 40))
    found = tm.search(spec, objective="ed2p", samples=100, seed=1)
    best = found.best
    assert found.search.best[0].cost == best.energy_pj * float(best.cycles) ** 2
    assert found.settings.objective == "energy*delay^2"
    with pytest.raises(UnsupportedFeatureError, match="no bound for this product"):
        tm.optimum(spec, objective="ed2p")

"""The searchers for fronts: NSGA-II keeps the contract, weightings take turns, figures are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from contract import EDP, SPEC, SearcherContract, told_rows
from machines import conv, gemm, level, three_level
from machines import spec as machine

from timeloop_marl import testing
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Failure, Outcome, Statistics
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.base import Searcher
from timeloop_marl.searchers.fronts import Figures, ScalarisedSearcher, buffer_words, figure_names, weightings
from timeloop_marl.searchers.registry import make_searcher
from timeloop_marl.testing import FakeEvaluator
from timeloop_marl.testing.searchers import Make

ENERGY = parse_objective("energy", 3)


class TestNsga2(SearcherContract):
    name = "nsga2"


class TestNsga2ThreeFigures(SearcherContract):
    name = "nsga2"
    options = {"figures": "buffer,cycles,energy", "population": 16}  # noqa: RUF012


def scalarised(seed: int = 1, weights: int = 3) -> ScalarisedSearcher:
    return ScalarisedSearcher(
        lambda i: make_searcher("genetic", SPEC, seed + i, ENERGY, {"population": 8, "offspring": 8}),
        weightings(weights, 2),
        lambda first: Figures(SPEC, first.space, ("cycles", "energy")),
    )


class TestScalarised(testing.SearcherContract):
    @pytest.fixture
    def make(self) -> Make:
        return scalarised


def test_the_searcher_of_energy_alone_ends_lower_than_the_one_of_cycles_alone() -> None:
    searcher, evaluator = scalarised(weights=2), FakeEvaluator((1,))
    energies: list[list[float]] = [[], []]
    for turn in range(200):
        rows = searcher.ask(8)
        outcome = evaluator(searcher.space.decode(rows))
        searcher.tell(rows, outcome)
        energies[turn % 2] += outcome.energy_pj.tolist()
    assert np.mean(energies[0][-200:]) < 0.9 * np.mean(energies[1][-200:])


class Listener(Searcher):
    """Proposes the same rows for ever and notes what it is told; exhausted after ``turns``."""

    def __init__(self, turns: int) -> None:
        self.space, self.turns = LearnersMapspace(SPEC), turns
        self.told: list[np.ndarray] = []

    def _propose(self, n: int) -> np.ndarray:
        self.turns -= 1
        return self.space.sample(n if self.turns >= 0 else 0, np.random.default_rng(0))

    def _observe(self, candidates: np.ndarray, outcome: Outcome) -> None:
        self.told.append(np.where(outcome.failure == 0, outcome.energy_pj, np.inf))


def test_searchers_are_told_their_weighted_product_and_drop_out_one_by_one() -> None:
    listeners = [Listener(1), Listener(3)]
    weights = np.array([[0.25, 0.75], [1.0, 0.0]])
    searcher = ScalarisedSearcher(
        lambda i: listeners[i], weights, lambda first: Figures(SPEC, first.space, ("cycles", "energy"))
    )
    evaluator = FakeEvaluator((1,), invalid_every=2)
    turns = 0
    while len(rows := searcher.ask(6)):
        outcome = evaluator(searcher.space.decode(rows))
        searcher.tell(rows, outcome)
        turns += 1
    assert (turns, [len(listener.told) for listener in listeners]) == (4, [1, 3])
    ok = outcome.failure == 0
    assert 0 < ok.sum() < 6
    products = (outcome.cycles + 1.0) ** 0.25 * (outcome.energy_pj + 1.0) ** 0.75
    assert listeners[0].told[0] == pytest.approx(np.where(ok, products, np.inf))
    assert listeners[1].told[2] == pytest.approx(np.where(ok, outcome.cycles + 1.0, np.inf))


def test_weightings_are_spread_evenly() -> None:
    assert weightings(3, 2).tolist() == [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    three = weightings(6, 3)
    assert len(three) == 6
    assert three.sum(axis=1) == pytest.approx(np.ones(6))
    assert len(np.unique(three, axis=0)) == 6


@pytest.mark.parametrize("problem", [gemm(16, 24, 40), conv(8, 4, 3, 14, stride=2)])
def test_buffer_words_are_the_capacities_that_the_model_reports(problem: object) -> None:
    spec = three_level(problem)
    space, evaluator = LearnersMapspace(spec), NativeEvaluator(spec)
    mappings = space.decode(space.sample(40, np.random.default_rng(0)))
    words = buffer_words(spec, mappings)
    for i in range(40):
        figures = evaluator.statistics(mappings[i])
        assert isinstance(figures, Statistics)
        expected = sum(
            tensor.tile_shape * storage.instances
            for storage, stats in zip(spec.architecture.storage, figures.levels)
            if storage.effective_size is not None
            for tensor in stats.tensors
            if tensor.kept
        )
        assert words[i] == expected


def test_figures_are_infinite_for_invalid_mappings() -> None:
    spec = machine(gemm(8, 8, 8), [level("BUF", 64), level("DRAM", None)])
    space = LearnersMapspace(spec)
    rows = space.sample(30, np.random.default_rng(0))
    outcome = FakeEvaluator(invalid_every=2)(space.decode(rows))
    table = Figures(spec, space, ("energy", "buffer", "cycles"))(rows, outcome)
    ok = outcome.failure == Failure.OK
    assert 0 < ok.sum() < 30
    np.testing.assert_array_equal(table[ok][:, 0], outcome.energy_pj[ok])
    np.testing.assert_array_equal(table[ok][:, 2], outcome.cycles[ok])
    assert np.isinf(table[~ok]).all()


@pytest.mark.parametrize(
    "names", ["cycles", "cycles,cycles", "cycles,speed", "cycles,energy,buffer,cycles", ""]
)
def test_wrong_figures(names: str) -> None:
    with pytest.raises(UsageError, match="cycles, energy, buffer"):
        figure_names(names)
    with pytest.raises(UsageError):
        make_searcher("nsga2", SPEC, 1, EDP, {"figures": names})


def test_nsga2_keeps_both_ends_and_beats_chance() -> None:
    def ends(name: str) -> tuple[float, float]:
        searcher, evaluator = make_searcher(name, SPEC, 1, EDP), FakeEvaluator((1,))
        rows = np.array(told_rows(searcher, evaluator, 1500))
        outcome = evaluator(searcher.space.decode(rows))
        return float(outcome.cycles.min()), float(outcome.energy_pj.min())

    found, chance = ends("nsga2"), ends("random")
    assert found[0] <= chance[0]
    assert found[1] < 0.9 * chance[1]

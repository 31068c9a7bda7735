"""The searchers of the registry: contract, learning, exhaustion, the recorded optimum of a small machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from contract import EDP, SPEC, SearcherContract, told_rows
from machines import gemm, level, three_level
from machines import spec as fixed_spec

from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.run.result import StopReason
from timeloop_marl.searchers.registry import all_searchers, make_searcher
from timeloop_marl.specs.reading import load
from timeloop_marl.testing import FakeEvaluator

OURS = ("random", "genetic", "annealing", "cross-entropy")
GOLDEN = Path(__file__).parent.parent / "golden"


class TestRandom(SearcherContract):
    name = "random"


class TestGenetic(SearcherContract):
    name = "genetic"


class TestAnnealing(SearcherContract):
    name = "annealing"


class TestCrossEntropy(SearcherContract):
    name = "cross-entropy"


class TestTimeloopRandom(SearcherContract):
    name = "timeloop-random"
    bounded = False


class TestTimeloopHybrid(SearcherContract):
    name = "timeloop-hybrid"
    bounded = False


@pytest.mark.parametrize("name", OURS)
def test_seeds_differ(name: str) -> None:
    a, b = (told_rows(make_searcher(name, SPEC, seed, EDP), FakeEvaluator((1,))) for seed in (1, 2))
    assert a != b


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_evaluated_twice(name: str) -> None:
    rows = told_rows(make_searcher(name, SPEC, 1, EDP), FakeEvaluator((1,)), 3000)
    assert len({tuple(row) for row in rows}) == len(rows) == 3000


@pytest.mark.parametrize("name", OURS)
def test_a_small_mapspace_is_exhausted_and_its_optimum_found(name: str) -> None:
    spec = three_level(gemm(2, 3, 2))
    everything = make_searcher("random", spec, 9, EDP)
    best = search(everything.space, everything, FakeEvaluator((1,)), EDP, Budget(samples=None))
    searcher = make_searcher(name, spec, 1, EDP)
    result = search(searcher.space, searcher, FakeEvaluator((1,)), EDP, Budget(samples=None))
    assert result.best[0].cost == best.best[0].cost
    assert result.samples >= 0.98 * best.samples


@pytest.mark.parametrize("name", OURS[1:])
def test_learning_beats_chance(name: str) -> None:
    arch = GOLDEN / "inputs" / "arch" / "eyeriss_like"
    problem = GOLDEN / "inputs" / "problems" / "resnet18_layer1.yaml"
    spec = load(
        [arch / "arch_v03.yaml", arch / "ERT.yaml", arch / "ART.yaml", arch / "constraints_v03.yaml", problem]
    )
    evaluator = NativeEvaluator(spec)
    objective = parse_objective("edp", len(spec.architecture.storage))

    def final(searcher_name: str, seed: int) -> float:
        searcher = make_searcher(searcher_name, spec, seed, objective)
        return search(searcher.space, searcher, evaluator, objective, Budget(samples=1500)).best[0].cost

    learnt = np.median([final(name, seed) for seed in range(5)])
    assert learnt < 0.9 * np.median([final("random", seed) for seed in range(5)])


@pytest.mark.parametrize("name", ["genetic", "annealing", "cross-entropy"])
def test_restarts(name: str) -> None:
    options = {"cycle": 300} if name == "annealing" else {"restart": 150}
    rows = told_rows(make_searcher(name, SPEC, 1, EDP, options), FakeEvaluator((1,)), 2000)
    assert len(rows) == 2000


def recorded_optimum(metric: str) -> float:
    runs = json.loads((GOLDEN / "mapper" / "small_toy__toy_conv1d" / "runs.json").read_text())
    ends = [r for r in runs if r["config"]["algorithm"] == "exhaustive" and r["result"]["stop"] == "natural"]
    best = next(r["result"]["best"] for r in ends if metric in r["config"]["optimization_metrics"])
    return {"edp": best["edp"], "energy": best["energy"], "delay": best["cycles"]}[metric]


def toy_files() -> list[Path]:
    arch = GOLDEN / "inputs" / "arch" / "small_toy"
    constraints = GOLDEN / "mapper" / "small_toy__toy_conv1d" / "constraints.yaml"
    problem = GOLDEN / "inputs" / "problems" / "toy_conv1d.yaml"
    return [arch / "arch_v03.yaml", arch / "ERT.yaml", arch / "ART.yaml", constraints, problem]


TIMELOOP = [name for name in all_searchers() if name.startswith("timeloop-")]


@pytest.mark.parametrize("metric", ["edp", "energy", "delay"])
@pytest.mark.parametrize("name", [*OURS, *TIMELOOP])
def test_every_searcher_finds_the_recorded_optimum(name: str, metric: str) -> None:
    spec = load(toy_files())
    objective = parse_objective(metric, len(spec.architecture.storage))
    options: dict[str, object] = {}
    if name.startswith("timeloop"):
        options = {"victory_condition": 0, "timeout": 4_000_000_000, "search_size": 0, "num_threads": 1}
    searcher = make_searcher(name, spec, 1, objective, options)
    complete = name in ("timeloop-exhaustive", "timeloop-linear-pruned")
    budget = Budget(samples=None if complete else 6000)
    result = search(searcher.space, searcher, NativeEvaluator(spec), objective, budget)
    assert result.best[0].cost == pytest.approx(recorded_optimum(metric), rel=1e-12)


def test_names_and_options_are_checked() -> None:
    with pytest.raises(UsageError, match="did you mean 'genetic'"):
        make_searcher("genetics", SPEC, 1, EDP)
    with pytest.raises(UsageError, match="did you mean 'population'"):
        make_searcher("genetic", SPEC, 1, EDP, {"popluation": 3})
    with pytest.raises(UsageError, match="expected an integer, got 'many'"):
        make_searcher("genetic", SPEC, 1, EDP, {"population": "many"})
    with pytest.raises(UsageError, match="population must be"):
        make_searcher("genetic", SPEC, 1, EDP, {"population": "0"})
    with pytest.raises(UsageError, match="seed must not be negative"):
        make_searcher("random", SPEC, -1, EDP)


def test_options_arrive_as_strings_from_the_command_line() -> None:
    searcher = make_searcher("genetic", SPEC, 1, EDP, {"offspring": "16"})
    assert searcher.batch == 16


@pytest.mark.parametrize("name", all_searchers())
def test_every_entry_describes_itself(name: str) -> None:
    description = all_searchers()[name].description
    assert description
    assert "\n" not in description


@pytest.mark.parametrize("name", OURS)
def test_a_mapspace_of_one_mapping(name: str) -> None:
    spec = fixed_spec(gemm(1, 1, 1), [level("BUF", 9), level("DRAM", None)], bypass=(("1", "1"),) * 3)
    searcher = make_searcher(name, spec, 1, EDP)
    assert searcher.space.axes == 0
    result = search(searcher.space, searcher, FakeEvaluator(), EDP, Budget(samples=None))
    assert (result.samples, result.reason) == (1, StopReason.EXHAUSTED)
    assert len(result.best) == 1

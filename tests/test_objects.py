"""Searches with objects in place of names: searcher, cost, evaluator and callback of one's own; resumed with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float64, Int64
from machines import gemm, three_level
from numpy import ndarray

import timeloop_marl as tm
from timeloop_marl.errors import UsageError

SPEC = three_level(gemm(16, 24, 40))


class Drawing(tm.Searcher):
    """Random rows; ``step`` at a time."""

    def __init__(
        self, space: tm.LearnersMapspace, objective: tm.Objective, seed: int, step: int = 16
    ) -> None:
        self.space, self.objective, self.batch = space, objective, step
        self._rng = np.random.default_rng(seed)

    def _propose(self, n: int) -> Int64[ndarray, "m axes"]:
        return self.space.sample(n, self._rng)

    def _observe(self, candidates: Int64[ndarray, "m axes"], outcome: tm.Outcome) -> None:
        self.costs = self.objective.costs(outcome)


def squared_delay(outcome: tm.Outcome) -> Float64[ndarray, "m"]:
    return outcome.energy_pj * outcome.cycles.astype(np.float64) ** 2


class Counting:
    """The native model, and how many mappings it was asked for."""

    def __init__(self) -> None:
        self.name, self.rows = "counting", 0
        self._model = tm.NativeEvaluator(SPEC)

    def __call__(self, mappings: tm.MappingBatch) -> tm.Outcome:
        self.rows += len(mappings)
        return self._model(mappings)

    def statistics(self, mapping: tm.Mapping) -> tm.Statistics | tm.Rejection:
        return self._model.statistics(mapping)


def test_a_class_and_an_instance_are_the_same_search() -> None:
    by_class = tm.search(SPEC, searcher=Drawing, samples=64, seed=5, options={"step": 8})
    goal = tm.Objective(("edp",), len(SPEC.architecture.storage))
    made = Drawing(tm.LearnersMapspace(SPEC), goal, 5, step=8)
    by_instance = tm.search(SPEC, searcher=made, samples=64)
    assert by_class.search.best == by_instance.search.best
    assert by_class.settings.searcher == by_instance.settings.searcher == f"{__name__}.Drawing"
    assert (by_class.search.knowledge, by_class.search.judged) == ("none", 0)


def test_a_cost_of_ones_own_is_minimised_and_its_search_is_resumed_with_it(tmp_path: Path) -> None:
    whole = tm.search(SPEC, searcher="genetic", objective=squared_delay, samples=200)
    best = whole.search.best[0]
    assert best.cost == best.energy_pj * float(best.cycles) ** 2
    tm.search(SPEC, searcher="genetic", objective=squared_delay, samples=64, output=tmp_path)
    with pytest.raises(UsageError, match="cannot resume: objective"):
        tm.search(SPEC, searcher="genetic", samples=200, output=tmp_path, resume=True)
    again = tm.search(
        SPEC, searcher="genetic", objective=squared_delay, samples=200, output=tmp_path, resume=True
    )
    assert again.search.best == whole.search.best
    assert tm.read_trace(tmp_path).header["objective"] == f"{__name__}.squared_delay"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["knowledge"], summary["judged"]) == ("none", 0)


def test_a_cost_of_the_wrong_shape_is_told() -> None:
    with pytest.raises(UsageError, match=r"expected one cost per mapping, shape \(\d+,\)"):
        tm.search(SPEC, searcher="random", objective=lambda outcome: np.zeros(3), samples=32)


def test_an_evaluator_and_a_callback(tmp_path: Path) -> None:
    counting = Counting()
    result = tm.search(
        SPEC, searcher="random", samples=1000, evaluator=counting, output=tmp_path,
        stop=lambda progress: progress.samples >= 128,
    )  # fmt: skip
    assert counting.rows == result.search.samples == 128
    assert result.search.reason.value == "stopped by its caller" and result.evaluator == "counting"
    assert result.search.best == tm.search(SPEC, searcher="random", samples=128).search.best
    trace = tm.read_trace(tmp_path)
    assert len(trace) == 128 == trace.sizes.sum() and (np.diff(trace.seconds) >= 0).all()
    mapping = tm.LearnersMapspace(SPEC).decode(trace.candidates[:1])[0]
    figures = tm.evaluate(SPEC, mapping, evaluator=counting)
    if isinstance(figures, tm.Statistics):
        assert figures.cycles == trace.outcome.cycles[0]


def test_a_run_of_python_is_one_for_the_command_line(tmp_path: Path) -> None:
    tm.search(SPEC, searcher="random", samples=32, output=tmp_path)
    manifest = json.loads((tmp_path / "run.json").read_text())
    assert manifest["kind"] == "search" and manifest["arguments"]["searcher"] == "random"
    with pytest.raises(UsageError, match="holds a run already"):
        tm.search(SPEC, searcher="random", samples=32, output=tmp_path)


def test_every_public_name_is_there_and_on_the_page_of_the_api() -> None:
    page = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
    for name in tm.__all__:
        assert getattr(tm, name) is not None
        assert f"timeloop_marl.{name}\n" in page or f"`timeloop_marl.{name}`" in page, name

"""A proof beside a search: it ends at the optimum, says how far off it is, and leaves the agents' candidates alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import timeloop_marl as tm
from timeloop_marl.api.optimum import make_prover, with_proof
from timeloop_marl.cli import main
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.errors import UsageError
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.run.result import SearchResult, StopReason
from timeloop_marl.run.trace import read_trace
from timeloop_marl.searchers.proving import BEGIN, Proving
from timeloop_marl.searchers.registry import make_searcher

PAIR = ["arch/eyeriss_like", "problems/resnet18/conv5_proj.yaml"]
OPEN = ["arch/simba_like", "problems/resnet18/conv5_proj.yaml"]


@pytest.fixture(scope="module")
def spec() -> tm.Spec:
    return tm.load(PAIR).with_factors("perfect")


def beside_random(spec: tm.Spec, samples: int, seed: int = 1) -> SearchResult:
    """Random candidates, so that what is good must come from the proof."""
    objective = parse_objective("edp", len(spec.architecture.storage))
    searcher = make_searcher("random", spec, seed, objective)
    both = with_proof(spec, searcher, objective, samples=samples, ends=True)
    assert isinstance(both, Proving)
    return search(both.space, both, tm.NativeEvaluator(spec), objective, Budget(samples=samples))


def test_a_proven_search_ends_at_the_optimum(spec: tm.Spec) -> None:
    found, optimum = tm.search(spec, samples=2000, seed=1), tm.optimum(spec)
    assert optimum.proven
    assert found.search.best[0].cost == optimum.cost
    assert found.search.proven
    assert found.search.gap == 0.0
    assert found.search.reason is StopReason.PROVEN
    assert BEGIN < found.search.samples < 2000


def test_nothing_is_said_to_be_proven_where_factors_may_be_imperfect() -> None:
    found = tm.search(tm.load(PAIR), samples=300, seed=1, factors="imperfect").search
    assert found.proof is None
    assert not found.proven


def test_what_the_proof_finds_is_a_sample(spec: tm.Spec) -> None:
    found, again = beside_random(spec, 3000), beside_random(spec, 3000)
    assert found.proven
    assert found.best[0].sample > BEGIN
    assert found.best[0].cost == tm.optimum(spec).cost
    assert (again.best, again.samples, again.proof) == (found.best, found.samples, found.proof)


def test_agents_propose_what_they_would_alone(tmp_path: Path) -> None:
    spec = tm.load(OPEN).with_factors("perfect")
    alone = tm.search(spec, samples=400, seed=3, proof=False, output=tmp_path / "alone")
    both = tm.search(spec, samples=400, seed=3, output=tmp_path / "both")
    assert alone.search.proof is None
    assert alone.search.gap is None
    gap = both.search.gap
    assert gap is not None
    assert 0.0 < gap < 1.0
    theirs, ours = (read_trace(tmp_path / name / "trace.bin").candidates for name in ("alone", "both"))
    own = [i for i in range(len(ours)) if not (ours[i] == theirs).all(axis=1).any()]
    assert np.array_equal(np.delete(ours, own, axis=0), theirs[: len(ours) - len(own)])


def test_a_bound_undercuts_what_a_longer_search_finds() -> None:
    spec = tm.load(OPEN).with_factors("perfect")
    short = tm.search(spec, samples=300, seed=1).search
    assert short.proof is not None
    assert short.proof.bound <= tm.search(spec, samples=2000, seed=2, proof=False).search.best[0].cost


def test_more_mappings_are_looked_for_when_more_are_asked(spec: tm.Spec) -> None:
    found = tm.search(spec, samples=400, seed=1, top=3).search
    assert found.proven
    assert found.samples == 400
    assert len(found.best) == 3


def test_a_resumed_search_proves_the_same(spec: tm.Spec, tmp_path: Path) -> None:
    whole = tm.search(spec, samples=2000, seed=2).search
    tm.search(spec, samples=264, seed=2, output=tmp_path)
    with pytest.raises(UsageError, match="cannot resume: proof was True"):
        tm.search(spec, samples=2000, seed=2, proof=False, output=tmp_path, resume=True)
    resumed = tm.search(spec, samples=2000, seed=2, output=tmp_path, resume=True).search
    assert (resumed.best, resumed.samples, resumed.proof) == (whole.best, whole.samples, whole.proof)


def test_where_there_is_no_bound_agents_search_alone() -> None:
    spec = tm.load(PAIR)
    objective = parse_objective("delay,energy", len(spec.architecture.storage))
    with pytest.raises(UsageError, match="one objective"):
        make_prover(spec, objective)
    assert tm.search(spec, objective="delay,energy", samples=260, seed=1).search.proof is None
    assert tm.search(spec, searcher="genetic", samples=260, seed=1).search.proof is None


def test_screen_and_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["search", *PAIR, "--factors", "perfect", "--samples", "600", "--quiet"]
    assert main([*arguments, "-o", str(tmp_path / "proof")]) == 0
    assert "\nproven optimal\n" in capsys.readouterr().out
    assert '"proven": true' in (tmp_path / "proof" / "summary.json").read_text()
    assert main([*arguments, "-o", str(tmp_path / "none"), "--no-proof"]) == 0
    assert "optimal" not in capsys.readouterr().out
    assert (
        main(
            [
                "search",
                *OPEN,
                "--factors",
                "perfect",
                "--samples",
                "300",
                "--quiet",
                "-o",
                str(tmp_path / "open"),
            ]
        )
        == 0
    )
    assert "% better is possible" in capsys.readouterr().out

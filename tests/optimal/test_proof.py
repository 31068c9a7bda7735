from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from machines import conv, gemm, level, spec, three_level

from timeloop_marl import optimum
from timeloop_marl.api.optimum import STATE, Start, check, mapping_of, true_prices
from timeloop_marl.cli import main
from timeloop_marl.cost.objective import parse_objective
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import UnsupportedFeatureError, UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.optimal.frontier import Frontier, Queue
from timeloop_marl.optimal.proof import Prover, rounds
from timeloop_marl.run.result import StopReason
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.specs.writing import document
from timeloop_marl.specs.yaml_text import yaml_text

QUICK = Start("random", 20, 1)


@pytest.fixture
def small() -> Spec:
    return three_level(gemm(4, 4, 6))


def test_the_optimum_is_called_so_only_when_nothing_is_left(small: Spec) -> None:
    result = optimum(small, start=QUICK)
    assert result.proven and result.status() == "optimal"
    assert result.cost == result.bound == 7680.0 and result.gap == 0.0
    assert result.best.energy_pj * result.best.cycles == result.cost


def test_bounds_rise_and_costs_fall(small: Spec) -> None:
    moments: list[tuple[float, float, float]] = []
    optimum(small, start=Start("random", 1, 1), on_round=lambda f: moments.append((f.cost, f.bound, f.gap)))
    costs, bounds, gaps = zip(*moments, strict=True)
    assert list(costs) == sorted(costs, reverse=True)
    assert list(bounds) == sorted(bounds)
    assert gaps[0] > 0.5 and gaps[-1] == 0.0


def test_any_number_of_threads_gives_the_same(small: Spec) -> None:
    one, two = (optimum(small, objective="energy", start=QUICK, jobs=jobs).frontier for jobs in (1, 2))
    assert one.best == two.best and one.counts == two.counts


class KilledError(Exception):
    pass


def test_a_killed_proof_goes_on(small: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timeloop_marl.api.optimum.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("timeloop_marl.optimal.proof.ROUND", 1)
    whole = optimum(small, start=QUICK)
    rounds = 0

    def kill(frontier: Frontier) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise KilledError

    with pytest.raises(KilledError):
        optimum(small, start=QUICK, output=tmp_path, on_round=kill)
    with pytest.raises(UsageError, match="holds a run already"):
        optimum(small, start=QUICK, output=tmp_path)
    again = optimum(small, start=QUICK, output=tmp_path, resume=True)
    assert again.frontier.best == whole.frontier.best
    assert again.frontier.counts == whole.frontier.counts


def test_another_proof_is_not_resumed(small: Spec, tmp_path: Path) -> None:
    optimum(small, start=QUICK, output=tmp_path)
    with pytest.raises(UsageError, match="objective was 'edp'"):
        optimum(small, objective="energy", start=QUICK, output=tmp_path, resume=True)
    (tmp_path / STATE).write_bytes(b"not a record")
    with pytest.raises(UsageError, match="damaged"):
        optimum(small, start=QUICK, output=tmp_path, resume=True)


def test_limits_leave_a_gap_that_is_stated(small: Spec) -> None:
    result = optimum(small, start=Start("random", 1, 1), seconds=1e-9)
    assert result.status() == "open" and not result.proven
    assert result.reason is StopReason.SECONDS
    assert 0 <= result.bound < result.cost and result.gap == pytest.approx(1 - result.bound / result.cost)
    loose = optimum(small, start=QUICK, gap=0.9)
    assert loose.gap <= 0.9
    with pytest.raises(UsageError, match="gap"):
        optimum(small, gap=1.0)


def test_no_valid_mapping_is_a_proof_too() -> None:
    # Tiles of 3, 5, 8 or 12 words; the buffer wants 10 or 11.
    storage = (level("BUF", 11, min_utilization=0.82), level("DRAM", None))
    result = optimum(spec(gemm(2, 2, 2), storage, bypass=(("1", "1"),) * 3), start=QUICK)
    assert result.proven and result.status() == "infeasible" and not result.found
    with pytest.raises(UsageError, match="there is none"):
        _ = result.mapping


def test_prices_and_what_evaluates_are_arguments(small: Spec) -> None:
    energy = parse_objective("energy", 3)
    prices, native = true_prices(small, energy), NativeEvaluator(small)
    names = ("read", "fill", "update", "address", "compute", "leak", "ingress", "hop")
    dear = dataclasses.replace(prices, **{name: 2 * getattr(prices, name) for name in names})

    def dearly(batch: MappingBatch) -> Outcome:
        outcome = native(batch)
        return dataclasses.replace(outcome, energy_pj=2 * outcome.energy_pj)

    found = []
    for prover in (Prover(small, prices, native, energy), Prover(small, dear, dearly, energy)):
        frontier = Frontier(Queue(prover.roots()))
        for _ in rounds(prover, frontier):
            pass
        assert frontier.proven and frontier.best is not None
        found.append(frontier.best)
    assert found[1].cost == 2 * found[0].cost and found[1].mapping == found[0].mapping


def test_imperfect_factors_are_refused() -> None:
    rule = LoopConstraint(fixed={0: 3}, source="arch.yaml: BUF")
    with pytest.raises(UnsupportedFeatureError, match="imperfect factors cannot be enumerated"):
        optimum(three_level(gemm(4, 4, 6), {(1, False): rule}), start=QUICK)
    with pytest.raises(UnsupportedFeatureError, match="remainders"):
        optimum(three_level(gemm(4, 4, 6), {(1, True): LoopConstraint(remainders=2)}), start=QUICK)


def test_several_objectives_are_refused(small: Spec) -> None:
    with pytest.raises(UsageError, match="one objective"):
        optimum(small, objective="delay,energy", start=QUICK)


def test_a_certificate_can_be_checked(small: Spec) -> None:
    result = optimum(small, start=QUICK)
    record = json.loads(json.dumps(result.certificate()))
    assert record["status"] == "optimal" and record["bound"] == record["cost"]
    assert mapping_of(record["mapping"]) == result.mapping
    assert check(small, record) == []
    assert check(small, {**record, "cost": 1.0}) != []
    other = dataclasses.replace(small, problem=conv(2, 2, 2, 6))
    assert "other inputs" in check(other, {k: v for k, v in record.items() if k != "mapping"})[0]


def test_the_command(small: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = tmp_path / "inputs.yaml"
    inputs.write_text(yaml_text(document(small)))
    out = str(tmp_path / "out")
    arguments = ["--searcher", "random", "--samples", "50", "--quiet"]
    assert main(["optimum", str(inputs), "-o", out, "--seconds", "1e-9", *arguments]) == 0
    assert "not proven" in capsys.readouterr().out
    assert main(["optimum", str(inputs), "-o", out, *arguments]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["optimum", "--resume", "-o", out, "--quiet"]) == 0
    assert "optimal: no mapping has a lower edp" in capsys.readouterr().out
    names = {path.name for path in Path(out).iterdir()}
    assert {
        "certificate.json",
        "gap.png",
        "timeloop-marl.map.yaml",
        "timeloop-marl.stats.txt",
        "summary.json",
    } <= names
    record = json.loads((Path(out) / "certificate.json").read_text())
    assert record["cost"] == 7680.0 and record["status"] == "optimal"

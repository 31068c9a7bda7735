"""The cost model over vectors of mappings: equal to the general one, in every figure of every mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from random_cases import random_mapping, random_spec, random_switches

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.evaluators import vectors
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec

INPUTS = Path(__file__).parents[1] / "golden" / "inputs"
FIELDS = ("factors", "residuals", "order", "split", "keep")
FIGURES = ("cycles", "energy_pj", "utilization", "failure", "failed_level")
QUICK = (("small_toy", "toy_conv1d"), ("three_level", "resnet18_layer1"))
SLOW = (
    ("eyeriss_like", "resnet18_layer1"),
    ("eyeriss_like", "mobilenetv2_dw_s2"),
    ("eyeriss_unconstrained", "dilated_strided_conv"),
    ("simba_like", "resnet18_layer1"),
    ("gemmini_like", "resnet18_layer1"),
    ("output_stationary", "toy_mttkrp"),
    ("deep_hierarchy", "vgg16_conv4_2"),
)


def spec_of(machine: str, problem: str) -> Spec:
    folder = INPUTS / "arch" / machine
    files = [folder / f"{name}.yaml" for name in ("arch_v03", "ERT", "ART")]
    if machine == "simba_like":
        files.append(folder / "constraints_v03.yaml")  # few mappings are valid without
    return load([*files, INPUTS / "problems" / f"{problem}.yaml"])


def drawn(spec: Spec, rows: int) -> MappingBatch:
    """Random mappings, half of them valid where enough valid ones are found."""
    mapspace, evaluator = TimeloopMapspace(spec), NativeEvaluator(spec, vectors=False)
    generator = np.random.default_rng(3)
    parts, valid = [], 0
    for _ in range(80):
        batch = mapspace.decode(mapspace.sample(generator, 4000))
        fine = evaluator(batch).failure == 0
        parts += [batch.take(np.flatnonzero(fine)[:rows]), batch.take(np.flatnonzero(~fine)[: rows // 10])]
        valid += int(fine.sum())
        if valid >= rows:
            break
    assert valid > 50
    joined = MappingBatch(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS))
    return joined.take(generator.permutation(len(joined)))


def assert_equal(ours: Outcome, general: Outcome) -> None:
    for name in FIGURES:
        assert np.array_equal(getattr(ours, name), getattr(general, name)), name


def compare(spec: Spec, rows: int) -> float:
    """Share of the mappings that vectors left to the general model, all figures of all mappings compared."""
    batch = drawn(spec, rows)
    evaluator = NativeEvaluator(spec, vectors=True)
    assert_equal(evaluator(batch), NativeEvaluator(spec, vectors=False)(batch))
    model = evaluator._vectors.model(len(batch))
    assert model is not None
    return len(model(batch, evaluator._empty(len(batch)))) / len(batch)


@pytest.mark.parametrize(("machine", "problem"), QUICK)
def test_same_figures(machine: str, problem: str) -> None:
    assert compare(spec_of(machine, problem), 2000) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "problem"), SLOW)
def test_same_figures_on_large_machines(machine: str, problem: str) -> None:
    assert compare(spec_of(machine, problem), 5000) < 0.5


def test_imperfect_mappings_go_to_the_general_model() -> None:
    """Residuals, and factors of a dim that has one step only, are none of the vectors' business."""
    spec = spec_of(*QUICK[1])
    batch = drawn(spec, 300)
    residuals = batch.residuals.copy()
    rows, tiles, dims = np.nonzero(batch.factors > 2)
    residuals[rows, tiles, dims] -= rows % 3 == 0
    changed = MappingBatch(batch.factors, residuals, batch.order, batch.split, batch.keep)
    assert_equal(NativeEvaluator(spec, vectors=True)(changed), NativeEvaluator(spec, vectors=False)(changed))


def assert_same_on_random_machines(cases: int, seed: int) -> None:
    """Odd projections, all switches, mappings that do not fit, imperfect ones: with and without vectors."""
    generator = np.random.default_rng(seed)
    made = 0
    for _ in range(cases):
        spec = random_spec(generator, negative=True)
        switches = random_switches(generator, spec, no_coalesce=True)
        mappings = [
            random_mapping(generator, spec, k % 8 == 0, overflow=bool(generator.random() < 0.3))
            for k in range(120)
        ]
        batch = MappingBatch.of(mappings)
        evaluator = NativeEvaluator(spec, switches=switches, vectors=True)
        general = NativeEvaluator(spec, switches=switches, vectors=False)
        assert_equal(evaluator(batch), general(batch))
        made += evaluator._vectors.model(len(batch)) is not None
    assert made > 0


def test_same_figures_on_random_machines() -> None:
    assert_same_on_random_machines(5, 1)


@pytest.mark.slow
def test_same_figures_on_many_random_machines() -> None:
    assert_same_on_random_machines(80, 2)


def test_made_only_when_it_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kept one: after enough rows, then kept for the next evaluator; never if refused."""
    spec = spec_of(*QUICK[0])
    monkeypatch.setattr(vectors, "cache_folder", lambda _: tmp_path)
    monkeypatch.setattr(vectors, "PAYS_AFTER", 1000)
    evaluator = NativeEvaluator(spec)
    design = evaluator.geometry, evaluator.rates
    choice = vectors.VectorChoice(*design, None)
    assert choice.model(10**9) is None  # nothing is known of its rows
    choice.served(5000, 0)
    assert choice.model(5000) is None  # invalid rows gain little
    choice.served(600, 600)
    assert choice.model(10) is None
    assert choice.model(3000) is not None  # an eighth of them valid
    assert vectors.is_kept(*design)
    assert vectors.VectorChoice(*design, None).model(64) is not None
    assert vectors.VectorChoice(*design, False).model(10**9) is None
    assert vectors.VectorChoice(*design, True).model(vectors.LEAST_ROWS - 1) is None


def test_broken_code_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(*QUICK[0])
    monkeypatch.setattr(vectors, "cache_folder", lambda _: tmp_path)
    evaluator = NativeEvaluator(spec)
    design = evaluator.geometry, evaluator.rates
    path = vectors.kept_at(*design)
    assert path is not None
    path.write_bytes(b"no code")
    assert vectors.made(*design) is not None
    assert path.stat().st_size > 1000


def test_the_rules_of_2022_have_no_vectors() -> None:
    spec = spec_of(*QUICK[0])
    evaluator = NativeEvaluator(spec, vectors=True)
    evaluator.geometry.rules_2022 = True
    assert vectors.made(evaluator.geometry, evaluator.rates) is None

"""Imperfect factors in the learners' view: every draw is legal, tight and valid; where they are taken and refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from machines import gemm, level, spec, three_level

from timeloop_marl.errors import MappingError, SpecError, UsageError
from timeloop_marl.evaluators.counting import CountingEvaluator, counting
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.awkward import absorber, busy, factors_notice, imperfect_dims, loop_bounds
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.specs.architecture import TilingLevel
from timeloop_marl.specs.constraints import Constraints, LoopConstraint
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.reading import load
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).parent.parent.parent
MACHINES = (
    "bandwidth_bound", "bypass_free", "deep_hierarchy", "diannao_like", "eyeriss_like", "gemmini_like",
    "nvdla_small_like", "output_stationary", "simba_like", "small_toy", "tpu_like",
)  # fmt: skip
AWKWARD = (2, 3, 5, 7, 11, 13, 17, 23, 28, 56, 97, 111, 197, 511, 577, 1000, 50257)


@cache
def machine(name: str) -> Spec:
    return load([*sorted((ROOT / "arch" / name).glob("*.yaml")), ROOT / "problems/resnet18/conv2_3x3.yaml"])


def layer(name: str, bounds: tuple[int, ...]) -> Spec:
    plain = machine(name)
    return replace(plain, problem=replace(plain.problem, bounds=bounds))


def assert_chains(batch: MappingBatch, bounds: tuple[int, ...]) -> None:
    """Residuals are the digits of bound - 1 (legal), and no loop bound can be lower by itself (tight)."""
    rem = np.repeat(np.array(bounds)[None], len(batch), 0)
    for t in range(batch.factors.shape[1]):
        n = batch.factors[:, t]
        assert (batch.residuals[:, t] == (rem - 1) % n + 1).all()
        rem = -(-rem // n)
    assert (rem == 1).all()
    cover = batch.factors.prod(axis=1)
    lower = cover[:, None] // batch.factors * np.maximum(batch.factors - 1, 0)
    dense = np.array(bounds) < 200  # loop bounds of larger ones are thinned out
    assert (lower < np.array(bounds))[:, :, dense].all()


@pytest.mark.parametrize("name", MACHINES)
def test_every_draw_and_every_move_is_valid(name: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(4):
        bounds = tuple(
            int(rng.choice(AWKWARD[:2] if dim in "RSN" else AWKWARD)) for dim in machine(name).problem.dims
        )
        s = layer(name, bounds).with_factors("imperfect")
        space = LearnersMapspace(s)
        rows = space.sample(150, rng)
        rows = np.concatenate([rows, space.moved(rows, rng, np.full(150, 2))])
        batch = space.decode(rows)
        assert space.feasible(rows).all()
        assert_chains(batch, bounds)
        assert (NativeEvaluator(s, precheck=True)(batch).failure == 0).all()
        mended, ok = space.repair(rows, rng)
        assert ok.all() and (mended == rows).all()
        assert (space.encode(batch[0]) == rows[0]).all()


def test_padded_is_the_price_of_the_enlarged_layer() -> None:
    s = layer("eyeriss_like", (13, 17, 3, 3, 1, 13, 13)).with_factors("imperfect", "padded")
    space = LearnersMapspace(s)
    batch = space.decode(space.sample(60, np.random.default_rng(1)))
    outcome = counting(NativeEvaluator(s), s)(batch)
    for i in range(60):
        enlarged = layer("eyeriss_like", tuple(int(n) for n in batch.factors[i].prod(axis=0)))
        whole = batch.take(slice(i, i + 1))
        alone = NativeEvaluator(enlarged, vectors=False)(replace(whole, residuals=whole.factors))
        assert (alone.cycles[0], alone.energy_pj[0]) == (outcome.cycles[i], outcome.energy_pj[i])


def test_corrected_charges_for_all_work_and_leaves_perfect_mappings_alone() -> None:
    s = layer("output_stationary", (16, 13, 3, 3, 1, 13, 13)).with_factors("imperfect")
    space, native = LearnersMapspace(s), NativeEvaluator(s)
    batch = space.decode(space.sample(200, np.random.default_rng(1)))
    plain, charged = native(batch), counting(native, s)(batch)
    dearer = 0
    for i in range(200):
        computes = native.statistics(batch[i]).computes
        expected = plain.energy_pj[i] * max(1.0, s.problem.operations / computes)
        assert charged.energy_pj[i] == pytest.approx(expected, rel=1e-12)
        dearer += computes < s.problem.operations
    assert dearer > 10
    perfect = LearnersMapspace(s.with_factors("perfect"))
    batch = perfect.decode(perfect.sample(50, np.random.default_rng(1)))
    assert (CountingEvaluator(native, s, "corrected")(batch).energy_pj == native(batch).energy_pj).all()


def test_auto_takes_imperfect_factors_where_an_array_is_idle_only() -> None:
    fits, awkward = machine("eyeriss_like"), layer("output_stationary", (64, 64, 3, 3, 1, 13, 13))
    assert imperfect_dims(fits) == {} and factors_notice(fits) == ""
    dims = awkward.problem.dims
    assert {dims[d] for d in imperfect_dims(awkward)} == {"P"}  # Q may lie beside M, which fills its side
    assert busy(awkward, ()) == 1 / 8 < 0.8 < busy(awkward, tuple(imperfect_dims(awkward)))
    assert "P = 13 is prime: perfect factors keep at most 12.5%" in factors_notice(awkward)
    assert "with --factors imperfect" in factors_notice(awkward.with_factors("perfect"))
    axes = LearnersMapspace(awkward).columns
    assert {axis.dim for axis in axes if axis.imperfect} == set(imperfect_dims(awkward))


def test_the_view_of_perfect_factors_stays_as_it_was() -> None:
    plain = machine("eyeriss_like")
    one, other = (LearnersMapspace(s) for s in (plain, plain.with_factors("perfect")))
    assert one.columns == other.columns
    assert (one.sample(20, np.random.default_rng(1)) == other.sample(20, np.random.default_rng(1))).all()


@pytest.mark.parametrize("bound", [2, 13, 197, 577, 1023, 50257, 151936, 10**9 + 7])
def test_loop_bounds_are_few_and_hold_what_matters(bound: int) -> None:
    values = loop_bounds(bound)
    assert values[0] == bound and values[-1] == 1 and values == sorted(set(values), reverse=True)
    assert (
        set(values) >= {-(-bound // n) for n in range(1, bound + 1) if -(-bound // n) <= 32}
        if bound < 1e6
        else True
    )
    assert len(values) < 260


def test_template_ruby_is_honoured_and_remainders_are_refused() -> None:
    s = three_level(gemm(13, 2, 3))
    ruby = replace(s, mapper=replace(s.mapper, template="ruby"))
    assert len(imperfect_dims(ruby)) == 2  # a bound of 2 has no imperfect factors
    rules = {TilingLevel(0, False): LoopConstraint(remainders=4, source="here")}
    limited = replace(ruby, constraints=Constraints(loops=rules))
    with pytest.raises(SpecError, match="remainders"):
        LearnersMapspace(limited)
    assert imperfect_dims(limited.with_factors("perfect")) == {}


def test_what_cannot_be_imperfect_stays_perfect() -> None:
    s = three_level(gemm(13, 7, 3))
    levels = s.architecture.tiling_levels
    assert absorber(s, 0) == len(levels) - 1
    for rule in (LoopConstraint(fixed={0: 2}), LoopConstraint(minimum={0: 2})):
        assert absorber(replace(s, constraints=Constraints(loops={levels[0]: rule})), 0) == -1
    outside = Constraints(loops={levels[-1]: LoopConstraint(maximum={0: 4, 1: 1, 2: 1})})
    with pytest.raises(SpecError, match="no dimension can have imperfect factors"):
        imperfect_dims(replace(s, constraints=outside).with_factors("imperfect"))
    with pytest.raises(UsageError, match="unknown factors 'some'"):
        s.with_factors("some")


def test_mappings_that_are_not_tight_have_no_row() -> None:
    s = spec(gemm(13, 2, 3), [level("A", 4096), level("B", None)]).with_factors("imperfect")
    space = LearnersMapspace(s)
    mapping = space.decode(space.sample(1, np.random.default_rng(1)))[0]
    inner, outer = mapping.loops[0], mapping.loops[-1]
    loose = [replace(inner, factors=(5, 1, 1), residuals=(3, 1, 1))]
    loose += [replace(x, factors=(1, 1, 1), residuals=(1, 1, 1)) for x in mapping.loops[1:-1]]
    loose += [replace(outer, factors=(3, 2, 3), residuals=(3, 2, 3))]
    tight = replace(mapping, loops=tuple(loose))
    assert space.decode(space.encode(tight)[None])[0].loops[0].factors[0] == 5
    loose[0] = replace(inner, factors=(7, 1, 1), residuals=(6, 1, 1))
    loose[-1] = replace(outer, factors=(2, 2, 3), residuals=(2, 2, 3))
    assert space.decode(space.encode(replace(mapping, loops=tuple(loose)))[None])[0].loops[0].factors[0] == 7
    with pytest.raises(MappingError):
        loose[0] = replace(inner, factors=(6, 1, 1), residuals=(1, 1, 1))
        loose[-1] = replace(outer, factors=(3, 2, 3), residuals=(3, 2, 3))
        space.encode(replace(mapping, loops=tuple(loose)))

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from random_cases import random_mapping, random_spec, random_switches

from timeloop_marl.cost.outcome import Failure, Rejection, Statistics
from timeloop_marl.errors import MappingError, SpecError, UnsupportedFeatureError, UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.traffic.imperfect.space import walk_space
from timeloop_marl.traffic.workspace import workspace


def cases(count, seed, imperfect=False, **options):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        spec = random_spec(rng, negative=True, **options)
        switches = random_switches(rng, spec, no_coalesce=True)
        yield (
            rng,
            spec,
            switches,
            [random_mapping(rng, spec, imperfect, overflow=bool(rng.random() < 0.3)) for _ in range(20)],
        )


def columns(outcome):
    return {
        name: getattr(outcome, name).tolist()
        for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses")
        if getattr(outcome, name) is not None
    }


@pytest.mark.parametrize("imperfect", [False, True])
def test_plain_python_equals_compiled(imperfect):
    valid = 0
    for _, spec, switches, mappings in cases(12, 5, imperfect, sizes=True):
        batch = MappingBatch.of(mappings[:6])
        compiled = NativeEvaluator(spec, switches=switches, accesses=True)(batch)
        interpreted = NativeEvaluator(spec, switches=switches, accesses=True, compiled=False)(batch)
        assert columns(compiled) == columns(interpreted)
        valid += int((compiled.failure == Failure.OK).sum())
    assert valid > 10


def test_threads_and_chunks_do_not_matter():
    for _, spec, switches, mappings in cases(3, 11):
        batch = MappingBatch.of(mappings * 50)
        expected = columns(NativeEvaluator(spec, switches=switches, accesses=True)(batch))
        assert columns(NativeEvaluator(spec, switches=switches, accesses=True, threads=3)(batch)) == expected
        evaluator = NativeEvaluator(spec, switches=switches, accesses=True)
        parts = [columns(evaluator(batch.take(slice(k, k + 70)))) for k in range(0, 1000, 70)]
        assert {name: [x for part in parts for x in part[name]] for name in expected} == expected


def test_statistics_agree_with_the_batch():
    seen = set()
    for _, spec, switches, mappings in cases(15, 3, sizes=True, distribution=True):
        evaluator = NativeEvaluator(spec, switches=switches, accesses=True)
        outcome = evaluator(MappingBatch.of(mappings))
        for row, mapping in enumerate(mappings):
            result = evaluator.statistics(mapping)
            seen.add(type(result))
            if isinstance(result, Statistics):
                assert outcome.failure[row] == Failure.OK
                assert outcome.failed_level[row] == -1
                assert outcome.cycles[row] == result.cycles
                assert outcome.energy_pj[row] == result.energy_pj
                assert outcome.utilization[row] == result.utilization
                assert outcome.accesses[row].tolist() == [level.accesses for level in result.levels]
            else:
                assert (outcome.failure[row], outcome.failed_level[row]) == (result.failure, result.level)
                assert outcome.cycles[row] == outcome.energy_pj[row] == outcome.utilization[row] == 0
    assert seen == {Statistics, Rejection}


def test_total_is_the_sum_of_its_parts():
    for _, spec, switches, mappings in cases(10, 8):
        result = NativeEvaluator(spec, switches=switches).statistics(mappings[0])
        if isinstance(result, Statistics):
            total = result.compute.energy
            for part in (*result.levels, *result.networks):
                total += part.energy
            assert total == result.energy_pj
            assert [n.name for n in result.networks] == sorted(n.name for n in result.networks)


def first_case(**options):
    _, spec, _, mappings = next(cases(1, 1, **options))
    return spec, mappings


def test_the_workspace_grows_when_a_mapping_has_many_signatures():
    grown = 0
    for _, spec, switches, mappings in cases(25, 21):
        small = NativeEvaluator(spec, switches=switches, compiled=False)
        small._spaces.append((workspace(small.geometry, 1), walk_space(small.geometry)))
        batch = MappingBatch.of(mappings[:3])
        assert columns(small(batch)) == columns(NativeEvaluator(spec, switches=switches)(batch))
        grown += small._take()[0].multicast.shape[2] > 1
    assert grown > 0


def test_the_walk_is_only_asked_for_by_imperfect_factors():
    asked = 0
    for rng, spec, switches, mappings in cases(6, 7):
        evaluator = NativeEvaluator(spec, switches=switches, vectors=False)
        once = columns(evaluator(MappingBatch.of(mappings)))
        assert evaluator._perfect
        more = MappingBatch.of([*mappings, *(random_mapping(rng, spec, True) for _ in range(20)), *mappings])
        mixed = columns(evaluator(more))
        asked += not evaluator._perfect
        assert columns(evaluator(more)) == mixed
        for name, values in once.items():
            assert mixed[name][: len(mappings)] == values == mixed[name][-len(mappings) :]
    assert asked  # random factors often fit nowhere: refused before they are walked


def test_pickled_evaluators_give_the_same():
    spec, mappings = first_case()
    evaluator = NativeEvaluator(spec, threads=2, accesses=True)
    batch = MappingBatch.of(mappings)
    assert columns(pickle.loads(pickle.dumps(evaluator))(batch)) == columns(evaluator(batch))


def test_an_empty_batch_has_an_empty_outcome():
    spec, mappings = first_case()
    assert len(NativeEvaluator(spec)(MappingBatch.of(mappings).take(slice(0, 0)))) == 0


def test_read_only_and_strided_arrays_are_accepted():
    spec, mappings = first_case()
    batch = MappingBatch.of(mappings)
    evaluator = NativeEvaluator(spec)
    for array in (batch.factors, batch.order, batch.keep):
        array.setflags(write=False)
    assert columns(evaluator(batch.take(slice(None, None, 2)))) == columns(
        evaluator(MappingBatch.of(mappings[::2]))
    )


@pytest.mark.parametrize(
    ("field", "change", "said"),
    [
        ("factors", lambda a: a[:, :-1], "wrong shape"),
        ("factors", lambda a: a * 0, "below 1"),
        ("residuals", lambda a: a - 1, "below 1"),
        ("order", lambda a: a + 100, "a dim that the problem does not have"),
        ("order", lambda a: a - 100, "a dim that the problem does not have"),
        ("keep", lambda a: a[:, :, :1], "wrong shape"),
    ],
)
def test_malformed_batches_are_refused(field, change, said):
    spec, mappings = first_case()
    batch = MappingBatch.of(mappings)
    with pytest.raises(MappingError, match=said):
        NativeEvaluator(spec)(replace(batch, **{field: change(getattr(batch, field))}))


def test_statistics_refuse_factors_that_miss_the_bound():
    spec, mappings = first_case()
    loops = mappings[0].loops
    larger = tuple(f + 1 for f in loops[-1].factors)
    outer = replace(loops[-1], factors=larger, residuals=larger)
    with pytest.raises(MappingError, match="do not multiply"):
        NativeEvaluator(spec).statistics(replace(mappings[0], loops=(*loops[:-1], outer)))


def test_threads_must_be_positive():
    spec, _ = first_case()
    with pytest.raises(UsageError):
        NativeEvaluator(spec, threads=0)


def test_kept_nowhere():
    spec, mappings = first_case()
    keep = tuple((False, *row[1:]) for row in mappings[0].keep)
    result = NativeEvaluator(spec).statistics(replace(mappings[0], keep=keep))
    assert result == Rejection(
        Failure.BYPASS,
        0,
        spec.architecture.compute.name,
        "one of the tensors is bypassed in all storage levels",
    )


def test_both_failures_of_a_level_are_said_without_separator():
    """Section 11: a tile that is too large and instances that are too many."""
    for _, spec, _, mappings in cases(200, 17, sizes=True):
        for mapping in mappings:
            result = NativeEvaluator(spec).statistics(mapping)
            if (
                isinstance(result, Rejection)
                and "capacity" in result.message
                and "mapped in" in result.message
            ):
                assert result.failure is Failure.CAPACITY
                assert result.message.count("mapped ") == 2
                return
    pytest.fail("no case with both failures")


def test_counts_beyond_64_bits_are_refused():
    spec, _ = first_case()
    problem = Problem(
        "huge", ("A", "B", "C"), (10**7,) * 3, (DataSpace("T", ((Term(0, 1),), (Term(1, 1),)), True),)
    )
    with pytest.raises(UnsupportedFeatureError, match="64-bit"):
        NativeEvaluator(replace(spec, problem=problem))


def test_unknown_rules_are_refused():
    spec, _ = first_case()
    with pytest.raises(SpecError, match="rule set"):
        NativeEvaluator(replace(spec, options=ModelOptions(rules="1999")))


def test_the_rule_sets_differ_and_are_named():
    differ = 0
    for _, spec, switches, mappings in cases(20, 31):
        new = NativeEvaluator(spec, switches=switches)
        old = NativeEvaluator(replace(spec, options=ModelOptions(rules="2022")), switches=switches)
        assert "2022" in old.name
        differ += columns(new(MappingBatch.of(mappings))) != columns(old(MappingBatch.of(mappings)))
    assert differ > 5


def test_auto_bypass_empties_the_levels_that_overflow():
    changed = 0
    for _, spec, _, mappings in cases(20, 41, sizes=True):
        evaluator = NativeEvaluator(spec, precheck=True)
        for mapping in mappings:
            result = evaluator.statistics(mapping)
            if isinstance(result, Rejection) and result.failure in (Failure.CAPACITY, Failure.UTILIZATION):
                mended = evaluator.auto_bypass(mapping)
                assert not any(mended.keep[result.level - 1])
                assert mended.loops == mapping.loops
                changed += 1
    assert changed > 5


def test_warm_up_says_what_takes_time(tmp_path):
    spec, _ = first_case()
    lines: list[str] = []
    NativeEvaluator(spec, compiled=False).warm_up(lines.append)
    assert lines == []
    NativeEvaluator(spec).warm_up(lines.append)
    assert all("compil" in line for line in lines)

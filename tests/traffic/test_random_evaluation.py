"""Random machines and mappings: every outcome is a defined one, and lean and full evaluation agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cases import random_mapping, random_spec, random_switches

from timeloop_marl.cost.outcome import Failure, Rejection, Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.validation.rows import compare, computed, mapping_row, row_mapping

ROWS = 6


def random_case(seed):
    rng = np.random.default_rng(seed)
    options = ModelOptions(
        rules="2025" if rng.random() < 0.8 else "2022",
        link_transfers=bool(rng.random() < 0.8),
        first_read_elision=bool(rng.random() < 0.8),
    )
    spec = random_spec(
        rng,
        negative=bool(rng.random() < 0.3),
        sizes=bool(rng.random() < 0.4),
        distribution=bool(rng.random() < 0.4),
        options=options,
    )
    imperfect, overflow = bool(rng.random() < 0.5), bool(rng.random() < 0.3)
    mappings = [random_mapping(rng, spec, imperfect, overflow) for _ in range(ROWS)]
    switches = random_switches(rng, spec, chance=0.08, no_coalesce=bool(rng.random() < 0.3))
    return spec, mappings, switches


def numbers(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif not isinstance(value, str | bool):
        yield value


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**40))
def test_lean_and_full_evaluation_agree(seed):
    spec, mappings, switches = random_case(seed)
    evaluator = NativeEvaluator(spec, switches=switches, accesses=True)
    outcome = evaluator(MappingBatch.of(mappings))
    for i, mapping in enumerate(mappings):
        result = evaluator.statistics(mapping)
        assert Failure(int(outcome.failure[i])) == (
            result.failure if isinstance(result, Rejection) else Failure.OK
        )
        if isinstance(result, Rejection):
            assert result.message
            assert outcome.failed_level[i] == result.level
            assert outcome.cycles[i] == outcome.energy_pj[i] == outcome.utilization[i] == 0
            continue
        assert outcome.failed_level[i] == -1
        assert outcome.cycles[i] == result.cycles
        assert outcome.energy_pj[i] == result.energy_pj
        assert outcome.utilization[i] == result.utilization
        assert outcome.accesses[i].tolist() == [level.accesses for level in result.levels]
        assert result.cycles >= 1
        assert math.isfinite(result.energy_pj)
        assert 0 < result.utilization <= 1
        got = computed(result, spec)
        assert compare(got, got) == []
        # Only network traffic may be negative: bypass rescales it, but not the partition that is subtracted. Fills
        # below the first updates wrap, as unsigned counts do in the real program.
        assert all(number >= 0 for key in ("compute", "levels") for number in numbers(got[key]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**40))
def test_rows_of_random_mappings_can_be_read_back(seed):
    spec, mappings, _ = random_case(seed)
    for mapping in mappings:
        again = row_mapping({"map": mapping_row(mapping, spec)}, spec)
        assert again.loops == mapping.loops
        assert again.keep == mapping.keep


@pytest.mark.parametrize("seed", [5000256, 5000415, 5002765])
def test_fills_wrap_instead_of_becoming_negative(seed):
    """Strided hulls make tiles of which more words count as first writes than are ever fetched."""
    spec, mappings, switches = random_case(seed)
    evaluator = NativeEvaluator(spec, switches=switches)
    results = [evaluator.statistics(mapping) for mapping in mappings]
    fills = [
        tensor.fills
        for result in results
        if isinstance(result, Statistics)
        for level in result.levels
        for tensor in level.tensors
    ]
    assert max(fills) > 2**63
    outcome = evaluator(MappingBatch.of(mappings))
    assert outcome.energy_pj.max() > 1e18


@pytest.mark.parametrize("seed", range(3))
def test_threads_and_plain_python_change_nothing(seed):
    spec, mappings, switches = random_case(seed)
    batch = MappingBatch.of(mappings)
    results = [
        NativeEvaluator(spec, switches=switches, threads=threads, compiled=compiled)(batch)
        for threads, compiled in ((1, True), (2, True), (1, False))
    ]
    for other in results[1:]:
        for name in ("cycles", "energy_pj", "utilization", "failure", "failed_level"):
            assert getattr(other, name).tolist() == getattr(results[0], name).tolist()


def test_every_kind_of_outcome_occurs():
    seen = set()
    for seed in range(150):
        spec, mappings, switches = random_case(seed)
        seen |= {
            Failure(int(f))
            for f in NativeEvaluator(spec, switches=switches)(MappingBatch.of(mappings)).failure
        }
    assert seen >= {Failure.OK, Failure.CAPACITY, Failure.UTILIZATION, Failure.FANOUT, Failure.OTHER}


def test_statistics_are_complete():
    spec, mappings, switches = random_case(11)
    evaluator = NativeEvaluator(spec, switches=switches)
    results = [evaluator.statistics(mapping) for mapping in mappings]
    for result in results:
        if isinstance(result, Statistics):
            assert len(result.levels) == len(spec.architecture.storage)
            assert [n.name for n in result.networks] == sorted(n.name for n in result.networks)

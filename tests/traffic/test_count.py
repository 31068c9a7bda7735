"""Counts without prices are those that the evaluation pays for."""

from __future__ import annotations

import numpy as np
from random_cases import random_mapping, random_spec, random_switches

from timeloop_marl.cost.outcome import Failure
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.traffic.count import begin_words, move_space, settle_space
from timeloop_marl.traffic.geometry import asking, geometry_of
from timeloop_marl.traffic.levels import COMPUTES, STEPS
from timeloop_marl.traffic.workspace import workspace

COUNTS = (
    "reads",
    "fills",
    "updates",
    "held",
    "rep",
    "entries",
    "links",
    "content",
    "share",
    "peer",
    "fanout",
)


def test_counts_equal_those_of_the_evaluation() -> None:
    generator, valid = np.random.default_rng(31), 0
    for _ in range(150):
        spec = random_spec(generator, negative=True, distribution=bool(generator.random() < 0.2))
        switches = random_switches(generator, spec, no_coalesce=True)
        evaluator = NativeEvaluator(spec, switches=switches, vectors=False)
        batch = MappingBatch.of([random_mapping(generator, spec)])
        outcome = evaluator(batch)
        if outcome.failure[0] != Failure.OK:
            continue
        valid += 1
        priced = evaluator._take()[0]
        geometry = geometry_of(spec, switches)
        assert geometry_of(spec, switches) is geometry
        geometry = asking(geometry, bool(evaluator.geometry.hops_needed))
        work = workspace(geometry)
        assert begin_words(geometry, batch.factors, batch.order, batch.split, batch.keep, 0, work)
        for p in range(len(spec.problem.data_spaces)):
            move_space(geometry, work, p)
            assert settle_space(geometry, work, p)
        for name in COUNTS:
            assert np.array_equal(getattr(work, name), getattr(priced, name)), name
        assert (work.counts[[STEPS, COMPUTES]] == priced.counts[[STEPS, COMPUTES]]).all()
    assert valid > 50

"""The closed form for perfect factors and the exact walk are two computations of the same figures."""

from __future__ import annotations

import numpy as np
import pytest
from random_cases import random_mapping, random_spec, random_switches
from test_walk import entries_of, run_walk

from timeloop_marl.cost.checks import survey
from timeloop_marl.cost.outcome import Failure
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.traffic.accesses import fill_accesses
from timeloop_marl.traffic.geometry import geometry_of
from timeloop_marl.traffic.nest import build_nest
from timeloop_marl.traffic.workspace import workspace


def run_closed_form(spec, mapping, switches):
    geometry = geometry_of(spec, switches)
    work = workspace(geometry)
    batch = MappingBatch.of([mapping])
    arrays = batch.factors, batch.residuals, batch.order, batch.split
    assert survey(geometry, *arrays, batch.keep, 0, work, False) == Failure.OK
    build_nest(geometry, *(array[0] for array in arrays), work)
    fill_accesses(geometry, work)
    assert work.status[0] == 0
    return work


def close(a, b):
    """Equal counts; hop sums may differ in the order of their summands. Unicast hops matter for M:N networks only."""
    return a[0] == b[0] and abs(a[1] - b[1]) <= 1e-9 * max(1, abs(a[1]))


@pytest.mark.parametrize("rules", ["2025", "2022"])
@pytest.mark.parametrize("negative", [False, True])
def test_closed_form_equals_walk(rules, negative):
    rng = np.random.default_rng(2025 + negative)
    linked = several = 0
    for case in range(400):
        options = ModelOptions(rules=rules, link_transfers=bool(rng.random() < 0.9))
        spec = random_spec(rng, negative=negative, options=options)
        mapping, switches = random_mapping(rng, spec), random_switches(rng, spec)
        walked, closed = run_walk(spec, mapping, switches), run_closed_form(spec, mapping, switches)
        for s in range(len(spec.architecture.storage)):
            for p in range(len(spec.problem.data_spaces)):
                want, got = entries_of(walked, s, p), entries_of(closed, s, p)
                assert list(want) == list(got), (case, s, p, mapping)
                assert all(close(want[key], got[key]) for key in want), (case, s, p, mapping)
                assert walked.links[s, p] == closed.links[s, p], (case, s, p)
                assert walked.tile[s, p] == closed.tile[s, p]
                several += len(want) > 1
                linked += walked.links[s, p] > 0
        assert walked.counters[1] / walked.counters[0] == closed.counters[1] / closed.counters[0]
    assert linked > 10
    assert several > 5

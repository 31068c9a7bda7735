"""The exact walk, by classes and visit by visit, against its plain reference."""

from __future__ import annotations

import numpy as np
import pytest
from random_cases import random_mapping, random_spec, random_switches
from reference_walk import Walk

from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.traffic.geometry import geometry_of
from timeloop_marl.traffic.imperfect.space import walk_space
from timeloop_marl.traffic.imperfect.visits import walk_visits
from timeloop_marl.traffic.imperfect.walk import prepare_walk, walk
from timeloop_marl.traffic.nest import build_nest
from timeloop_marl.traffic.workspace import workspace


def run_walk(spec, mapping, switches, kernel=walk):
    """The workspace that the compiled walk leaves."""
    geometry = geometry_of(spec, switches)
    work, space = workspace(geometry, 64), walk_space(geometry)
    batch = MappingBatch.of([mapping])
    build_nest(geometry, batch.factors[0], batch.residuals[0], batch.order[0], batch.split[0], work)
    prepare_walk(geometry, work, space)
    kernel(geometry, work, space)
    assert work.status[0] == 0
    return work


def entries_of(work, s, p):
    return {
        (int(work.multicast[s, p, e]), int(work.scatter[s, p, e])): (
            float(work.accesses[s, p, e]),
            float(work.hops[s, p, e]),
            float(work.unicast[s, p, e]),
        )
        for e in range(work.entries[s, p])
    }


def plain_walk(spec, mapping, switches):
    return Walk(spec, mapping, switches, spec.options.link_transfers, spec.options.rules).run()


def assert_equal(spec, mapping, switches, kernel=walk, expected=None):
    expected = plain_walk(spec, mapping, switches) if expected is None else expected
    work = run_walk(spec, mapping, switches, kernel)
    for s in range(len(spec.architecture.storage)):
        for p in range(len(spec.problem.data_spaces)):
            want = {k: (e.accesses, e.hops, e.unicast) for k, e in sorted(expected.entries[s][p].items())}
            assert entries_of(work, s, p) == want, (s, p)
            assert list(entries_of(work, s, p)) == list(want)
            assert work.links[s, p] == expected.link[s][p]
            assert work.tile[s, p] == expected.size[s][p]
            assert work.block_tile[s, p] == expected.block_size[s][p]
    assert work.counters[0] == len(expected.compute)
    assert work.counters[1] == sum(expected.compute)
    return work


@pytest.mark.parametrize("rules", ["2025", "2022"])
@pytest.mark.parametrize("imperfect", [False, True])
def test_compiled_walks_equal_plain_reference(imperfect, rules):
    rng = np.random.default_rng(7 + imperfect)
    served = 0
    for _ in range(150):
        options = ModelOptions(rules=rules, link_transfers=bool(rng.random() < 0.85))
        spec = random_spec(rng, negative=True, options=options)
        mapping = random_mapping(rng, spec, imperfect)
        switches = random_switches(rng, spec)
        expected = plain_walk(spec, mapping, switches)
        for kernel in (walk, walk_visits):
            served += assert_equal(spec, mapping, switches, kernel, expected).links.any()
    assert served > 10  # link transfers were exercised

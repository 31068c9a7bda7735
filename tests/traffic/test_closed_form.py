"""The fast closed form against the explicit version that walks all children, and both against the exact walk."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cases import random_mapping, random_spec, random_switches
from test_walk import entries_of, run_walk

from timeloop_marl.cost.checks import survey
from timeloop_marl.cost.evaluate import evaluate
from timeloop_marl.cost.outcome import Failure
from timeloop_marl.cost.rates import paid_for, rates_of
from timeloop_marl.kernels.compiling import kernel
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.traffic.accesses import fill_accesses
from timeloop_marl.traffic.geometry import NO_LIMIT, Geometry, asking, geometry_of
from timeloop_marl.traffic.imperfect.space import walk_space
from timeloop_marl.traffic.nest import build_nest
from timeloop_marl.traffic.workspace import Workspace, workspace

seeds = st.integers(0, 2**32 - 1)


@kernel
def run_closed_form(
    geometry: Geometry,
    factors: object,
    residuals: object,
    order: object,
    split: object,
    keep: object,
    work: Workspace,
) -> int:
    failure = survey(geometry, factors, residuals, order, split, keep, 0, work, False)
    if failure == 0:
        build_nest(geometry, factors[0], residuals[0], order[0], split[0], work)
        fill_accesses(geometry, work)
    return failure


def closed_form(spec, mapping, switches, *, coded=True, hops=True):
    """The workspace after the closed form; ``coded=False`` forces the explicit version everywhere."""
    geometry = asking(geometry_of(spec, switches), hops)
    geometry.coded = coded and geometry.coded
    geometry.capacity[:] = NO_LIMIT
    work = workspace(geometry)
    batch = MappingBatch.of([mapping])
    failure = run_closed_form(
        geometry, batch.factors, batch.residuals, batch.order, batch.split, batch.keep, work
    )
    return None if failure else work


def figures(spec, work, unicast):
    keep = slice(0, 3 if unicast else 2)
    return [
        (
            {key: values[keep] for key, values in entries_of(work, s, p).items()},
            float(work.links[s, p]),
            int(work.tile[s, p]),
        )
        for s in range(len(spec.architecture.storage))
        for p in range(len(spec.problem.data_spaces))
    ]


def case(seed, rules="2025"):
    rng = np.random.default_rng(seed)
    options = ModelOptions(rules=rules, link_transfers=bool(rng.random() < 0.85))
    distribution, overflow = bool(rng.random() < 0.2), bool(rng.random() < 0.3)
    for attempt in range(1 if rng.random() < 0.25 else 40):
        if attempt % 3 == 0:
            spec = random_spec(rng, negative=True, distribution=distribution, options=options)
        mapping = random_mapping(rng, spec, overflow=overflow)
        if couples(spec, mapping):
            break
    return spec, mapping, random_switches(rng, spec)


def couples(spec, mapping):
    """Whether two loops of one spatial block reach the same place of a rank, so that groups differ in size."""
    stride = [1] * len(spec.problem.dims)
    ranks = [rank for space in spec.problem.data_spaces for rank in space.ranks]
    for level, loops in zip(spec.architecture.tiling_levels, mapping.loops, strict=True):
        if level.spatial and any(overlap(rank, stride, loops.factors) for rank in ranks):
            return True
        stride = [size * factor for size, factor in zip(stride, loops.factors, strict=True)]
    return False


def overlap(rank, stride, factors):
    steps = [(abs(term.coefficient) * stride[term.dim], factors[term.dim]) for term in rank]
    return any(
        n > b // math.gcd(a, b) and m > a // math.gcd(a, b)
        for (a, n), (b, m) in itertools.combinations(steps, 2)
    )


@pytest.mark.parametrize("rules", ["2025", "2022"])
def test_all_versions_agree(rules):
    """Fast, explicit, without hops and walked, on the same cases; enough of these reach what they are for."""
    reached = Counter()
    for seed in range(500):
        spec, mapping, switches = case(seed, rules)
        fast = closed_form(spec, mapping, switches)
        if fast is None:
            continue
        reached.update(valid=1, linked=bool(fast.links.any()), several=bool((fast.entries > 1).any()))
        explicit = closed_form(spec, mapping, switches, coded=False)
        assert figures(spec, fast, unicast=False) == figures(spec, explicit, unicast=False)
        walked = run_walk(spec, mapping, switches)
        assert figures(spec, explicit, unicast=True) == figures(spec, walked, unicast=True)
        assert float(explicit.counters[1]) == walked.counters[1] / walked.counters[0]
        lean = closed_form(spec, mapping, switches, hops=False)
        for s in range(len(spec.architecture.storage)):
            for p in range(len(spec.problem.data_spaces)):
                accesses = {key: values[0] for key, values in entries_of(lean, s, p).items()}
                assert accesses == {key: values[0] for key, values in entries_of(fast, s, p).items()}
                assert lean.links[s, p] == fast.links[s, p]
    print(dict(reached))
    assert reached["valid"] > 300
    assert reached["linked"] > 20
    assert reached["several"] > 20


@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_whole_evaluation_does_not_depend_on_the_version(seed):
    rng = np.random.default_rng(seed)
    spec = random_spec(rng, negative=True)
    mapping = random_mapping(rng, spec)
    geometry = paid_for(geometry_of(spec, random_switches(rng, spec, no_coalesce=True)), spec)
    rates = rates_of(spec)
    work, space = workspace(geometry), walk_space(geometry)
    batch = MappingBatch.of([mapping])
    arrays = batch.factors, batch.residuals, batch.order, batch.split, batch.keep
    results = []
    for coded in (True, False):
        geometry.coded = coded
        failure = evaluate(geometry, rates, *arrays, 0, work, space, False)
        results.append(
            (failure, work.counts.tolist(), work.level_energy.tolist(), work.network_energy.tolist())
        )
    assert results[0] == results[1] or results[0][0] == results[1][0] != Failure.OK

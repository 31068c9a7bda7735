"""Visits counted by classes against visits one by one: machines and nests at random, and where classes give up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from random_cases import random_mapping, random_spec, random_switches
from test_walk import entries_of

from timeloop_marl.kernels.compiling import plain
from timeloop_marl.specs.mapping import Mapping, MappingBatch, TilingLoops
from timeloop_marl.specs.spec import ModelOptions
from timeloop_marl.traffic.geometry import asking, geometry_of
from timeloop_marl.traffic.imperfect import space as space_module
from timeloop_marl.traffic.imperfect.space import walk_space
from timeloop_marl.traffic.imperfect.visits import walk_visits
from timeloop_marl.traffic.imperfect.walk import prepare_walk, walk, walk_classes
from timeloop_marl.traffic.nest import build_nest
from timeloop_marl.traffic.workspace import workspace


class Case:
    """One nest, ready to be walked again and again."""

    def __init__(self, spec, mapping, switches, hops=True):
        self.spec = spec
        self.geometry = asking(geometry_of(spec, switches), hops)
        self.work, self.space = workspace(self.geometry, 64), walk_space(self.geometry)
        batch = MappingBatch.of([mapping])
        build_nest(
            self.geometry, batch.factors[0], batch.residuals[0], batch.order[0], batch.split[0], self.work
        )
        prepare_walk(self.geometry, self.work, self.space)

    def run(self, kernel):
        """What the kernel returns, and the figures that it leaves."""
        answer = kernel(self.geometry, self.work, self.space)
        assert self.work.status[0] == 0
        pairs = [
            (s, p)
            for s in range(len(self.spec.architecture.storage))
            for p in range(len(self.spec.problem.data_spaces))
        ]
        figures = {
            (s, p): (list(entries_of(self.work, s, p).items()), float(self.work.links[s, p]))
            for s, p in pairs
        }
        return answer, figures, self.work.counters.tolist()


def without_hops(figures):
    return {key: ([(e, v[0]) for e, v in entries], links) for key, (entries, links) in figures.items()}


@pytest.mark.parametrize("rules", ["2025", "2022"])
@pytest.mark.parametrize("wide", [False, True])
def test_classes_equal_visits(wide, rules):
    rng = np.random.default_rng(99 + wide)
    linked = several = 0
    for number in range(300):
        options = ModelOptions(rules=rules, link_transfers=bool(rng.random() < 0.9))
        spec = random_spec(rng, negative=bool(rng.random() < 0.5), options=options)
        if wide:
            spec = with_wide_bounds(rng, spec)
        hops = bool(rng.random() < 0.5)
        case = Case(spec, random_mapping(rng, spec, True), random_switches(rng, spec), hops)
        counted, by_classes, counters = case.run(walk_classes)
        _, by_visits, wanted = case.run(walk_visits)
        assert counted
        assert counters == wanted
        if not hops:
            by_classes, by_visits = without_hops(by_classes), without_hops(by_visits)
        assert by_classes == by_visits, number
        linked += any(links for _, links in by_visits.values())
        several += any(len(entries) > 1 for entries, _ in by_visits.values())
    assert linked > 5
    assert several > 20


def with_wide_bounds(rng, spec):
    """The same problem with bounds that give deep nests of several residuals."""
    bounds = tuple(int(b) for b in rng.choice([3, 5, 7, 11, 17, 29, 50], len(spec.problem.dims)))
    return dataclasses.replace(spec, problem=dataclasses.replace(spec.problem, bounds=bounds))


@pytest.mark.parametrize("axis", sorted(space_module.CLASSES))
def test_too_many_classes_are_walked_visit_by_visit(axis, monkeypatch):
    monkeypatch.setitem(space_module.CLASSES, axis, 2)
    rng = np.random.default_rng(5)
    gave_up = 0
    for _ in range(60):
        spec = random_spec(rng)
        case = Case(spec, random_mapping(rng, spec, True), random_switches(rng, spec))
        counted, *_ = case.run(plain(walk_classes))
        _, figures, counters = case.run(plain(walk))
        assert (figures, counters) == case.run(plain(walk_visits))[1:]
        gave_up += not counted
        if gave_up > 2:
            return
    raise AssertionError(f"two {axis} were enough")


def test_codes_that_may_clash_are_not_used():
    rng = np.random.default_rng(6)
    spec = random_spec(rng)
    case = Case(spec, random_mapping(rng, spec, True), random_switches(rng, spec))
    assert case.run(walk_classes)[0]
    case.space.exact = False
    assert not case.run(walk_classes)[0]
    assert case.run(walk)[1:] == case.run(walk_visits)[1:]


def test_sums_that_may_be_rounded_are_taken_in_the_order_of_the_visits():
    """A matrix product of 2^52 steps, the outer loops of which have residuals."""
    rng = np.random.default_rng(8)
    spec = random_spec(rng)
    while len(spec.problem.dims) != 3:
        spec = random_spec(rng)
    bounds = 2**17 - 1, 2**17 - 1, 2**18
    spec = dataclasses.replace(spec, problem=dataclasses.replace(spec.problem, bounds=bounds))
    tiles = spec.architecture.tiling_levels
    innermost = next(t for t, tile in enumerate(tiles) if not tile.spatial)
    loops = []
    for t in range(len(tiles)):
        factors, residuals = [1, 1, 1], [1, 1, 1]
        if t == innermost:
            factors, residuals = [2, 2, 2], [1, 1, 2]
        if t == len(tiles) - 1:
            factors = [2**16, 2**16, 2**17]
            residuals = factors
        loops.append(TilingLoops(tuple(factors), tuple(residuals), (0, 1, 2), 0))
    keep = tuple((True,) * 3 for _ in spec.architecture.storage)
    case = Case(spec, Mapping(tuple(loops), keep), random_switches(rng, spec, chance=0))
    assert not case.run(walk_classes)[0]
    assert case.run(walk)[1:] == case.run(walk_visits)[1:]

"""Violated constraints are named: which one, where, expected and found; timeloop-model's narrower check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from machines import gemm, three_level

from timeloop_marl.mapspace.membership import Rule, violations
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.spec import Spec

PROBLEM = gemm(4, 2, 6)
LEVELS = three_level(
    PROBLEM
).architecture.tiling_levels  # RF temporal, BUF spatial 2x2, BUF temporal, DRAM temporal


def loops(order: str, split: int = 3, **factors: int) -> TilingLoops:
    values = tuple(factors.get(dim, 1) for dim in "MNK")
    return TilingLoops(values, values, tuple("MNK".index(dim) for dim in order), split)


def mapping(*levels: TilingLoops) -> Mapping:
    return Mapping(levels, ((True,) * 3,) * 3)


GOOD = mapping(loops("MNK", K=3), loops("MNK", 1, M=2, N=2), loops("KNM", K=2), loops("MNK", M=2))


def constrained(level: int, spatial: bool, **rule: object) -> Spec:
    made = replace(LoopConstraint(source="c.yaml: constraints[0]"), **rule)
    return three_level(PROBLEM, {(level, spatial): made})


def rules(mapped: Mapping, spec: Spec) -> list[Rule]:
    return [violation.rule for violation in violations(mapped, spec)]


def test_a_good_mapping_violates_nothing() -> None:
    assert violations(GOOD, three_level(PROBLEM)) == []


@pytest.mark.parametrize(
    ("spec", "rule", "expected", "found"),
    [
        (constrained(1, True, fixed={0: 4}), Rule.FIXED, "4", "2"),
        (constrained(1, True, maximum={0: 1}), Rule.MAXIMUM, "at most 1", "2"),
        (constrained(2, False, minimum={0: 4}), Rule.MINIMUM, "at least 4", "2"),
        (constrained(1, True, prefix=(1, 0)), Rule.PERMUTATION, "NM innermost", "MN"),
        (constrained(1, True, suffix=(0,), prefix=()), Rule.PERMUTATION, "M outermost", "MN"),
        (constrained(1, True, prefix=(0, 1, 2), split=2), Rule.SPLIT, "2 positions in X", "X = M, Y = N"),
    ],
)
def test_loop_constraints_are_named(spec: Spec, rule: Rule, expected: str, found: str) -> None:
    (violation,) = violations(GOOD, spec)
    assert (violation.rule, violation.expected, violation.found) == (rule, expected, found)
    assert violation.source == "c.yaml: constraints[0]"
    assert violation.level in str(violation) and violation.expected in str(violation)


def test_factor_product() -> None:
    short = replace(GOOD, loops=(loops("MNK"), *GOOD.loops[1:]))
    (violation,) = violations(short, three_level(PROBLEM))
    assert (violation.rule, violation.subject, violation.expected, violation.found) == (
        Rule.BOUND,
        "K",
        "6",
        "2",
    )


def test_fanout() -> None:
    wide = replace(GOOD, loops=(GOOD.loops[0], loops("MNK", 3, M=2, N=2), *GOOD.loops[2:]))
    (violation,) = violations(wide, three_level(PROBLEM))
    assert (violation.rule, violation.subject, violation.found) == (Rule.FANOUT, "X", "4")


def test_bypass_and_kept_nowhere() -> None:
    base = three_level(PROBLEM)
    strings = (("1", "X", "1"), ("X", "0", "1"), ("X", "X", "X"))
    spec = replace(base, constraints=replace(base.constraints, bypass=strings))
    keep = ((False, True, False), (True, True, False), (True, True, False))
    found = violations(replace(GOOD, keep=keep), spec)
    assert [(v.rule, v.subject, v.level) for v in found] == [
        (Rule.BYPASS, "A", "RF"),
        (Rule.BYPASS, "B", "BUF"),
        (Rule.KEPT_NOWHERE, "Z", ""),
    ]


def test_parallelism_and_temporal_loops() -> None:
    base = three_level(PROBLEM)
    spec = replace(
        base,
        constraints=replace(base.constraints, min_parallelism=1.0),
        mapper=replace(base.mapper, max_temporal_loops_in_a_mapping=2),
    )
    assert rules(GOOD, spec) == [Rule.TEMPORAL_LOOPS]
    half = mapping(GOOD.loops[0], loops("MNK", 1, M=2), loops("KNM", K=2, N=2), GOOD.loops[3])
    assert rules(half, spec) == [Rule.PARALLELISM, Rule.TEMPORAL_LOOPS]


def test_the_innermost_permutation_has_no_effect_as_in_the_mapper() -> None:
    spec = constrained(0, False, prefix=(2, 1, 0))
    space = TimeloopMapspace(spec)
    batch = space.decode(space.sample(np.random.default_rng(0), 50))
    assert all(Rule.PERMUTATION not in rules(batch[i], spec) for i in range(50))


def test_a_fixed_factor_beyond_what_is_left_is_cut_as_in_the_mapper() -> None:
    assert rules(GOOD, constrained(1, False, fixed={2: 3})) == []  # of K = 6 the inner levels leave 2

"""Infeasible and wasteful constraint sets are diagnosed: which constraint, which level, what would mend it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import conv, gemm, level, spec, three_level

from timeloop_marl.errors import InfeasibleError
from timeloop_marl.mapspace.diagnosis import Finding, Severity, diagnose, require_feasible
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.spec import Spec

PROBLEM = gemm(4, 2, 6)


def rule(**values: object) -> LoopConstraint:
    return replace(LoopConstraint(source="c.yaml: targets[0]"), **values)


def errors(machine: Spec) -> list[Finding]:
    return [finding for finding in diagnose(machine) if finding.severity is Severity.ERROR]


def test_a_sound_spec_has_no_findings() -> None:
    assert diagnose(three_level(PROBLEM)) == []
    require_feasible(three_level(PROBLEM))


def test_limits_that_no_factorisation_meets() -> None:
    machine = three_level(PROBLEM, {(1, False): rule(minimum={2: 4}, maximum={2: 5})})
    found = errors(machine)
    assert {finding.level for finding in found} == {"BUF (temporal)"}
    assert any("K>=4" in finding.remedy for finding in found)
    assert all(finding.source == "c.yaml: targets[0]" for finding in found)
    with pytest.raises(InfeasibleError, match=r"no factorisation of K \(bound 6\)"):
        require_feasible(machine)


def test_fixed_factors_that_do_not_cover_the_bound() -> None:
    rules = {(s, spatial): rule(fixed={0: 1}) for s, spatial in ((0, False), (1, True), (1, False))}
    machine = three_level(PROBLEM, {**rules, (2, False): rule(fixed={0: 2})})
    found = errors(machine)
    assert len(found) == 4 and all("bound 4" in finding.problem for finding in found)


def test_fixed_spatial_factors_wider_than_the_mesh() -> None:
    machine = three_level(PROBLEM, {(1, True): rule(fixed={0: 4, 1: 2})})
    (found,) = errors(machine)
    assert found.level == "BUF (spatial)" and "M4 N2" in found.found and "2 in X and 2 in Y" in found.expected


def test_a_split_that_puts_everything_on_one_side() -> None:
    both = {"fixed": {0: 2, 1: 2}, "prefix": (0, 1, 2)}
    assert errors(three_level(PROBLEM, {(1, True): rule(**both)})) == []
    assert errors(three_level(PROBLEM, {(1, True): rule(**both, split=1)})) == []
    (found,) = errors(three_level(PROBLEM, {(1, True): rule(**both, split=3)}))
    assert "split 3" in found.found


def test_a_forced_tile_larger_than_its_buffer() -> None:
    keep = (("1", "X", "1"),) * 3
    base = three_level(PROBLEM, {(0, False): rule(fixed={0: 4, 2: 6})})
    (found,) = errors(replace(base, constraints=replace(base.constraints, bypass=keep)))
    assert found.level == "RF" and "34 words for A, B, Z" in found.found and "at most 20" in found.expected
    assert errors(base) == []  # bypassing is free there


def test_a_data_space_kept_nowhere() -> None:
    base = three_level(PROBLEM)
    strings = (("X", "X", "1"), ("0", "0", "0"), ("X", "X", "1"))
    (found,) = errors(replace(base, constraints=replace(base.constraints, bypass=strings)))
    assert "B is bypassed at every storage level" in found.problem and "DRAM" in found.remedy


def test_min_utilization_beyond_all_tiles() -> None:
    storage = (level("RF", 100, min_utilization=0.9), level("DRAM", None))
    (found,) = errors(spec(PROBLEM, storage))
    assert found.level == "RF" and "at most 44 words" in found.found and "90 of 100" in found.expected


def test_parallelism_beyond_reach() -> None:
    machine = three_level(PROBLEM, {(1, True): rule(fixed={0: 1, 1: 1, 2: 1})})
    machine = replace(machine, constraints=replace(machine.constraints, min_parallelism=0.5))
    (found,) = errors(machine)
    assert found.found == "'at most 0.25'" or "0.25" in found.found


def test_a_pinned_dimension_that_leaves_the_array_idle_is_a_warning() -> None:
    """N means the batch in the machine's constraints and the output columns in the problem."""
    storage = (level("RF", 64, 16, 1), level("BUF", 100_000), level("DRAM", None))
    machine = spec(gemm(1, 3072, 1), storage, (16, 1), {(1, True): rule(fixed={1: 1})})
    (found,) = diagnose(machine)
    assert found.severity is Severity.WARNING and found.level == "BUF (spatial)"
    assert "N (bound 3072) to 1" in found.problem and "1 of 16" in found.problem
    assert diagnose(spec(gemm(16, 3072, 1), storage, (16, 1), {(1, True): rule(fixed={1: 1})})) == []


def test_factors_that_do_not_divide_are_a_warning() -> None:
    machine = three_level(conv(1, 4, 1, 5), {(1, True): rule(fixed={3: 2})})
    (found,) = diagnose(machine)
    assert found.severity is Severity.WARNING and "P=2 does not divide" in found.problem


@st.composite
def constraint_sets(draw: st.DrawFn) -> Spec:
    def limits(most: int) -> st.SearchStrategy[dict[int, int]]:
        return st.dictionaries(st.integers(0, 2), st.integers(1, most), max_size=2)

    loops = {
        key: rule(fixed=draw(limits(4)), minimum=draw(limits(3)), maximum=draw(limits(6)))
        for key in draw(st.sets(st.sampled_from([(0, False), (1, True), (1, False), (2, False)]), max_size=2))
    }
    strings = tuple(tuple(draw(st.sampled_from(["XX1", "1X1", "0X1", "111"]))) for _ in range(3))
    machine = three_level(PROBLEM, loops)
    return replace(machine, constraints=replace(machine.constraints, bypass=strings))


@settings(max_examples=60, deadline=None)
@given(constraint_sets())
def test_no_valid_mapping_exists_where_an_error_is_found(machine: Spec) -> None:
    space = TimeloopMapspace(machine)
    found = errors(machine)
    if any(size == 0 for size in space.factorization_sizes):
        assert found
        return
    batch = space.decode(space.sample(np.random.default_rng(0), 3000))
    valid = (space.construction_failures(batch) < 0) & (space.capacity_failures(batch) < 0)
    assert not (found and valid.any())


def test_a_fixed_factor_that_inner_loops_cut_down_is_no_error() -> None:
    """M=3 over a bound of 4 on a mesh of 2 x 2: with a loop of 2 inside, 2 are left for the array."""
    machine = three_level(PROBLEM, {(1, True): rule(fixed={0: 3})})
    assert errors(machine) == []
    (found,) = errors(three_level(PROBLEM, {(1, True): rule(fixed={0: 3}), (0, False): rule(fixed={0: 1})}))
    assert found.level == "BUF (spatial)" and "M3" in found.found


def test_a_prime_that_fits_no_mesh() -> None:
    """Timeloop lists factorisations, none of which fits: K = 7 can only be spatial, on a mesh of 2 x 2."""
    rules = {(s, False): rule(fixed={2: 1}) for s in range(3)}
    machine = three_level(gemm(4, 2, 7), rules)
    assert TimeloopMapspace(machine).factorization_sizes[2] == 1
    (found,) = errors(machine)
    assert "the factor 7 of K (bound 7) fits no tiling level" in found.problem and "free K" in found.remedy


def test_contradicting_limits_of_one_level_are_named_once() -> None:
    machine = three_level(PROBLEM, {(0, False): rule(minimum={0: 4}, maximum={0: 2})})
    (found,) = errors(machine)
    assert found.problem == "M>=4 contradicts M<=2" and found.level == "RF (temporal)"


def test_messages_say_where_a_bypass_was_asked_for() -> None:
    strings = (("X", "X", "1"), ("0", "0", "0"), ("X", "X", "1"))
    base = three_level(PROBLEM)
    sources = {(1, s): f"c.yaml: targets[{s}].bypass" for s in range(3)}
    constraints = replace(base.constraints, bypass=strings, bypass_sources=sources)
    (found,) = errors(replace(base, constraints=constraints))
    assert found.source == "; ".join(sources.values())


def test_an_unreachable_parallelism_names_its_source() -> None:
    machine = three_level(PROBLEM, {(1, True): rule(fixed={0: 1, 1: 1, 2: 1})})
    constraints = replace(
        machine.constraints, min_parallelism=0.5, parallelism_source="c.yaml: targets[4].min"
    )
    (found,) = errors(replace(machine, constraints=constraints))
    assert found.source == "c.yaml: targets[4].min"

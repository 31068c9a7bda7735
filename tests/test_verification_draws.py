"""Mappings for the comparison of native and real: each kind is what it says, different and repeatable."""

from __future__ import annotations

import dataclasses
import math

import pytest
from machines import conv, three_level

from timeloop_marl.errors import UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.membership import violations
from timeloop_marl.specs.constraints import Constraints
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.verification import KINDS, drawn

# The buffer holds no weights.
SPEC = dataclasses.replace(
    three_level(conv(4, 6, 3, 8)), constraints=Constraints(bypass=(("X0X"), ("XXX"), ("XXX")))
)


def valid(spec: Spec, kind: str, count: int = 40) -> list[bool]:
    outcome = NativeEvaluator(spec, compiled=False)(MappingBatch.of(drawn(spec, kind, count, 1)))
    return [int(failure) == 0 for failure in outcome.failure]


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_different_and_repeatable(kind: str) -> None:
    first = drawn(SPEC, kind, 40, 1)
    assert len(set(first)) == 40
    assert first == drawn(SPEC, kind, 40, 1) != drawn(SPEC, kind, 40, 2)


def test_what_is_drawn_to_be_valid_is_valid_and_the_rest_is_not() -> None:
    assert all(valid(SPEC, "feasible")) and all(valid(SPEC, "unconstrained"))
    assert not all(valid(SPEC, "any"))
    assert any(valid(SPEC, "mixed")) and not all(valid(SPEC, "mixed"))


def test_constraints_are_kept_or_left_out() -> None:
    assert not any(violations(mapping, SPEC) for mapping in drawn(SPEC, "feasible", 40, 1))
    assert any(violations(mapping, SPEC) for mapping in drawn(SPEC, "unconstrained", 40, 1))


def test_imperfect_factors_walk_the_whole_bound() -> None:
    for mapping in drawn(SPEC, "imperfect", 40, 1):
        assert mapping.imperfect
        for dim, bound in enumerate(SPEC.problem.bounds):
            left = bound
            for level in mapping.loops:
                factor, residual = level.factors[dim], level.residuals[dim]
                assert residual == (left % factor or factor)
                left = math.ceil(left / factor)
            assert left == 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="feasible, any, unconstrained, imperfect, mixed"):
        drawn(SPEC, "perfect", 1, 1)

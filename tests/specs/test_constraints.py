"""Constraints in the v0.3 form: every shape of section, every field, and what may not be said twice."""

from __future__ import annotations

from typing import Any

import pytest
from yaml_cases import MATMUL, PAT, machine, spec

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.architecture import TilingLevel
from timeloop_marl.specs.constraints import Constraints, LoopConstraint
from timeloop_marl.specs.document import Document

RF, BUF, DRAM = 0, 1, 2
M, N, K = 0, 1, 2
A, B, Z = 0, 1, 2


def read(*targets: dict[str, Any], **sections: Any) -> Constraints:
    return spec(mapspace={"targets": list(targets)}, **sections).constraints


def loops(level: int, spatial: bool, *targets: dict[str, Any]) -> LoopConstraint:
    return read(*targets).loops[TilingLevel(level, spatial)]


def test_without_constraints_everything_is_free_but_the_top() -> None:
    constraints = spec().constraints
    assert constraints.loops == {}
    assert constraints.bypass == (("X", "X", "1"),) * 3


def test_temporal() -> None:
    constraint = loops(
        RF,
        False,
        {"target": "RF", "type": "temporal", "factors": "M=2, K<=3 K>=2 # N=5", "permutation": "K M_N"},
    )
    assert (constraint.fixed, constraint.maximum, constraint.minimum) == ({M: 2}, {K: 3}, {K: 2})
    assert (constraint.prefix, constraint.suffix) == ((K, M), (N,))
    assert "mapspace.targets[0]" in constraint.source


@pytest.mark.parametrize(
    ("text", "fixed", "maximum", "minimum"),
    [
        ("M2,N=1", {M: 2, N: 1}, {}, {}),
        ("M = 2 N==1", {M: 2, N: 1}, {}, {}),
        ("M=0", {M: 4}, {}, {}),
        ("M=99", {}, {}, {}),
        ("M<=2 K>=3", {}, {M: 2}, {K: 3}),
        ("none", {}, {}, {}),
        ("", {}, {}, {}),
    ],
)
def test_factors(text: str, fixed: dict[int, int], maximum: dict[int, int], minimum: dict[int, int]) -> None:
    constraint = loops(DRAM, False, {"target": "DRAM", "type": "temporal", "factors": text})
    assert (constraint.fixed, constraint.maximum, constraint.minimum) == (fixed, maximum, minimum)


def test_ignored_and_full_factors_are_warned_about() -> None:
    warnings = read({"target": "RF", "type": "temporal", "factors": "M=99 N=0"}).warnings
    assert any("M=99" in warning and "exceeds the bound 4" in warning for warning in warnings)
    assert any("N=0" in warning and "2" in warning for warning in warnings)


def test_defaults_reach_the_dims_without_an_own_limit() -> None:
    constraint = loops(
        RF,
        False,
        {
            "target": "RF",
            "type": "temporal",
            "factors": "M<=4",
            "default_max_factor": 2,
            "default_min_factor": 1,
        },
    )
    assert constraint.maximum == {M: 4, N: 2, K: 2}
    assert constraint.minimum == {M: 1, N: 1, K: 1}


def test_spatial() -> None:
    constraints = read(
        {
            "target": "BUF",
            "type": "spatial",
            "factors": "M=4",
            "permutation": "MN",
            "split": 9,
            "remainders": 3,
            "no_reuse": ["A"],
            "no_link_transfer": ["B", "Z"],
        }
    )
    constraint = constraints.loops[TilingLevel(BUF, True)]
    assert (constraint.prefix, constraint.suffix, constraint.split, constraint.remainders) == (
        (M, N),
        (),
        3,
        3,
    )
    assert constraints.switches.no_multicast == {(BUF, A)}
    assert constraints.switches.no_link_transfer == {(BUF, B), (BUF, Z)}


def test_temporal_switches() -> None:
    switches = read(
        {"target": "RF", "type": "temporal", "no_temporal_reuse": ["A"], "rmw_first_update": ["Z"]},
        {"target": "BUF", "type": "temporal", "no_reuse": ["B"]},
        {"target": "BUF", "type": "bypass", "no_coalesce": ["Z"]},
    ).switches
    assert switches.no_temporal_reuse == {(RF, A), (BUF, B)}
    assert switches.rmw_first_update == {(RF, Z)}
    assert switches.no_coalesce == {(BUF, Z)}


@pytest.mark.parametrize("kind", ["datatype", "bypass", "bypassing", "dataspace"])
def test_bypass(kind: str) -> None:
    constraints = read(
        {"target": "RF", "type": kind, "keep": ["A"], "bypass": ["B"]},
        {"target": "DRAM", "type": kind, "keep": ["A"], "bypass": ["Z"]},
        {"target": "DRAM", "type": kind, "keep": ["Z"]},
    )
    assert constraints.bypass == (("1", "X", "1"), ("0", "X", "1"), ("X", "X", "1"))
    assert constraints.bypass_sources[B, RF] == "mapspace.targets[0].bypass"


@pytest.mark.parametrize("kind", ["utilization", "parallelism"])
def test_utilization(kind: str) -> None:
    constraints = read({"target": "RF", "type": kind, "min": 0.5})
    assert constraints.min_parallelism == 0.5
    assert constraints.parallelism_source == "mapspace.targets[0].min"
    assert read({"type": kind, "min": 0.5}).min_parallelism == 0.5


TARGET = {"target": "RF", "type": "temporal", "factors": "M=2"}
FORMS: list[dict[str, Any]] = [
    {"mapspace": [TARGET]},
    {"mapspace": {"targets": [TARGET], "template": "ruby"}},
    {"mapspace": {"constraints": [TARGET]}},
    {"mapspace": {"constraints": "mine", "constraints_mine": [TARGET]}},
    {"mapspace": "mine", "constraints_mine": [TARGET]},
    {"mapspace_constraints": {"targets": [TARGET]}},
    {"architecture_constraints": {"targets": [TARGET]}},
    {"architecture-constraints": {"targets": [TARGET]}},
    {"arch_constraints": [TARGET]},
    {"mapspace": [{"target": "RF", "constraints": [{"type": "temporal", "factors": "M=2"}]}]},
    {"mapspace": [{"target": "RF", "type": "temporal", "attributes": {"factors": "M=2"}}]},
    {"mapspace": [{"name": "RF", "type": "temporal", "factors": "M=2"}]},
    {"mapspace": [{"target": 0, "type": "temporal", "factors": "M=2"}]},
]


@pytest.mark.parametrize("sections", FORMS)
def test_every_form_of_section_says_the_same(sections: dict[str, Any]) -> None:
    constraints = spec(**sections).constraints
    assert constraints.loops[TilingLevel(RF, False)].fixed == {M: 2}


def test_constraints_inside_the_architecture() -> None:
    architecture = {**machine(), "constraints": [TARGET]}
    assert spec(architecture).constraints.loops[TilingLevel(RF, False)].fixed == {M: 2}


def test_timeloop_model_reads_the_architecture_constraints_alone() -> None:
    data = {"architecture": machine(), "problem": MATMUL, "mapspace": [TARGET]}
    data["arch_constraints"] = [{**TARGET, "target": "DRAM"}]
    both = read_spec(Document(data), energies=PAT)
    only = read_spec(Document(data), energies=PAT, mapspace_constraints=False)
    assert set(both.constraints.loops) == {TilingLevel(RF, False), TilingLevel(DRAM, False)}
    assert set(only.constraints.loops) == {TilingLevel(DRAM, False)}


TWICE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "temporal", "factors": "M=2"}, {"type": "temporal", "factors": "M=2"}),
    ({"type": "temporal", "factors": "M<=2"}, {"type": "temporal", "factors": "M<=3"}),
    ({"type": "temporal", "factors": "M>=2"}, {"type": "temporal", "factors": "M>=2"}),
    ({"type": "temporal", "permutation": "M"}, {"type": "temporal", "permutation": "M"}),
    ({"type": "spatial", "split": 1}, {"type": "spatial", "split": 1}),
    ({"type": "temporal", "remainders": 2}, {"type": "temporal", "remainders": 2}),
    ({"type": "temporal", "default_max_factor": 2}, {"type": "temporal", "default_max_factor": 2}),
    ({"type": "temporal", "default_min_factor": 1}, {"type": "temporal", "default_min_factor": 1}),
    ({"type": "bypass", "keep": ["A"]}, {"type": "bypass", "keep": ["A"]}),
    ({"type": "bypass", "keep": ["A"]}, {"type": "bypass", "bypass": ["A"]}),
    ({"type": "temporal", "no_reuse": ["A"]}, {"type": "temporal", "no_reuse": ["B"]}),
    ({"type": "spatial", "no_link_transfer": ["A"]}, {"type": "spatial", "no_link_transfer": ["B"]}),
]


@pytest.mark.parametrize(("first", "second"), TWICE)
@pytest.mark.parametrize("apart", [False, True])
def test_nothing_is_said_twice(first: dict[str, Any], second: dict[str, Any], apart: bool) -> None:
    one, two = {"target": "BUF", **first}, {"target": "BUF", **second}
    sections = {"mapspace": [one], "arch_constraints": [two]} if apart else {"mapspace": [one, two]}
    with pytest.raises(SpecError, match="twice"):
        spec(**sections)


def test_utilization_is_said_once() -> None:
    with pytest.raises(SpecError, match="twice"):
        read({"type": "utilization", "min": 0.5}, {"type": "parallelism", "min": 0.5})


BAD: list[tuple[Any, str]] = [
    ({"target": "RF", "type": "spatial", "factors": "M=2"}, "no fan-out"),
    ({"target": "REG", "type": "temporal"}, "unknown storage level 'REG'"),
    ({"target": 7, "type": "temporal"}, "unknown storage level"),
    ({"type": "temporal"}, "no target"),
    ({"target": "RF"}, "without a type"),
    ({"target": "RF", "type": "temporl"}, "did you mean 'temporal'?"),
    ({"target": "RF", "type": "temporal", "factors": "MN=2"}, "unknown dimension 'MN'"),
    ({"target": "RF", "type": "temporal", "factors": "X=2"}, "unknown dimension"),
    ({"target": "RF", "type": "temporal", "factors": "M<2"}, "no factor"),
    ({"target": "RF", "type": "temporal", "factors": "M=2,1"}, "residual in a constraint"),
    ({"target": "RF", "type": "temporal", "factors": "M=" + "9" * 30}, "too large"),
    ({"target": "RF", "type": "temporal", "factors": "M=1 " * 2000}, "too long"),
    ({"target": "RF", "type": "temporal", "permutation": "M,N"}, "unknown dimension ','"),
    ({"target": "RF", "type": "temporal", "permutation": "MM"}, "occurs twice"),
    ({"target": "RF", "type": "temporal", "permutation": "M_N_K"}, "several '_'"),
    ({"target": "RF", "type": "temporal", "permutaton": "M"}, "did you mean 'permutation'?"),
    ({"target": "RF", "type": "temporal", "split": 1}, "unknown key 'split'"),
    ({"target": "RF", "type": "bypass", "keep": ["X"]}, "unknown data space"),
    ({"target": "RF", "type": "bypass", "keep": "A"}, "not a list of data spaces"),
    ({"target": "BUF", "type": "utilization", "min": 1}, "innermost"),
    ({"target": "RF", "type": "utilization"}, "without min"),
    ({"target": "RF", "type": "temporal", "attributes": 3}, "not a map"),
    ({"target": "RF", "constraints": ["x"]}, "not a constraint"),
    ("RF", "not a constraint"),
]


@pytest.mark.parametrize(("target", "message"), BAD)
def test_bad_constraints(target: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(target)
    assert message in str(caught.value)
    assert caught.value.path.startswith("mapspace")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"mapspace": [], "mapspace_constraints": []}, "both mapspace and mapspace_constraints"),
        ({"mapspace": "s", "constraints_s": "s"}, "no list under constraints_s"),
        ({"mapspace": {"constraints": "s"}}, "no list under constraints_s"),
        ({"mapspace": 3}, "not a list of constraints"),
        ({"mapspace": {"targts": []}}, "did you mean 'targets'?"),
        ({"mapspace": {"targets": {"a": 1}}}, "not a list"),
    ],
)
def test_bad_sections(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(**sections)
    assert message in str(caught.value)


def test_lenient_reading_skips_what_timeloop_skips() -> None:
    target = {"target": "RF", "type": "temporal", "factors": "M<2 K=3", "comment": "mine"}
    constraints = spec(strict=False, arch_constraints=[target]).constraints
    assert constraints.loops[TilingLevel(RF, False)].fixed == {K: 3}
    assert len(constraints.warnings) == 2

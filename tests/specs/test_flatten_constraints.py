"""Constraints of the v0.4 front end: by node and by target, macros, branches, errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from front_end import at, flat, machine
from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.errors import SpecError
from timeloop_marl.specs.document import NOWHERE
from timeloop_marl.specs.flatten.macros import best_factors


def test_constraints_of_nodes_become_targets(tmp_path: Path) -> None:
    document = machine(
        tmp_path,
        buffer="constraints:\n  dataspace: {keep: [Inputs], bypass: [Weights], no_coalesce: '*'}\n"
        "  temporal: {factors: C=2 M<=4 M>=2, permutation: [P, C], no_reuse: [Inputs], remainders: 2}",
        pe="constraints: {spatial: {factors: ['P=1', M = 4], permutation: MC, split: 1, no_link_transfer: '*'}}",
    )
    assert at(document, "BUF", "bypass") == {
        "keep": ("Inputs",),
        "bypass": ("Weights",),
        "no_coalesce": ("Weights", "Inputs", "Outputs"),
    }
    assert at(document, "BUF", "temporal") == {
        "factors": "C=2,M<=4,M>=2",
        "permutation": "NPC",
        "no_reuse": ("Inputs",),
        "remainders": 2,
    }
    assert at(document, "inter_PE_spatial", "spatial") == {
        "factors": "P=1,M=4",
        "permutation": "NPMC",
        "split": 1,
        "no_link_transfer": ("Weights", "Inputs", "Outputs"),
    }


@pytest.mark.parametrize("section", ["constraints", "mapspace_constraints", "architecture_constraints"])
def test_constraints_by_target(tmp_path: Path, section: str) -> None:
    more = f"""
{section}:
  targets:
  - {{target: BUF, type: temporal, factors: C=3}}
  - {{target: PE, type: spatial, factors: M=4}}
  - {{target: RF, type: dataspace, keep: [Outputs]}}
  - {{target: BUF, type: utilization, min: 0.5}}
"""
    document = machine(tmp_path, buffer="constraints: {temporal: {factors: [M=2]}}", more=more)
    assert at(document, "BUF", "temporal")["factors"] == "M=2,C=3"
    assert at(document, "inter_PE_spatial", "spatial")["factors"] == "M=4"
    assert at(document, "RF", "bypass") == {"keep": ("Outputs",)}
    assert at(document, "BUF", "utilization") == {"min": 0.5}


def test_for_the_model_constraints_are_the_mapping(tmp_path: Path) -> None:
    more = "\nmapping:\n- {target: BUF, type: temporal, factors: C=12 M=8 P=5, permutation: CMP}\n"
    document = machine(tmp_path, more=more, program="model")
    assert "architecture_constraints" not in document.data
    assert at(document, "BUF", "temporal") == {"factors": "C=12,M=8,P=5", "permutation": "NCMP"}
    assert document.at("mapping", 1, "factors").origin.path == ("mapping", 0, "factors")


@pytest.mark.parametrize("program", ["mapper", "model"])
def test_a_mapping_for_levels_is_kept(tmp_path: Path, program: str) -> None:
    """What search writes names levels, and is to be evaluated with the machine it was found for."""
    directives = "- {target: BUF, type: datatype, keep: [Weights], bypass: []}\n"
    directives += "- {target: inter_PE_spatial, type: spatial, factors: C4 M2, permutation: CMPN, split: 1}\n"
    pe = "constraints: {spatial: {factors: [P=1]}}"
    document = machine(tmp_path, pe=pe, more="\nmapping:\n" + directives, program=program)
    assert [entry["factors"] for entry in document.data["mapping"][1:]] == ["C4 M2"]
    targets = document.data["architecture_constraints"]["targets"]
    assert [entry["factors"] for entry in targets if entry["type"] == "spatial"] == ["P=1"]


@pytest.mark.parametrize(
    ("constraint", "factors"),
    [
        ("{factors_only: [C=2]}", "C=2,M=1,P=1,N=1"),
        ("{no_iteration_over_dataspaces: [Weights]}", "C=1,M=1"),
        ("{must_iterate_over_dataspaces: [Weights]}", "P=1,N=1"),
        ("{must_iterate_over_dataspaces: [Weights, Inputs]}", None),
        ("{maximize_dims: [[M]], maximize_dims_capacity: 4}", "M=4"),
        ("{maximize_dims: [[M, C]], maximize_dims_capacity: 20}", "M=2,C=6"),
        ("{factors: [P=5], maximize_dims: [[M]], maximize_dims_capacity: 20}", "P=5,M=4"),
    ],
)
def test_macros(tmp_path: Path, constraint: str, factors: str | None) -> None:
    document = machine(tmp_path, buffer=f"constraints: {{temporal: {constraint}}}")
    found = at(document, "BUF", "temporal").get("factors")
    if factors is None:
        assert found is None
    elif "maximize" in constraint and "," in constraint.split("]]")[0].split("[[")[1]:
        # several dims: the choice must fill the capacity as well as the best one does
        chosen = dict(part.split("=") for part in str(found).split(","))
        assert int(chosen["M"]) * int(chosen["C"]) == 20 or int(chosen["M"]) * int(chosen["C"]) >= 16
    else:
        assert found == factors


def test_maximize_dims_fills_the_fan_out_of_what_outer_levels_leave(tmp_path: Path) -> None:
    document = machine(
        tmp_path,
        buffer="constraints: {temporal: {factors: [M=4]}}",
        pe="constraints: {spatial: {maximize_dims: [[M], [C]]}}",
    )
    assert at(document, "inter_PE_spatial", "spatial")["factors"] == "M=2,C=4"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from("ABC"), st.integers(1, 64), min_size=1), st.integers(1, 64))
def test_maximize_dims_never_exceeds_the_capacity(bounds: dict[str, int], capacity: int) -> None:
    chosen = best_factors(bounds, capacity, NOWHERE)
    product = 1
    for dim, factor in chosen.items():
        assert 1 <= factor <= bounds[dim]
        product *= factor
    assert product <= capacity


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("{keep_only: [Weights]}", {"keep": ("Weights",), "bypass": ("Inputs", "Outputs")}),
        ("{bypass_only: [Weights]}", {"keep": ("Inputs", "Outputs"), "bypass": ("Weights",)}),
        ('{keep: ["*"]}', {"keep": ("Weights", "Inputs", "Outputs")}),
        ('{bypass: "*"}', {"bypass": ("Weights", "Inputs", "Outputs")}),
    ],
)
def test_data_space_constraints(tmp_path: Path, constraint: str, expected: dict[str, object]) -> None:
    document = machine(tmp_path, buffer=f"constraints: {{dataspace: {constraint}}}")
    assert at(document, "BUF", "bypass") == expected


PARALLEL = """
architecture:
  nodes:
  - !Component {name: D, class: DRAM, attributes: {datawidth: 8}}
  - !Parallel
    nodes:
    - !Component {name: A, class: SRAM, attributes: {datawidth: 8}, constraints: {dataspace: {keep: %s}}}
    - !Component {name: B, class: SRAM, attributes: {datawidth: 8}, constraints: {dataspace: {keep: %s}}}
    - !Nothing {constraints: {dataspace: {keep: %s}}}
  - !Component {name: m, class: intmac}
"""


def test_parallel_branches_bypass_what_others_keep(tmp_path: Path) -> None:
    document = flat(tmp_path, PARALLEL % ("[Weights]", "[Inputs]", "[Outputs]"))
    assert set(at(document, "A", "bypass")["bypass"]) == {"Inputs", "Outputs"}
    assert set(at(document, "B", "bypass")["bypass"]) == {"Weights", "Outputs"}


@pytest.mark.parametrize(
    ("branches", "count"),
    [(("[Weights]", "[Inputs]", "[]"), 0), (("[Weights]", "[Inputs, Weights]", "[Outputs]"), 2)],
)
def test_every_data_space_lives_in_one_branch(tmp_path: Path, branches: tuple[str, ...], count: int) -> None:
    with pytest.raises(SpecError, match=f"kept in {count} branches"):
        flat(tmp_path, PARALLEL % branches)


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("{temporal: {factor: [C=2]}}", "did you mean 'factors'"),
        ("{tempora: {}}", "did you mean 'temporal'"),
        ("{temporal: {factors: [C=x]}}", "not a factor.*\n(.*\n)*.*Jinja2"),
        ("{temporal: {factors: [C]}}", "not a factor"),
        ("{temporal: {factors: [C=2, C=3]}}", "two factors for dimension C"),
        ("{temporal: {factors: [C=2, C<=3]}}", "two factors for dimension C"),
        ("{temporal: {factors: [C<=2, C<=3]}}", "two factors for dimension C"),
        ("{temporal: {factors: 3}}", "not a list of factors"),
        ("{temporal: {permutation: [C, C]}}", "occurs twice"),
        ("{temporal: {permutation: {}}}", "not a permutation"),
        ("{temporal: {factors: [C=2], factors_only: [C=3]}}", "two factors"),
        ("{temporal: {maximize_dims: [[Z]], maximize_dims_capacity: 2}}", "not a list of dimensions"),
        ("{temporal: {maximize_dims: [[C]]}}", "needs maximize_dims_capacity"),
        ("{temporal: {maximize_dims_capacity: 3}}", "without maximize_dims"),
        ("{temporal: {remainders: x y}}", "cannot be evaluated"),
        ("{dataspace: {keep: [Weight]}}", "not a data space"),
        ("{dataspace: {keep: [Weights], bypass: [Weights]}}", "kept and bypassed"),
        ("{dataspace: {keep_only: [Weights], keep: [Inputs]}}", "kept and bypassed"),
        ("{dataspace: [Weights]}", "not a map"),
        ("[a]", "not a map"),
    ],
)
def test_errors_of_constraints(tmp_path: Path, constraint: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        machine(tmp_path, buffer=f"constraints: {constraint}")
    assert "input.yaml:10: architecture.nodes[2].constraints" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{target: BUFF, type: temporal}", "did you mean 'BUF'"),
        ("{target: inter_PE_spatial, type: spatial}", "did you mean 'PE'"),
        ("{target: BUF, type: tmporal}", "unknown type of constraint"),
        ("{target: BUF}", "unknown type of constraint"),
        ("{type: temporal}", "a target is missing"),
        ("3", "not a map"),
        (
            "{target: BUF, type: temporal, factors: [C=2]}\n- {target: BUF, type: temporal, factors: [C=3]}",
            "two factors",
        ),
        (
            "{target: PE, type: spatial, split: 1}\n- {target: PE, type: spatial, split: 2}",
            "two values of split",
        ),
    ],
)
def test_errors_of_targets(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        machine(tmp_path, more=f"\nconstraints:\n- {entry}\n")

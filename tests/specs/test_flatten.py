"""The v0.4 front end on small inputs: levels, attributes, expressions, constraints, macros, errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from front_end import PROBLEM, at, components, entries, flat, machine

from timeloop_marl.errors import SpecError, UnsupportedFeatureError, UsageError
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.flatten import flatten


def test_levels_meshes_and_dummies(tmp_path: Path) -> None:
    document = machine(tmp_path)
    names = ["DRAM[1..1]", "BUF[1..1]", "inter_PE_spatial[1..1]", "RF[1..8]", "mac[1..8]"]
    found = components(document)
    assert list(found) == names
    assert [found[name]["attributes"]["meshX"] for name in names] == [1, 1, 1, 4, 4]
    assert [found[name]["attributes"]["meshY"] for name in names] == [1, 1, 1, 2, 2]
    assert found["inter_PE_spatial[1..1]"]["class"] == "dummy_storage"
    assert document.data["architecture"]["subtree"][0]["name"] == "sys_top_level"
    assert "variables" not in document.data


def test_attributes_are_inherited_but_defaults_never(tmp_path: Path) -> None:
    text = """
architecture:
  nodes:
  - !Container {name: a, attributes: {n_banks: 8, technology: "45nm", x: 1}}
  - !Container {name: b, attributes: {x: 2}}
  - !Component {name: D, class: DRAM, attributes: {width: 8, datawidth: 8, x: 3}}
  - !Component {name: S, class: SRAM, attributes: {width: 8, datawidth: 8, depth: 2}}
  - !Component {name: m, class: intmac}
"""
    found = components(flat(tmp_path, text))
    assert found["S[1..1]"]["attributes"]["n_banks"] == 2
    assert found["m[1..1]"]["attributes"]["n_banks"] == 8
    assert [found[f"{name}[1..1]"]["attributes"]["x"] for name in "DSm"] == [3, 2, 2]
    assert found["S[1..1]"]["attributes"]["technology"] == "45nm"


def test_a_component_with_a_fan_out_gets_a_dummy_above(tmp_path: Path) -> None:
    text = """
architecture:
  nodes:
  - !Component {name: D, class: DRAM, attributes: {width: 8, datawidth: 8}}
  - !Component {name: S, class: SRAM, spatial: {meshX: 3}, attributes: {width: 8, datawidth: 8, depth: 2},
      constraints: {spatial: {factors: [C=3], split: 1}, temporal: {factors: [M=2]}}}
  - !Component {name: m, class: intmac, spatial: {meshY: 2}}
"""
    document = flat(tmp_path, text)
    assert list(components(document)) == [
        "D[1..1]",
        "inter_S_spatial[1..1]",
        "S[1..3]",
        "inter_m_spatial[1..3]",
        "m[1..6]",
    ]
    assert at(document, "inter_S_spatial", "spatial") == {"factors": "C=3", "split": 1, "permutation": "N"}
    assert at(document, "S", "spatial") == {}
    assert at(document, "S", "temporal") == {"factors": "M=2", "permutation": "N"}
    assert at(document, "inter_S_spatial", "temporal") == {
        "factors": "C=1,M=1,P=1,N=1",
        "permutation": "CMPN",
    }
    assert at(document, "inter_S_spatial", "bypass") == {"bypass": ("Weights", "Inputs", "Outputs")}


def test_disabled_nothing_and_hierarchical_nodes(tmp_path: Path) -> None:
    text = """
variables: {with_l2: false}
architecture:
  nodes:
  - !Component {name: D, class: DRAM, attributes: {width: 8, datawidth: 8}}
  - !Component {name: L2, class: SRAM, enabled: with_l2, attributes: {width: 8, datawidth: 8, depth: 2}}
  - !Nothing {}
  - !Hierarchical
    nodes:
    - !Component {name: S, class: SRAM, attributes: {width: 8, datawidth: 8, depth: 2}}
    - !Pipelined {nodes: [!Component {name: m, class: intmac}]}
"""
    assert list(components(flat(tmp_path, text))) == ["D[1..1]", "S[1..1]", "m[1..1]"]


def test_expressions_see_variables_containers_earlier_keys_and_leaves(tmp_path: Path) -> None:
    text = """
variables: {n: 4, twice: n * 2}
architecture:
  nodes:
  - !Container {name: a, attributes: {word: n * 4, technology: "45nm"}, spatial: {meshX: n}}
  - !Component {name: D, class: DRAM, attributes: {width: word * 4, datawidth: word, half: width / 2}}
  - !Component
    name: S
    class: SRAM
    attributes:
      width: 'D.attributes["width"]'
      datawidth: D.attributes["datawidth"]
      depth: "max(twice, 3)"
    constraints: {spatial: {}, temporal: {default_max_factor: twice + 1}}
  - !Component {name: m, class: intmac, attributes: {list: [n, "n"], map: {k: n + 1}}}
"""
    document = flat(tmp_path, text)
    found = {name.split("[")[0]: entry["attributes"] for name, entry in components(document).items()}
    assert (found["D"]["width"], found["D"]["datawidth"], found["D"]["half"]) == (64, 16, 32)
    # quoted strings are never parsed
    assert (found["S"]["width"], found["S"]["datawidth"]) == ('D.attributes["width"]', 16)
    assert found["S"]["depth"] == "max(twice, 3)"
    assert (found["m"]["list"], found["m"]["map"]) == ([4, "n"], {"k": 5})
    assert at(document, "S", "temporal")["default_max_factor"] == 9


def test_bounds_may_be_expressions(tmp_path: Path) -> None:
    text = "variables: {n: 6}\n" + PROBLEM.replace("C: 12", "C: n * 2")
    path = tmp_path / "input.yaml"
    path.write_text(text + "architecture: {nodes: [!Component {name: D, class: DRAM, attributes: {datawidth: 8}}, "
                    "!Component {name: m, class: mac}]}\n")  # fmt: skip
    from timeloop_marl.specs.loading import load_document

    assert flatten(load_document([path])).data["problem"]["instance"]["C"] == 12


@pytest.mark.parametrize(
    ("text", "flat_value"), [("'\"L1\"'", "L1"), ('"L1"', "L1"), ("'x y'", "x y"), ("null", None), ("3", 3)]
)
def test_quoted_attributes(tmp_path: Path, text: str, flat_value: object) -> None:
    document = machine(tmp_path, more="").data
    assert document
    source = f"""
architecture:
  nodes:
  - !Component {{name: D, class: DRAM, attributes: {{datawidth: 8, power_gated_at: {text}}}}}
  - !Component {{name: m, class: intmac}}
"""
    assert components(flat(tmp_path, source))["D[1..1]"]["attributes"]["power_gated_at"] == flat_value


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("meshX: 4", "meshx: 4", "unknown key 'meshx' in spatial(.*\n)+.*did you mean 'meshX'"),
        ("class: SRAM", "clas: SRAM", "unknown key 'clas' in a !Component node"),
        ("spatial: {", "spatail: {", "did you mean 'spatial'"),
        ("  nodes:", "  node:", "architecture"),
        ("name: RF", "name: BUF", "two nodes are called 'BUF'"),
        ("meshX: 4", "meshX: 0", "out of range"),
        ("meshX: 4", "meshX: 1.5", "not an integer"),
        ("meshX: 4", "meshX: unknown_name", "cannot be evaluated"),
        ("meshX: 4", 'meshX: "4"', "take the quotes away"),
        ('technology: "45nm"', "technology: 45nm", "put the text in quotes"),
        ("name: PE\n", "name: PE\n    attributes: {datawidth: nowhere}\n", "nowhere is not defined"),
        ("!Container {", "!Containr {", "did you mean !Container"),
        ("architecture:", "mapspace: {targets: []}\narchitecture:", "unknown key 'targets' in mapspace"),
        ("depth: 16,", "depth: hello world,", "cannot be evaluated(.*\n)+.*quotes"),
        ("depth: 16,", "depth: depth,", r"circle: RF\.depth -> RF\.depth"),
        ("depth: 16,", "depth: BUF,", "stands for a component"),
        ("depth: 16,", "depth: max,", "stands for a function"),
        ("depth: 16,", "depth: later, later: 3,", "later is defined further down"),
        ("depth: 16,", "depth: 2 ** 99999,", "too large"),
        (
            "class: regfile, attributes: {width: 8, depth: 16, datawidth: 8}",
            "class: regfile",
            "has no datawidth",
        ),
        ("class: intmac", "class: something", "not a compute unit"),
        ("- !Component {name: mac, class: intmac}", "- {name: mac, class: intmac}", "not a node"),
        ("name: mac, ", "", "the name of a node is missing"),
        ("architecture:", "architectur: {}\narchitecture:", "did you mean 'architecture'"),
        (
            "architecture:",
            "globals: {expression_custom_functions: [f.py]}\narchitecture:",
            "would have to be executed",
        ),
    ],
)
def test_errors_of_nodes(tmp_path: Path, old: str, new: str, message: str) -> None:
    from front_end import MACHINE

    text = (MACHINE % ("", "")).replace(old, new, 1)
    with pytest.raises((SpecError, UnsupportedFeatureError), match=message) as caught:
        document = flat(tmp_path, text)
        document.root().child("architecture").fail("architecture was taken for none")
    assert "input.yaml" in str(caught.value)


def test_circles_through_other_components_are_named(tmp_path: Path) -> None:
    text = """
architecture:
  nodes:
  - !Component {name: D, class: DRAM, attributes: {datawidth: S.attributes.datawidth}}
  - !Component {name: S, class: SRAM, attributes: {datawidth: D.attributes.datawidth}}
  - !Component {name: m, class: intmac}
"""
    with pytest.raises(SpecError, match=r"circle: D\.datawidth -> S\.datawidth -> D\.datawidth"):
        flat(tmp_path, text)


def test_idle_constraints_are_pointed_out(tmp_path: Path) -> None:
    more = "\nconstraints:\n- {target: sys, type: spatial, factors: C=2}\n"
    more += "- {target: mac, type: temporal, factors: C=2}\n"
    notices = machine(tmp_path, more=more).notices
    assert any("sys: the spatial constraint has no effect" in line for line in notices)
    assert any("mac: the temporal constraint has no effect" in line for line in notices)


GATING = "{action_optimization: [{type: gating, options: [{target: Inputs, condition_on: [Weights]}]}]}"


def test_sparse_optimisations_are_handed_on(tmp_path: Path) -> None:
    document = machine(tmp_path, buffer=f"sparse_optimizations: {GATING}")
    (entry,) = document.data["sparse_optimizations"]["targets"]
    assert entry["name"] == "BUF" and entry["action_optimization"][0]["type"] == "gating"


def test_sparse_optimisations_by_target_join_those_of_the_nodes(tmp_path: Path) -> None:
    more = "\nsparse_optimizations:\n  targets:\n"
    more += "  - {target: BUF, action_optimization: [{type: skipping, options: []}]}\n"
    more += "  - {target: RF, compute_optimization: [{type: gating}]}\n"
    document = machine(tmp_path, buffer=f"sparse_optimizations: {GATING}", more=more)
    buffer, register_file = document.data["sparse_optimizations"]["targets"]
    assert [part["type"] for part in buffer["action_optimization"]] == ["gating", "skipping"]
    assert register_file == {"compute_optimization": [{"type": "gating"}], "name": "RF"}


def test_sparse_optimisations_of_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'BUF'"):
        machine(tmp_path, more="\nsparse_optimizations: {targets: [{target: BUFF}]}\n")
    with pytest.raises(SpecError, match="not a map"):
        machine(tmp_path, buffer="sparse_optimizations: [1]")


def test_components_mapper_and_ert_are_handed_on(tmp_path: Path) -> None:
    more = "\ncomponents: {version: 0.4, classes: [{name: x}]}\nmapper: {algorithm: random}\n"
    more += "ERT: {version: 0.4, tables: []}\n"
    document = machine(tmp_path, more=more)
    assert document.data["compound_components"]["classes"] == [{"name": "x"}]
    assert document.data["mapper"] == {"algorithm": "random", "num_threads": 8}
    assert any("no ART" in line for line in document.notices)


def test_other_documents_pass_unchanged() -> None:
    document = Document({"architecture": {"subtree": []}})
    assert flatten(document) is document
    with pytest.raises(UsageError, match="unknown program"):
        flatten(document, program="simulator")


def test_entries_are_ordered_outermost_first(tmp_path: Path) -> None:
    order = list(dict.fromkeys(entry["target"] for entry in entries(machine(tmp_path))))
    assert order == ["DRAM", "BUF", "inter_PE_spatial", "RF"]

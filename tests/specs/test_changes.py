"""Values set by their path: found by section or component name, refused with what is near, and what follows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from front_end import MACHINE, PROBLEM

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import load
from timeloop_marl.specs.changes import is_path, split_list
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.spec import Spec

TREE = """
architecture:
  version: 0.3
  subtree:
  - name: system
    local:
    - {name: DRAM, class: DRAM, attributes: {width: 64, word_bits: 16}}
    subtree:
    - name: chip
      local:
      - {name: GLB, class: SRAM, attributes: &same {depth: 64, width: 16, word_bits: 16}}
      - {name: L2, class: SRAM, attributes: *same}
      subtree:
      - name: PE[0..7]
        local:
        - {name: RF, class: regfile, attributes: {depth: 8, width: 16, word_bits: 16, meshX: 8}}
        - {name: mac, class: intmac, attributes: {meshX: 8}}
"""
ERT = """
ERT:
  version: 0.4
  tables:
  - {name: "sys.BUF[1..1]", actions: [{name: read, energy: 2}, {name: write, energy: 3}]}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "input.yaml"
    path.write_text(text + PROBLEM)
    return path


def spec(folder: Path, text: str = TREE, **values: object) -> Spec:
    return load(
        [written(folder, text)], jinja_data={name.replace("__", "."): v for name, v in values.items()}
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [("technology", False), ("PE[0..167]", False), ("GLB.attributes.depth", True), ("PE[0..3].name", True)],
)
def test_what_is_a_path(name: str, path: bool) -> None:
    assert is_path(name) is path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("8,16, 32", ["8", "16", "32"]),
        ("8", ["8"]),
        ("[N=1, C=2],[N=2]", ["[N=1, C=2]", "[N=2]"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("PE[0..3],PE[0..7]", ["PE[0..3]", "PE[0..7]"]),
        ("{a: 1, b: 2}", ["{a: 1, b: 2}"]),
    ],
)
def test_lists_of_values(text: str, parts: list[str]) -> None:
    assert split_list(text) == parts


def test_a_tree_component_by_name_and_nothing_else(tmp_path: Path) -> None:
    """GLB and L2 share their attributes by an alias: only the one that is named changes."""
    storage = {
        level.name: level for level in spec(tmp_path, GLB__attributes__depth="4096").architecture.storage
    }
    assert (storage["GLB"].size, storage["L2"].size, storage["RF"].size) == (4096, 64, 8)


def test_a_range_in_a_name_and_its_short_form(tmp_path: Path) -> None:
    wider = {"RF__attributes__meshX": 4, "mac__attributes__meshX": 4}
    for name in ("PE[0..7].name", "PE.name"):
        found = load(
            [written(tmp_path, TREE)],
            jinja_data={name: "PE[0..3]", **{k.replace("__", "."): v for k, v in wider.items()}},
        )
        assert found.architecture.compute.instances == 4


def test_v04_nodes_with_keys_that_were_not_there(tmp_path: Path) -> None:
    text = MACHINE % ("", "")
    small = spec(tmp_path, text, PE__spatial__meshX="16", BUF__spatial__meshY=3, BUF__attributes__depth="2*8")
    assert small.architecture.compute.mesh_x == 16 and small.architecture.compute.mesh_y == 6
    assert small.architecture.storage[small.architecture.level_index("BUF")].size == 16 * 8
    inside = spec(
        tmp_path, text, PE__constraints__spatial={"split": 0}, architecture__nodes__RF__attributes__depth=4
    )
    assert inside.architecture.storage[0].size == 4 and inside.constraints.loops


def test_sections_lists_and_settings(tmp_path: Path) -> None:
    found = spec(tmp_path, problem__instance__C="96", mapper__timeout=7)
    assert found.problem.bounds[0] == 96 and found.mapper.timeout == 7
    path = written(tmp_path, TREE)
    data = load_document(
        [path], jinja_data={"timeloop-marl.samples": "1000", "problem.shape.dimensions[1]": "K"}
    ).data
    assert data["timeloop_marl"] == {"samples": 1000} and data["problem"]["shape"]["dimensions"][1] == "K"
    index = load_document(
        [path], jinja_data={"architecture.subtree[0].local[0].attributes.width": "128"}
    ).data
    assert index["architecture"]["subtree"][0]["local"][0]["attributes"]["width"] == 128
    assert load_document([path]).data["architecture"]["subtree"][0]["local"][0]["attributes"]["width"] == 64


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GLBB.attributes.depth", "1", "no component and no section is called 'GLBB'.*did you mean 'GLB'"),
        ("GLB.atributes.depth", "1", "there is no 'atributes'.*did you mean 'attributes'"),
        (
            "GLB.attributes.dept",
            "1",
            r"one of depth, width, word_bits.*did you mean 'depth'.*\+GLB.attributes.dept",
        ),
        ("problem.instance.Z", "1", "there is no 'Z'.*one of C, M, P, N"),
        ("GLB.attributes.depth.x", "1", "within a single value"),
        ("GLB..depth", "1", "not the path of a value"),
        ("GLB.attributes.", "1", "not the path of a value"),
        ("architecture.subtree[3].name", "1", r"no element \[3\].*\[0\] to \[0\]"),
        ("problem.shape.data_spaces.Wights.read_write", "1", "did you mean 'Weights'"),
        ("GLB.attributes.depth", "8,16", "several values at once.*sweep"),
        ("GLB.attributes.depth", "[8", "not valid YAML"),
        ("GLB.attributes.depth", "0.5", "GLB.attributes.depth"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        load([written(tmp_path, TREE)], jinja_data={name: value})
    assert "--set" in str(error.value) or name.split(".")[0] in str(error.value)
    assert re.search(message, str(error.value).replace("\n", " ")), str(error.value)


def test_a_plus_adds_a_key(tmp_path: Path) -> None:
    path = written(tmp_path, TREE)
    data = load_document([path], jinja_data={"+GLB.attributes.n_widgets": "3"}).data
    assert data["architecture"]["subtree"][0]["subtree"][0]["local"][0]["attributes"]["n_widgets"] == 3


def test_two_components_of_one_name(tmp_path: Path) -> None:
    text = TREE.replace("name: L2", "name: chip")
    with pytest.raises(SpecError, match="2 components are called 'chip'"):
        load([written(tmp_path, text)], jinja_data={"chip.attributes.depth": "1"})


def test_estimated_energies_follow(tmp_path: Path) -> None:
    small, large = spec(tmp_path), spec(tmp_path, GLB__attributes__depth="4096")
    s = small.architecture.level_index("GLB")
    assert large.energies.storage[s].read > small.energies.storage[s].read
    assert not any("do not follow" in notice for notice in large.notices)


@pytest.mark.parametrize(
    ("name", "stale"),
    [("BUF.attributes.depth", True), ("PE.spatial.meshX", False), ("BUF.attributes.read_bandwidth", False)],
)
def test_tables_that_are_given_do_not_follow_and_that_is_said(tmp_path: Path, name: str, stale: bool) -> None:
    found = load([written(tmp_path, MACHINE % ("", "") + ERT)], jinja_data={name: "4"})
    told = [notice for notice in found.notices if "do not follow" in notice]
    assert bool(told) is stale
    assert not told or (name in told[0] and "ERT given in" in told[0] and "input.yaml" in told[0])


def test_templates_keep_their_variables(tmp_path: Path) -> None:
    text = (MACHINE % ("", "")).replace("depth: 1024", "depth: {{ depth }}")
    found = spec(tmp_path, text, depth=512, RF__attributes__depth=2)
    storage = {level.name: level for level in found.architecture.storage}
    assert (storage["BUF"].size, storage["RF"].size) == (512 * 8, 2)

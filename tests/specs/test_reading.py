"""Whole inputs: every recorded machine with every problem, the public flattened designs, sections as such."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml_cases import GOLDEN, MATMUL, PAT, machine, spec

from timeloop_marl.errors import SpecError, TimeloopMarlError, UnsupportedFeatureError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.energy_source import EnergyChoice
from timeloop_marl.specs.spec import ModelOptions, Spec

MACHINES = sorted(folder for folder in (GOLDEN / "inputs" / "arch").iterdir())
PROBLEMS = sorted((GOLDEN / "inputs" / "problems").glob("*.yaml"))
STANDARD = Path(
    os.environ.get("TIMELOOP_STANDARD_INPUTS", Path(__file__).resolve().parents[3] / "shared" / "standard")
)
FLATTENED = ["ex_eyeriss_like", "ex_simba_like", "ex_simple_output_stationary", "ex_simple_weight_stationary"]


def tables(folder: Path) -> list[Path]:
    return [folder / name for name in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")]


def real_sources(result: Spec) -> set[str]:
    """Sources of energy of the levels that hold something."""
    pairs = zip(result.energies.storage, result.architecture.storage)
    return {energy.source for energy, level in pairs if "dummy" not in level.class_name}


@pytest.mark.parametrize("folder", MACHINES, ids=lambda folder: folder.name)
def test_every_recorded_machine_reads(folder: Path) -> None:
    for problem in PROBLEMS[:: len(PROBLEMS) // 4]:
        if folder.name == "bandwidth_bound" and "Weights" not in problem.read_text():
            continue  # names data spaces of convolutions, as its own test shows
        result = load([*tables(folder), problem])
        assert result.notices == ()
        assert real_sources(result) == {"ERT"}
        assert result.files == tuple(str(file) for file in [*tables(folder), problem])
        assert str(folder / "ERT.yaml") in result.energies.origin


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.stem)
def test_every_recorded_problem_reads(problem: Path) -> None:
    result = load([*tables(GOLDEN / "inputs" / "arch" / "small_toy"), problem])
    given_bounds = yaml.safe_load(problem.read_text())["problem"]["instance"]
    assert dict(zip(result.problem.dims, result.problem.bounds)) == {
        dim: given_bounds[dim] for dim in result.problem.dims
    }
    assert result.notices == ()


def test_every_vector_reads() -> None:
    count = 0
    for name in ("vectors.jsonl", "vectors-mn.jsonl", "mapper-vectors.jsonl"):
        for line in (GOLDEN / "spec" / name).read_text().splitlines():
            assert read_spec(Document(yaml.safe_load(json.loads(line)["input_yaml"]))).problem.operations > 0
            count += 1
    assert count == 99 + 24 + 9


@pytest.mark.skipif(not STANDARD.is_dir(), reason="the public Timeloop inputs are not here")
@pytest.mark.parametrize("name", FLATTENED)
def test_the_flattened_public_designs_read(name: str) -> None:
    folder = STANDARD / "flattened" / name
    problem = STANDARD / "example_designs" / "_include" / "default_problem.yaml"
    result = load([*tables(folder), folder / "constraints_v03.yaml", problem])
    assert len(result.constraints.loops) >= len(result.architecture.storage)
    assert real_sources(result) == {"ERT"}


def test_a_recorded_machine_in_detail() -> None:
    result = load([*tables(GOLDEN / "inputs" / "arch" / "deep_hierarchy"), PROBLEMS[0]])
    architecture = result.architecture
    assert [level.name for level in architecture.storage][:3] == ["RF", "L0", "inter_pe_spatial"]
    assert architecture.storage[0].power_gated_at == "L1"
    inner = architecture.storage[2]
    assert (architecture.fanout_x(2), architecture.fanout_y(2)) == (4, 4)
    assert (inner.network.energy_per_hop, inner.network.router_energy) == (0.05, 0.02)
    third = architecture.storage[architecture.level_index("L3")]
    assert (third.network.fill_latency, third.network.drain_latency) == (7, 3)
    assert architecture.storage[3].addr_gen_energy == 0.013


def test_the_first_of_equal_sections_counts_as_in_timeloop(tmp_path: Path) -> None:
    first = tmp_path / "first.yaml"
    second = tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump({"architecture": machine(), "problem": MATMUL, "mapper": {"timeout": 3}}))
    second.write_text(yaml.safe_dump({"mapper": {"timeout": 4}}))
    assert load([first, second], energies=PAT).mapper.timeout == 3


def test_errors_say_file_line_path_and_value(tmp_path: Path) -> None:
    text = yaml.safe_dump({"architecture": machine(buffer={"entries": 2.5}), "problem": MATMUL})
    file = tmp_path / "input.yaml"
    file.write_text(text)
    line = next(n for n, content in enumerate(text.splitlines(), 1) if "2.5" in content)
    with pytest.raises(SpecError) as caught:
        load([file])
    message = str(caught.value)
    assert f"{file}:{line}: architecture.subtree[0].local[1].attributes.entries: not an integer" in message
    assert "found: 2.5" in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("sections", "what"), [({"layout": [{"target": "BUF"}]}, "layout")])
def test_features_outside_the_model_are_named_with_the_remedy(sections: dict[str, Any], what: str) -> None:
    read = spec(**sections)
    assert any(what in notice and "real Timeloop" in notice for notice in read.notices)
    with pytest.raises(UnsupportedFeatureError) as caught:
        NativeEvaluator(read)
    assert what in str(caught.value) and next(iter(sections)) in str(caught.value)
    assert "real Timeloop backend" in str(caught.value)


@pytest.mark.parametrize(
    "sections", [{"sparse_optimizations": {"version": 0.4, "targets": []}}, {"layout": None}, {"layout": []}]
)
def test_empty_sections_of_such_features_are_fine(sections: dict[str, Any]) -> None:
    assert spec(**sections).problem.operations == 48


def test_misspelt_sections() -> None:
    with pytest.raises(SpecError, match="did you mean 'architecture_constraints'"):
        spec(architecture_constraint={"targets": []})
    lenient = spec(architecture_constraint={"targets": []}, strict=False)
    assert any("architecture_constraint" in notice for notice in lenient.notices)
    assert spec(problem_base=1, my_notes="x").problem.operations == 48


def test_model_options_are_carried() -> None:
    options = ModelOptions(rules="2022", link_transfers=False)
    document = Document({"architecture": machine(), "problem": MATMUL})
    assert read_spec(document, options=options, energies=PAT).options == options


@pytest.mark.parametrize("missing", ["architecture", "problem"])
def test_missing_sections(missing: str) -> None:
    data = {"architecture": machine(), "problem": MATMUL}
    del data[missing]
    with pytest.raises(SpecError, match=f"no {missing}"):
        read_spec(Document(data), energies=PAT)


def test_an_architecture_under_its_short_name() -> None:
    data = {"arch": machine(), "problem": MATMUL}
    assert read_spec(Document(data), energies=PAT).architecture.compute.name == "mac"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
ATTRIBUTES = st.sampled_from(
    ["word_bits", "block_size", "cluster_size", "width", "entries", "depth", "sizeKB", "technology", "instances",
     "meshX", "meshY", "read_bandwidth", "shared_bandwidth", "multiple_buffering", "min_utilization",
     "power_gated_at", "reduction_supported", "vector_access_energy", "addr_gen_energy", "network_type",
     "network_read", "router_energy", "tile_width", "network_fill_latency", "allow_overbooking",
     "per_dataspace_bandwidth_consumption_scale", "energy", "area"]
)  # fmt: skip


@given(
    st.dictionaries(ATTRIBUTES, SCALARS, max_size=4), st.sampled_from(["dram", "buffer", "registers", "mac"])
)
def test_any_attributes_read_or_fail_cleanly(attributes: dict[str, Any], where: str) -> None:
    if where == "dram":  # its two own attributes are keyword arguments of the builder
        attributes = {
            key: value for key, value in attributes.items() if key not in ("instances", "word_bits")
        }
    try:
        result = spec(machine(**{where: attributes}))
    except TimeloopMarlError as error:
        assert str(error)
        return
    check(result)


def check(result: Spec) -> None:
    """What every Spec promises to the rooms behind."""
    architecture = result.architecture
    for index, level in enumerate(architecture.storage):
        assert level.mesh_x * level.mesh_y == level.instances >= 1
        assert level.instances % level.cluster_size == 0
        assert architecture.fanout_x(index) >= 1
        assert level.is_dram or level.size is not None
    assert len(result.energies.storage) == len(architecture.storage)
    assert len(result.constraints.bypass) == len(result.problem.data_spaces)


SECTION = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["targets", "target", "type", "factors", "tables", "name", "actions", "energy", "version"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["mapper", "mapspace", "architecture_constraints", "ERT", "ART", "model", "variables", "layout"]
        ),
        SECTION,
        max_size=3,
    ),
    st.booleans(),
)
def test_any_sections_read_or_fail_cleanly(sections: dict[str, Any], strict: bool) -> None:
    data = {"architecture": machine(), "problem": MATMUL, **sections}
    try:
        result = read_spec(Document(data), strict=strict, energies=EnergyChoice() if data.get("ERT") else PAT)
    except TimeloopMarlError as error:
        assert str(error)
        return
    check(result)

"""Mapping directives and Mapping, both ways: round trips, recorded map.yaml files and warnings, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import conv, gemm

from timeloop_marl.errors import MappingError, UnsupportedFeatureError
from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.architecture import Architecture, ComputeLevel, StorageLevel
from timeloop_marl.specs.constraints import Constraints, Switches
from timeloop_marl.specs.document import Document, Node
from timeloop_marl.specs.energy import Energies
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.mapping_yaml import FactorProductError, directives, read_mapping
from timeloop_marl.specs.problem import Problem
from timeloop_marl.specs.spec import Spec

GOLDEN = Path(__file__).resolve().parent / "golden"
OUTPUTS = sorted(folder for folder in (GOLDEN / "outputs").iterdir() if folder.is_dir())
# one case ends before its mapping is read
MODEL_CASES = [f for f in OUTPUTS if f.name.startswith("model_") and f.name != "model_fail_empty_ert"]
MAP_YAML = "out/timeloop-mapper.map.yaml"
MAPPER_CASES = [f for f in OUTPUTS if (f / MAP_YAML).is_file() and (f / MAP_YAML).stat().st_size]
VECTORS = ["vectors.jsonl", "vectors-mn.jsonl"]


def level(name: str, mesh_x: int, mesh_y: int) -> StorageLevel:
    return StorageLevel(name, "SRAM", "DRAM", mesh_x * mesh_y, mesh_x, mesh_y)


ARCHITECTURE = Architecture(
    storage=(level("RF", 8, 2), level("BUF", 2, 2), level("DRAM", 1, 1)),
    compute=ComputeLevel("mac", "intmac", 16, 8, 2),
)


def spec_of(problem: Problem, switches: Switches = Switches()) -> Spec:  # noqa: B008
    return Spec(problem, ARCHITECTURE, Energies((), 0.0), Constraints(switches=switches))


GEMM = spec_of(gemm(4, 2, 6))


def node(value: Any) -> Node:
    """A mapping node, after a pass through YAML text."""
    return Document({"mapping": yaml.safe_load(yaml.safe_dump(value))}).root().child("mapping")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Spec, Mapping]:
    """A problem that a random loop nest, residuals included, exactly covers."""
    shape = draw(st.sampled_from([gemm(1, 1, 1), conv(1, 1, 1, 1)]))
    dims = len(shape.dims)
    tilings = len(ARCHITECTURE.tiling_levels)
    bounds = [0] * dims
    loops: list[TilingLoops] = []
    for tiling in reversed(ARCHITECTURE.tiling_levels):
        factors = draw(st.lists(st.integers(1, 5), min_size=dims, max_size=dims))
        residuals = [draw(st.integers(1, n)) if bounds[d] else n for d, n in enumerate(factors)]
        bounds = [bound * n + r - 1 for bound, n, r in zip(bounds, factors, residuals)]
        order = tuple(draw(st.permutations(range(dims))))
        split = draw(st.integers(0, dims)) if tiling.spatial else dims
        loops.insert(0, TilingLoops(tuple(factors), tuple(residuals), order, split))
    assert len(loops) == tilings
    keep = tuple(tuple(draw(st.booleans()) for _ in shape.data_spaces) for _ in ARCHITECTURE.storage)
    levels = st.integers(0, len(ARCHITECTURE.storage) - 1)
    fanned = st.sampled_from([t.storage for t in ARCHITECTURE.tiling_levels if t.spatial])
    spaces = st.integers(0, len(shape.data_spaces) - 1)
    switches = Switches(
        no_temporal_reuse=draw(st.frozensets(st.tuples(levels, spaces), max_size=3)),
        rmw_first_update=draw(st.frozensets(st.tuples(levels, spaces), max_size=3)),
        no_coalesce=draw(st.frozensets(st.tuples(levels, spaces), max_size=3)),
        no_multicast=draw(st.frozensets(st.tuples(fanned, spaces), max_size=3)),
        no_link_transfer=draw(st.frozensets(st.tuples(fanned, spaces), max_size=3)),
    )
    problem = replace(shape, bounds=tuple(bound + 1 for bound in bounds))
    return spec_of(problem, switches), Mapping(tuple(loops), keep)


@given(cases())
def test_complete_directives_replay_everything(case: tuple[Spec, Mapping]) -> None:
    spec, mapping = case
    read, switches, warnings = read_mapping(node(directives(mapping, spec, complete=True)), spec)
    assert read == mapping
    assert switches == spec.constraints.switches
    assert warnings == []


@given(cases())
def test_the_form_of_the_mapper_keeps_the_nest_of_perfect_mappings(case: tuple[Spec, Mapping]) -> None:
    spec, mapping = case
    perfect = replace(
        mapping,
        loops=tuple(replace(loops, residuals=loops.factors) for loops in mapping.loops),
    )
    bounds = [1] * len(spec.problem.dims)
    for loops in perfect.loops:
        bounds = [bound * n for bound, n in zip(bounds, loops.factors)]
    spec = replace(spec, problem=replace(spec.problem, bounds=tuple(bounds)))
    read, _, _ = read_mapping(node(directives(perfect, spec)), spec)
    assert read.keep == perfect.keep
    for mine, theirs, tiling in zip(read.loops, perfect.loops, ARCHITECTURE.tiling_levels):
        assert mine.factors == theirs.factors
        assert moving(mine, tiling.spatial) == moving(theirs, tiling.spatial)


def moving(loops: TilingLoops, spatial: bool) -> list[tuple[int, bool]]:
    """Non-unit loops inside-out, and whether they go to X."""
    return [
        (dim, spatial and position < loops.split)
        for position, dim in enumerate(loops.order)
        if loops.factors[dim] > 1
    ]


@pytest.mark.parametrize("folder", MODEL_CASES, ids=lambda folder: folder.name)
def test_recorded_warnings_and_product_errors(folder: Path) -> None:
    case = json.loads((folder / "case.json").read_text())
    files = [folder / "in" / name for name in case["command"].split() if name.endswith(".yaml")]
    spec = load(files, strict=False)
    (file,) = [file for file in files if "mapping" in yaml.safe_load(file.read_text())]
    directives_node = Document(yaml.safe_load(file.read_text())).root().child("mapping")
    try:
        lines = read_mapping(directives_node, spec, strict=False)[2]
    except FactorProductError as error:
        lines = [*error.warnings, *error.timeloop_lines]
    recorded = (folder / "stderr.txt").read_text().splitlines()
    assert lines == [line for line in recorded if "parsing mapping" in line]


@pytest.mark.parametrize("folder", MAPPER_CASES, ids=lambda folder: folder.name)
def test_recorded_map_yaml_comes_back(folder: Path) -> None:
    case = json.loads((folder / "case.json").read_text())
    files = [folder / "in" / name for name in case["command"].split() if name.endswith(".yaml")]
    spec = load(files, strict=False)
    recorded = yaml.safe_load((folder / MAP_YAML).read_text())["mapping"]
    if folder.name == "mapper_ruby":
        with pytest.raises(FactorProductError):  # residuals are not in the file
            read_mapping(node(recorded), spec)
        return
    mapping, _, warnings = read_mapping(node(recorded), spec)
    assert directives(mapping, spec) == recorded
    assert [list(directive) for directive in directives(mapping, spec)] == [list(entry) for entry in recorded]
    assert warnings == []


def test_every_vector_with_a_mapping_round_trips() -> None:
    count = 0
    for name in VECTORS:
        for line in (GOLDEN / "spec" / name).read_text().splitlines():
            document = Document(yaml.safe_load(json.loads(line)["input_yaml"]))
            spec = read_spec(document)
            mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
            own = replace(spec, constraints=replace(spec.constraints, switches=switches))
            again, same, _ = read_mapping(node(directives(mapping, own, complete=True)), own)
            assert (again, same) == (mapping, switches)
            count += 1
    assert count == 99 + 24


def test_what_is_missing_is_filled_in() -> None:
    mapping, _, warnings = read_mapping(
        node([{"target": "DRAM", "type": "temporal", "factors": "M=0 N2 K 6", "permutation": "K"}]), GEMM
    )
    top = mapping.loops[-1]
    assert top.factors == (4, 2, 6)
    assert top.order == (2, 0, 1)
    assert all(all(row) for row in mapping.keep)
    assert mapping.loops[0].split == 3
    assert warnings[:5] == [
        "WARNING: parsing mapping: permutation not found for level: RF (temporal)",
        "WARNING: parsing mapping: permutation contains insufficient dimensions at level: RF (temporal), "
        "padding with arbitrary order.",
        "WARNING: parsing mapping: factors not found for level: RF (temporal)",
        "WARNING: parsing mapping: factors not provided for all dimensions at level: RF (temporal), setting to 1.",
        "WARNING: parsing mapping: permutation not found for level: BUF (spatial)",
    ]
    assert (
        "WARNING: parsing mapping: split not found for spatial level: BUF (spatial), setting to all-X."
        in warnings
    )


def test_residuals() -> None:
    spec = spec_of(gemm(7, 1, 1))
    mapping, _, _ = read_mapping(
        node(
            [
                {"target": "RF", "type": "temporal", "factors": "M=3,1"},
                {"target": "DRAM", "type": "temporal", "factors": "M=3"},
            ]
        ),
        spec,
    )
    assert mapping.imperfect
    assert (mapping.loops[0].factors[0], mapping.loops[0].residuals[0]) == (3, 1)


def test_wrong_products_carry_the_words_of_timeloop() -> None:
    with pytest.raises(FactorProductError) as caught:
        read_mapping(node([{"target": "DRAM", "type": "temporal", "factors": "M=4 N=3 K=2"}]), GEMM)
    assert caught.value.timeloop_lines == (
        "ERROR: parsing mapping: product of all factors of dimension N is 3, which is not equal to the dimension "
        "size of the workload 2.",
        "ERROR: parsing mapping: product of all factors of dimension K is 2, which is not equal to the dimension "
        "size of the workload 6.",
    )
    assert caught.value.warnings
    assert caught.value.exit_code == 2


BAD: list[tuple[Any, str]] = [
    ("RF", "no mapping"),
    (["RF"], "not a directive"),
    ([{"target": "RF"}], "without a type"),
    ([{"target": "RF", "type": "dataspace"}], "unknown directive type"),
    ([{"type": "temporal"}], "no target"),
    ([{"target": "REG", "type": "temporal"}], "unknown storage level"),
    ([{"target": "RF", "type": "spatial", "factors": "M=2"}], "no fan-out"),
    ([{"target": "RF", "type": "temporal", "factors": "M<=2"}], "a limit in a mapping"),
    ([{"target": "RF", "type": "temporal", "factors": "M=2 M=2"}], "given twice"),
    ([{"target": "RF", "type": "temporal", "factors": "M=2,3"}], "residual out of range"),
    ([{"target": "RF", "type": "temporal", "factors": "M=2,0"}], "residual out of range"),
    ([{"target": "RF", "type": "temporal", "factors": "X=2"}], "unknown dimension"),
    ([{"target": "RF", "type": "temporal", "permutation": "MNX"}], "unknown dimension"),
    ([{"target": "RF", "type": "temporal", "permutation": "M_N"}], "'_' in the permutation"),
    ([{"target": "BUF", "type": "spatial", "split": -1}], "out of range"),
    ([{"target": "RF", "type": "bypass", "keep": ["Q"]}], "unknown data space"),
    ([{"target": "RF", "type": "temporal"}] * 2, "two directives"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_bad_directives(value: Any, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        read_mapping(node(value), GEMM)
    assert message in str(caught.value)
    assert caught.value.path.startswith("mapping")


def test_skew_is_named_with_the_remedy() -> None:
    with pytest.raises(UnsupportedFeatureError, match="real Timeloop backend"):
        read_mapping(node([{"target": "BUF", "type": "skew"}]), GEMM)


@settings(max_examples=200)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "target": st.sampled_from(["RF", "BUF", "DRAM", 0, None, 3.5]),
                "type": st.sampled_from(["temporal", "spatial", "bypass", "datatype", None]),
                "factors": st.text("MNK=<>, 01234_#", max_size=12),
                "permutation": st.text("MNK_ ", max_size=5),
                "split": st.integers(-1, 5),
                "keep": st.lists(st.sampled_from(["A", "B", "Z", "Q"]), max_size=3),
            },
        ),
        max_size=5,
    )
)
def test_any_directives_read_or_fail_cleanly(value: Any) -> None:
    try:
        mapping, _, _ = read_mapping(node(value), GEMM, strict=False)
    except MappingError as error:
        assert str(error)
    else:
        assert len(mapping.loops) == len(ARCHITECTURE.tiling_levels)

"""map.txt both ways, tensella and map.yaml against recorded files and random mappings."""

from __future__ import annotations

import pytest
import yaml
from golden_cases import mapped_cases
from hypothesis import given
from nests import specs_and_mappings

from timeloop_marl.errors import MappingError
from timeloop_marl.report.maps import (
    loop_nest,
    map_yaml_text,
    nest_text,
    nominal_contents,
    read_map_text,
    tensella_text,
)
from timeloop_marl.specs.architecture import Architecture
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.mapping_yaml import read_mapping

MAPPED = mapped_cases()
by_name = pytest.mark.parametrize("case", MAPPED, ids=lambda case: case.name)


def normalised(mapping: Mapping, architecture: Architecture) -> Mapping:
    """The same nest with unit loops last, in declaration order: the form that printed mappings are read back to.

    Splits count the X loops that remain; they and the places of unit loops have no other effect on a mapping.
    """
    levels = []
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        order = [dim for dim in loops.order if loops.factors[dim] > 1]
        split = sum(loops.factors[dim] > 1 for dim in loops.order[: loops.split])
        order += [dim for dim, factor in enumerate(loops.factors) if factor == 1]
        levels.append(
            TilingLoops(loops.factors, loops.residuals, tuple(order), split if tiling.spatial else len(order))
        )
    return Mapping(tuple(levels), mapping.keep)


def test_recorded_mappings_are_there():
    assert len(MAPPED) == 30


@by_name
def test_recorded_map_text_is_read_and_written_back(case):
    spec, text = case.spec(), case.output("map.txt")
    mapping = read_map_text(text, spec)
    if case.name == "model_distributed_multicast":
        # under distributed multicast a level holds less than its nominal tile: compare all but that size
        text = text.replace("W:3 (12)", "W:12 (12)").replace(
            "\n-------------------------------\n", f"\n{'-' * 32}\n"
        )
    assert nest_text(spec, mapping, nominal_contents(spec, mapping)) == text


@by_name
def test_recorded_tensella(case):
    spec = case.spec()
    assert tensella_text(spec, read_map_text(case.output("map.txt"), spec)) == case.output("map.tensella.txt")


@pytest.mark.parametrize(
    "case", [case for case in MAPPED if case.program == "timeloop-mapper"], ids=lambda case: case.name
)
def test_recorded_map_yaml(case):
    spec = case.spec()
    assert map_yaml_text(spec, read_map_text(case.output("map.txt"), spec)) == case.output("map.yaml")


@given(specs_and_mappings())
def test_map_text_round_trip(drawn):
    spec, mapping = drawn
    text = nest_text(spec, mapping, nominal_contents(spec, mapping))
    assert read_map_text(text, spec) == normalised(mapping, spec.architecture)


@given(specs_and_mappings())
def test_normalised_keeps_the_nest(drawn):
    spec, mapping = drawn
    architecture = spec.architecture
    assert loop_nest(normalised(mapping, architecture), architecture) == loop_nest(mapping, architecture)


def replayed(text, spec):
    document = Document(yaml.safe_load(text))
    return read_mapping(document.root().child("mapping"), spec)[0]


@given(specs_and_mappings(imperfect=False))
def test_map_yaml_replays_perfect_mappings(drawn):
    spec, mapping = drawn
    again = replayed(map_yaml_text(spec, mapping), spec)
    assert normalised(again, spec.architecture) == normalised(mapping, spec.architecture)


@given(specs_and_mappings())
def test_complete_map_yaml_replays_every_mapping_exactly(drawn):
    spec, mapping = drawn
    again = replayed(map_yaml_text(spec, mapping, complete=True), spec)
    assert again == mapping


def edited(replacements):
    case = next(case for case in MAPPED if case.name == "mapper_ruby")
    text = case.output("map.txt")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text, case.spec()


@pytest.mark.parametrize(
    ("replacements", "message"),
    [
        ([("for M in [0:2)", "for M in [0:7)")], "cover 20 points"),
        ([("for M in [0:2)", "for J in [0:2)")], "unknown dimension"),
        ([("BUF [", "BIF [")], "out of place"),
        ([("B:6", "C:6")], "unknown data space"),
        ([("[0:3,2)", "[0:3,4)")], "residual bound out of range"),
        ([("for K in [0:3)", "for K in [0:3) (Spatial-X)")], "no fan-out"),
        ([("<< Compute >>", "<< Compote >>")], "not a line"),
        ([("REG [ A:1 (1) B:2 (2) Z:2 (2) ] ", ""), ("|       for N in [0:2)\n", "")], "3 storage levels"),
        (
            [("|       for N", "|       for M in [0:1)\n|       for M in [0:1)\n|       for N")],
            "two loops over M",
        ),
    ],
)
def test_wrong_map_text_is_one_clear_error(replacements, message):
    text, spec = edited(replacements)
    with pytest.raises(MappingError, match=message):
        read_map_text(text, spec, "best.map.txt")


def test_temporal_loop_below_a_spatial_one_is_refused():
    old = "|     for M in [0:3,2) (Spatial-X)\n"
    text, spec = edited([(old, old + "|       for K in [0:1)\n")])
    with pytest.raises(MappingError, match="loop out of place"):
        read_map_text(text, spec)

"""Sparse sections: what is read, in which spellings, and what is refused with its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

import timeloop_marl as tm
from timeloop_marl.errors import SpecError, UnsupportedFeatureError
from timeloop_marl.evaluators.choice import EvaluatorChoice, make_evaluator
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.fingerprint import spec_fingerprint
from timeloop_marl.specs.sparse import ACTIONS, BANDED, FIXED, HYPERGEOMETRIC, Density, Option
from timeloop_marl.specs.writing import document

GOLDEN = Path(__file__).parents[1] / "golden" / "sparse" / "inputs"


def design(sparse: str = "pond_options", machine: str = "pond", problem: str = "mm_8x8x8") -> dict[str, Any]:
    data: dict[str, Any] = {}
    for file in (
        f"arch/{machine}/arch.yaml", f"arch/{machine}/ERT.yaml", f"sparse/{sparse}.yaml", f"problems/{problem}.yaml",
    ):  # fmt: skip
        data |= yaml.safe_load((GOLDEN / file).read_text())
    data["problem"]["instance"]["densities"] = {
        "A": 0.25,
        "B": {"distribution": "hypergeometric", "density": 0.5},
    }
    return data


def read(data: dict[str, Any]) -> tm.Spec:
    return read_spec(Document(data))


def store(data: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the inner level."""
    found: dict[str, Any] = data["architecture"]["subtree"][0]["local"][1]["attributes"]
    return found


def test_what_a_design_says() -> None:
    spec = read(design("pond_cp_skip"))
    sparsity = spec.sparsity
    assert sparsity is not None and spec.beyond is None and sparsity.formatted and not sparsity.spatial
    assert sparsity.densities == (Density(FIXED, 0.25), Density(HYPERGEOMETRIC, 0.5), Density())
    inner, outer = sparsity.levels
    form = inner.formats[0]
    assert (
        form is not None and form.compressed and [rank.format for rank in form.ranks] == ["CP", "UOP", "UOP"]
    )
    assert Option(0, (1,)) in [option for (option,) in inner.skipping]
    assert (inner.metadata_bits, inner.metadata_depth, inner.metadata_capacity) == (12, 900, 10800)
    prices = dict(zip(ACTIONS, inner.energies))
    assert (prices["skipped_read"], prices["gated_fill"], prices["skipped_update"]) == (0.0088, 0.028, 0.028)
    assert outer.formats[2] is None


def test_hyphens_and_the_form_of_nodes_read_the_same() -> None:
    plain = design("pond_cp_skip")
    text = yaml.safe_dump(plain["sparse_optimizations"])
    for key in (
        "condition_on",
        "action_optimization",
        "representation_format",
        "data_spaces",
        "payload_word_bits",
    ):
        text = text.replace(key, key.replace("_", "-"))
    hyphens = {**plain, "sparse_optimizations": yaml.safe_load(text)}
    assert read(hyphens).sparsity == read(plain).sparsity
    root = Path(__file__).parents[2]
    files = [
        *sorted((root / "arch" / "eyeriss_gated").glob("*.yaml")),
        root / "problems" / "resnet18" / "conv4_3x3.yaml",
    ]
    sparsity = tm.load(files, values={"+problem.instance.densities.Weights": 0.3}).sparsity
    assert sparsity is not None and sparsity.densities[0] == Density(FIXED, 0.3)
    assert (
        sparsity.levels[-1].formats[1] is not None
        and sum(len(level.gating) for level in sparsity.levels) == 1
    )


def test_densities_in_all_forms() -> None:
    data = design()
    instance = data["problem"]["instance"]
    instance["densities"] = {
        "A": {"distribution": "fixed-structured", "density": 0.5},
        "B": {"distribution": "banded", "band_width": 2},
    }
    assert read(data).sparsity.densities[:2] == (Density(FIXED, 0.5), Density(BANDED, 1.0, 2))
    instance["commonDensity"] = {"distribution": "diagonal"}
    assert read(data).sparsity.densities == (Density(BANDED, 1.0, 0),) * 3
    assert read(data).sparsity.densities[0].name == "banded-0"


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = copy.deepcopy(design("pond_cp_skip"))
    node: Any = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


TARGETS = ("sparse_optimizations", "targets")
LOCAL = ("architecture", "subtree", 0, "local", 1, "attributes")
FORMATS = (*TARGETS, 0, "representation_format", "data_spaces", 0)
DENSITIES = ("problem", "instance", "densities")
ACTIONS_OF = (*TARGETS, 0, "action_optimization")


def action(kind: str, target: str, *conditions: Any) -> dict[str, Any]:
    """An entry; without conditions it has none."""
    return {"type": kind, "target": target, **({"condition_on": conditions[0]} if conditions else {})}


BAD = [
    ((*TARGETS, 0, "name"), "Padd", "target storage level not found"),
    (ACTIONS_OF, [action("position-skipping", "A", ["B"])], "on which Timeloop aborts"),
    (ACTIONS_OF, [action("gating", "A")], "without target or condition_on"),
    (ACTIONS_OF, [action("gating", "A", "B")], "not a list"),
    (ACTIONS_OF, [action("gating", "Q", ["B"])], "no such data space"),
    (ACTIONS_OF, [action("skipping_spatial", "A", ["B", "Z"])], "exactly one option"),
    ((*FORMATS, "ranks"), [], "without ranks"),
    ((*FORMATS, "ranks"), [{"format": "XYZ"}], "unknown format"),
    ((*FORMATS, "ranks"), [{"format": "CP"}, {"format": "UOP"}], "compressed rank outside"),
    ((*FORMATS, "ranks"), [{"format": "CP", "metadata_word_bits": 99}], "exceed the width"),
    ((*FORMATS, "ranks"), [{"format": "CP", "flattened_rankIDs": [["X"]]}], "no such dimension"),
    ((*FORMATS, "rank_application_order"), "sideways", "unknown order"),
    ((*LOCAL, "tile_partition_supported"), True, "tile partitions"),
    ((*LOCAL, "metadata_datawidth"), 5, "not a multiple"),
    (DENSITIES, {"A": 1.5}, "not a density"),
    (DENSITIES, {"Q": 0.5}, "no data space"),
    (DENSITIES, {"A": {"distribution": "real-data", "density": 0.5}}, "unrecognized density"),
    (DENSITIES, {"A": {"distribution": "banded"}}, "without a band_width"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_what_the_real_program_cannot_take_is_refused(
    path: tuple[str | int, ...], value: Any, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read(changed(path, value))
    assert message in str(caught.value) and str(path[0]) in str(caught.value)


def test_word_bits_are_made_to_divide_an_access() -> None:
    spec = read(design("mesa_bits", "mesa"))
    names = [level.name for level in spec.architecture.storage]
    lines = list(spec.sparsity.adjustments(names))
    assert len(lines) == 10 and "Nook: adjust representation format word bits from 7 to 12" in lines[7]


def test_three_operands_go_to_the_real_program() -> None:
    data = design("pond_gate")
    data["problem"]["shape"]["data_spaces"].append({"name": "C", "projection": [[["M"]]]})
    assert "exactly two operands" in read(data).beyond.notice


def test_a_written_design_is_the_same_one_again() -> None:
    spec = read(design("pond_cp_skip"))
    again = read_spec(Document(document(spec)))
    assert again.sparsity == spec.sparsity and spec_fingerprint(again) == spec_fingerprint(spec)
    dense = design()
    del dense["sparse_optimizations"]
    assert spec_fingerprint(spec) != spec_fingerprint(read(dense))


def test_only_a_real_optimisation_makes_a_design_sparse() -> None:
    data = {**design(), "sparse_optimizations": {"targets": [{"name": "Pad"}]}}
    spec = read(data)
    assert spec.sparsity is None and spec.beyond is None


OVERBOOKED = {"type": "max_overbooked_proportion", "proportion": 0.25}


def test_overbooking_is_counted_for_the_mapper_alone() -> None:
    data = design("loft_over", "loft", "mm_12x16x20")
    data["architecture_constraints"] = {
        "targets": [{"target": "Attic", "type": "max_overbooked_proportion", "proportion": 0.25}]
    }
    spec = read(data)
    assert spec.constraints.overbooked == {1: 0.25}
    assert read_spec(Document(document(spec))).constraints.overbooked == {1: 0.25}


def test_what_knows_dense_designs_only_says_so() -> None:
    spec = read(design())
    with pytest.raises(UnsupportedFeatureError, match="proofs"):
        tm.optimum(spec)
    with pytest.raises(UnsupportedFeatureError, match="GPU"):
        make_evaluator(spec, EvaluatorChoice(device="cuda"))

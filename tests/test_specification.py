"""Timeloop's Specification objects in and out: recorded ones everywhere, real ones where timeloopfe is installed."""

from __future__ import annotations

import copy
import importlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from front_end_objects import DESIGN, RECORDED, recorded, revived

import timeloop_marl as tm
from timeloop_marl.errors import SpecError, UsageError
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import front_end as module
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.fingerprint import spec_fingerprint
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping_yaml import model_document, read_mapping
from timeloop_marl.specs.objects import is_specification, object_document, version_of

KINDS = ("read", "processed")  # as its files gave it, and after all processors of the front end


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    return {kind: revived(value) for kind, value in json.loads(RECORDED.read_text()).items()}


@pytest.fixture(scope="module")
def front_end() -> Iterator[Any]:
    """The real v4 module, from pytimeloop or from its own package."""
    logging.disable(logging.WARNING)  # it warns of every string that it splits
    for name in module.FRONT_ENDS:
        try:
            yield importlib.import_module(f"{name}.v4")
            break
        except ImportError:
            continue
    else:
        pytest.skip("neither pytimeloop nor timeloopfe can be imported")
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_object_is_the_design_of_its_file(objects: dict[str, Any], kind: str) -> None:
    before = copy.deepcopy(objects[kind])
    read, of_file = tm.load(objects[kind]), tm.load(DESIGN)
    assert spec_fingerprint(read) == spec_fingerprint(of_file)
    assert read.notices == ()
    assert objects[kind] == before  # nothing in it was changed


def test_search_and_evaluate_take_an_object(objects: dict[str, Any]) -> None:
    found = tm.search(objects["read"], samples=30, searcher="random")
    assert found.mapping == tm.search(DESIGN, samples=30, searcher="random").mapping
    assert found.original is objects["read"]
    assert tm.evaluate(objects["processed"], found.mapping) == found.best


def test_values_may_be_set_in_an_object(objects: dict[str, Any]) -> None:
    read = tm.load(objects["read"], values={"problem.instance.M": "16"})
    assert read.problem.bounds[read.problem.dim_index("M")] == 16
    with pytest.raises(UsageError, match="only files have templates"):
        tm.load(objects["read"], values={"layer": "conv1"})


def test_a_dict_will_do(objects: dict[str, Any]) -> None:
    flat = model_document(tm.load(DESIGN), tm.search(DESIGN, samples=5, searcher="random").mapping)
    assert not is_specification(flat)
    read, of_file = tm.load(flat), tm.load(DESIGN)
    assert (read.architecture.tiling_levels, read.problem.bounds) == (
        of_file.architecture.tiling_levels,
        of_file.problem.bounds,
    )


def test_errors_name_the_place_in_the_object(objects: dict[str, Any]) -> None:
    wrong = copy.deepcopy(objects["read"])
    wrong["architecture"]["nodes"][2]["attributes"]["depth"] = "no_such_name"
    with pytest.raises(SpecError) as caught:
        tm.load(wrong)
    assert "v4 Specification: architecture.nodes[2].attributes.depth" in str(caught.value)


def test_classes_stand_in_for_tags(objects: dict[str, Any]) -> None:
    bare = copy.deepcopy(objects["read"])
    for node in bare["architecture"]["nodes"]:
        del node.tag  # as in a design that a script put together
    tags = [node.tag for node in object_document(bare).data["architecture"]["nodes"]]
    assert tags == ["!Container", "!Component", "!Component", "!Container", "!Parallel", "!Component"]


def test_other_objects_are_refused(objects: dict[str, Any]) -> None:
    other = type("Specification", (dict,), {"__module__": "pytimeloop.timeloopfe.v4fused.specification"})()
    assert version_of(other) == "v4fused" and version_of({}) is None and version_of(objects["read"]) == "v4"
    with pytest.raises(UsageError, match="v4 or v3 Specification"):
        tm.load(other)


def test_without_a_front_end_one_error_says_so(
    objects: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRONT_ENDS", ("no_such_front_end",))
    found = tm.search(DESIGN, samples=5, searcher="random")
    with pytest.raises(UsageError, match=r"timeloop-marl\.model\.yaml"):
        found.specification()
    with pytest.raises(UsageError, match="expected a Specification"):
        found.specification({"architecture": {}})
    with pytest.raises(UsageError, match="rank 2"):
        found.specification(rank=2)


def test_files_give_back_a_whole_v3_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(Specification=lambda **sections: sections)
    monkeypatch.setattr(module, "front_end", lambda version: stand_in if version == "v3" else None)
    found = tm.search(DESIGN, samples=5, searcher="random")
    assert found.specification() == model_document(found.spec, found.mapping)


def test_the_recorded_object_is_what_the_front_end_makes(front_end: Any, objects: dict[str, Any]) -> None:
    real = front_end.Specification.from_yaml_files(str(DESIGN))
    for kind, value in (("read", real), ("processed", real._process())):
        assert spec_fingerprint(tm.load(value)) == spec_fingerprint(tm.load(objects[kind]))
    ours, theirs = json.loads(RECORDED.read_text())["read"]["map"], recorded(real)["map"]
    assert ours["architecture"]["class"] == theirs["architecture"]["class"]
    assert set(ours) <= set(theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_what_call_model_gets_has_the_figures_of_the_search(
    front_end: Any, tmp_path: Path, kind: str
) -> None:
    real = front_end.Specification.from_yaml_files(str(DESIGN))
    found = tm.search(real if kind == "read" else real._process(), samples=50, searcher="random", seed=3)
    given = found.specification()
    assert isinstance(given, front_end.Specification)
    document = _for_model(given, tmp_path)
    mapping, switches, _ = read_mapping(document.root().child("mapping"), found.spec)
    assert switches == found.spec.constraints.switches
    assert mapping == found.mapping
    assert NativeEvaluator(found.spec, switches=switches).statistics(mapping) == found.best
    # And the machine is the same one still.
    assert spec_fingerprint(tm.load(real)) == spec_fingerprint(tm.load(DESIGN))


def test_v3_specifications_go_in_and_out(front_end: Any, tmp_path: Path) -> None:
    found = tm.search(DESIGN, samples=20, searcher="random")
    given = found.specification()
    assert version_of(given) == "v3"
    document = _for_model(given, tmp_path)
    mapping, switches, _ = read_mapping(document.root().child("mapping"), found.spec)
    assert (mapping, switches) == (found.mapping, found.spec.constraints.switches)
    assert tm.evaluate(given, found.mapping) == tm.evaluate(tm.load(dict(given)), found.mapping)


def _for_model(specification: Any, folder: Path) -> Document:
    """The input that the front end writes for timeloop-model."""
    calls = importlib.import_module(f"{type(specification).__module__.split('.v')[0]}.common.backend_calls")
    calls.delayed_import()
    path = folder / "parsed-processed-input.yaml"
    path.write_text(calls._specification_to_yaml_string(specification, for_model=True))
    return load_document([path])

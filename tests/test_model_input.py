"""Input written for timeloop-model: its drop-in gives exactly what the native model gives for the mapping."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from timeloop_marl.cli.dropin import run_model
from timeloop_marl.cost.outcome import Rejection, Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.report.maps import map_text, tensella_text
from timeloop_marl.report.stats import stats_text
from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.energy_source import EnergyChoice
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.mapping import Mapping
from timeloop_marl.specs.mapping_yaml import model_document, read_mapping
from timeloop_marl.specs.spec import Spec
from timeloop_marl.specs.yaml_text import yaml_text
from timeloop_marl.validation.rows.encoding import row_mapping

GOLDEN = Path(__file__).resolve().parent / "golden"
EVERY = {"part0": 150, "part1": 150, "part1b": 40, "part2": 150, "links": 30, "imperfect": 60}


def check(spec: Spec, mapping: Mapping, folder: Path) -> Statistics | Rejection:
    """Write the input, evaluate it natively and with the drop-in, and compare with the evaluation of ``mapping``."""
    path = folder / "input.yaml"
    path.write_text(yaml_text(model_document(spec, mapping)))
    document = load_document([path], style="timeloop")
    again = read_spec(document, mapspace_constraints=False)
    read, switches, warnings = read_mapping(document.root().child("mapping"), again)
    assert (comparable(read, spec), switches, warnings) == (
        comparable(mapping, spec),
        spec.constraints.switches,
        [],
    )
    result = NativeEvaluator(spec).statistics(mapping)
    got = NativeEvaluator(again, switches=switches).statistics(mapping)
    assert got == result
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run_model([path.name], environ={}, stdout=stdout, stderr=stderr, cwd=folder)
    if isinstance(result, Rejection):
        assert (code, stderr.getvalue()) == (
            1,
            f"ERROR: couldn't map level {result.level_name}: {result.message}\n",
        )
        return result
    assert (code, stderr.getvalue()) == (0, "")
    outputs = {
        "stats": stats_text(
            replace(spec, energies=again.energies), result
        ),  # the source of energies is another
        "map": map_text(spec, mapping, result),
        "map.tensella": tensella_text(spec, mapping),
    }
    for name, text in outputs.items():
        assert (folder / f"timeloop-model.{name}.txt").read_text() == text
    return result


def comparable(mapping: Mapping, spec: Spec) -> Mapping:
    """The mapping without the split of temporal loops, which means nothing."""
    loops = tuple(
        level if tiling.spatial else replace(level, split=0)
        for level, tiling in zip(mapping.loops, spec.architecture.tiling_levels, strict=True)
    )
    return replace(mapping, loops=loops)


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Some rows of a recorded file, spread over all of it."""
    with gzip.open(GOLDEN / "data" / f"{name}.jsonl.gz", "rt") as lines:
        yield from (json.loads(line) for number, line in enumerate(lines) if number % EVERY[name] == 0)


@pytest.mark.parametrize("name", EVERY)
def test_recorded_mappings(name: str, tmp_path: Path) -> None:
    outcomes: dict[bool, int] = {True: 0, False: 0}
    for row in rows(name):
        folder = GOLDEN / "inputs" / "arch" / row["arch"]
        files = [folder / file for file in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")]
        spec = load([*files, GOLDEN / "inputs" / "problems" / f"{row['problem']}.yaml"])
        result = check(spec, row_mapping(row, spec), tmp_path)
        outcomes[isinstance(result, Statistics)] += 1
        if isinstance(result, Statistics):
            assert (result.cycles, result.energy_pj) == (row["exp"]["cycles"], row["exp"]["energy"])
    assert outcomes[True] >= 3


@pytest.mark.parametrize("name", ["vectors", "vectors-mn"])
def test_vectors_with_reuse_switches(name: str, tmp_path: Path) -> None:
    lines = (GOLDEN / "spec" / f"{name}.jsonl").read_text().splitlines()
    switched = 0
    for line in lines[::3]:
        document = Document(yaml.safe_load(json.loads(line)["input_yaml"]))
        spec = read_spec(document, mapspace_constraints=False)
        mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
        switched += switches != spec.constraints.switches
        spec = replace(spec, constraints=replace(spec.constraints, switches=switches))
        check(spec, mapping, tmp_path)
    assert switched or name == "vectors-mn"


@pytest.mark.parametrize("case", ["model_user_networks", "model_ispass_pat", "model_small_toy_pat"])
def test_other_sources_of_energies(case: str, tmp_path: Path) -> None:
    document = load_document(sorted((GOLDEN / "outputs" / case / "in").glob("*.yaml")))
    spec = read_spec(document, energies=EnergyChoice(source="pat") if "pat" in case else EnergyChoice())
    mapping, _, _ = read_mapping(document.root().child("mapping"), spec)
    assert isinstance(check(spec, mapping, tmp_path), Statistics)


def test_the_mapping_stands_alone() -> None:
    """No constraints that timeloop-model would compare, no option that would change the mapping."""
    case = GOLDEN / "outputs" / "model_small_toy_imperfect" / "in"
    document = load_document(sorted(case.glob("*.yaml")))
    spec = read_spec(document)
    mapping, _, _ = read_mapping(document.root().child("mapping"), spec)
    spec = replace(spec, model=replace(spec.model, auto_bypass_on_failure=True))
    written = model_document(spec, mapping)
    assert list(written) == ["mapping", "architecture", "problem", "ERT", "ART"]
    kinds = [(directive["target"], directive["type"]) for directive in written["mapping"]]
    assert (
        len(kinds) == len(set(kinds)) == len(spec.architecture.storage) + len(spec.architecture.tiling_levels)
    )

"""Recorded results of the official front end, and every public input file (skipped where these are not on disk)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from front_end import GOLDEN, PROBLEM, STANDARD, canonical_architecture, canonical_targets, recorded

from timeloop_marl.specs import load, read_spec
from timeloop_marl.specs.architecture import Architecture
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.energy_source import EnergyChoice
from timeloop_marl.specs.flatten import flatten
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.reading import load_flat

# attributes that were taken out of the recorded flat forms because the C++ programs do not read them
STRIPPED = frozenset({"technology", "type", "has_power_gating", "allow_overbooking"})
MACHINES = sorted(path.name for path in (GOLDEN / "arch").iterdir() if path.is_dir())
DESIGNS = ("eyeriss_like", "simba_like", "simple_output_stationary", "simple_weight_stationary")
TUTORIALS = STANDARD / "tutorial_2020" / "timeloop"
ACCELERGY = STANDARD / "tutorial_2020" / "timeloop+accelergy"
PAT = EnergyChoice(source="pat")
needs_standard = pytest.mark.skipif(
    not STANDARD.is_dir(), reason=f"the public input files are not on disk: {STANDARD}"
)


def conv_problem(folder: Path) -> Path:
    """The seven-dimensional problem with N = 1 for which the constraints were recorded."""
    path = folder / "problem.yaml"
    text = PROBLEM.replace("[C, M, P, N]", "[C, M, R, S, N, P, Q]").replace(
        "N: 1}", "N: 1, R: 3, S: 3, Q: 7}"
    )
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", MACHINES)
def test_our_machines_flatten_as_recorded(name: str, tmp_path: Path) -> None:
    folder = GOLDEN / "arch" / name
    document = flatten(load_document([folder / "arch.yaml", conv_problem(tmp_path)]))
    reference = recorded(folder / "arch_v03.yaml")["architecture"]
    assert canonical_architecture(document.data["architecture"], STRIPPED) == canonical_architecture(
        reference
    )
    targets = document.data["architecture_constraints"]["targets"]
    expected = recorded(folder / "constraints_v03.yaml")["architecture_constraints"]["targets"]
    assert canonical_targets(targets) == canonical_targets(expected)
    assert len(targets) == len(expected)


@pytest.mark.parametrize("name", MACHINES)
def test_both_forms_of_our_machines_mean_the_same(name: str, tmp_path: Path) -> None:
    folder, problem = GOLDEN / "arch" / name, conv_problem(tmp_path)
    ours = load([folder / "arch.yaml", problem], energies=PAT)
    flat = load([folder / "arch_v03.yaml", folder / "constraints_v03.yaml", problem], energies=PAT)
    assert _without_attributes(ours.architecture) == _without_attributes(flat.architecture)
    assert ours.constraints.bypass == flat.constraints.bypass
    assert ours.constraints.switches == flat.constraints.switches
    assert {level: replace(loop, source="") for level, loop in ours.constraints.loops.items()} == {
        level: replace(loop, source="") for level, loop in flat.constraints.loops.items()
    }
    assert ours.energies.storage == flat.energies.storage


def _without_attributes(machine: Architecture) -> Architecture:
    """The free-form attributes aside, which the recorded flat forms lack in part."""
    storage = tuple(replace(level, attributes={}) for level in machine.storage)
    return replace(machine, storage=storage, compute=replace(machine.compute, attributes={}))


@needs_standard
@pytest.mark.parametrize("name", DESIGNS)
def test_example_designs_flatten_as_recorded(name: str) -> None:
    designs = STANDARD / "example_designs"
    document = flatten(load_document([designs / "top.yaml.jinja2"], jinja_data={"architecture": name}))
    flat = STANDARD / "flattened" / f"ex_{name}"
    ours = document.data["architecture"]
    assert canonical_architecture(ours, STRIPPED) == canonical_architecture(
        recorded(flat / "arch_v03.yaml")["architecture"], STRIPPED
    )
    targets = canonical_targets(document.data["architecture_constraints"]["targets"])
    assert targets == canonical_targets(
        recorded(flat / "constraints_v03.yaml")["architecture_constraints"]["targets"]
    )
    # the complete recorded form; that of eyeriss_like was made from an older file with technology 32nm
    processed = recorded(designs / name / "ref_outputs" / "parsed-processed-input.yaml")
    ignored = frozenset({"technology"}) if name == "eyeriss_like" else frozenset()
    assert canonical_architecture(ours, ignored) == canonical_architecture(processed["architecture"], ignored)
    assert targets == canonical_targets(processed["architecture_constraints"]["targets"])


@dataclass(frozen=True)
class Exercise:
    """One recorded exercise: folder, further file, program, folder of the reference."""

    folder: str
    extra: str
    program: str
    reference: str
    older_name: bool = False  # the reference was made when the first container had another name
    older_order: bool = False  # ... when the container PE stood before GlobalBuffer
    data: dict[str, Any] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """The input files."""
        home = TUTORIALS / self.folder
        parts = [
            path
            for part in ("arch", "arch/components", "prob", "mapper")
            for path in (home / part).glob("*.yaml")
        ]
        return [*sorted(parts), *([home / self.extra] if self.extra else [])]


EXERCISES = (
    Exercise("00-model-conv1d-1level", "map/conv1d-1level.map.yaml", "model", "", older_name=True),
    Exercise("01-model-conv1d-2level", "map/conv1d-2level-ws.map.yaml", "model", "ws", older_name=True),
    Exercise("01-model-conv1d-2level", "map/conv1d-2level-os.map.yaml", "model", "os", older_name=True),
    Exercise("02-model-conv1d+oc-2level", "map/conv1d+oc-2level-os.map.yaml", "model", "no-tiling", older_name=True),
    Exercise("02-model-conv1d+oc-2level", "map/conv1d+oc-2level-os-tiled.map.yaml", "model", "tiling", older_name=True),
    Exercise("03-model-conv1d+oc-3level", "map/conv1d+oc-3level.map.yaml", "model", "no-bypass"),
    Exercise("03-model-conv1d+oc-3level", "map/conv1d+oc-3level-bypass.map.yaml", "model", "bypass"),
    Exercise("04-model-conv1d+oc-3levelspatial", "map/conv1d+oc+ic-3levelspatial-cp-ws.map.yaml", "model", "cp",
             older_order=True),
    Exercise("04-model-conv1d+oc-3levelspatial", "map/conv1d+oc+ic-3levelspatial-kp-ws.map.yaml", "model", "kp",
             older_order=True),
    Exercise("05-mapper-conv1d+oc-3level", "constraints/null.constraints.yaml", "mapper", "null"),
    Exercise("05-mapper-conv1d+oc-3level", "constraints/conv1d+oc-3level-1mapping.constraints.yaml", "mapper", "baked"),
    Exercise("05-mapper-conv1d+oc-3level", "constraints/conv1d+oc-3level-freebypass.constraints.yaml", "mapper",
             "freebypass"),
    Exercise("06-mapper-convlayer-eyeriss", "", "mapper", ""),
)  # fmt: skip


@needs_standard
@pytest.mark.parametrize(
    "exercise", EXERCISES, ids=lambda exercise: f"{exercise.folder}-{exercise.reference}"
)
def test_exercises_flatten_as_recorded(exercise: Exercise, tmp_path: Path) -> None:
    files = exercise.files()
    if exercise.older_order:
        files[0] = _with_container_before_global_buffer(files[0], tmp_path)
    document = flatten(load_document(files), program=exercise.program)
    reference = recorded(
        TUTORIALS / exercise.folder / "ref-output" / exercise.reference / "parsed-processed-input.yaml"
    )
    ours = canonical_architecture(document.data["architecture"])
    theirs = canonical_architecture(reference["architecture"])
    start = 1 if exercise.older_name else 0
    assert ours[start:] == theirs[start:]
    if exercise.program == "model":
        targets, expected = document.data["mapping"], reference["mapping"]
    else:
        targets = document.data["architecture_constraints"]["targets"]
        expected = reference["architecture_constraints"]["targets"]
    assert canonical_targets(targets) == canonical_targets(expected)
    assert len(targets) == len(expected)


def _with_container_before_global_buffer(path: Path, folder: Path) -> Path:
    """The architecture as it was when the reference was made."""
    text = path.read_text()
    container = "  - !Container\n    name: PE\n    spatial: {meshX: 16}\n\n"
    buffer = "  - !Component\n    name: GlobalBuffer"
    assert container in text
    assert buffer in text
    changed = folder / path.name
    changed.write_text(text.replace(container, "").replace(buffer, container + buffer))
    return changed


@needs_standard
@pytest.mark.parametrize(
    ("reference", "bits", "mac"), [("intmac", (16, 8), "intmac"), ("fpmac", (32, 32), "fpmac")]
)
def test_templates_with_variables_flatten_as_recorded(
    reference: str, bits: tuple[int, int], mac: str
) -> None:
    data = {"psum_datawidth": bits[0], "input_weight_datawidth": bits[1], "mac_class": mac}
    files = [ACCELERGY / "arch/arch.yaml", ACCELERGY / "prob/prob.yaml", ACCELERGY / "mapper/mapper.yaml"]
    document = flatten(load_document([*files, *(ACCELERGY / "arch/components").glob("*")], jinja_data=data))
    theirs = recorded(ACCELERGY / "ref-output" / reference / "parsed-processed-input.yaml")
    assert canonical_architecture(document.data["architecture"]) == canonical_architecture(
        theirs["architecture"]
    )
    ours = document.data["architecture_constraints"]["targets"]
    assert canonical_targets(ours) == canonical_targets(theirs["architecture_constraints"]["targets"])


def _everything() -> list[tuple[list[Path], dict[str, Any], str]]:
    """All public inputs, put together as their authors use them: files, template variables, program."""
    designs = STANDARD / "example_designs"
    inputs: list[tuple[list[Path], dict[str, Any], str]] = []
    for name in DESIGNS:
        inputs.append(([designs / "top.yaml.jinja2"], {"architecture": name}, "mapper"))
        inputs.append(([designs / name / "ref_outputs" / "parsed-processed-input.yaml"], {}, "mapper"))
    flats = [sorted((STANDARD / "flattened" / f"ex_{name}").glob("*.yaml")) for name in DESIGNS]
    inputs += [([*flat, designs / "_include/default_problem.yaml"], {}, "mapper") for flat in flats]
    for index, layer in enumerate(sorted((STANDARD / "layer_shapes").glob("*/*.yaml"))):
        inputs.append(([layer, *flats[index % len(flats)]], {}, "mapper"))
    inputs += [(exercise.files(), {}, exercise.program) for exercise in EXERCISES]
    shared = [ACCELERGY / "prob/prob.yaml", ACCELERGY / "mapper/mapper.yaml"]
    data = {"psum_datawidth": 16, "input_weight_datawidth": 8, "mac_class": "intmac"}
    inputs += [([path, *shared], data, "mapper") for path in sorted((ACCELERGY / "arch").glob("*.yaml"))]
    return inputs


@needs_standard
def test_every_public_input_loads(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = _everything()
    for files, data, program in inputs:
        document = load_flat(files, jinja_data=data, program=program)
        spec = read_spec(document, energies=PAT if _no_table(files) else EnergyChoice())
        assert spec.architecture.storage
        assert spec.problem.operations > 0
    with capsys.disabled():
        print(f"\n{len(inputs)} public inputs loaded")
    assert len(inputs) == 137


def _no_table(files: Sequence[Path]) -> bool:
    return not any(path.name.startswith("ERT") for path in files)


@needs_standard
def test_every_public_yaml_file_parses(capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "architecture": "simba_like",
        "psum_datawidth": 16,
        "input_weight_datawidth": 8,
        "mac_class": "intmac",
    }
    files = sorted(path for pattern in ("*.yaml", "*.jinja2") for path in STANDARD.rglob(pattern))
    documents: list[Document] = [load_document([path], jinja_data=data) for path in files]
    with capsys.disabled():
        print(f"\n{len(documents)} public files parsed")
    assert len(documents) >= 270

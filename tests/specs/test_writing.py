"""Writing a Spec as one document: reading it again gives the same mapspace and costs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from front_end import GOLDEN, ROOT, STANDARD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_specs import specs

from timeloop_marl.errors import SpecError
from timeloop_marl.specs import EnergyChoice, load, load_flat, read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.energy import LevelEnergy
from timeloop_marl.specs.fingerprint import spec_fingerprint
from timeloop_marl.specs.loading import STYLES, load_document
from timeloop_marl.specs.spec import Spec
from timeloop_marl.specs.writing import document
from timeloop_marl.specs.yaml_text import yaml_text

OUTPUTS = ROOT / "tests" / "golden" / "outputs"
VECTORS = ROOT / "tests" / "golden" / "spec"
MACHINES = sorted(path.name for path in (GOLDEN / "arch").iterdir() if path.is_dir())
SHIPPED = sorted(path.parent.name for path in (ROOT / "arch").glob("*/arch.yaml"))
LAYERS = sorted(path for path in (ROOT / "problems").glob("*/*.yaml") if path.name != "network.yaml")
NO_TABLE = OUTPUTS / "model_fail_empty_ert"  # a recorded refusal
PAT = EnergyChoice(source="pat")


def check_round_trip(spec: Spec) -> Spec:
    """The Spec read from what is written of ``spec``, which says everything that one says."""
    written = document(spec)
    data = yaml.load(yaml_text(written), yaml.CSafeLoader)
    assert data == written
    again = read_spec(Document(data), options=spec.options)
    assert spec_fingerprint(again) == spec_fingerprint(spec)
    assert again.problem == spec.problem
    assert [energy.vector_access for energy in again.energies.storage] == [
        energy.vector_access for energy in spec.energies.storage
    ]
    assert document(again) == written
    return again


def suits(problem: Path, *machine: Path) -> bool:
    """Constraints and attributes of the machine name nothing that the problem lacks."""
    text = "".join(path.read_text() for path in machine)
    named = "Outputs" in text or "outputs" in text
    return not named or set(load_document([problem]).data["problem"]["shape"]["dimensions"]) == set("NCMPQRS")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "form", [("arch.yaml",), ("arch_v03.yaml", "constraints_v03.yaml"), ("arch_v03.yaml",)], ids="-".join
)
def test_recorded_machines(machine: str, form: tuple[str, ...]) -> None:
    folder = GOLDEN / "arch" / machine
    files = [folder / name for name in form]
    problems = [path for path in sorted((GOLDEN / "problems").glob("*.yaml")) if suits(path, *files)]
    assert len(problems) >= 5
    for problem in problems[MACHINES.index(machine) % 3 :: 3]:
        spec = load([*files, folder / "ERT.yaml", folder / "ART.yaml", problem])
        assert "PAT" not in "".join(check_round_trip(spec).notices)


@pytest.mark.parametrize("machine", SHIPPED)
def test_shipped_machines(machine: str) -> None:
    folder = ROOT / "arch" / machine
    files = [folder / name for name in ("arch.yaml", "ERT.yaml", "ART.yaml")]
    for layer in LAYERS[SHIPPED.index(machine) :: len(SHIPPED)]:
        check_round_trip(load([*files, layer]))


@pytest.mark.parametrize("name", ["vectors", "vectors-mn", "mapper-vectors"])
def test_vectors(name: str) -> None:
    for line in (VECTORS / f"{name}.jsonl").read_text().splitlines():
        check_round_trip(read_spec(Document(yaml.safe_load(json.loads(line)["input_yaml"]))))


@pytest.mark.parametrize("case", [path.name for path in sorted(OUTPUTS.iterdir()) if path.is_dir()])
def test_recorded_inputs(case: str) -> None:
    """Among them: user-defined networks, the form without version, PAT energies, the ruby template."""
    folder = OUTPUTS / case
    if folder == NO_TABLE:
        return
    check_round_trip(load(sorted((folder / "in").glob("*.yaml"))))


def standard_specs() -> Iterator[Spec]:
    from test_standard_inputs import _everything, _no_table

    for files, data, program in _everything():
        flat = load_flat(files, jinja_data=data, program=program)
        yield read_spec(flat, energies=PAT if _no_table(files) else EnergyChoice())


@pytest.mark.skipif(not STANDARD.is_dir(), reason=f"the public input files are not on disk: {STANDARD}")
def test_standard_inputs() -> None:
    assert sum(check_round_trip(spec) is not spec for spec in standard_specs()) == 137


@given(specs())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_random_specs(spec: Spec) -> None:
    check_round_trip(spec)


def toy() -> Spec:
    folder = GOLDEN / "arch" / "small_toy"
    files = [folder / name for name in ("arch_v03.yaml", "ERT.yaml", "ART.yaml")]
    return load([*files, GOLDEN / "problems" / "toy_conv1d.yaml"])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["RF", "{{ x }}", "{% a %}", "no", "1e3"])
def test_files_are_read_by_every_loader(style: str, name: str, tmp_path: Path) -> None:
    spec, path = renamed(name), tmp_path / "inputs.yaml"
    path.write_text(yaml_text(document(spec)))
    again = read_spec(load_document([path], style=style))
    assert spec_fingerprint(again) == spec_fingerprint(spec)
    assert spec_fingerprint(load([path])) == spec_fingerprint(spec)


def test_sections() -> None:
    spec = load(sorted((OUTPUTS / "mapper_ruby" / "in").glob("*.yaml")))
    written = document(spec)
    assert list(written) == [
        "architecture", "problem", "architecture_constraints", "mapspace", "mapper", "ERT", "ART",
    ]  # fmt: skip
    assert written["mapspace"] == {"template": "ruby"}
    assert list(document(spec, constraints=False, mapper=False)) == ["architecture", "problem", "ERT", "ART"]


def test_pat_energies_become_a_table() -> None:
    folder = GOLDEN / "arch" / "small_toy"
    spec = load([folder / "arch_v03.yaml", GOLDEN / "problems" / "toy_conv1d.yaml"], energies=PAT)
    again = check_round_trip(spec)
    assert {energy.source for energy in spec.energies.storage} == {"PAT"}
    assert {energy.source for energy in again.energies.storage} == {"ERT"}


def test_an_attribute_that_beats_the_tables_gives_way_to_other_energies() -> None:
    spec = toy()
    level = replace(spec.architecture.storage[0], vector_access_energy=3.0)
    priced = LevelEnergy(1.0, 2.0, 2.0, 0.5, 7.0, 2.0, "ERT")
    spec = replace(
        spec,
        architecture=replace(spec.architecture, storage=(level, *spec.architecture.storage[1:])),
        energies=replace(spec.energies, storage=(priced, *spec.energies.storage[1:])),
    )
    assert read_spec(Document(document(spec))).energies.storage[0] == priced


def renamed(name: str) -> Spec:
    spec = toy()
    storage = (replace(spec.architecture.storage[0], name=name), *spec.architecture.storage[1:])
    return replace(spec, architecture=replace(spec.architecture, storage=storage))


@pytest.mark.parametrize(("name", "problem"), [("a.b", "cannot be priced"), ("RF[0..3]", "brackets")])
def test_names_that_cannot_be_written(name: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        document(renamed(name))


def test_a_name_with_dots_under_pat() -> None:
    folder = GOLDEN / "arch" / "small_toy"
    data = dict(load_document([folder / "arch_v03.yaml", GOLDEN / "problems" / "toy_conv1d.yaml"]).data)
    text = json.dumps(data).replace('"RF[1..1]"', '"RF.x"').replace('"RF"', '"RF.x"')
    spec = read_spec(Document(json.loads(text)), energies=PAT)
    check_round_trip(spec)


leaves = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
    | st.text() | st.text("yYnN01:.-e+# {}%'\"\\,[]&*!|>=~\n\t", max_size=6)
    | st.sampled_from(["no", "On", "0o7", "0x1F", "1_000", "1:30", ".inf", "~", "=", "<<", "2001-01-01", "1e5", "-"])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
)


def surrogate_free(value: Any) -> bool:
    try:
        repr(value).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.dictionaries(st.text(max_size=6), values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_text_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    text = yaml_text(data)
    assert (yaml.safe_load(text) or {}) == data
    assert not any(getattr(event, "anchor", None) for event in yaml.parse(text)) and "\t" not in text
    path = tmp_path_factory.getbasetemp() / "value.yaml"
    path.write_bytes(text.encode())
    if "<<" not in text:  # a merge key even in quotes
        assert load_document([path], style="timeloop").data == data


@given(st.floats(allow_nan=False))
def test_doubles_are_exact(value: float) -> None:
    text = yaml_text({"x": value}).removeprefix("x: ").strip()
    assert "." in text
    if math.isfinite(value):
        assert float(text) == value
    assert yaml.safe_load(text) == value


def test_layout() -> None:
    data = {"a": {"b": {"c": [["N"], ["x", 1]], "d": "yes"}, "e": []}, "f": [{"g": 1e-05, "h": {"i": None}}]}
    assert yaml_text(data) == (
        "a:\n  b: {c: [['N'], [x, 1]], d: 'yes'}\n  e: []\n\nf:\n  - g: 1.0e-05\n    h: {i: null}\n"
    )

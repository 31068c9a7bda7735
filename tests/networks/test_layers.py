"""From arguments to distinct layers: sorting, lists, equal layers, names, errors before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import ROOT

from timeloop_marl.errors import InfeasibleError, SpecError, UsageError
from timeloop_marl.networks.layers import Layer, read_layers, sort_sources
from timeloop_marl.specs.layer_list import read_layer_list
from timeloop_marl.specs.spec import ModelOptions

EYERISS = ROOT / "arch" / "eyeriss_like"
RESNET = ROOT / "problems" / "resnet18"


def layers(*arguments: str | Path) -> tuple[Layer, ...]:
    return read_layers(sort_sources(arguments), options=ModelOptions())


def test_a_network_folder_has_the_counts_of_its_list() -> None:
    found = layers(EYERISS, RESNET)
    assert len(found) == 12
    assert sum(layer.count for layer in found) == 21
    assert {layer.name: layer.count for layer in found}["conv2_3x3"] == 4
    assert found[1].names == ("conv2_1a", "conv2_1b", "conv2_2a", "conv2_2b")


@pytest.mark.parametrize("arguments", [(RESNET, EYERISS), (f"{RESNET}/conv*.yaml", EYERISS)])
def test_any_order_and_patterns(arguments: tuple[str | Path, ...]) -> None:
    assert {layer.name for layer in layers(*arguments)} >= {"conv1", "conv5_proj"}


def test_a_listed_file_is_not_counted_twice() -> None:
    sources = sort_sources([EYERISS, *sorted(RESNET.glob("*.yaml"))])
    assert sum(layer.count for layer in sources.layers) == 21
    assert "12 layer files are in a given list" in sources.notices[0]


def test_equal_layers_are_one_whatever_their_files_are_called(tmp_path: Path) -> None:
    text = (RESNET / "conv3_3x3.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace("name: conv", "name: another_name"))
    (tmp_path / "c.yaml").write_text(text.replace("Wstride: 1, Hstride", "Wstride: 2, Hstride"))
    found = layers(EYERISS, tmp_path)
    assert [(layer.name, layer.count) for layer in found] == [("a", 2), ("c", 1)]


def test_names_of_several_networks_stay_apart() -> None:
    names = [layer.name for layer in layers(EYERISS, RESNET, ROOT / "problems" / "mobilenetv2")]
    assert {"resnet18.conv1", "mobilenetv2.conv1", "fc"} <= set(names)
    assert len(set(names)) == len(names)


def test_files_with_machine_and_problem_in_one() -> None:
    with pytest.raises(UsageError, match="no input files"):
        sort_sources([])
    sources = sort_sources([EYERISS])
    assert [layer.file for layer in sources.layers] == [None]
    with pytest.raises(SpecError, match="no problem"):
        layers(EYERISS)


def broken_list(tmp_path: Path, text: str) -> Path:
    (tmp_path / "x.yaml").write_text((RESNET / "fc.yaml").read_text())
    path = tmp_path / "network.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: {name: n}", "no layers"),
        ("network: {layers: []}", "no layers"),
        ("network: {layers: [{file: missing.yaml}]}", "does not exist"),
        ("network: {layers: [{count: 2}]}", "a layer without a file"),
        ("network: {layers: [{file: x.yaml, count: 0}]}", "not a number of layers"),
        ("network: {layers: [{file: x.yaml, count: 2, names: [a]}]}", "1 names for 2 layers"),
        ("network: {layers: [{file: x.yaml, counts: 2}]}", "unknown key 'counts'"),
    ],
)
def test_malformed_lists(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        read_layer_list(broken_list(tmp_path, text))
    assert "network.yaml" in str(caught.value)


def test_short_forms_of_a_list(tmp_path: Path) -> None:
    found = read_layer_list(
        broken_list(tmp_path, "network: {layers: [x.yaml, {file: x.yaml, names: [a, b]}]}")
    )
    assert found.name == tmp_path.name
    assert [(layer.count, layer.names) for layer in found.layers] == [(1, ()), (2, ("a", "b"))]


def test_a_wrong_layer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text((RESNET / "fc.yaml").read_text())
    (tmp_path / "wrong.yaml").write_text((RESNET / "fc.yaml").read_text().replace("C: 512", "C: -1"))
    with pytest.raises(SpecError, match=r"wrong\.yaml"):
        layers(EYERISS, tmp_path)


def test_layers_without_a_mapping_are_named_at_once(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yaml"
    rule.write_text(
        "mapspace_constraints:\n- {target: pspad, type: temporal, factors: M=64, permutation: MRSCPQN}\n"
    )
    machine = [EYERISS / name for name in ("arch.yaml", "ERT.yaml", "ART.yaml")]
    with pytest.raises((InfeasibleError, SpecError)) as caught:
        layers(*machine, rule, RESNET / "conv1.yaml", RESNET / "conv3_3x3.yaml")
    assert "conv" in str(caught.value)


def test_layers_on_different_machines(tmp_path: Path) -> None:
    for name in ("three_level", "small_toy"):
        spec = "\n".join(path.read_text() for path in sorted((ROOT / "arch" / name).glob("*.yaml")))
        (tmp_path / f"{name}.yaml").write_text((RESNET / "fc.yaml").read_text() + spec)
    with pytest.raises(SpecError, match="another machine"):
        layers(tmp_path)

"""The shipped machines, networks and mapper files: up to date, complete, and usable with each other."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.searchers.registry import all_searchers
from timeloop_marl.specs import load

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = sorted(path.parent for path in (ROOT / "problems").glob("*/network.yaml"))
LAYERS = sorted(path for folder in NETWORKS for path in folder.glob("*.yaml") if path.name != "network.yaml")
BOUNDS = ("C", "M", "R", "S", "T", "N", "P", "Q", "Z", "G")
WEIGHTS = ("C", "M", "R", "S", "T", "G")

# Multiply-accumulates of one inference as published for these variants (for BERT and GPT-2 from the closed form
# 12 * (12 n w^2 + 2 n^2 w), and for GPT-2 the output embedding n * w * 50257).
MACS = {
    "resnet18": 1_814_073_344,
    "resnet50": 4_089_184_256,
    "vgg16": 15_470_264_320,
    "alexnet": 724_406_816,
    "mobilenetv2": 300_774_272,
    "bert_base_seq128": 12 * (12 * 128 * 768**2 + 2 * 128**2 * 768),
    "bert_base_seq512": 12 * (12 * 512 * 768**2 + 2 * 512**2 * 768),
    "gpt2_seq1024": 12 * (12 * 1024 * 768**2 + 2 * 1024**2 * 768) + 1024 * 768 * 50257,
    "vit_b16": 12 * (12 * 197 * 768**2 + 2 * 197**2 * 768) + 196 * 768**2 + 768 * 1000,
    "resnext50": 4_230_479_872,
    "efficientnet_b0": 385_814_752,
}
# Weights without biases and normalisation: for the first five as published, else the parameters of the released model
# less what is neither a convolution nor a product of matrices.
PARAMETERS = {
    "resnet18": 11_678_912,
    "resnet50": 25_502_912,
    "vgg16": 138_344_128,
    "alexnet": 60_954_656,
    "mobilenetv2": 3_469_760,
    "resnext50": 25_028_904 - 68_224 - 1000,
    "unet_3d": 19_069_955 - 2_339,  # 19,069,955 in the paper; a bias for every map
}
LAYER_COUNTS = {"resnet18": 21, "resnet50": 54, "vgg16": 16, "alexnet": 8, "mobilenetv2": 53, "unet_3d": 18}
# Language models: all parameters, vocabulary, width, parameters of normalisation (and of the router's bias), blocks,
# query heads x (width of a key + width of a value): what one query and one key cost in scores and context.
LANGUAGE = {
    "llama3_8b": (8_030_261_248, 128_256, 4096, 65 * 4096, 32, 32 * 256),
    "llama3_70b": (70_553_706_496, 128_256, 8192, 161 * 8192, 80, 64 * 256),
    "qwen3_8b": (8_190_735_360, 151_936, 4096, 73 * 4096 + 36 * 2 * 128, 36, 32 * 256),
    "mixtral_8x7b": (46_702_792_704, 32_000, 4096, 65 * 4096, 32, 32 * 256),
    "deepseek_v3": (671_026_419_200, 129_280, 7168, 61 * (2 * 7168 + 2048) + 7168 + 58 * 256, 61, 128 * 320),
}
# Weights that a token does not meet: experts that were not chosen.
IDLE = {"mixtral_8x7b": 32 * 6 * 3 * 4096 * 14336, "deepseek_v3": 58 * 248 * 3 * 7168 * 2048}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def instance(path: Path) -> dict[str, int]:
    bounds: dict[str, int] = read(path)["problem"]["instance"]
    return bounds


def product(bounds: dict[str, int], letters: tuple[str, ...]) -> int:
    return math.prod(bounds.get(letter, 1) for letter in letters)


def test_every_network_is_covered() -> None:
    language = {
        folder.name
        for folder in NETWORKS
        if folder.name.partition("_prefill")[0].partition("_decode")[0] in LANGUAGE
    }
    assert {folder.name for folder in NETWORKS} == set(MACS) | {"unet_3d"} | language
    assert len(language) == 4 * len(LANGUAGE)


@pytest.mark.parametrize("script", ["make_problems.py", "make_tables.py", "make_mappers.py"])
def test_generated_files_are_up_to_date(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", NETWORKS, ids=lambda path: path.name)
def test_totals_from_the_files(folder: Path) -> None:
    network = read(folder / "network.yaml")["network"]
    listed = {layer["file"]: layer for layer in network["layers"]}
    assert {path.name for path in folder.glob("*.yaml")} == {*listed, "network.yaml"}
    assert all(
        layer["count"] == len(set(layer.get("names", range(layer["count"])))) for layer in listed.values()
    )
    assert all(isinstance(network[key], str) and network[key] for key in ("title", "source", "remarks"))
    macs = sum(layer["count"] * product(instance(folder / name), BOUNDS) for name, layer in listed.items())
    assert macs == network["macs"] == MACS.get(folder.name, macs)
    if folder.name in PARAMETERS:
        weights = sum(layer["count"] * product(instance(folder / n), WEIGHTS) for n, layer in listed.items())
        assert weights == PARAMETERS[folder.name]
    if folder.name in LAYER_COUNTS:
        assert sum(layer["count"] for layer in listed.values()) == LAYER_COUNTS[folder.name]


@pytest.mark.parametrize("model", LANGUAGE)
@pytest.mark.parametrize(
    ("phase", "tokens"), [("prefill", 512), ("prefill", 2048), ("decode", 2048), ("decode", 8192)]
)
def test_language_models_meet_every_weight(model: str, phase: str, tokens: int) -> None:
    """Multiply-accumulates from the number of parameters, against the sum over the files."""
    total, vocabulary, width, small, blocks, attention = LANGUAGE[model]
    weights = total - 2 * vocabulary * width - small - IDLE.get(model, 0)
    macs: int = read(ROOT / "problems" / f"{model}_{phase}{tokens}" / "network.yaml")["network"]["macs"]
    rows = tokens if phase == "prefill" else 1
    if model == "deepseek_v3" and phase == "decode":
        attention = 128 * (512 + 64 + 512)  # of the latent
    assert macs == rows * weights + vocabulary * width + blocks * rows * tokens * attention


@pytest.mark.parametrize("folder", NETWORKS, ids=lambda path: path.name)
def test_equal_shapes_share_a_file(folder: Path) -> None:
    shapes = [
        tuple(sorted(instance(path).items())) for path in folder.glob("*.yaml") if path.name != "network.yaml"
    ]
    assert len(shapes) == len(set(shapes))


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_layer_files_keep_to_the_closed_grammar(path: Path) -> None:
    document = read(path)
    assert set(document) == {"problem"}
    problem = document["problem"]
    assert set(problem) == {"version", "shape", "instance"}
    dims, spelled = problem["shape"]["dimensions"], {c["name"] for c in problem["shape"]["coefficients"]}
    volume = "Z" in dims
    assert spelled == {f"{axis}{kind}" for axis in "WHD"[: 2 + volume] for kind in ("stride", "dilation")}
    assert set(problem["instance"]) == {*dims, *spelled}
    assert [space["name"] for space in problem["shape"]["data_spaces"]] == ["Weights", "Inputs", "Outputs"]
    # Every letter that a machine's constraints name must be there; groups and a depth only where they do something.
    assert [dim for dim in dims if dim not in "TZG"] == ["C", "M", "R", "S", "N", "P", "Q"]
    assert ("G" in dims) == (problem["instance"].get("G", 1) > 1)
    assert ("T" in dims) == volume == (product(problem["instance"], ("T", "Z")) > 1)


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "mobilenetv2"])
def test_consecutive_convolutions_fit_together(name: str) -> None:
    """Along a plain chain, the input channels of a layer are the output channels of the one before."""
    folder = ROOT / "problems" / name
    shapes = {}
    for layer in read(folder / "network.yaml")["network"]["layers"]:
        shapes |= {layer_name: instance(folder / layer["file"]) for layer_name in layer["names"]}
    order = sorted(shapes, key=execution_order)
    flattened = {"vgg16": 7 * 7, "alexnet": 6 * 6}  # pixels that the first fully connected layer sees
    for before, after in pairwise(order):
        made = product(shapes[before], ("M", "G")) * (flattened[name] if after == "fc6" else 1)
        assert product(shapes[after], ("C", "G")) == made, (before, after)


def execution_order(name: str) -> tuple[int, str, int]:
    """Order of the layer names of the plain chains."""
    parts = ("conv1", "block", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8", "classifier")
    steps = ("expand", "depthwise", "project")
    rank = next(index for index, part in enumerate(parts) if name.startswith(part))
    step = name.rpartition("_")[2]
    return rank, name.split("_")[0] if rank == 1 else name, steps.index(step) if step in steps else 0


MACHINES = sorted(path for path in (ROOT / "arch").iterdir() if path.is_dir())
# A dense convolution with stride, a depthwise one, a batched matrix product: all letters and both shapes.
SAMPLES = ["resnet18/conv3_down.yaml", "mobilenetv2/block02_depthwise.yaml", "bert_base_seq512/scores.yaml"]


def component(table_name: str) -> str:
    """``chip_top_level.GLB[1..1]`` -> ``GLB``."""
    return table_name.partition("[")[0].rpartition(".")[2]


def machine_files(machine: Path) -> list[Path]:
    return sorted(machine.glob("*.yaml"))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.name)
@pytest.mark.parametrize("layer", SAMPLES)
def test_machine_and_layer_give_a_mapspace_with_mappings(machine: Path, layer: str) -> None:
    spec = load([*machine_files(machine), ROOT / "problems" / layer])
    assert not spec.notices
    space = LearnersMapspace(spec)
    drawn = space.sample(16, np.random.default_rng(1))
    assert len(drawn) == 16
    assert space.feasible(drawn).all()


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.name)
def test_folder_is_one_complete_input(machine: Path) -> None:
    assert {path.name for path in machine_files(machine)} == {"arch.yaml", "ERT.yaml", "ART.yaml"}
    spec = load([*machine_files(machine), ROOT / "problems" / SAMPLES[0]])
    stored = [level.name for level in spec.architecture.storage if not level.name.startswith("inter_")]
    wanted = {*stored, spec.architecture.compute.name}
    for table in ("ERT", "ART"):
        rows = read(machine / f"{table}.yaml")[table]["tables"]
        named = {component(row["name"]) for row in rows}
        # "wire" is no component: it gives the wire energy of all networks (cost-model section 13)
        assert {name for name in named if not name.startswith("inter_") and name != "wire"} == wanted
    plain, random = (
        {"read", "write", "update", "leak"},
        {"random_read", "random_fill", "random_update", "leak"},
    )
    computes = ({"compute", "leak"}, {"mac_random", "leak"})
    actions = dict.fromkeys(stored, (plain, random)) | {spec.architecture.compute.name: computes}
    for row in read(machine / "ERT.yaml")["ERT"]["tables"]:
        name, given = component(row["name"]), {action["name"] for action in row["actions"]}
        known = actions.get(name, ({"transfer_random"},))
        sparse = (
            {action for action in given if "gated" in action or "metadata" in action}
            if spec.sparsity
            else set()
        )
        assert given - sparse in known, row["name"]


def test_the_list_of_machines_is_complete_and_right() -> None:
    lines = (ROOT / "arch" / "README.md").read_text().splitlines()
    rows = {
        line.split("`")[1]: line.split("|") for line in lines if line.startswith("| `") and "yaml" not in line
    }
    assert set(rows) == {machine.name for machine in MACHINES}
    for machine in MACHINES:
        architecture = load([*machine_files(machine), ROOT / "problems" / SAMPLES[0]]).architecture
        row = rows[machine.name]
        assert int(row[2]) == architecture.compute.instances, machine.name
        stored = [level for level in reversed(architecture.storage) if not level.name.startswith("inter_")]
        for level in stored:
            size = "" if level.size is None else f" {level.size}"
            assert f"{level.name}{size}" in row[4], (machine.name, level.name, level.size)


MAPPERS = sorted((ROOT / "mappers").glob("*.yaml"))
SETTINGS = {
    "searcher",
    "objective",
    "samples",
    "valid_samples",
    "seconds",
    "target",
    "stagnation",
    "seed",
    "options",
}


@pytest.mark.parametrize("path", MAPPERS, ids=lambda path: path.stem)
def test_mapper_file_names_a_searcher(path: Path) -> None:
    document = read(path)
    settings = document["timeloop_marl"]
    assert set(settings) <= SETTINGS
    assert set(settings.get("options", {})) <= set(all_searchers()[settings["searcher"]].options)
    spec = load([*machine_files(ROOT / "arch" / "small_toy"), ROOT / "problems" / SAMPLES[0], path])
    assert not spec.notices
    if "mapper" in document:
        assert settings["searcher"] == "timeloop-" + spec.mapper.algorithm.replace("_", "-")


def test_every_searcher_has_a_mapper_file() -> None:
    assert {read(path)["timeloop_marl"]["searcher"] for path in MAPPERS} == set(all_searchers())

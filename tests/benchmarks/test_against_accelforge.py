"""AccelForge beside ours: the same machine and layer in both languages, mappings, what is said without it."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from against_accelforge import (
    LAYERS,
    MACHINES,
    accelforge_input,
    accelforge_mapping,
    run_side,
    timeloop_input,
)

import timeloop_marl as tm
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.spec import Spec


class Tagged(yaml.SafeLoader):
    """Takes ``!Memory`` and the like for the plain mappings that they stand before."""


Tagged.add_multi_constructor(
    "!", lambda loader, tag, node: {**loader.construct_mapping(node, deep=True), "is": tag}
)


def spec_of(layer: str, machine: str) -> Spec:
    return tm.load(timeloop_input(MACHINES[machine], LAYERS[layer]))


def nest(spec: Spec, *levels: dict[str, int]) -> Mapping:
    """The loops of all levels inside-out, each from its innermost loop on."""
    dims, loops = spec.problem.dims, []
    for level in levels:
        order = [dims.index(dim) for dim in level] + [d for d in range(len(dims)) if dims[d] not in level]
        factors = tuple(level.get(dim, 1) for dim in dims)
        loops.append(TilingLoops(factors, factors, tuple(order), 0))
    spaces = len(spec.problem.data_spaces)
    return Mapping(tuple(loops), ((True,) * spaces,) * len(spec.architecture.storage))


def nodes(spec: Spec, layer: str, mapping: Mapping) -> list[str]:
    """AccelForge's nodes in short."""
    found = yaml.load(accelforge_mapping(spec, LAYERS[layer], mapping), Tagged)["mapping"]["nodes"]
    return [
        f"{node['component']} {node['tensors'][0]}" if node["is"] == "Storage"
        else f"{node['rank_variable']} {node['tile_shape']}" if node["is"] == "Temporal" else node["is"]
        for node in found
    ]  # fmt: skip


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("layer", LAYERS)
def test_both_inputs_say_the_same(layer: str, machine: str) -> None:
    spec = spec_of(layer, machine)
    texts = accelforge_input(MACHINES[machine], LAYERS[layer])
    architecture, workload = (yaml.load(text, Tagged) for text in texts)
    memories = [node for node in architecture["arch"]["nodes"] if node["is"] == "Memory"]
    for node, level, energy in zip(
        reversed(memories), spec.architecture.storage, spec.energies.storage, strict=True
    ):
        assert node["name"] == level.name
        assert node["size"] == ("inf" if level.size is None else 8 * level.size)
        assert (
            [action["energy"] for action in node["actions"]]
            == [energy.read, energy.fill]
            == 2 * [energy.update]
        )
    fanouts = [
        node["spatial"][0]["fanout"] for node in architecture["arch"]["nodes"] if node["is"] == "Container"
    ]
    assert math.prod(fanouts) == spec.architecture.compute.instances
    shape = workload["workload"]["iteration_space_shape"]
    assert math.prod(int(text.split("<")[-1]) for text in shape.values()) == spec.problem.operations


def test_tensors_are_stored_above_the_loops_over_which_timeloop_keeps_them() -> None:
    spec = spec_of("matmul", "2")
    mapping = nest(spec, {"K": 64, "M": 4}, {"M": 16, "N": 64})
    assert nodes(spec, "matmul", mapping) == [
        "DRAM A", "DRAM B", "DRAM Z", "n 1", "BUF B", "m 4", "BUF A", "BUF Z", "m 1", "k 1", "Compute",
    ]  # fmt: skip


def test_and_above_one_loop_along_which_they_slide() -> None:
    spec = spec_of("conv", "2")
    inside = {"C": 16, "R": 3, "S": 3, "M": 32, "Q": 7}
    mapping = nest(spec, inside, {"P": 14, "Q": 2})
    assert nodes(spec, "conv", mapping)[:7] == [
        "DRAM W", "DRAM I", "DRAM O", "BUF W", "q 7", "BUF I", "p 1",
    ]  # fmt: skip


def test_without_it_one_sentence_says_what_to_do() -> None:
    if importlib.util.find_spec("accelforge"):
        pytest.skip("accelforge is installed")
    with pytest.raises(SystemExit, match="has no accelforge: pip install accelforge"):
        run_side(sys.executable, "{}")

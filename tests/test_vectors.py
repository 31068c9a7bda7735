"""The complete inputs with all results of the real program that come with the specification of the cost model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs import read_spec
from timeloop_marl.specs.document import Document
from timeloop_marl.specs.mapping_yaml import read_mapping

SPEC = Path(__file__).parent / "golden" / "spec"
VECTORS = [
    json.loads(line)
    for name in ("vectors.jsonl", "vectors-mn.jsonl")
    for line in (SPEC / name).read_text().splitlines()
]
TENSOR_FIELDS = {
    "partition": "partition",
    "capacity": "tile_shape",  # what Timeloop prints as utilised capacity; distribution does not reduce it
    "instances": "instances",
    "clusters": "clusters",
    "reads": "reads",
    "fills": "fills",
    "updates": "updates",
    "temporal_reductions": "temporal_reductions",
    "address_generations": "address_generations",
}


def statistics_of(text: str) -> tuple[Statistics, object]:
    """Statistics of the mapping in a complete input."""
    document = Document(yaml.safe_load(text))
    spec = read_spec(document, mapspace_constraints=False)
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
    result = NativeEvaluator(spec, switches=switches).statistics(mapping)
    assert isinstance(result, Statistics), result
    return result, spec


def vector_form(result: Statistics, spec) -> dict:
    """The figures in the form of a vector's ``expect``; ingresses and hops are printed with two decimals."""
    names = [space.name for space in spec.problem.data_spaces]
    return {
        "cycles": result.cycles,
        "energy_pj": result.energy_pj,
        "utilization": result.utilization,
        "computes": result.computes,
        "compute_energy_pj": result.compute.energy,
        "levels": {
            level.name: {
                "cycles": level.cycles,
                "energy_pj": level.energy,
                "dataspaces": {
                    name: {key: getattr(tensor, attribute) for key, attribute in TENSOR_FIELDS.items()}
                    for name, tensor in zip(names, level.tensors)
                    if tensor.kept
                },
            }
            for level in result.levels
        },
        "networks": {
            network.name: {
                name: {
                    "ingresses": {
                        f"{e.multicast},{e.scatter}": round(e.accesses, 2)
                        for e in (*tensor.entries, *tensor.distributed)
                    },
                    "link_transfers": tensor.link_transfers,
                    "spatial_reductions": tensor.spatial_reductions,
                    "average_hops": round(tensor.hops, 2),
                }
                for name, tensor in zip(names, network.tensors)
            }
            for network in result.networks
        },
    }


def differences(want, got, path=""):
    if isinstance(want, dict):
        for key in want.keys() | got.keys():
            if key not in want or key not in got:
                yield path, key, "one side only"
            else:
                yield from differences(want[key], got[key], f"{path}.{key}")
    elif want != got:
        yield path, want, got


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector):
    got = vector_form(*statistics_of(vector["input_yaml"]))
    assert list(differences(vector["expect"], got)) == []


def test_number_of_vectors(capsys):
    figures = sum(map(count, (vector["expect"] for vector in VECTORS)))
    with capsys.disabled():
        print(f"\nvectors: {len(VECTORS)} complete inputs, {figures} figures")
    assert len(VECTORS) == 99 + 24


def count(value) -> int:
    return sum(map(count, value.values())) if isinstance(value, dict) else 1

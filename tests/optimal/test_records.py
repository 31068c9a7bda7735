"""The certificates in benchmarks/optima: their mappings cost what is written there, on the inputs that are here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from timeloop_marl import optimum
from timeloop_marl.api.inputs import load
from timeloop_marl.api.optimum import Start, check
from timeloop_marl.specs.spec import Spec

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "benchmarks" / "optima").glob("*.json"))


def spec_of(pair: str) -> Spec:
    machine, network, layer = pair.split("/")
    return load(
        [*sorted((ROOT / "arch" / machine).glob("*.yaml")), ROOT / "problems" / network / f"{layer}.yaml"]
    )


def test_there_are_enough() -> None:
    records = [json.loads(file.read_text()) for file in FILES]
    assert len({record["pair"] for record in records}) >= 30
    assert sum(record["status"] == "optimal" for record in records) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_mapping_cost_and_inputs_are_as_recorded(file: Path) -> None:
    record = json.loads(file.read_text())
    assert check(spec_of(record["pair"]), record) == []
    assert record["bound"] <= record["cost"]


@pytest.mark.parametrize("pair", ["eyeriss_like/resnet18/conv5_proj", "nvdla_large_like/resnet18/conv4_3x3"])
def test_a_recorded_optimum_is_found_again_from_nothing_good(pair: str) -> None:
    file = ROOT / "benchmarks" / "optima" / f"edp.{pair.replace('/', '.')}.json"
    result = optimum(spec_of(pair), start=Start("random", 10, 1), jobs=2)
    assert result.proven and result.cost == json.loads(file.read_text())["cost"]

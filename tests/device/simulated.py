"""Run by ``test_simulated.py`` in a process of its own: numba chooses its CUDA simulator when it is imported.

``python simulated.py rows EVERY`` compares both evaluators on every so manyth recorded row, ``draws COUNT`` on random
mappings of several machines, ``best COUNT`` of numbered draws. Prints one JSON object.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from timeloop_marl.api import draws
from timeloop_marl.cost.outcome import Failure, Outcome
from timeloop_marl.evaluators.gpu.draws import DeviceDraws
from timeloop_marl.evaluators.gpu.evaluator import CudaEvaluator
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.timeloop import TimeloopMapspace
from timeloop_marl.specs import load
from timeloop_marl.specs.mapping import MappingBatch
from timeloop_marl.specs.spec import ModelOptions, Spec
from timeloop_marl.validation.rows.encoding import row_mapping

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
FIELDS = ("cycles", "energy_pj", "utilization", "failure", "failed_level", "accesses")
PAIRS = (
    ("three_level", "toy_conv"),
    ("eyeriss_like", "resnet18_layer3_first"),
    ("simba_like", "resnet18_layer1"),
    ("gemmini_like", "bert_base_ffn"),
    ("output_stationary", "mobilenetv2_pw"),
)


def compared(spec: Spec, mappings: MappingBatch, precheck: bool = False) -> dict[str, int]:
    """Rows, valid ones, those left to the CPU, and rows with any figure that is not the same to the last bit."""
    real, device = (kind(spec, accesses=True, precheck=precheck) for kind in (NativeEvaluator, CudaEvaluator))
    here, there = real(mappings), device(mappings)
    assert isinstance(device, CudaEvaluator)
    return {
        "rows": len(mappings),
        "valid": int((here.failure == Failure.OK).sum()),
        "left": device.left,
        "different": int((columns(here) != columns(there)).any(axis=1).sum()),
    }


def columns(outcome: Outcome) -> np.ndarray:
    """All figures of each row as their bits."""
    parts = [np.ascontiguousarray(getattr(outcome, name)) for name in FIELDS]
    assert all(len(part) == len(outcome.cycles) for part in parts)
    return np.concatenate([part.view(np.uint8).reshape(len(part), -1) for part in parts], axis=1)


def recorded(every: int) -> dict[str, Any]:
    """Recorded rows, by file."""
    found: dict[str, Any] = {}
    for file in sorted((GOLDEN / "data").glob("*.jsonl.gz")):
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        with gzip.open(file, "rt") as lines:
            for row in [json.loads(line) for line in lines][every // 2 :: every]:
                groups[row["arch"], row["problem"], json.dumps(row.get("env", {}))].append(row)
        counts: dict[str, int] = defaultdict(int)
        for (machine, problem, env), rows in groups.items():
            spec = golden_spec(machine, problem, json.loads(env))
            batch = MappingBatch.of([row_mapping(row, spec) for row in rows])
            for name, count in compared(spec, batch).items():
                counts[name] += count
        found[file.name.split(".")[0]] = counts
    return found


def golden_spec(machine: str, problem: str, env: dict[str, Any] | None = None) -> Spec:
    """A recorded machine and problem, without constraints."""
    folder = GOLDEN / "inputs" / "arch" / machine
    files = [
        file for name in ("arch_v03", "arch", "ERT", "ART") if (file := folder / f"{name}.yaml").is_file()
    ]
    if len(files) > 1 and files[0].name == "arch_v03.yaml":
        files = [file for file in files if file.name != "arch.yaml"]
    options = ModelOptions.from_environment(
        {name: str(value) for name, value in (env or {}).items() if value is not None}, "2025"
    )
    workload = GOLDEN / "inputs" / "problems" / f"{problem}.yaml"
    return load([*files, workload], options=options, mapspace_constraints=False)


def drawn(count: int) -> dict[str, Any]:
    """Random mappings: the learners' (feasible) and those of Timeloop's mapspace (mostly not), with its pre-check."""
    found = {}
    for machine, problem in PAIRS:
        spec, rng = golden_spec(machine, problem), np.random.default_rng(7)
        space, timeloop = LearnersMapspace(spec), TimeloopMapspace(spec)
        found[f"{machine} {problem}"] = compared(spec, space.decode(space.sample(count, rng)))
        other = timeloop.decode(timeloop.sample(rng, count))
        found[f"{machine} {problem}, Timeloop's draws"] = compared(spec, other, precheck=True)
    return found


def best_drawn(count: int) -> dict[str, Any]:
    """The best of numbered draws, in two batches on the device, against the CPU's, with every objective."""
    arch = sorted((ROOT / "arch" / "simba_like").glob("*.yaml"))
    spec = load([*arch, ROOT / "problems" / "resnet18" / "conv4_3x3.yaml"])
    draws.BATCH["cuda"] = count // 2 + 1
    deep: list[int] = []  # draws that the deep kernel made
    original = DeviceDraws._launch

    def noted(self: DeviceDraws, which: np.ndarray, **options: bool) -> Any:
        deep.extend(which if options["deep"] else ())
        return original(self, which, **options)

    found = {}
    with mock.patch.object(DeviceDraws, "_launch", noted):
        for objective in draws.METRICS:
            here, there = (
                dataclasses.asdict(
                    draws.best_of_draws(spec, count, objective=objective, keep=5, first=9, device=device)
                )
                for device in ("cpu", "cuda")
            )
            found[objective] = {
                "deep": len(deep),
                "left": there["left"],
                "kept": len(here["costs"]),
                "valid": here["valid"],
                "different": sum(here[name] != there[name] for name in here if name != "left"),
            }
    return found


if __name__ == "__main__":
    print(json.dumps({"rows": recorded, "draws": drawn, "best": best_drawn}[sys.argv[1]](int(sys.argv[2]))))

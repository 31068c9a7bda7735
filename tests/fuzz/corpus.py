"""The inputs that are mutated: our machines and problems, and the public ones where they are on disk."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "inputs"
STANDARD = Path(os.environ.get("TIMELOOP_STANDARD_INPUTS", ROOT.parent / "shared" / "standard"))


@dataclass(frozen=True)
class Case:
    """Files that make one input; ``base`` is the folder that is copied, ``files`` are relative to it."""

    name: str
    base: Path
    files: tuple[Path, ...]
    touched: tuple[Path, ...]  # files that may be mutated
    jinja_data: dict[str, Any] = field(default_factory=dict)
    program: str = "mapper"


def _case(name: str, base: Path, files: list[Path], touched: list[Path] | None = None, **data: Any) -> Case:
    relative = tuple(path.relative_to(base) for path in files)
    return Case(
        name, base, relative, tuple(p.relative_to(base) for p in touched) if touched else relative, data
    )


def golden_cases() -> list[Case]:
    """v0.4 and v0.3 form of every machine, each with some problem."""
    cases = []
    names = (
        "resnet18_layer1",
        "vgg16_conv3_2_b4",
        "resnet18_conv1",
        "prime_conv",
        "dilated_conv",
        "toy_conv",
    )
    problems = [GOLDEN / "problems" / f"{name}.yaml" for name in names]
    for index, folder in enumerate(sorted(path for path in (GOLDEN / "arch").iterdir() if path.is_dir())):
        problem = problems[index % len(problems)]
        cases.append(_case(f"{folder.name} v0.4", GOLDEN, [folder / "arch.yaml", problem]))
        tables = [folder / name for name in ("arch_v03.yaml", "constraints_v03.yaml", "ERT.yaml", "ART.yaml")]
        cases.append(
            _case(f"{folder.name} v0.3", GOLDEN, [path for path in tables if path.exists()] + [problem])
        )
    return cases


RECORDED = (
    "mapper_hybrid_victory", "mapper_ruby", "model_banked_wide_toy_conv", "model_deep_hierarchy_resnext",
    "model_distributed_multicast", "model_imperfect_spatial", "model_ispass_pat", "model_small_toy_imperfect",
    "model_user_networks",
)  # fmt: skip


def recorded_cases() -> list[Case]:
    """Inputs of recorded runs: hand-written mappings, user networks, other architecture forms, mapper options."""
    cases = []
    for name in RECORDED:
        folder = GOLDEN.parent / "outputs" / name / "in"
        files = tuple(Path(path.name) for path in sorted(folder.glob("*.yaml")))
        cases.append(Case(name, folder, files, files, program=name.split("_")[0]))
    return cases


def standard_cases() -> list[Case]:
    """The public example designs, exercises and layers; empty where they are not on disk."""
    if not STANDARD.is_dir():
        return []
    cases = []
    designs = STANDARD / "example_designs"
    includes = sorted(designs.glob("_*/*.yaml"))
    for folder in sorted(path.parent for path in designs.glob("*/arch.yaml")):
        top = designs / "top.yaml.jinja2"
        touched = [top, folder / "arch.yaml", *includes]
        cases.append(_case(f"top {folder.name}", designs, [top], touched, architecture=folder.name))
    for folder in sorted((STANDARD / "tutorial_2020" / "timeloop").iterdir()):
        files = [
            path
            for part in ("arch", "prob", "mapper", "constraints")
            for path in sorted((folder / part).glob("*.yaml"))
        ]
        maps = sorted((folder / "map").glob("*.yaml"))[:1]
        constraints = [path for path in files if path.parent.name == "constraints"][1:]
        files = [path for path in files if path not in constraints] + maps
        case = _case(folder.name, folder, files)
        cases.append(replace(case, program="model") if maps else case)
    accelergy = STANDARD / "tutorial_2020" / "timeloop+accelergy"
    parts = [accelergy / "arch/arch.yaml", accelergy / "prob/prob.yaml", accelergy / "mapper/mapper.yaml"]
    data = {"psum_datawidth": 16, "input_weight_datawidth": 8, "mac_class": "intmac"}
    cases.append(_case("accelergy", accelergy, parts, **data))
    layers = sorted((STANDARD / "layer_shapes").glob("*/*.yaml"))
    for index, folder in enumerate(sorted((STANDARD / "flattened").iterdir())):
        layer = layers[index * 25 % len(layers)]
        cases.append(_case(f"flat {folder.name}", STANDARD, [layer, *sorted(folder.glob("*.yaml"))]))
    return cases


def all_cases() -> list[Case]:
    """Every case there is."""
    return [*golden_cases(), *recorded_cases(), *standard_cases()]


def pick(cases: list[Case], rng: random.Random) -> tuple[Case, Path]:
    """A case and the file of it to mutate."""
    case = rng.choice(cases)
    return case, rng.choice(case.touched)

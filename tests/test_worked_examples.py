"""The worked examples of the Timeloop cost model (section 16), read from their text: outputs of the real program."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from timeloop_marl.cost.outcome import Failure, Rejection
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs.architecture import Architecture, ComputeLevel, NetworkAttributes, StorageLevel
from timeloop_marl.specs.constraints import Switches
from timeloop_marl.specs.energy import Energies, LevelEnergy
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import ModelOptions, Spec

TEXT = (Path(__file__).parent / "golden" / "spec" / "worked-examples.md").read_text()
EXAMPLE = re.compile(r"^### (E\d+[ab]?) — (.*?)\n(.*?)(?=^### )", re.M | re.S)
SWITCHES = ("no_temporal_reuse", "rmw_first_update", "no_coalesce", "no_multicast", "no_link_transfer")


@dataclass
class Level:
    name: str
    mesh: tuple[int, int]
    x: list[tuple[str, int, int]]
    y: list[tuple[str, int, int]]
    temporal: list[tuple[str, int, int]]
    options: dict[str, object]


@dataclass
class Example:
    name: str
    bounds: dict[str, int]
    compute: tuple[int, int]
    levels: list[Level]
    text: str
    results: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def loops(text: str) -> list[tuple[str, int, int]]:
    found = re.findall(r"([A-Z])(\d+)(?:\(res (\d+)\))?", text)
    return [(dim, int(n), int(r or n)) for dim, n, r in found]


def parse_options(text: str) -> dict[str, object]:
    options: dict[str, object] = {}
    for key, value in re.findall(r"(\w+)=(\[[^]]*\]|[^,\s]+)", text):
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[key] = value
    return options


def parse(name: str, body: str) -> Example:
    bounds = {d: int(n) for d, n in re.findall(r"([A-Z])=(\d+)", body.split("; compute mesh")[0])}
    mesh = re.search(r"compute mesh (\d+)x(\d+)", body)
    tables = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
        for block in re.findall(r"(?:^\|.*\n?)+", body, re.M)
    ]
    levels = []
    for row in tables[0]:
        x, y = row[2].split("/")
        a, b = row[1].split("·")
        levels.append(
            Level(row[0], (int(a), int(b)), loops(x), loops(y), loops(row[3]), parse_options(row[4]))
        )
    example = Example(name, bounds, (int(mesh[1]), int(mesh[2])), levels, body)
    for row in tables[1] if len(tables) > 1 else []:
        example.results[row[0], row[1]] = row[2:]
    return example


EXAMPLES = {name: parse(name, body) for name, _, body in EXAMPLE.findall(TEXT)}


def problem_of(example: Example) -> Problem:
    if "M" in example.bounds:
        dims = ("M", "N", "K")
        spaces = {"A": ("M", "K"), "B": ("K", "N"), "Z": ("M", "N")}
    else:
        dims = ("R", "P", "C", "K")
        spaces = {"W": ("K", "C", "R"), "I": ("C", "RP"), "O": ("K", "P")}
    stride = 2 if example.name == "E6" else 1

    def rank(letters: str) -> tuple[Term, ...]:
        return tuple(Term(dims.index(d), stride if letters == "RP" and d == "P" else 1) for d in letters)

    return Problem(
        "example",
        dims,
        tuple(example.bounds[d] for d in dims),
        tuple(
            DataSpace(name, tuple(map(rank, ranks)), p == 2) for p, (name, ranks) in enumerate(spaces.items())
        ),
    )


def storage_level(level: Level, top: bool) -> StorageLevel:
    options = {
        k: v for k, v in level.options.items() if k not in (*SWITCHES, "bypass", "leak", "network_type")
    }
    return StorageLevel(
        name=level.name,
        class_name="DRAM" if top else "SRAM",
        technology="DRAM" if top else "SRAM",
        instances=level.mesh[0] * level.mesh[1],
        mesh_x=level.mesh[0],
        mesh_y=level.mesh[1],
        network=NetworkAttributes(network_type=str(level.options.get("network_type", ""))),
        **{"size": None if top else 10**6, "word_bits": 8, **options},
    )


def spec_of(example: Example, **changes) -> Spec:
    storage = tuple(storage_level(level, level is example.levels[-1]) for level in example.levels)
    x, y = example.compute
    energies = Energies(
        tuple(
            LevelEnergy(1.0, 2.0, 4.0, leak=float(level.options.get("leak", 0))) for level in example.levels
        ),
        compute=0.5,
    )
    compute = ComputeLevel("mac", "intmac", x * y, x, y, word_bits=8)
    return Spec(problem_of(example), Architecture(storage, compute), energies, **changes)


def mapping_of(example: Example, spec: Spec) -> Mapping:
    dims, spaces = spec.problem.dims, [space.name for space in spec.problem.data_spaces]
    tiles = []
    for tile in spec.architecture.tiling_levels:
        level = example.levels[tile.storage]
        used = [*level.x, *level.y] if tile.spatial else level.temporal
        factors = {dims.index(d): (n, r) for d, n, r in used}
        order = [*factors, *(d for d in range(len(dims)) if d not in factors)]
        tiles.append(
            TilingLoops(
                tuple(factors.get(d, (1, 1))[0] for d in range(len(dims))),
                tuple(factors.get(d, (1, 1))[1] for d in range(len(dims))),
                tuple(order),
                len(level.x) if tile.spatial else 0,
            )
        )
    keep = tuple(
        tuple(space not in level.options.get("bypass", ()) for space in spaces) for level in example.levels
    )
    return Mapping(tuple(tiles), keep)


def switches_of(example: Example, spec: Spec) -> Switches:
    names = [space.name for space in spec.problem.data_spaces]
    return Switches(
        **{
            switch: frozenset(
                (s, names.index(name))
                for s, level in enumerate(example.levels)
                for name in level.options.get(switch, ())
            )
            for switch in SWITCHES
        }
    )


def evaluate(example: Example, **changes):
    spec = spec_of(example, **changes)
    evaluator = NativeEvaluator(spec, switches=switches_of(example, spec))
    return spec, evaluator.statistics(mapping_of(example, spec))


def tensor_row(tensor, network) -> list[str]:
    """One data space at one level as the text writes it."""
    entries = " ".join(
        f"({e.multicast},{e.scatter}):{e.accesses:.15g}" for e in (*network.entries, *network.distributed)
    )
    counts = (
        ["bypass", "", "", "", "", "", ""]
        if not tensor.kept
        else [
            str(value)
            for value in (
                tensor.tile_shape,
                tensor.partition,
                tensor.instances,
                tensor.reads,
                tensor.fills,
                tensor.updates,
                tensor.temporal_reductions,
            )
        ]
    )
    return [
        *counts,
        entries,
        f"{network.hops:.2f}",
        str(network.link_transfers),
        str(network.spatial_reductions),
    ]


def test_all_examples_are_read():
    assert len(EXAMPLES) == 27
    assert sum(len(example.results) for example in EXAMPLES.values()) > 200


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "E24"])
def test_example(name):
    example = EXAMPLES[name]
    spec, result = evaluate(example)
    want = re.search(r"cycles (\d+), computes (\d+), energy ([\d.]+) pJ, utilisation ([\d.]+)", example.text)
    assert (result.cycles, result.computes) == (int(want[1]), int(want[2]))
    assert (result.energy_pj, result.utilization) == (float(want[3]), float(want[4]))
    networks = {network.outer_level: network for network in result.networks}
    got = {
        (level.name, space.name): tensor_row(level.tensors[p], networks[s].tensors[p])
        for s, level in enumerate(result.levels)
        for p, space in enumerate(spec.problem.data_spaces)
    }
    assert got == example.results


def test_capacity_one_word_short():
    _, result = evaluate(EXAMPLES["E24"])
    assert isinstance(result, Rejection)
    assert result.failure == Failure.CAPACITY
    assert (result.level_name, result.message) == ("BUF", "mapped tile size 7 exceeds buffer capacity 6")


def test_without_link_transfers():
    """Last column of the table on environment switches."""
    _, result = evaluate(EXAMPLES["E10"], options=ModelOptions(link_transfers=False))
    inputs = result.levels[1].tensors[1]
    traffic = next(n for n in result.networks if n.outer_level == 1).tensors[1]
    assert inputs.reads == 12
    assert [(e.multicast, e.scatter, e.accesses) for e in traffic.entries] == [(1, 4, 12.0)]
    assert traffic.link_transfers == 0


def test_without_first_read_elision():
    """Section 10: E1 then gives BUF Z reads 24, fills 8, updates 24."""
    _, result = evaluate(EXAMPLES["E1"], options=ModelOptions(first_read_elision=False))
    z = result.levels[0].tensors[2]
    assert (z.reads, z.fills, z.updates) == (24, 8, 24)

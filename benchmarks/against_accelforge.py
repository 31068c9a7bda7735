"""AccelForge's mapper and model beside ours on equivalent inputs: small machines whose levels keep every tensor.

    python benchmarks/against_accelforge.py [--python PYTHON] [--cases matmul/2 conv/2 …] [--mappings 10]

AccelForge needs Python 3.12: ``--python`` names the interpreter that has it (``pip install accelforge``; default: this
one). Both look for the least energy, one thread each, processor time without imports and compiling: AccelForge's mapper
and our ``optimum``, which both say that nothing is better in their models, and ``marl`` until it stands at the
optimum. Then both models count the same random mappings (without spatial loops), so that what differs is known.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timeloop_marl as tm
from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.specs.mapping import Mapping, MappingBatch
from timeloop_marl.specs.spec import Spec
from timeloop_marl.validation.verification import draw_mappings

SIDE = Path(__file__).resolve().parent / "accelforge_side.py"
SEEDS = (1, 2, 3)
SAMPLES = 2000
RATED = 10_000
EXACT = 1e-12  # relative: sums of a few energies
HEAD = """\
| layer/levels | AccelForge: least energy, pJ | seconds | tile shapes evaluated | ours: least energy | seconds | \
`marl` to it | AccelForge, evaluations/s | native model, mappings/s |
|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Level:
    """A memory: words, pJ a word read, filled or updated; ``instances`` of it side by side."""

    name: str
    words: int | None
    energy: float
    instances: int = 1


@dataclass(frozen=True)
class Layer:
    """``bounds`` by dimension; tensors are used at sums of dimensions, one sum per rank. The last one is written."""

    bounds: dict[str, int]
    tensors: dict[str, tuple[tuple[str, ...], ...]]


DRAM, BUF = Level("DRAM", None, 200.0), Level("BUF", 4096, 6.0)
MACHINES = {
    "2": (DRAM, BUF),
    "3": (DRAM, BUF, Level("REG", 64, 0.5)),
    "3x16": (DRAM, BUF, Level("REG", 64, 0.5, 16)),
}
LAYERS = {
    "matmul": Layer(
        {"M": 64, "K": 64, "N": 64}, {"A": (("M",), ("K",)), "B": (("K",), ("N",)), "Z": (("M",), ("N",))}
    ),
    "conv": Layer(
        {"M": 32, "C": 16, "R": 3, "S": 3, "P": 14, "Q": 14},
        {
            "W": (("M",), ("C",), ("R",), ("S",)),
            "I": (("C",), ("P", "R"), ("Q", "S")),
            "O": (("M",), ("P",), ("Q",)),
        },
    ),
}
CASES = ("matmul/2", "matmul/3", "matmul/3x16", "conv/2")


def timeloop_input(machine: tuple[Level, ...], layer: Layer) -> dict[str, Any]:
    """Our input: Timeloop's v0.3 form, no bypass."""
    names = [f"{level.name}[0..{level.instances - 1}]" for level in machine]
    local = [
        {
            "name": name,
            "class": "SRAM" if level.words else "DRAM",
            "attributes": {
                "width": 8,
                "word-bits": 8,
                "block-size": 1,
                **({"depth": level.words} if level.words else {}),
            },
        }
        for name, level in zip(names, machine)
    ]
    macs = f"MAC[0..{machine[-1].instances - 1}]"
    local.append({"name": macs, "class": "intmac", "attributes": {"datawidth": 8}})
    tables = [
        {"name": f"system.{level.name}", "actions": [*_actions(("read", "write", "update"), level.energy)]}
        for level in machine
    ]
    tables.append({"name": "system.MAC", "actions": [*_actions(("compute",), 1.0)]})
    spaces = [
        {
            "name": name,
            "projection": [[[dim] for dim in rank] for rank in ranks],
            "read-write": k + 1 == len(layer.tensors),
        }
        for k, (name, ranks) in enumerate(layer.tensors.items())
    ]
    kept = [
        {"target": level.name, "type": "bypass", "keep": list(layer.tensors), "bypass": []}
        for level in machine
    ]
    return {
        "architecture": {"version": 0.3, "subtree": [{"name": "system", "local": local}]},
        "ERT": {"version": 0.3, "tables": tables},
        "problem": {
            "version": 0.3,
            "shape": {"name": "layer", "dimensions": list(layer.bounds), "data-spaces": spaces},
            "instance": dict(layer.bounds),
        },
        "mapspace_constraints": kept,
    }


def _actions(names: tuple[str, ...], energy: float) -> Iterator[dict[str, Any]]:
    yield from ({"name": name, "energy": energy} for name in names)
    yield {"name": "leak", "energy": 0.0}


def accelforge_input(machine: tuple[Level, ...], layer: Layer) -> tuple[str, str]:
    """AccelForge's architecture and workload; a tag is put in front of mappings and list entries by hand."""
    nodes, before = [], 1
    for level in machine:
        if level.instances > before:
            nodes.append(
                f"  - !Container {{name: PE, spatial: [{{name: X, fanout: {level.instances // before}}}]}}"
            )
        before = level.instances
        size = "inf" if level.words is None else str(8 * level.words)
        acts = ", ".join(
            _action(name, level.energy, "inf", ", bits_per_action: 8") for name in ("read", "write")
        )
        nodes.append(
            f"  - !Memory {{name: {level.name}, size: {size}, leak_power: 0, area: 0, tensors: {{keep: All}}, "
            f"actions: [{acts}]}}"
        )
    nodes.append(
        f"  - !Compute {{name: MAC, leak_power: 0, area: 0, actions: [{_action('compute', 1.0, '1', '')}]}}"
    )
    shape = [f"    {dim.lower()}: 0 <= {dim.lower()} < {bound}" for dim, bound in layer.bounds.items()]
    accesses = []
    for k, (name, ranks) in enumerate(layer.tensors.items()):
        sums = [f"D{r}: {' + '.join(rank).lower()}" for r, rank in enumerate(ranks)]
        written = ", output: True" if k + 1 == len(layer.tensors) else ""
        accesses.append(f"    - {{name: {name}, projection: {{{', '.join(sums)}}}{written}}}")
    workload = ["workload:", "  iteration_space_shape:", *shape, "  bits_per_value: {All: 8}", "  einsums:"]
    workload += ["  - name: Layer", "    tensor_accesses:", *accesses]
    return "arch:\n  nodes:\n" + "\n".join(nodes) + "\n", "\n".join(workload) + "\n"


def _action(name: str, energy: float, throughput: str, more: str) -> str:
    return f"{{name: {name}, energy: {energy}, throughput: {throughput}{more}}}"


def accelforge_mapping(spec: Spec, layer: Layer, mapping: Mapping) -> str:
    """A mapping without spatial loops in AccelForge's words.

    Timeloop keeps a tile over the loops just outside of its level that do not move it, and over one that makes it slide
    the words that the last tile had, too. AccelForge keeps what is stored below a loop for one of its iterations, so
    such a tensor is stored above those loops.
    """
    dims, tensors = list(layer.bounds), layer.tensors
    nest: list[tuple[int, str, int]] = []  # level, dimension, extent of the tile inside, outermost loop first
    inside = dict.fromkeys(dims, 1)
    for level, loops in enumerate(mapping.loops):
        for d in loops.order:
            if loops.factors[d] > 1:
                nest.insert(0, (level, dims[d], inside[dims[d]]))
                inside[dims[d]] *= loops.factors[d]
    places: dict[int, list[tuple[int, str]]] = {}  # position in the nest: (level, tensor) stored there
    for level in range(len(spec.architecture.storage)):
        for tensor, ranks in tensors.items():
            at = sum(owner > level for owner, _, _ in nest)
            if level + 1 < len(spec.architecture.storage):
                at = _above_reuse(ranks, [dim for _, dim, _ in nest[:at]])
            places.setdefault(at, []).append((level, tensor))
    lines = ["mapping:", "  nodes:"]
    for at in range(len(nest) + 1):
        for level, tensor in sorted(places.get(at, ()), key=lambda place: -place[0]):
            lines.append(
                f"  - !Storage {{tensors: [{tensor}], component: {spec.architecture.storage[level].name}}}"
            )
        if at < len(nest):
            lines.append(f"  - !Temporal {{rank_variable: {nest[at][1].lower()}, tile_shape: {nest[at][2]}}}")
    return "\n".join([*lines, "  - !Compute {einsum: Layer, component: MAC}"]) + "\n"


def _above_reuse(ranks: tuple[tuple[str, ...], ...], outside: list[str]) -> int:
    """How many of the loops outside are left outside of where a tensor is stored."""
    moving = {dim for rank in ranks for dim in rank}
    sliding = {dim for rank in ranks if len(rank) > 1 for dim in rank}
    at, slid = len(outside), False
    while at and (outside[at - 1] not in moving or (outside[at - 1] in sliding and not slid)):
        at -= 1
        slid |= outside[at] in sliding
    return at


def our_counts(spec: Spec, layer: Layer, figures: Statistics) -> dict[str, float]:
    """Our counts by AccelForge's names; fills and updates are writes there."""
    found: dict[str, float] = {}
    for level in figures.levels:
        for tensor, words in zip(layer.tensors, level.tensors, strict=True):
            found[f"{level.name}.{tensor}.read"] = words.reads * words.instances
            found[f"{level.name}.{tensor}.write"] = (words.fills + words.updates) * words.instances
    return {**found, "energy": figures.energy_pj}


def compared(case: str, python: str, count: int, seconds: float) -> None:
    """One case: both optima with what they took, then the counts."""
    name, kind = case.split("/")
    machine, layer = MACHINES[kind], LAYERS[name]
    document = timeloop_input(machine, layer)
    spec = tm.load(document)
    mappings = draw_mappings(spec, count, 1) if machine[-1].instances == 1 else []
    with tempfile.TemporaryDirectory() as folder:
        files = []
        texts = [*accelforge_input(machine, layer), *(accelforge_mapping(spec, layer, m) for m in mappings)]
        for number, text in enumerate(texts):
            files.append(str(Path(folder) / f"{number}.yaml"))
            Path(files[-1]).write_text(text)
        asked = {"files": files[:2], "mappings": files[2:]}
        answer = json.loads(run_side(python, json.dumps(asked)))
    theirs = answer["mapper"]
    tm.optimum(spec, objective="energy", seconds=seconds)  # compiles
    begun = time.process_time()
    best = tm.optimum(spec, objective="energy", seconds=seconds)
    spent = time.process_time() - begun
    cells = [
        case,
        f"{theirs['energy']:,.0f}",
        f"{theirs['seconds']:.2f}",
        f"{theirs['evaluated']:,.0f}",
        f"{best.cost:,.0f} ({best.status()}, gap {best.gap:.1%})",
        f"{spent:.2f}",
        learnt(spec, best.cost),
        f"{theirs['evaluated'] / theirs['seconds']:,.0f}",
        f"{rated(spec):,.0f}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)
    if mappings:
        differ(spec, layer, mappings, answer["counts"])


def run_side(python: str, text: str) -> str:
    """The answer of the interpreter that has AccelForge."""
    done = subprocess.run([python, str(SIDE)], input=text, capture_output=True, text=True, check=False)
    if done.returncode and "No module named 'accelforge'" in done.stderr:
        raise SystemExit(
            f"{python} has no accelforge: pip install accelforge (Python 3.12 or newer), or name another Python with "
            "--python"
        )
    if done.returncode:
        raise SystemExit(f"AccelForge failed:\n{done.stderr[-2000:]}")
    return done.stdout


def learnt(spec: Spec, goal: float) -> str:
    """Samples and processor time of ``marl`` to the optimum: the median of the seeds."""
    found = []
    for seed in SEEDS:
        begun = time.process_time()
        result = tm.search(
            spec, objective="energy", samples=SAMPLES, seed=seed, proof=False, target=goal * (1 + 1e-12)
        )
        reached = result.search.best[0].cost <= goal * (1 + 1e-12)
        found.append((result.search.samples if reached else 2 * SAMPLES, time.process_time() - begun))
    samples, seconds = sorted(found)[len(found) // 2]
    return f"{samples if samples <= SAMPLES else f'> {SAMPLES}'} in {seconds:.2f} s"


def rated(spec: Spec) -> float:
    """Valid mappings a second and core of the native model."""
    valid = draw_mappings(spec, RATED, 1)
    batch, evaluator = MappingBatch.of(valid), NativeEvaluator(spec)
    evaluator(batch)
    begun = time.process_time()
    evaluator(batch)
    return len(batch) / (time.process_time() - begun)


def differ(spec: Spec, layer: Layer, mappings: list[Mapping], theirs: list[dict[str, float]]) -> None:
    """In how many mappings a count is the same, or would be if words handed outwards were read in their level."""
    same, drained, total = Counter[str](), Counter[str](), Counter[str]()
    ratios: dict[str, list[float]] = {}
    for mapping, counts in zip(mappings, theirs, strict=True):
        figures = NativeEvaluator(spec).statistics(mapping)
        assert isinstance(figures, Statistics)
        handed = handed_outwards(layer, figures)
        for name, value in our_counts(spec, layer, figures).items():
            more = counts.get(name, 0.0) - value
            total[name] += 1
            same[name] += abs(more) <= EXACT * abs(value)
            drained[name] += name in handed and more == handed[name]
            ratios.setdefault(name, []).append(counts.get(name, 0.0) / value if value else 1.0)
    for name, count in total.items():
        if same[name] < count:
            words = f", in {drained[name]} with the words handed outwards" if drained[name] else ""
            span = f"AccelForge's are {min(ratios[name]):.4g} to {max(ratios[name]):.4g} times ours"
            print(f"    {name}: the same in {same[name]} of {count} mappings{words}; {span}")
    alike = sum(same[name] == total[name] for name in total)
    print(f"    all others ({alike} of {len(total)}): the same in all {len(mappings)} mappings")


def handed_outwards(layer: Layer, figures: Statistics) -> dict[str, float]:
    """Words of the written tensor that each level gives to the next one out, by the name of the level's reads."""
    written, outwards = list(layer.tensors)[-1], itertools.pairwise(figures.levels)
    return {
        f"{inner.name}.{written}.read": outer.tensors[-1].updates * outer.tensors[-1].instances
        for inner, outer in outwards
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--mappings", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300.0, help="for our proof of a case")
    given = parser.parse_args()
    print(HEAD)
    for case in given.cases:
        compared(case, given.python, given.mappings, given.seconds)


if __name__ == "__main__":
    main()

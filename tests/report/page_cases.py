"""Pages of every kind, ordinary and extreme, made of recorded runs and of invented ones."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import replace
from typing import Any

from golden_cases import CASES
from machines import level, spec

from timeloop_marl.cost.components import component_energies
from timeloop_marl.cost.outcome import Statistics
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.networks.result import Best, LayerResult, NetworkResult, totals
from timeloop_marl.networks.sweep_result import SweepPoint, SweepResult
from timeloop_marl.report.html.compare_page import compare_page
from timeloop_marl.report.html.front_page import front_page
from timeloop_marl.report.html.network_page import network_page
from timeloop_marl.report.html.page import Page
from timeloop_marl.report.html.run_page import run_page
from timeloop_marl.report.html.sweep_page import sweep_page
from timeloop_marl.report.maps import read_map_text
from timeloop_marl.report.records import LayerRecord, NetworkRecord, Ranked, RunRecord
from timeloop_marl.report.views import roofline
from timeloop_marl.specs.mapping import Mapping, TilingLoops
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import Spec

HOSTILE = (
    "<script>console.error('run')</script><img src=x onerror=\"console.error('run')\">&amp;'\"</svg></style>"
)
LONG = "a_level_with_a_name_that_somebody_generated_from_a_path_in_a_repository_and_never_shortened"
Evaluated = tuple[Spec, Mapping, Statistics]


@functools.cache
def evaluated(name: str) -> Evaluated:
    """A recorded run of the real program, evaluated natively without compiling anything."""
    case = next(case for case in CASES if case.name == name)
    machine = case.spec()
    mapping = read_map_text(case.output("map.txt"), machine)
    return machine, mapping, _statistics(machine, mapping)


def extreme(levels: int, *names: str) -> Evaluated:
    """Many levels, six tensors, fan-outs over which all seven dims are spread; ``names`` for levels and tensors."""
    labels = names or ("Level",)
    meshes = [(1, 1)] * 2 + [(16, 8)] * (levels - 2)
    storage = [
        replace(
            level(f"{labels[i % len(labels)]}{i}", 10**9 if i else None, *meshes[i]), read_bandwidth=2.0**i
        )
        for i in range(levels)
    ]
    spaces = tuple(
        DataSpace(f"{labels[i % len(labels)]}{i}", ((Term(i, 1),), (Term((i + 3) % 7, 1),)), i == 5)
        for i in range(6)
    )
    dims = tuple(f"{labels[0]}{letter}" for letter in "RSPQCKN")
    machine = spec(Problem(labels[0], dims, (1,) * 7, spaces), storage[::-1], meshes[-1])
    loops = []
    for tiling in machine.architecture.tiling_levels:
        factors = (2,) * 7 if tiling.spatial else (2, 1, 1, 1, 2, 1, 1)
        loops.append(TilingLoops(factors, factors, tuple(range(7)), 4))
    bounds = tuple(math.prod(column) for column in zip(*(loop.factors for loop in loops), strict=True))
    machine = replace(machine, problem=replace(machine.problem, bounds=bounds))
    mapping = Mapping(tuple(loops), ((True,) * 6,) * levels)
    return machine, mapping, _statistics(machine, mapping)


def _statistics(machine: Spec, mapping: Mapping) -> Statistics:
    found = NativeEvaluator(machine, compiled=False).statistics(mapping)
    assert isinstance(found, Statistics)
    return found


def run(found: Evaluated, *, best: int = 1, name: str = "", team: bool = False) -> Page:
    """The page of a search that found this mapping ``best`` times over, ``team``: with an agent for every choice."""
    machine, mapping, statistics = found
    edp = statistics.energy_pj * statistics.cycles
    steps = [
        {"samples": at, "valid": at // 2 + 1, "cost": edp * factor, "cycles": 1, "energy_pj": 1.0}
        for at, factor in ((3, 40.0), (17, 5.0), (180, 1.2), (901, 1.0))
    ]
    summary = _summary(
        name, samples=2000, valid=1003, trajectory=steps, failures={"capacity": 800, "fanout": 197}
    )
    ranked = tuple(Ranked(mapping, statistics, 901 - i, edp) for i in range(best))
    manifest = {"arguments": {"files": [f"arch/{name}.yaml"] if name else []}, "versions": {"numpy": "2.0"}}
    names = [axis.name for axis in LearnersMapspace(machine).columns] if team else []
    groups = [{"samples": 0, "groups": [[i] for i in range(len(names))]}]
    agents = {"axes": names, "groups": groups} if team else None
    return run_page(RunRecord(machine, summary, ranked, manifest, agents))


def nothing_found() -> Page:
    """The page of a search in vain."""
    machine = evaluated("model_small_toy_scientific")[0]
    return run_page(
        RunRecord(machine, _summary("random", samples=50, valid=0, trajectory=[], failures={"capacity": 50}))
    )


def _summary(name: str, **figures: Any) -> dict[str, Any]:
    fixed = {
        "searcher": name or "marl",
        "knowledge": "traffic",
        "judged": 123_456,
        "objective": "edp",
        "seed": 1,
        "seconds": 3.25,
        "stopped": "sample budget spent",
    }
    return {**fixed, "evaluator": "native model (rules 2025)", "energies": name or "ERT", **figures}


def network(count: int, *, name: str = "layer", lacking: int = 0, outside: bool = False) -> Page:
    """The page of a network of ``count`` layers, the first ``lacking`` of them without a mapping.

    ``outside``: only the real program models the machine, so that no mapping can be shown.
    """
    cases = [evaluated("model_eyeriss_like_resnet18_layer3"), evaluated("model_imperfect_spatial")]
    records = [_layer(i, f"{name}{i}", cases[i % 2], i >= lacking) for i in range(count)]
    layers = tuple(record.result for record in records)
    result = NetworkResult(
        name=name, objective="edp", searcher="marl", options={}, seed=1, evaluator="native model (rules 2025)",
        energies="ERT", samples=500 * count, valid=400 * count, seconds=12.0, search_seconds=20.0,
        stopped="sample budget spent", budget={"samples": 500 * count}, layers=layers, totals=totals(layers),
        rounds=tuple({layer.name: samples for layer in layers} for samples in (64, 250, 500)),
        files=tuple(f"problems/{layer.name}.yaml" for layer in layers), versions={"numpy": "2.0"},
    )  # fmt: skip
    if outside:
        records = [replace(record, mapped=None, limits=None) for record in records]
    return network_page(NetworkRecord(result, tuple(records)))


def _layer(number: int, name: str, found: Evaluated, valid: bool) -> LayerRecord:
    machine, mapping, statistics = found
    edp = statistics.energy_pj * statistics.cycles
    cost = {"cost": edp, "cycles": statistics.cycles, "energy_pj": statistics.energy_pj}
    result = LayerResult(
        name=name, count=1 + number % 4, names=(name,), folder=f"layers/{name}", problem="conv",
        bounds=dict(zip(machine.problem.dims, machine.problem.bounds)), samples=500, valid=400, failures={},
        seconds=1.0, stopped="sample budget spent", sample=300 if valid else 0,
        cycles=statistics.cycles if valid else 0, energy_pj=statistics.energy_pj if valid else 0.0,
        edp=edp if valid else 0.0, utilization=statistics.utilization if valid else 0.0,
        computes=statistics.computes,
        energy={c.name: c.parts for c in component_energies(machine, statistics)} if valid else {},
        best=Best(300, statistics.cycles, statistics.energy_pj, edp) if valid else None,
        trajectory=tuple({"samples": at, **cost} for at in (10, 300)) if valid else (),
    )  # fmt: skip
    if not valid:
        return LayerRecord(result, None, None)
    ranked = Ranked(mapping, statistics, 300, edp)
    return LayerRecord(result, (machine, ranked), roofline(machine, statistics))


def comparison(*, found: bool = True, name: str = "random") -> Page:
    """The page of a comparison of one of ours and two of Timeloop's, with or without anything found."""
    runs = [_course("timeloop-marl", "marl", seed, found, 1.0 + seed / 50) for seed in (1, 2, 3)]
    runs += [
        _course("reproduced", name, None, found, 1.8),
        _course("timeloop-mapper", "exhaustive", None, False, 1),
    ]
    rows = [
        {"searcher": run["searcher"], "kind": run["kind"], "runs": 1, "quartiles": [run["cost"]] * 3,
         "samples": 600.0, "valid_share": 0.5, "seconds": 1.0, "rate": 600.0}
        for run in runs[2:]
    ]  # fmt: skip
    budgets = {"equal_samples": 600, "equal_seconds": 1.0}
    data = {
        "problem": name, "objective": "edp", "energies": "ERT", "rules": "2025", "versions": {"numpy": "2.0"},
        "notices": [name], "words": [name],
        **{key: {"budget": budget, "runs": runs, "table": rows} for key, budget in budgets.items()},
    }  # fmt: skip
    case = evaluated("model_eyeriss_like_resnet18_layer3")
    winner = (case[0], Ranked(case[1], case[2], 1, 1.0))
    return compare_page(data, {"ours": winner, "timeloop": winner} if found else {})


def _course(kind: str, searcher: str, seed: int | None, found: bool, best: float) -> dict[str, Any]:
    points = [
        {"samples": at, "seconds": at / 600, "cost": 1e14 * best * (1 + 40 / at)} for at in (5, 40, 200, 580)
    ]
    cost = points[-1]["cost"] if found else None
    head = {"searcher": searcher, "kind": kind, "seed": seed, "cost": cost, "samples": 600, "valid": 300}
    return {**head, "seconds": 1.0, "ended": "", "trajectory": points if found else []}


def renamed(found: Evaluated, name: str) -> Evaluated:
    """The same with another name for the problem and its first level."""
    machine, mapping, statistics = found
    storage = (*machine.architecture.storage[:-1], replace(machine.architecture.storage[-1], name=name))
    levels = (*statistics.levels[:-1], replace(statistics.levels[-1], name=name))
    architecture = dataclasses.replace(machine.architecture, storage=storage)
    machine = replace(machine, problem=replace(machine.problem, name=name), architecture=architecture)
    return machine, mapping, replace(statistics, levels=levels)


def front(count: int, *figures: str, name: str = "front") -> Page:
    """The page of a front of ``count`` members in two or three figures."""
    case = evaluated("model_small_toy_scientific")
    entries = [
        {"files": f"front/{i}", "sample": i + 1, "edp": 1e9, "utilization": 0.5,
         **{figure: 1e6 * (i + 1 if k == 0 else count - i) for k, figure in enumerate(figures)}}
        for i in range(count)
    ]  # fmt: skip
    data = {
        "problem": name, "figures": dict.fromkeys(figures, "x"), "searcher": name, "seed": 1, "evaluator": "native",
        "samples": 10, "valid": 9, "stopped": "budget", "hypervolume": 1.3, "reference": [1e9] * len(figures),
        "members": entries,
    }  # fmt: skip
    found = (case[0], Ranked(case[1], case[2], 1, 1.0))
    return front_page(data, {}, [found if i % 2 == 0 else None for i in range(count)])


def sweep(count: int, *, name: str = "machine") -> Page:
    """The page of a sweep: every third point failed, every fifth has an unknown area."""
    points = []
    for i in range(count):
        point = SweepPoint(f"{name}{i}", name, {f"{name}.depth": str(64 * i)}, f"points/{i}")
        if i % 3 == 2:
            points.append(replace(point, status="failed", message=f"{name} does not fit"))
            continue
        known = {"area_um2": 1e6 * (i + 1)} if i % 5 != 4 else {"area_note": f"{name} has no table"}
        cycles, energy = 1000 * (count - i), 1e6 * (i + 1)
        figures = {"cycles": cycles, "energy_pj": energy, "edp": cycles * energy, "utilization": 0.9, **known}
        points.append(replace(point, status="done", front=i == 0, best=i == 0, **figures))
    axes = {f"{name}.depth": tuple(str(64 * i) for i in range(count))}
    return sweep_page(
        SweepResult(name, axes, (name,), "edp", "marl", 1, 100, tuple(points), ("cycles", "energy_pj"))
    )

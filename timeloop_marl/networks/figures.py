"""From a layer's trace to its figures and files: which samples may be chosen, and all about the chosen one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..cost.outcome import Failure, Statistics
from ..evaluation import EvaluatorChoice, judged, make_evaluator
from ..objective import parse_objective
from ..report.energy_shares import component_energies
from ..report.results import PREFIX, summary, write_mapping
from ..run_folder import RunFolder
from ..search_result import Found, SearchResult, StopReason, Tally
from ..searchers.registry import make_searcher
from ..settings import Settings
from ..specs.spec import Spec
from ..trace import TraceReader, read_trace
from .choice import Point, lower_hull
from .folders import held
from .layers import Layer
from .result import Best, LayerResult


@dataclass(frozen=True)
class HullTask:
    """Which samples of a layer's trace may be part of the best total."""

    objective: str
    trace: Path
    best: Point | None  # by the layer's own objective


def layer_hull(task: HullTask) -> tuple[Point, ...]:
    """Of energy against cycles the corners for an EDP, the right end for energy or delay, else the best sample."""
    if task.best is None or task.objective not in ("edp", "energy", "delay"):
        return () if task.best is None else (task.best,)
    outcome = read_trace(task.trace)[1].outcome
    valid = np.flatnonzero(outcome.failure == Failure.OK)
    points = [Point(i + 1, int(outcome.cycles[i]), float(outcome.energy_pj[i])) for i in valid.tolist()]
    if task.objective == "edp":
        return lower_hull(points)
    first, second = ("energy_pj", "cycles") if task.objective == "energy" else ("cycles", "energy_pj")
    return (min(points, key=lambda p: (getattr(p, first), getattr(p, second), p.sample)),)


@dataclass(frozen=True)
class FigureTask:
    """All figures of a layer whose sample number ``sample`` was chosen (0 = nothing valid), written to its folder."""

    layer: Layer
    settings: Settings
    evaluator: EvaluatorChoice
    root: Path
    folder: str
    sample: int
    reason: StopReason
    knowledge: str = ""


def layer_figures(task: FigureTask) -> LayerResult:
    """Write the files of the chosen mapping and return its figures."""
    folder = RunFolder(task.root / task.folder)
    with held(folder):
        return _figures(task, folder)


def _figures(task: FigureTask, folder: RunFolder) -> LayerResult:
    spec = task.layer.spec
    objective = parse_objective(task.settings.objective, len(spec.architecture.storage))
    searcher = make_searcher(
        task.settings.searcher, spec, task.settings.seed, objective, task.settings.options
    )
    tally = Tally(searcher.space, objective, 1)
    chosen = None
    for batch in TraceReader(folder.trace).batches() if folder.trace.exists() else ():
        index = task.sample - 1 - tally.samples
        if 0 <= index < len(batch.candidates):
            chosen = searcher.space.decode(batch.candidates[index : index + 1])[0]
        tally.add(batch.candidates, batch.outcome, batch.seconds)
    search = tally.result(task.reason)
    evaluator = make_evaluator(spec, task.evaluator, precheck=searcher.precheck)
    found = judged(spec, task.evaluator, evaluator, [] if chosen is None else [chosen])
    statistics = found.statistics[0] if found.statistics else None
    notes = summary(spec, task.settings, search, found.name)
    if chosen is not None and statistics is not None:
        write_mapping(folder, spec, chosen, statistics, PREFIX, found.texts[0] if found.texts else {})
        figures = Best(task.sample, statistics.cycles, statistics.energy_pj, _edp(statistics))
        notes = {**notes, "chosen": {**asdict(figures), "utilization": statistics.utilization}}
    folder.write("summary.json", json.dumps(notes, indent=2) + "\n")
    return _result(task, search, statistics)


def _result(task: FigureTask, search: SearchResult, statistics: Statistics | None) -> LayerResult:
    layer, spec = task.layer, task.layer.spec
    problem = spec.problem
    found = statistics is not None
    return LayerResult(
        name=layer.name,
        count=layer.count,
        names=layer.names,
        folder=task.folder,
        problem=problem.name,
        bounds=dict(zip(problem.dims, problem.bounds)),
        samples=search.samples,
        valid=search.valid,
        failures={failure.name.lower(): count for failure, count in search.failures.items()},
        seconds=search.seconds,
        stopped=search.reason.value,
        sample=task.sample if found else 0,
        cycles=statistics.cycles if statistics else 0,
        energy_pj=statistics.energy_pj if statistics else 0.0,
        edp=_edp(statistics) if statistics else 0.0,
        utilization=statistics.utilization if statistics else 0.0,
        computes=problem.operations,
        energy=_energies(spec, statistics) if statistics else {},
        best=_best(search.best[0]) if search.best else None,
        trajectory=tuple(
            {"samples": step.samples, "cost": step.cost, "cycles": step.cycles, "energy_pj": step.energy_pj}
            for step in search.trajectory
        ),
        knowledge=task.knowledge,
    )


def _energies(spec: Spec, statistics: Statistics) -> dict[str, dict[str, float]]:
    components = component_energies(spec, statistics)
    return {c.name: {part: pj for part, pj in c.parts.items() if pj > 0} for c in components}


def _best(found: Found) -> Best:
    return Best(found.sample, found.cycles, found.energy_pj, found.edp)


def _edp(statistics: Statistics) -> float:
    return statistics.energy_pj * statistics.cycles

"""Which of its evaluated mappings each layer contributes, so that the network's total is the least.

The best energy-delay product of every layer by itself is not the best product of the sums. Every evaluated mapping is
on record, so the best combination can be found exactly: a product of two positive sums is least at a corner of the
convex hull of what can be reached, and the corners are what minimises energy + price * cycles for some price.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..cost.components import component_energies
from ..cost.objective import cost_of, parse_objective, powers
from ..cost.outcome import Failure, Statistics
from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, judged, make_evaluator
from ..run.folder import SUMMARY, RunFolder
from ..run.loop import known
from ..run.options import Settings
from ..run.result import Found, SearchResult, StopReason, Tally, summary
from ..run.trace import TraceReader, read_trace
from ..searchers.registry import make_searcher
from ..specs.mapping import Mapping, MappingBatch
from ..specs.spec import Spec
from .layers import Layer, held
from .result import Best, LayerResult


@dataclass(frozen=True)
class Point:
    """An evaluated mapping: 1-based number of its sample, cycles, energy in pJ."""

    sample: int
    cycles: int
    energy_pj: float


def lower_hull(points: Sequence[Point]) -> tuple[Point, ...]:
    """The corners of the lower left convex hull, fewest cycles first; of equal points the one sampled first."""
    hull: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cycles, p.energy_pj, p.sample)):
        if hull and point.energy_pj >= hull[-1].energy_pj:
            continue
        while len(hull) > 1 and _price(hull[-2], hull[-1]) <= _price(hull[-1], point):
            hull.pop()
        hull.append(point)
    return tuple(hull)


def best_product(
    hulls: Sequence[Sequence[Point]], counts: Sequence[int], objective: str = "edp"
) -> list[Point]:
    """The point of each hull for which ``objective`` of the sums is least: a product of powers of energy and delay.

    Sums are weighted by ``counts``. Such a product is quasi-concave, as a plain one is: least at a corner.
    """
    chosen = [0] * len(hulls)  # fewest cycles: cycles are dear
    steps = [
        (-_price(hull[k], hull[k + 1]), i, k + 1)
        for i, hull in enumerate(hulls)
        for k in range(len(hull) - 1)
    ]
    best, best_cost = list(chosen), _product(hulls, counts, chosen, objective)
    for _, i, k in sorted(steps):
        chosen[i] = k
        cost = _product(hulls, counts, chosen, objective)
        if cost < best_cost:
            best, best_cost = list(chosen), cost
    return [hull[k] for hull, k in zip(hulls, best)]


def _price(a: Point, b: Point) -> float:
    """Energy saved per cycle more, from a to b."""
    return (a.energy_pj - b.energy_pj) / (b.cycles - a.cycles)


def _product(
    hulls: Sequence[Sequence[Point]], counts: Sequence[int], chosen: Sequence[int], objective: str
) -> float:
    energy = math.fsum(c * hull[k].energy_pj for hull, c, k in zip(hulls, counts, chosen))
    return float(
        cost_of(objective, energy, sum(c * hull[k].cycles for hull, c, k in zip(hulls, counts, chosen)))
    )


@dataclass(frozen=True)
class HullTask:
    """Which samples of a layer's trace may be part of the best total."""

    objective: str
    trace: Path
    best: Point | None  # by the layer's own objective


def layer_hull(task: HullTask) -> tuple[Point, ...]:
    """Of energy against cycles the corners for a product of both, an end for one of them, else the best sample."""
    found = powers(task.objective)
    if task.best is None or found is None:
        return () if task.best is None else (task.best,)
    outcome = read_trace(task.trace).outcome
    valid = np.flatnonzero(outcome.failure == Failure.OK)
    points = [Point(i + 1, int(outcome.cycles[i]), float(outcome.energy_pj[i])) for i in valid.tolist()]
    if min(found) > 0.0:
        return lower_hull(points)
    first, second = ("energy_pj", "cycles") if found[1] == 0.0 else ("cycles", "energy_pj")
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
    judged: int = 0
    write: Callable[[RunFolder, Spec, Mapping, Statistics, Map[str, str]], object] | None = None


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
    search = known(tally.result(task.reason), searcher)
    # What an interrupted run has judged before is in its summary; layers that were complete then have no task now.
    search = replace(search, judged=max(task.judged, _judged_before(folder)))
    evaluator = make_evaluator(spec, task.evaluator, precheck=searcher.precheck)
    found = judged(spec, task.evaluator, evaluator, [] if chosen is None else [chosen])
    statistics = found.statistics[0] if found.statistics else None
    notes = summary(spec, task.settings, search, found.name)
    if chosen is not None and statistics is not None:
        if task.write is not None:
            task.write(folder, spec, chosen, statistics, found.texts[0] if found.texts else {})
        statistics = _charged(evaluator, chosen, statistics)
        figures = Best(task.sample, statistics.cycles, statistics.energy_pj, _edp(statistics))
        notes = {**notes, "chosen": {**asdict(figures), "utilization": statistics.utilization}}
    folder.write(SUMMARY, json.dumps(notes, indent=2) + "\n")
    return _result(task, search, statistics)


def _charged(evaluator: Evaluator, mapping: Mapping, statistics: Statistics) -> Statistics:
    """Cycles and energy as the search was charged: of imperfect mappings that may be more than Timeloop counts."""
    if not mapping.imperfect:
        return statistics
    outcome = evaluator(MappingBatch.of([mapping]))
    return replace(statistics, cycles=int(outcome.cycles[0]), energy_pj=float(outcome.energy_pj[0]))


def _judged_before(folder: RunFolder) -> int:
    try:
        return int(json.loads((folder.path / SUMMARY).read_text())["judged"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


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
        judged=search.judged,
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
        best=_best_of(search.best[0]) if search.best else None,
        trajectory=tuple(
            {"samples": step.samples, "cost": step.cost, "cycles": step.cycles, "energy_pj": step.energy_pj}
            for step in search.trajectory
        ),
        knowledge=task.knowledge,
    )


def _energies(spec: Spec, statistics: Statistics) -> dict[str, dict[str, float]]:
    """By component and part; what is charged beyond Timeloop's count in equal shares."""
    components = component_energies(spec, statistics)
    counted = sum(component.total for component in components)
    share = statistics.energy_pj / counted if abs(statistics.energy_pj - counted) > 1e-9 * counted else 1.0
    return {c.name: {part: pj * share for part, pj in c.parts.items() if pj > 0} for c in components}


def _best_of(found: Found) -> Best:
    return Best(found.sample, found.cycles, found.energy_pj, found.edp)


def _edp(statistics: Statistics) -> float:
    return statistics.energy_pj * statistics.cycles

"""One search of a benchmark: what was asked for, and what is recorded of it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fingerprint import fingerprint
from jaxtyping import Int64
from numpy import ndarray
from pairs import read

from timeloop_marl.comparison.runs import Limit, run_timeloop
from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.evaluators.native import NativeEvaluator
from timeloop_marl.objective import parse_objective
from timeloop_marl.run.loop import Budget, search
from timeloop_marl.searchers.base import Searcher, Space
from timeloop_marl.searchers.registry import all_searchers, make_searcher

TUNED = Path(__file__).parent / "tuned.json"
TIMELOOP = "timeloop-"
_WARM = 32
_REMEMBERED = 2_000_000  # rows; beyond, repetitions are undercounted
Run = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """A search to be done. ``searcher``: ``name``, ``name:option=value,…``, with ``@tuned`` at the end or not."""

    pair: str
    searcher: str
    seed: int
    samples: int
    objective: str = "edp"

    @property
    def seeded(self) -> Task:
        """The same, with seed 0 where seeds change nothing."""
        return dataclasses.replace(self, seed=0) if self.searcher.startswith(TIMELOOP) else self


def options_of(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of ``name:option=value,…``; ``…@tuned`` adds those that the tuning protocol chose."""
    head = text.removesuffix("@tuned")
    name, _, rest = head.partition(":")
    options = dict(part.split("=", 1) for part in rest.split(",") if part)
    if head != text:
        options |= json.loads(TUNED.read_text())["chosen"][head]["options"]
    return name, options


def identity(task: Task) -> str:
    """Equal for tasks whose searches are equal but for their length: pair, objective, seed, all options."""
    name, options = options_of(task.searcher)
    chosen = {key: str(value) for key, value in {**all_searchers()[name].options, **options}.items()}
    return json.dumps([task.pair, task.objective, task.seeded.seed, name, dict(sorted(chosen.items()))])


class Watched(Searcher):
    """A searcher, its processor time, and how many of its rows it had proposed before."""

    def __init__(self, searcher: Searcher) -> None:
        self.inner, self.space, self.batch = searcher, searcher.space, searcher.batch
        self.repeated, self.seconds = 0, 0.0
        self._seen: set[bytes] = set()

    def _propose(self, n: int) -> Int64[ndarray, "m axes"]:
        start = time.process_time()
        rows = self.inner.ask(n)
        self.seconds += time.process_time() - start
        for key in _keys(self.space, rows):
            self.repeated += key in self._seen
            if len(self._seen) < _REMEMBERED:
                self._seen.add(key)
        return rows

    def _observe(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        start = time.process_time()
        self.inner.tell(candidates, outcome)
        self.seconds += time.process_time() - start


def _keys(space: Space, rows: Int64[ndarray, "m axes"]) -> list[bytes]:
    keys = getattr(space, "keys", None)
    return list(keys(rows)) if keys is not None else [row.tobytes() for row in np.ascontiguousarray(rows)]


def run(task: Task) -> Run:
    """The record of one search: trajectory of improvements (samples, cost), counts, processor time of one core."""
    name, _ = options_of(task.searcher)
    found = _timeloop(task, name) if name.startswith(TIMELOOP) else _ours(task)
    return {"identity": identity(task), "code": code_of(task), "budget": task.samples, **found}


def code_of(task: Task) -> str:
    """The fingerprint of the code of the task's searcher."""
    name, options = options_of(task.searcher)
    spec = read(task.pair)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    return fingerprint(type(make_searcher(name, spec, 0, objective, options)).__module__)


def _ours(task: Task) -> Run:
    spec, (name, options) = read(task.pair), options_of(task.searcher)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    evaluator = NativeEvaluator(spec)
    # The first samples compile or load kernels: on a searcher that is thrown away.
    warm = make_searcher(name, spec, task.seed, objective, options)
    search(warm.space, warm, evaluator, objective, Budget(samples=_WARM))
    searcher = make_searcher(name, spec, task.seed, objective, options)
    watched = Watched(searcher)
    start, begun = time.process_time(), time.perf_counter()
    result = search(searcher.space, watched, evaluator, objective, Budget(samples=task.samples))
    spent, wall = time.process_time() - start, time.perf_counter() - begun
    return {
        "samples": result.samples,
        "valid": result.valid,
        "repeated": watched.repeated,
        "ended": result.reason.value,
        "seconds": round(spent, 4),
        "searcher_seconds": round(watched.seconds, 4),
        "wall_seconds": round(wall, 4),
        "trajectory": [(step.samples, step.cost) for step in result.trajectory],
    }


def _timeloop(task: Task, name: str) -> Run:
    """Timeloop's mappers draw most mappings in vain before anything is evaluated; they count all of them."""
    spec = read(task.pair)
    objective = parse_objective(task.objective, len(spec.architecture.storage))
    algorithm = name.removeprefix(TIMELOOP).replace("-", "_")
    start = time.process_time()
    course = run_timeloop(spec, algorithm, objective, Limit(samples=task.samples))
    spent = time.process_time() - start
    return {
        "samples": course.samples,
        "valid": course.valid,
        "repeated": 0,
        "ended": course.ended,
        "seconds": round(spent, 4),
        "searcher_seconds": 0.0,
        "wall_seconds": round(course.seconds, 4),
        "trajectory": [(point.samples, point.cost) for point in course.points],
    }


def first_within(entry: Mapping[str, Any], cost: float) -> float:
    """The first sample that costs no more; infinite if there is none."""
    return next((float(n) for n, reached in entry["trajectory"] if reached <= cost), np.inf)


def cost_after(entry: Mapping[str, Any], samples: int) -> float:
    """The best cost after so many samples; infinite if nothing was valid."""
    return min((cost for n, cost in entry["trajectory"] if n <= samples), default=np.inf)

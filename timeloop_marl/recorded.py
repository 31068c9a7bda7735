"""One search with its evaluator and its trace: what ``api.search`` and ``pareto.search_front`` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .evaluation import EvaluatorChoice, fitting_choice, make_evaluator
from .evaluators.base import Evaluator
from .objective import Objective
from .run_folder import RunFolder
from .run_identity import run_identity
from .search_loop import Budget, TraceFile
from .search_loop import search as run_search
from .search_result import Progress, SearchResult
from .searchers.base import Searcher
from .settings import Settings
from .specs.spec import Spec


@dataclass(frozen=True)
class Conditions:
    """Under what a search runs, besides what it searches for: see ``api.search``."""

    choice: EvaluatorChoice = field(default_factory=EvaluatorChoice)
    output: str | Path | None = None
    resume: bool = False
    threads: int = 1
    on_progress: Callable[[Progress], None] | None = None
    on_compile: Callable[[str], None] | None = None


def recorded_search(
    spec: Spec,
    settings: Settings,
    searcher: Searcher,
    objective: Objective,
    conditions: Conditions,
    *,
    top: int = 1,
    identity: Mapping[str, Any] | None = None,
) -> tuple[SearchResult, Evaluator]:
    """Run the search, recorded in the output folder if there is one; also returns the evaluator that judged it.

    ``identity``: what else a resumed search must agree in. Errors as ``api.search``.
    """
    choice = fitting_choice(spec, conditions.choice)
    with choice.engine.open() if choice.kind == "timeloop" else nullcontext() as workers:
        evaluator = make_evaluator(
            spec,
            choice,
            accesses=objective.needs_accesses,
            precheck=searcher.precheck,
            threads=conditions.threads,
            workers=workers,
            on_compile=conditions.on_compile,
        )
        searcher.space.warm_up()
        trace = None
        if conditions.output is not None:
            folder = RunFolder(conditions.output)
            folder.create()
            known = run_identity(
                spec,
                searcher=settings.searcher,
                seed=settings.seed,
                options=settings.options,
                objective=objective,
                evaluator=evaluator.name,
            )
            trace = TraceFile(folder.trace, {**known, **(identity or {})}, conditions.resume)
        found = run_search(
            searcher.space,
            searcher,
            evaluator,
            objective,
            Budget(**settings.limits),
            largest_batch=choice.largest_batch,
            trace=trace,
            top=top,
            on_progress=conditions.on_progress,
        )
        return found, evaluator

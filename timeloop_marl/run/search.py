"""One search with its evaluator and its trace: what ``api.search`` and ``pareto.search_front`` have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, fitting_choice, make_evaluator, predictor
from ..evaluators.wrappers import AheadEvaluator
from ..objective import Objective
from ..searchers.base import Searcher, warm_up
from ..specs.spec import Spec
from ..versions import versions
from .folder import AGENTS, RunFolder
from .identity import run_identity
from .log import LOG, EventLog, SearchLog, TensorBoard, mean_entropy
from .loop import Budget, TraceFile
from .loop import search as run_search
from .options import Settings
from .result import Progress, SearchResult
from .view import all_of, live_view, search_snapshot


@dataclass(frozen=True)
class Conditions:
    """Under what a search runs, besides what it searches for: see ``api.search``."""

    choice: EvaluatorChoice = field(default_factory=EvaluatorChoice)
    output: str | Path | None = None
    resume: bool = False
    threads: int = 1
    on_progress: Callable[[Progress], None] | None = None
    on_compile: Callable[[str], None] | None = None
    live: bool = False
    tensorboard: str | Path | None = None


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

    def entropy() -> float | None:
        return mean_entropy(searcher.account())

    announced: list[str] = []  # before there is a folder to log it in
    with ExitStack() as stack:
        board = None
        if conditions.tensorboard is not None:
            board = stack.enter_context(TensorBoard(conditions.tensorboard, entropy))
        view = stack.enter_context(live_view(conditions.live))
        workers = stack.enter_context(choice.engine.open()) if choice.kind == "timeloop" else None
        on_compile = all_of(announced.append, view.announce, conditions.on_compile)
        evaluator = make_evaluator(
            spec,
            choice,
            accesses=objective.needs_accesses,
            precheck=searcher.precheck,
            threads=conditions.threads,
            workers=workers,
            on_compile=on_compile,
        )
        _end_with(stack, evaluator)
        warm_up(searcher, on_compile)
        trace, log = None, None
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
            log = SearchLog(EventLog(folder.path / LOG), entropy)
            log.start(_described(spec, settings, evaluator), announced)

        def show(progress: Progress) -> None:
            view.show(search_snapshot(progress, settings))

        found = run_search(
            searcher.space,
            searcher,
            evaluator,
            objective,
            Budget(**settings.limits),
            largest_batch=choice.largest_batch,
            trace=trace,
            top=top,
            on_progress=all_of(
                None if log is None else log.update,
                None if board is None else board.update,
                show,
                conditions.on_progress,
            ),
            predictor=predictor(spec, accesses=objective.needs_accesses, on_compile=on_compile),
        )
        if log is not None:
            log.end(found)
        account = searcher.account()
        if account is not None and conditions.output is not None:
            RunFolder(conditions.output).write(AGENTS, json.dumps(account) + "\n")
        return found, evaluator


def _end_with(stack: ExitStack, evaluator: Evaluator) -> None:
    """Threads of the evaluator end with the search."""
    if isinstance(evaluator, AheadEvaluator):
        stack.enter_context(evaluator)


def _described(spec: Spec, settings: Settings, evaluator: Evaluator) -> dict[str, Any]:
    """What the log says at the beginning."""
    limits = {name: limit for name, limit in settings.limits.items() if limit is not None}
    return {
        "problem": spec.problem.name,
        "searcher": settings.searcher,
        "objective": settings.objective,
        "seed": settings.seed,
        "limits": limits,
        "evaluator": evaluator.name,
        "versions": versions(),
        "process": os.getpid(),
    }

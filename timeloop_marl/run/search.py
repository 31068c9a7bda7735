"""One search in its run: evaluator and searcher compiled, trace, log, live view, what its agents say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..cost.objective import Objective
from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, predictor
from ..searchers.base import Searcher
from ..specs.spec import Spec
from .folder import AGENTS
from .identity import run_identity
from .log import SearchLog, mean_entropy
from .loop import Budget, TraceFile, search
from .options import Settings
from .result import Progress, SearchResult
from .run import Run
from .view import all_of, search_snapshot


def run_search(
    run: Run,
    spec: Spec,
    settings: Settings,
    searcher: Searcher,
    objective: Objective,
    evaluator: Evaluator | EvaluatorChoice,
    *,
    threads: int = 1,
    top: int = 1,
    identity: Mapping[str, Any] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[Progress], bool] | None = None,
) -> tuple[SearchResult, Evaluator]:
    """Run the search, recorded in the run's folder if it has one; also returns the evaluator that judged it.

    ``identity``: what else a resumed search must agree in. Errors as ``api.search``.
    """

    def entropy() -> float | None:
        return mean_entropy(searcher.account())

    if run.board is not None:
        run.board.entropy = entropy
    batch, ahead = None, None
    if isinstance(evaluator, EvaluatorChoice):
        batch = evaluator.largest_batch
        ahead = predictor(spec, accesses=objective.needs_accesses, on_compile=run.announce)
        evaluator = run.evaluator(spec, evaluator, objective, precheck=searcher.precheck, threads=threads)
    run.warm_up(searcher)
    trace = None
    if run.folder is not None:
        known = run_identity(spec, settings, objective, evaluator.name)
        trace = TraceFile(run.folder.trace, {**known, **(identity or {})}, run.options.resume)
    run.start(
        problem=spec.problem.name,
        searcher=settings.searcher,
        objective=objective.name,
        seed=settings.seed,
        limits={name: limit for name, limit in settings.limits.items() if limit is not None},
        evaluator=evaluator.name,
    )
    found = search(
        searcher.space,
        searcher,
        evaluator,
        objective,
        Budget(**settings.limits),
        trace=trace,
        top=top,
        largest_batch=batch,
        on_progress=all_of(
            SearchLog(run.log, entropy).update,
            None if run.board is None else run.board.update,
            lambda progress: run.show(search_snapshot(progress, settings)),
            on_progress,
        ),
        stop=stop,
        predictor=ahead,
    )
    run.end(
        found.reason.value,
        samples=found.samples,
        valid=found.valid,
        search_seconds=round(found.seconds, 3),
        cost=found.best[0].cost if found.best else None,
    )
    account = searcher.account()
    if account is not None and run.folder is not None:
        run.folder.write(AGENTS, json.dumps(account) + "\n")
    return found, evaluator

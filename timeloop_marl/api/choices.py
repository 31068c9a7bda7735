"""What is searched with, by name or as an object: searcher, objective, evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy import ndarray

from ..cost.objective import Objective, parse_objective
from ..cost.outcome import Outcome
from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, Judged, fitting_choice, judged, valid
from ..mapspace.axes import LearnersMapspace
from ..run.identity import qualified_name
from ..run.options import Settings
from ..searchers.base import Searcher
from ..searchers.registry import make_searcher
from ..specs.mapping import Mapping as LoopNest
from ..specs.spec import Spec

AnySearcher = str | type[Searcher] | Searcher
"""A name (``timeloop-marl searchers``); a class, made as ``cls(LearnersMapspace(spec), objective, seed, **options)``;
or a searcher that was made already."""

AnyObjective = str | Sequence[str] | Objective | Callable[[Outcome], ndarray]
"""Names of metrics, the most important first; or a function from an ``Outcome`` of m mappings to m costs."""

AnyEvaluator = str | EvaluatorChoice | Evaluator
"""``native``, ``timeloop``, how one of them is to work, or any object with the methods of ``Evaluator``."""


@dataclass(frozen=True)
class Chosen:
    """Everything that a search is made of; ``settings`` call objects by their qualified names."""

    settings: Settings
    searcher: Searcher
    objective: Objective
    evaluator: Evaluator | EvaluatorChoice

    def judged(self, spec: Spec, judge: Evaluator, mappings: Sequence[LoopNest]) -> Judged:
        """Every figure of mappings that ``judge`` has found valid."""
        if isinstance(self.evaluator, EvaluatorChoice):
            return judged(spec, self.evaluator, judge, mappings)
        return Judged(judge.name, tuple(valid(judge.statistics(mapping)) for mapping in mappings))


def choose(
    spec: Spec,
    settings: Settings | None,
    *,
    searcher: AnySearcher | None = None,
    objective: AnyObjective | None = None,
    evaluator: AnyEvaluator | None = None,
    **limits: Any,
) -> Chosen:
    """From what a caller said; whatever is ``None`` is as in ``settings``. Errors as ``api.search.search``."""
    settings = settings_of(settings, searcher=searcher, objective=objective, **limits)
    levels = len(spec.architecture.storage)
    goal = _objective(objective, levels) or parse_objective(settings.objective, levels)
    if isinstance(searcher, Searcher):
        made = searcher
    elif isinstance(searcher, type):
        make: Callable[..., Searcher] = searcher
        made = make(LearnersMapspace(spec), goal, settings.seed, **settings.options)
    else:
        made = make_searcher(settings.searcher, spec, settings.seed, goal, settings.options)
    return Chosen(settings, made, goal, evaluator_of(spec, evaluator))


def settings_of(
    settings: Settings | None,
    *,
    searcher: AnySearcher | None = None,
    objective: AnyObjective | None = None,
    **limits: Any,
) -> Settings:
    """Settings with what a caller said in its place."""
    named = {
        "searcher": searcher if searcher is None or isinstance(searcher, str) else qualified_name(searcher),
        "objective": _name(objective),
    }
    return (settings or Settings()).updated({**named, **limits})


def evaluator_of(spec: Spec, evaluator: AnyEvaluator | None) -> Evaluator | EvaluatorChoice:
    """The evaluator, or how one is to be made: the real Timeloop where the native model does not cover the design.

    Raises:
        UsageError: unknown name. UnsupportedFeatureError: there is none for the design.
    """
    if evaluator is None or isinstance(evaluator, str):
        evaluator = EvaluatorChoice(kind=evaluator or "native")
    return fitting_choice(spec, evaluator) if isinstance(evaluator, EvaluatorChoice) else evaluator


def named_choice(evaluator: str | EvaluatorChoice | None) -> EvaluatorChoice:
    """How an evaluator is to be made, where many processes make theirs."""
    return (
        evaluator if isinstance(evaluator, EvaluatorChoice) else EvaluatorChoice(kind=evaluator or "native")
    )


def arguments_of(spec: Spec, settings: Settings) -> Mapping[str, Any]:
    """What a run was asked for, in words of the command line."""
    return {"files": list(spec.files), "rules": spec.options.rules, **settings.as_arguments()}


def _objective(given: AnyObjective | None, levels: int) -> Objective | None:
    if isinstance(given, Objective):
        return given
    return Objective((qualified_name(given),), levels, given) if callable(given) else None


def _name(given: AnyObjective | None) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, Objective):
        return given.name
    return qualified_name(given) if callable(given) else ",".join(given)

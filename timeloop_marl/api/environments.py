"""Environments of a Spec in one call, on the native cost model or any other evaluator."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..cost.objective import parse_objective
from ..errors import UsageError
from ..evaluators.base import Evaluator
from ..evaluators.counting import counting
from ..evaluators.native import NativeEvaluator
from ..mapspace.axes import LearnersMapspace
from ..searchers.envs.task import MappingTask, RewardScale, Rows, decoder
from ..specs.spec import Spec

if TYPE_CHECKING:
    from ..searchers.envs.gymnasium import OneStepEnv, SequentialEnv
    from ..searchers.envs.pettingzoo import TeamEnv


def mapping_task(
    spec: Spec,
    *,
    objective: str = "edp",
    infeasible: str = "repair",
    scale: RewardScale | None = None,
    evaluator: Evaluator | None = None,
) -> MappingTask:
    """The task behind an environment.

    Args:
        objective: as for ``search``.
        infeasible: ``repair`` or ``penalise``.
        evaluator: default the native cost model.

    Raises:
        UsageError: an unknown objective or ``infeasible``, or nothing to decide.
        InfeasibleError: the constraints leave no mapping.
    """
    aim = parse_objective(objective, len(spec.architecture.storage))
    model = evaluator or counting(NativeEvaluator(spec, accesses=aim.needs_accesses), spec)
    space = LearnersMapspace(spec)
    meaning = decoder(space, infeasible)

    def costs(rows: Rows) -> Any:
        return aim.costs(model(meaning.decode(rows)))

    return MappingTask(space, costs, infeasible=infeasible, scale=scale)


def gymnasium_env(spec: Spec, *, sequential: bool = True, **choices: Any) -> OneStepEnv | SequentialEnv:
    """A Gymnasium environment; ``choices`` as for ``mapping_task``. Raises ``UsageError`` without Gymnasium."""
    module = _module("gymnasium")
    task = mapping_task(spec, **choices)
    return module.SequentialEnv(task) if sequential else module.OneStepEnv(task)


def pettingzoo_env(
    spec: Spec, *, groups: str | Sequence[Sequence[int]] = "axis", rounds: int = 1, **choices: Any
) -> TeamEnv:
    """A PettingZoo environment; ``choices`` as for ``mapping_task``. Raises ``UsageError`` without PettingZoo."""
    return _module("pettingzoo").TeamEnv(mapping_task(spec, **choices), groups=groups, rounds=rounds)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"..searchers.envs.{name}", __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("gymnasium", "pettingzoo"):
            raise
        raise UsageError(f"{error.name} is not installed: pip install 'timeloop-marl[envs]'") from error

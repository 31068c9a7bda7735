"""One point of a sweep: a network on one machine, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpecError
from ..evaluation import EvaluatorChoice
from ..networks.result import FILE, NetworkResult, read_network
from ..networks.rounds import NetworkProgress
from ..networks.run import network
from ..parallel import Workers
from ..search_result import StopReason
from ..settings import Settings
from .result import DONE, FAILED, STOPPED


@dataclass(frozen=True)
class PointTask:
    """What a point needs; see ``networks.run.network``."""

    files: tuple[Path, ...]
    values: Mapping[str, str]
    rules: str
    settings: Settings
    evaluator: EvaluatorChoice
    folder: Path
    transfer: bool = True
    knowledge: str | None = None


@dataclass(frozen=True)
class PointDone:
    """What came of it: the network's result as far as there is one, and why there is none."""

    status: str
    message: str = ""
    result: NetworkResult | None = None


def run_point(
    task: PointTask,
    workers: Workers | None = None,
    on_progress: Callable[[NetworkProgress], None] | None = None,
) -> PointDone:
    """Search the network, or go on with it. Wrong input is a point that failed; anything else ends the sweep.

    Args:
        task: the point.
        workers: for its layers; none = one after the other, here.
        on_progress: called whenever a layer's task is done.

    Raises:
        UsageError: the folder cannot be used. BackendError: the real program crashed, or workers were lost.
    """
    known = finished(task)
    if known is not None:
        return judged(known)
    try:
        result = network(
            list(task.files),
            output=task.folder,
            settings=task.settings,
            resume=True,
            workers=workers or Workers(1),
            evaluator=task.evaluator,
            values=task.values,
            rules=task.rules,
            transfer=task.transfer,
            knowledge=task.knowledge,
            on_progress=on_progress,
        )
    except SpecError as error:
        return PointDone(FAILED, str(error))
    return judged(result)


def finished(task: PointTask) -> NetworkResult | None:
    """The result that is there already, if its budget was the same and it was not interrupted."""
    if not (task.folder / FILE).exists():
        return None
    found = read_network(task.folder)
    same = found.budget.get("samples") == task.settings.samples or task.settings.samples is None
    same = same and found.budget.get("seconds") == task.settings.seconds
    return found if same and found.stopped != StopReason.INTERRUPTED.value else None


def judged(result: NetworkResult) -> PointDone:
    """The result with its status."""
    if result.stopped == StopReason.INTERRUPTED.value:
        return PointDone(STOPPED, "", result)
    if result.totals is None:
        missing = ", ".join(layer.name for layer in result.layers if not layer.found)
        return PointDone(FAILED, f"no valid mapping of {missing} within the budget", result)
    return PointDone(DONE, "", result)

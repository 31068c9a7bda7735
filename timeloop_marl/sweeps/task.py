"""One point of a sweep: a network on one machine, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpecError
from ..evaluation import EvaluatorChoice
from ..knowledge_file import Source, load_knowledge, save_knowledge
from ..networks.result import FILE, NetworkResult, read_network
from ..networks.rounds import NetworkProgress
from ..networks.run import network
from ..parallel import Workers
from ..search_result import StopReason
from ..searchers.knowledge import Knowledge
from ..settings import Settings
from .result import DONE, FAILED, STOPPED
from .teachers import taught_by

TAUGHT = "taught.npz"
"""In a point's folder: what it began with from other points and from elsewhere."""


@dataclass(frozen=True)
class PointTask:
    """What a point needs; see ``networks.run.network``.

    Attributes:
        teachers: folders of the points that it learns from; all that will ever be there is there when it begins.
    """

    files: tuple[Path, ...]
    values: Mapping[str, str]
    rules: str
    settings: Settings
    evaluator: EvaluatorChoice
    folder: Path
    transfer: bool = True
    knowledge: str | None = None
    teachers: tuple[Path, ...] = ()


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
            knowledge=_taught(task),
            on_progress=on_progress,
        )
    except SpecError as error:
        return PointDone(FAILED, str(error))
    return judged(result)


def _taught(task: PointTask) -> Source | None:
    """What the point begins with, written down so that it goes on with the same after an interruption."""
    if not task.teachers:
        return task.knowledge
    file = task.folder / TAUGHT
    if not file.exists():
        given = Knowledge() if task.knowledge is None else load_knowledge(task.knowledge)
        save_knowledge(taught_by(task.teachers) + given, file)
    return file


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

"""One task: go on with the search of one layer for a while; a function of picklable things and the layer's folder."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..evaluation import EvaluatorChoice, make_evaluator
from ..objective import Objective, parse_objective
from ..run_folder import RunFolder
from ..run_identity import run_identity
from ..search_loop import Budget, Session, TraceFile
from ..search_result import Progress, StopReason
from ..searchers.registry import make_searcher
from ..settings import Settings
from ..specs.spec import Spec
from .course import Course, course_of
from .folders import STOP, held


@dataclass(frozen=True)
class LayerTask:
    """Search one layer until ``samples`` samples are in its trace.

    Attributes:
        folder: the layer's run folder.
        deadline: wall-clock time (seconds since the epoch) at which the task ends, ``None`` = none.
        state: what the last task on this layer returned; none, or one that is behind the trace, costs a replay.
        parent: process id that the task ends with; 0 = none (another machine).
    """

    spec: Spec
    settings: Settings
    evaluator: EvaluatorChoice
    folder: Path
    samples: int
    deadline: float | None = None
    state: bytes | None = None
    parent: int = 0


@dataclass(frozen=True)
class LayerDone:
    """What a task found: the whole course of its layer, why it ended, and how to go on without a replay."""

    course: Course
    reason: StopReason
    state: bytes | None
    seconds: float  # that this task took
    replayed: int  # samples that had to be replayed first


def run_layer(task: LayerTask) -> LayerDone:
    """Do it. The result does not depend on where it runs; without a deadline, not on when either.

    Raises:
        UsageError: the folder belongs to another search, or cannot be written.
    """
    if task.parent and task.parent != os.getpid() and threading.current_thread() is threading.main_thread():
        # Ctrl-C reaches the whole process group: who has no search running leaves the answer to the parent.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = time.monotonic()
    folder = RunFolder(task.folder)
    folder.create()
    with held(folder):
        objective = parse_objective(task.settings.objective, len(task.spec.architecture.storage))
        session = _restored(task.state, folder.trace) or _new_session(task, objective)
        return _run(task, folder, session, objective, start)


def _run(
    task: LayerTask, folder: RunFolder, session: Session, objective: Objective, start: float
) -> LayerDone:
    evaluator = make_evaluator(
        task.spec, task.evaluator, accesses=objective.needs_accesses, precheck=session.searcher.precheck
    )
    settings = task.settings
    identity = run_identity(
        task.spec,
        searcher=settings.searcher,
        seed=settings.seed,
        options=settings.options,
        objective=objective,
        evaluator=evaluator.name,
    )
    replayed: list[Progress] = []
    found = session.run(
        evaluator,
        Budget(samples=task.samples),
        trace=TraceFile(folder.trace, identity, resume=True),
        largest_batch=task.evaluator.largest_batch,
        on_progress=lambda progress: replayed.append(progress) if progress.replayed else None,
        stop=_stop(task),
    )
    late = task.deadline is not None and time.time() >= task.deadline
    reason = StopReason.SECONDS if found.reason is StopReason.INTERRUPTED and late else found.reason
    return LayerDone(
        course_of(found),
        reason,
        _kept(session),
        time.monotonic() - start,
        replayed[-1].samples if replayed else 0,
    )


def _new_session(task: LayerTask, objective: Objective) -> Session:
    settings = task.settings
    searcher = make_searcher(settings.searcher, task.spec, settings.seed, objective, settings.options)
    return Session(searcher.space, searcher, objective)


def _restored(state: bytes | None, trace: Path) -> Session | None:
    """The session put aside, if the trace ends where it was."""
    if state is None:
        return None
    session = pickle.loads(state)  # made by `_kept` in this very run; never read from a file
    return session if isinstance(session, Session) and session.continues(trace) else None


def _kept(session: Session) -> bytes | None:
    """The session as bytes; ``None`` for searchers of other people's libraries that cannot be pickled."""
    try:
        return pickle.dumps(session, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return None


def _stop(task: LayerTask) -> Callable[[], bool]:
    """Whether the task has to end: its time is up, or its run was stopped or killed."""
    flag = task.folder.parent.parent / STOP
    own = os.getpid() == task.parent or not task.parent

    def stop() -> bool:
        late = task.deadline is not None and time.time() >= task.deadline
        return late or flag.exists() or (not own and os.getppid() != task.parent)

    return stop

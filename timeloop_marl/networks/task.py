"""One task: go on with the search of one layer for a while; a function of picklable things and the layer's folder."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..cost.objective import Objective, parse_objective
from ..evaluators.choice import EvaluatorChoice, make_evaluator
from ..run.folder import RunFolder
from ..run.identity import run_identity
from ..run.knowledge import begin_with, save_knowledge
from ..run.log import mean_entropy
from ..run.loop import Budget, Session, TraceFile
from ..run.options import Settings
from ..run.result import Progress, StopReason
from ..searchers.knowledge import Knowledge, LayerKnowledge
from ..searchers.registry import make_searcher
from ..specs.spec import Spec
from .budget import Course, course_of
from .layers import TURN, held
from .transfer import LEARNT


@dataclass(frozen=True)
class LayerTask:
    """Search one layer until ``samples`` samples are in its trace.

    Attributes:
        folder: the layer's run folder.
        deadline: wall-clock time (seconds since the epoch) at which the task ends, ``None`` = none.
        state: what the last task on this layer returned; none, or one that is behind the trace, costs a replay.
        parent: process id that the task ends with; 0 = none (another machine).
        name: of the layer in what others learn from it.
        turn: what ``TURN`` in the network's folder has to say as long as the task may go on.
        packed: let ``state`` be small rather than quickly made: it travels.
        transfer: begin with the knowledge in the folder, and leave there what was learnt.
    """

    spec: Spec
    settings: Settings
    evaluator: EvaluatorChoice
    folder: Path
    samples: int
    deadline: float | None = None
    state: bytes | None = None
    parent: int = 0
    name: str = ""
    turn: str = ""
    transfer: bool = False
    packed: bool = False


@dataclass(frozen=True)
class LayerDone:
    """What a task found: the whole course of its layer, why it ended, and how to go on without a replay."""

    course: Course
    reason: StopReason
    state: bytes | None
    seconds: float  # that this task took
    replayed: int  # samples that had to be replayed first
    learnt: LayerKnowledge | None = None
    entropy: float | None = None  # of the agents, nats per choice
    judged: int = 0  # candidates that the searcher judged by its own knowledge, since the layer was begun


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
        aside = _restored(task.state, folder.trace) or _begun(task, objective)
        return _run(task, folder, aside, objective, start)


@dataclass(frozen=True)
class _Aside:
    """A search put aside: its session, and what its knowledge adds to its identity."""

    session: Session
    begun: dict[str, str]


def _run(task: LayerTask, folder: RunFolder, aside: _Aside, objective: Objective, start: float) -> LayerDone:
    session = aside.session
    evaluator = make_evaluator(
        task.spec, task.evaluator, accesses=objective.needs_accesses, precheck=session.searcher.precheck
    )
    identity = {**run_identity(task.spec, task.settings, objective, evaluator.name), **aside.begun}
    replayed: list[Progress] = []
    found = session.run(
        evaluator,
        Budget(samples=task.samples),
        trace=TraceFile(folder.trace, identity, resume=True),
        largest_batch=task.evaluator.largest_batch,
        on_progress=lambda progress: replayed.append(progress) if progress.replayed else None,
        halted=_halted(task),
    )
    learnt = _learnt(task, folder, session)
    late = task.deadline is not None and time.time() >= task.deadline
    reason = StopReason.SECONDS if found.reason is StopReason.INTERRUPTED and late else found.reason
    return LayerDone(
        course=course_of(found),
        reason=reason,
        state=_kept(aside, task.packed),
        seconds=time.monotonic() - start,
        replayed=replayed[-1].samples if replayed else 0,
        learnt=learnt,
        entropy=mean_entropy(session.searcher.account()),
        judged=found.judged,
    )


def _learnt(task: LayerTask, folder: RunFolder, session: Session) -> LayerKnowledge | None:
    """What the searcher has to teach, also written down for a resumed run."""
    learnt = session.searcher.learnt(task.name) if task.transfer else None
    if learnt is not None:
        save_knowledge(Knowledge((learnt,)), folder.path / LEARNT)
    return learnt


def _begun(task: LayerTask, objective: Objective) -> _Aside:
    """A search that has not begun, or whose trace is to be replayed."""
    settings = task.settings
    searcher = make_searcher(settings.searcher, task.spec, settings.seed, objective, settings.options)
    begun = begin_with(searcher, None, task.folder if task.transfer else None)
    return _Aside(Session(searcher.space, searcher, objective), begun)


def _restored(state: bytes | None, trace: Path) -> _Aside | None:
    """The search put aside, if the trace ends where it was."""
    if state is None:
        return None
    aside = pickle.loads(zlib.decompress(state))  # made by `_kept` in this very run; never read from a file
    return aside if isinstance(aside, _Aside) and aside.session.continues(trace) else None


def _kept(aside: _Aside, packed: bool) -> bytes | None:
    """The search as bytes; ``None`` for searchers of other people's libraries that cannot be pickled."""
    try:
        # The fastest level leaves a quarter; slower ones hardly less.
        return zlib.compress(pickle.dumps(aside, protocol=5), 1 if packed else 0)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return None


def _halted(task: LayerTask) -> Callable[[], bool]:
    """Whether the task has to end: its time is up, its run was stopped or killed, or another run has taken over."""
    file = task.folder.parent.parent / TURN
    own = os.getpid() == task.parent or not task.parent

    def halted() -> bool:
        late = task.deadline is not None and time.time() >= task.deadline
        return late or (not own and os.getppid() != task.parent) or _read(file) != task.turn

    return halted


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""

"""Rounds: hand out samples, search the layers that got some, look at what came of it, hand out more."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cost.objective import parse_objective
from ..evaluators.choice import EvaluatorChoice
from ..parallel.interruption import watched
from ..parallel.workers import Workers
from ..run.folder import TRACE, RunFolder
from ..run.options import Settings
from ..run.result import StopReason
from .budget import Course, Standing, first_samples, next_targets, recorded_course
from .layers import TURN, Layer
from .task import LayerDone, LayerTask, run_layer
from .transfer import Transfer, waves

STATES = 512 << 20
"""Bytes of searchers put aside that are kept; what exceeds it is replayed from its trace when it is needed again."""


@dataclass(frozen=True)
class NetworkProgress:
    """A snapshot after every task: ``layer`` is the index of the one that has just come back."""

    layer: int
    names: tuple[str, ...]
    courses: tuple[Course, ...]
    targets: tuple[int, ...]
    round: int
    budget: int | None
    seconds: float
    replayed: int  # samples that this task had to replay first
    entropy: float | None = None  # of the layer's agents, nats per choice

    @property
    def samples(self) -> int:
        """Of all layers, so far."""
        return sum(course.samples for course in self.courses)


@dataclass
class _Book:
    """What is known of one layer while the rounds go on."""

    layer: Layer
    folder: Path
    course: Course = Course()
    reason: StopReason | None = None
    state: bytes | None = None
    exhausted: bool = False
    judged: int = 0


@dataclass
class Rounds:
    """The search of all layers.

    Args:
        folders: the run folder of each layer.
        samples: budget of all layers together; ``None`` = until ``seconds`` have passed.
        seconds: wall clock of this run.
        transfer: who teaches whom; ``None`` = every layer begins with nothing.
    """

    layers: Sequence[Layer]
    folders: Sequence[Path]
    root: Path
    settings: Settings
    evaluator: EvaluatorChoice
    workers: Workers
    samples: int | None
    seconds: float | None
    transfer: Transfer | None = None
    on_progress: Callable[[NetworkProgress], None] | None = None
    targets: list[dict[str, int]] = field(default_factory=list)  # after each round, by layer

    def run(self) -> StopReason:
        """Until the budget is spent; nothing that was evaluated is lost whatever ends it."""
        self._start = time.time()
        self._books = [_Book(layer, folder) for layer, folder in zip(self.layers, self.folders)]
        self.wanted = [0] * len(self._books)
        self._turn = uuid.uuid4().hex
        RunFolder(self.root).write(TURN, self._turn)
        with watched() as interrupted:
            for goal in self._goals():
                self.wanted = goal
                if not self._round() or interrupted():
                    return StopReason.INTERRUPTED
                if self.seconds is not None and time.time() - self._start >= self.seconds:
                    return StopReason.SECONDS
        full = self.samples is not None and sum(b.course.samples for b in self._books) >= self.samples
        return StopReason.SAMPLES if full else StopReason.EXHAUSTED

    def _goals(self) -> Iterator[list[int]]:
        """Samples wanted of each layer, round by round: a first look at every layer, then where it pays."""
        yield from self._first_goals()
        while True:
            standings = [Standing(b.layer.count, b.course, b.exhausted) for b in self._books]
            goal = next_targets(standings, self.settings.objective, self.samples)
            if sum(goal) <= sum(b.course.samples for b in self._books):
                return
            yield goal

    def _first_goals(self) -> Iterator[list[int]]:
        """With transfer in waves, each of which learns from those before it."""
        layers = len(self._books)
        if self.transfer is None:
            yield [first_samples(layers, self.samples, warm=False)] * layers
            return
        goal = [0] * layers
        known: list[int] = []
        for wave in waves([book.layer.spec for book in self._books]):
            for i in wave:
                self.transfer.prepare(i, known)
                goal[i] = first_samples(layers, self.samples, warm=self.transfer.warm(i))
            yield list(goal)
            known += wave

    @property
    def courses(self) -> tuple[Course, ...]:
        """Of all layers, so far."""
        return tuple(book.course for book in self._books)

    @property
    def reasons(self) -> tuple[StopReason, ...]:
        """Why the search of each layer ended."""
        return tuple(book.reason or StopReason.SAMPLES for book in self._books)

    @property
    def judged(self) -> tuple[int, ...]:
        """Candidates that the searcher of each layer judged by its own knowledge, as far as it was run here."""
        return tuple(book.judged for book in self._books)

    def _round(self) -> bool:
        """Search what has fewer samples than wanted; whether all tasks came back uninterrupted."""
        lacking = [i for i, book in enumerate(self._books) if self._missing(i, book)]
        # The longest first: the last one to end keeps the others waiting the least.
        lacking.sort(key=lambda i: (self._books[i].course.samples - self.wanted[i], i))
        whole = True
        try:
            for index, done in self.workers.run(run_layer, [self._task(i) for i in lacking]):
                self._take(lacking[index], done)
                if done.reason is StopReason.INTERRUPTED:
                    whole = False
                    self._stop()
        except KeyboardInterrupt:
            # Tasks that still run somewhere end after their batch; their samples are in their traces.
            self._stop()
            whole = False
        self.targets.append({b.layer.name: b.course.samples for b in self._books})
        self._drop_states()
        return whole

    def _missing(self, i: int, book: _Book) -> bool:
        """Whether the layer needs a task; what its trace has already, from a run that was interrupted, is taken."""
        if book.exhausted or book.course.samples >= self.wanted[i]:
            return False
        if book.state is None:
            objective = parse_objective(self.settings.objective, len(book.layer.spec.architecture.storage))
            known = recorded_course(book.folder / TRACE, objective, self.wanted[i])
            if known is not None and (self.transfer is None or self.transfer.recall(i)):
                book.course, book.reason = known, StopReason.SAMPLES
                return False
        return True

    def _task(self, i: int) -> LayerTask:
        book = self._books[i]
        deadline = None if self.seconds is None else self._start + self.seconds
        return LayerTask(
            spec=book.layer.spec,
            settings=self.settings,
            evaluator=self.evaluator,
            folder=book.folder,
            samples=self.wanted[i],
            deadline=deadline,
            state=book.state,
            parent=os.getpid() if self.workers.children else 0,
            name=book.layer.name,
            turn=self._turn,
            transfer=self.transfer is not None,
            packed=not self.workers.here,
        )

    def _take(self, i: int, done: LayerDone) -> None:
        book = self._books[i]
        book.course, book.reason, book.state = done.course, done.reason, done.state
        book.exhausted, book.judged = done.reason is StopReason.EXHAUSTED, done.judged
        if self.transfer is not None:
            self.transfer.take(i, done.learnt)
        if self.on_progress is not None:
            self.on_progress(
                NetworkProgress(
                    layer=i,
                    names=tuple(b.layer.name for b in self._books),
                    courses=self.courses,
                    targets=tuple(self.wanted),
                    round=len(self.targets) + 1,
                    budget=self.samples,
                    seconds=time.time() - self._start,
                    replayed=done.replayed,
                    entropy=done.entropy,
                )
            )

    def _drop_states(self) -> None:
        """The searchers that went longest without samples are replayed should they be needed again."""
        held = [b for b in self._books if b.state is not None]
        held.sort(key=lambda b: -b.course.samples)
        total = 0
        for book in held:
            total += len(book.state or b"")
            if total > STATES:
                book.state = None

    def _stop(self) -> None:
        RunFolder(self.root).write(TURN, "")

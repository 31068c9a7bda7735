"""The life of every run, once: folder, lock, manifest, log, live view, what is compiled before it begins, its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from ..cost.objective import Objective, parse_objective
from ..errors import UsageError
from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, make_evaluator
from ..evaluators.wrappers import AheadEvaluator
from ..parallel.versions import versions
from ..parallel.workers import Workers
from ..searchers.base import Searcher, warm_up
from ..searchers.registry import make_searcher
from ..specs.spec import Spec
from ..specs.writing import document
from ..specs.yaml_text import yaml_text
from .folder import INPUTS, MANIFEST, RunFolder
from .log import LOG, EventLog, TensorBoard
from .options import RunOptions, Settings
from .result import StopReason
from .view import Snapshot, View, live_view


class Run:
    """A run in its folder, or in none: a context manager around all that happens.

    Inside, the folder is there and held against other processes, the view shows and the log is open. Signals are
    watched by the loops themselves, which know where nothing is lost.

    Args:
        kind: ``search``, ``front``, ``network``, ``sweep``, ``optimum`` or ``compare``.
        options: how it is run.
        mark: file that says that a run is there already, gone on with by ``resume`` only; ``None`` = write over it.

    Raises:
        UsageError: another run is there, or is running there; or the folder cannot be written.
    """

    def __init__(self, kind: str, options: RunOptions, *, mark: str | None = MANIFEST) -> None:
        self.kind, self.options = kind, options
        self.folder = None if options.output is None else RunFolder(options.output)
        self.view: View
        self.log = EventLog(None)
        self.board: TensorBoard | None = None
        self._announced: list[str] = []  # before the log begins
        self._stack = ExitStack()
        there = self.folder is not None and mark is not None and (self.folder.path / mark).exists()
        if options.resume and options.overwrite:
            raise UsageError("resume goes on with a run, overwrite begins anew: give one of them")
        if there and not (options.resume or options.overwrite):
            raise UsageError(
                f"{options.output}: holds a run already; go on with it by --resume, begin anew by --overwrite, "
                "or choose another -o folder"
            )
        self.resumed = there and options.resume
        self._cleared = there and options.overwrite

    def __enter__(self) -> Run:
        with ExitStack() as stack:
            if self.folder is not None:
                self.folder.create()
                stack.enter_context(self.folder.locked())
                if self._cleared:
                    self.folder.clear()
                self.log = EventLog(self.folder.path / LOG)
                stack.callback(self.log.close)
            if self.options.tensorboard is not None:
                self.board = stack.enter_context(TensorBoard(self.options.tensorboard))
            self.view = stack.enter_context(live_view(self.options.live))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def describe(self, arguments: Mapping[str, Any], spec: Spec | None = None, **parts: Any) -> None:
        """Write the manifest and, of a single design, the input as understood.

        Args:
            arguments: what was asked for; ``RunOptions.arguments`` say it better where they do.
            parts: what a resumed run must agree in, e.g. fingerprints of layers.
        """
        if self.folder is None:
            return
        if spec is not None:
            self.folder.write(INPUTS, yaml_text(document(spec)))
        self.folder.write_manifest(
            {"kind": self.kind, "arguments": {**arguments, **self.options.arguments}, **parts}
        )

    def announce(self, text: str) -> None:
        """Say in one line what takes time before the first sample."""
        self._announced.append(text)
        self.view.announce(text)
        if self.options.on_compile is not None:
            self.options.on_compile(text)

    def show(self, snapshot: Snapshot) -> None:
        """Let the view show how it goes."""
        self.view.show(snapshot)

    def evaluator(
        self,
        spec: Spec,
        choice: EvaluatorChoice,
        objective: Objective,
        *,
        precheck: bool = False,
        threads: int = 1,
        workers: Workers | None = None,
    ) -> Evaluator:
        """The evaluator, compiled; its threads end with the run. Arguments and errors as ``make_evaluator``."""
        if choice.kind == "timeloop" and workers is None:
            workers = self._stack.enter_context(choice.engine.open())
        made = make_evaluator(
            spec,
            choice,
            accesses=objective.needs_accesses,
            precheck=precheck,
            threads=threads,
            workers=workers,
            on_compile=self.announce,
        )
        if isinstance(made, AheadEvaluator):
            self._stack.enter_context(made)
        return made

    def warm_up(self, searcher: Searcher) -> None:
        """Compile what the searcher would."""
        warm_up(searcher, self.announce)

    def warm_up_for(self, spec: Spec, settings: Settings, choice: EvaluatorChoice) -> None:
        """Compile once, here, what all workers would otherwise compile at the same time."""
        make_evaluator(spec, choice, on_compile=self.announce)
        objective = parse_objective(settings.objective, len(spec.architecture.storage))
        self.warm_up(make_searcher(settings.searcher, spec, 0, objective, settings.options))

    def start(self, **figures: Any) -> None:
        """First entry of the log: what is searched, with what; then what was announced before."""
        self.log.write("start", **figures, versions=versions(), process=os.getpid())
        for text in self._announced:
            self.log.write("compile", text=text)

    def end(self, reason: str, **figures: Any) -> None:
        """Last entry of the log: why and with what it ended."""
        interrupted = reason == StopReason.INTERRUPTED.value
        self.log.write("interruption" if interrupted else "end", reason=reason, **figures)

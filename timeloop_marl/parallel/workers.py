"""Tasks spread over workers by joblib; tasks of workers that were lost are begun again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from typing import Any, TypeVar

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from ..errors import BackendError, UsageError
from . import processes
from .interruption import at_once, deferred

Task = TypeVar("Task")
Done = TypeVar("Done")
LOSSES = 4
"""Losses of workers one after the other without a single result in between, after which there must be a reason."""
LOSSES_DASK = 1
"""The same where Dask reports them: by then, one task has cost it four workers."""


class WorkerLostError(Exception):
    """A worker ended (killed, out of memory, machine gone) before its result arrived."""


class Workers:
    """A number of workers; results of a task must not depend on how many there are, nor on which one takes it.

    Args:
        jobs: how many tasks at the same time; below 0 as in joblib (-1 = all processors).
        backend: ``loky`` (processes) or ``threading``; for clusters see ``Engine.open``.
        connected: gives the arguments of ``joblib.parallel_config`` for a cluster.
        children: whether workers are this process, or child processes of it.

    Attributes:
        lost: how often workers were lost so far. (Dask makes up for most losses by itself, unseen from here.)
    """

    def __init__(
        self,
        jobs: int = 1,
        backend: str = "loky",
        connected: Callable[[], dict[str, Any]] | None = None,
        *,
        children: bool = True,
    ) -> None:
        self.jobs, self.backend, self.children = number(jobs), backend, children
        self.lost = 0
        self._connected = connected

    @property
    def here(self) -> bool:
        """Whether tasks simply run one after the other in this thread."""
        return self._connected is None and self.jobs == 1

    @property
    def _processes(self) -> bool:
        """Whether tasks run in processes of this machine that joblib starts."""
        return self._connected is None and self.backend == "loky"

    def map(self, function: Callable[[Task], Done], tasks: Sequence[Task]) -> list[Done]:
        """``function(task)`` for every task, in their order; short ones, which no signal cuts off."""
        if len(tasks) == 1 and self._connected is None:
            return [function(tasks[0])]
        found = dict(self._all(function, tasks, short=True))
        return [found[index] for index in range(len(tasks))]

    def run(self, function: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[tuple[int, Done]]:
        """Results with the index of their task, in the order in which they are ready.

        A task whose worker was lost is begun again, so ``function`` must not mind what an earlier call left behind.

        Raises:
            BackendError: workers are lost again and again.
            KeyboardInterrupt: a signal came while waiting; tasks that run are given up.
        """
        return self._all(function, tasks, short=False)

    def _all(
        self, function: Callable[[Task], Done], tasks: Sequence[Task], *, short: bool
    ) -> Iterator[tuple[int, Done]]:
        waiting, losses = dict(enumerate(tasks)), 0
        while waiting:
            before = len(waiting)
            try:
                for index, result in self._attempt(function, list(waiting.items()), short):
                    del waiting[index]
                    yield index, result
            except (WorkerLostError, BrokenProcessPool) as error:
                self.lost += 1
                losses = losses + 1 if len(waiting) == before else 1
                if losses > (LOSSES_DASK if self.backend == "dask" else LOSSES):
                    raise BackendError(
                        f"workers ({self.backend}) were lost {losses} times in a row, out of memory? What was finished "
                        f"is kept: resume the run to go on. The last loss: {str(error).splitlines()[0]}"
                    ) from error

    def _attempt(
        self, function: Callable[[Task], Done], tasks: Sequence[tuple[int, Task]], short: bool
    ) -> Iterator[tuple[int, Done]]:
        if self.here:
            yield from ((index, function(task)) for index, task in tasks)
            return
        # One tuple: Dask would scatter large arguments of their own to single workers, and lose them with these.
        calls = (joblib.delayed(_numbered)((index, function, task)) for index, task in tasks)
        with nullcontext() if short else at_once():
            pass  # a signal that came before: nothing more is handed out
        # Ctrl-C reaches the whole process group: workers that are still starting would answer with a traceback.
        begun = deferred() if self._processes else nullcontext()
        with ExitStack() as stack:
            with joblib.parallel_config(**self._configuration()), begun:
                batch = "auto" if short else 1
                results = joblib.Parallel(return_as="generator_unordered", batch_size=batch)(calls)
                stack.callback(_give_up, results)
            while True:
                with nullcontext() if short else at_once():
                    found = next(results, None)
                if found is None:
                    return
                yield found

    def _configuration(self) -> dict[str, Any]:
        if self._connected is not None:
            return self._connected()
        if self._processes:
            return processes.configuration(self.jobs)
        return {"backend": self.backend, "n_jobs": self.jobs}


def number(jobs: int) -> int:
    """How many workers ``jobs`` means on this machine.

    Raises:
        UsageError: it is 0.
    """
    if jobs == 0:
        raise UsageError("jobs must not be 0: a number of workers, or -1 for one per processor")
    return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)


def _give_up(results: Generator[Any, None, None]) -> None:
    with warnings.catch_warnings(), suppress(RuntimeError):
        warnings.simplefilter("ignore")  # that tasks are given up is what was asked for
        results.close()


def _numbered(call: tuple[int, Callable[[Any], Done], Any]) -> tuple[int, Done]:
    index, function, argument = call
    return index, function(argument)

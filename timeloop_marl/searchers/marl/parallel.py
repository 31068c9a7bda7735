"""Agents at work side by side: each call concerns one agent alone, so that the order of finishing changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ... import parallel

Result = TypeVar("Result")
BACKENDS = ("threading", "loky")


class Workers:
    """Maps functions over agents; one job runs them in turn in this thread.

    ``backend``: ``threading`` (kernels release the interpreter lock) or ``loky`` (processes; tables travel both ways).
    Agents learn in fractions of a millisecond: a cluster is of no use to them.
    """

    def __init__(self, n_jobs: int, backend: str) -> None:
        self.n_jobs, self.backend = n_jobs, backend
        self._workers = parallel.Workers(n_jobs, backend)

    def map(self, function: Callable[..., Result], calls: Sequence[tuple[object, ...]]) -> list[Result]:
        """``function(*call)`` for every call, results in the order of the calls."""
        if self.n_jobs == 1 or len(calls) < 2:
            return [function(*call) for call in calls]
        return self._workers.map(_called, [(function, call) for call in calls])


def _called(task: tuple[Callable[..., Result], tuple[object, ...]]) -> Result:
    function, call = task
    return function(*call)

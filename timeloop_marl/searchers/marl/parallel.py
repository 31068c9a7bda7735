"""Agents at work side by side: each call concerns one agent alone, so that the order of finishing changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import joblib

Result = TypeVar("Result")
BACKENDS = ("threading", "loky")


class Workers:
    """Maps functions over agents with joblib; one job runs them in turn in this thread.

    ``backend``: ``threading`` (kernels release the interpreter lock) or ``loky`` (processes; tables travel both ways).
    """

    def __init__(self, n_jobs: int, backend: str) -> None:
        self.n_jobs, self.backend = n_jobs, backend
        self._pool: joblib.Parallel | None = None

    def map(self, function: Callable[..., Result], calls: Sequence[tuple[object, ...]]) -> list[Result]:
        """``function(*call)`` for every call, results in the order of the calls."""
        if self.n_jobs == 1 or len(calls) < 2:
            return [function(*call) for call in calls]
        if self._pool is None:
            self._pool = joblib.Parallel(n_jobs=self.n_jobs, backend=self.backend)
        return list(self._pool(joblib.delayed(function)(*call) for call in calls))

"""Which workers do the work: how many, of which kind, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import joblib

from ..errors import UsageError
from .workers import Workers, number

BACKENDS = ("loky", "threading", "dask", "ray")
CLUSTERS = ("dask", "ray")


@dataclass(frozen=True)
class Engine:
    """Where calls run. Results do not depend on it.

    Attributes:
        jobs: workers at the same time; below 0 as in joblib (-1 = all processors). A cluster that is already running
            is used whole.
        backend: ``loky`` (processes), ``threading``, ``dask`` or ``ray``.
        scheduler: address of a running cluster: ``tcp://HOST:PORT`` or a scheduler file for Dask, ``ray://HOST:PORT``,
            ``HOST:PORT`` or ``auto`` for Ray. None = a cluster of ``jobs`` processes on this machine.

    Raises:
        UsageError: an unknown backend, a scheduler for one that has none, or no jobs.
    """

    jobs: int = 1
    backend: str = "loky"
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise UsageError(f"unknown backend {self.backend!r}: expected one of {', '.join(BACKENDS)}")
        number(self.jobs)
        if self.scheduler is not None and not self.clustered:
            raise UsageError(f"a scheduler goes with backend dask or ray, not {self.backend}")

    @classmethod
    def chosen(
        cls, jobs: int | None, backend: str | None, scheduler: str | None, *, usual: str = "loky"
    ) -> Engine:
        """From what a user said: a scheduler names its backend; a cluster has a worker for every processor."""
        if backend is None:
            backend = usual if scheduler is None else "ray" if scheduler.startswith("ray://") else "dask"
        return cls((-1 if backend in CLUSTERS else 1) if jobs is None else jobs, backend, scheduler)

    @property
    def clustered(self) -> bool:
        """Whether workers are those of a Dask or Ray cluster."""
        return self.backend in CLUSTERS

    def require(self) -> None:
        """Make sure that what the backend needs is installed, without importing it.

        Raises:
            UsageError: it is not; the message says how to install it.
        """
        module = {"dask": "distributed", "ray": "ray"}.get(self.backend)
        if module is not None and find_spec(module) is None:
            raise UsageError(
                f"backend {self.backend} needs the package {module!r}, which is not installed: "
                f"pip install 'timeloop-marl[{self.backend}]'"
            )

    @contextmanager
    def open(self) -> Iterator[Workers]:
        """Connect to the workers, or start them; they end with the context.

        Raises:
            UsageError: the backend is not installed, or its scheduler does not answer.
        """
        self.require()
        with ExitStack() as stack:
            connected: Callable[[], dict[str, Any]] | None = None
            if self.backend == "dask":
                from .dask_cluster import connect as connect_dask

                connected = stack.enter_context(connect_dask(number(self.jobs), self.scheduler))
            elif self.backend == "ray":
                from .ray_cluster import connect as connect_ray

                connected = stack.enter_context(connect_ray(number(self.jobs), self.scheduler))
            jobs = self.jobs if connected is None else _size(connected)
            children = self.scheduler is None and self.backend != "ray"
            yield Workers(jobs, self.backend, connected, children=children)


def _size(connected: Callable[[], dict[str, Any]]) -> int:
    """Processors of a cluster."""
    with joblib.parallel_config(**connected()):
        return int(joblib.effective_n_jobs(-1))

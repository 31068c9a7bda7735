"""joblib on a Ray cluster: one that runs already, or one of a few processes on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from joblib import register_parallel_backend
from ray.exceptions import RayError
from ray.util.joblib.ray_backend import RayBackend

from ..errors import UsageError
from .workers import WorkerLostError

NAME = "timeloop-marl-ray"


@contextmanager
def connect(jobs: int, scheduler: str | None) -> Iterator[Callable[[], dict[str, Any]]]:
    """A connection to the cluster, as arguments for ``joblib.parallel_config``.

    Args:
        jobs: processes of a cluster of our own.
        scheduler: address of one that runs; none = our own.

    Raises:
        UsageError: no cluster answers.
    """
    own = {"num_cpus": jobs, "_node_ip_address": "127.0.0.1"}
    given: dict[str, Any] = own if scheduler is None else {"address": scheduler}
    try:
        ray.init(
            **given, include_dashboard=False if scheduler is None else None,
            logging_level=logging.CRITICAL, log_to_driver=False,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise UsageError(f"scheduler {scheduler or 'of this machine'}: no Ray cluster: {error}") from error
    register_parallel_backend(NAME, _Backend)
    processors = int(ray.cluster_resources().get("CPU", 1))
    try:
        yield lambda: {"backend": NAME, "n_jobs": jobs if scheduler is None else processors}
    finally:
        ray.shutdown()


class _Backend(RayBackend):
    """Ray's own; results come one by one, and a lost worker is told from a task that failed."""

    supports_return_generator = True
    supports_retrieve_callback = True

    def retrieve_result_callback(self, out: Any) -> Any:
        """What the batch returned; raises what it failed with."""
        if isinstance(out, RayError):
            raise WorkerLostError(str(out).splitlines()[0])
        return super().retrieve_result_callback(out)

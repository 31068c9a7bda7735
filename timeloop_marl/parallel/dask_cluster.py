"""joblib on a Dask cluster: one that runs already, or one of a few processes on this machine."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
import distributed
import distributed.client
from joblib._dask import DaskDistributedBackend

from ..errors import UsageError
from .interruption import deferred
from .versions import versions
from .workers import WorkerLostError

CONNECT_SECONDS = 30
RETURN_SECONDS = 120
"""Patience with a cluster that has lost all its workers: on a busy machine Dask takes long to start them anew."""

LOST = (distributed.KilledWorker, distributed.client.FutureCancelledError)


@contextmanager
def connect(jobs: int, scheduler: str | None) -> Iterator[Callable[[], dict[str, Any]]]:
    """A client of the cluster, as arguments for ``joblib.parallel_config``.

    Args:
        jobs: processes of a cluster of our own.
        scheduler: address or scheduler file (``.json``) of one that runs; none = our own.

    Raises:
        UsageError: no scheduler or no worker answers, or workers have other versions than this process.
    """
    with ExitStack() as stack:
        if scheduler is None:
            # A cluster cut in the middle of its start leaves processes and tracebacks behind.
            with deferred():
                client = stack.enter_context(_own(stack, jobs))
                _check_workers(client, scheduler)
        else:
            client = stack.enter_context(_running(scheduler))
            _check_workers(client, scheduler)
        try:
            yield lambda: {
                "backend": _Backend(client=client, wait_for_workers_timeout=RETURN_SECONDS),
                "n_jobs": -1,
            }
        finally:
            with deferred():
                stack.close()


def _own(stack: ExitStack, jobs: int) -> distributed.Client:
    scratch = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="timeloop-marl-dask-", ignore_cleanup_errors=True)
    )
    stack.enter_context(dask.config.set({"temporary-directory": scratch}))  # the scheduler's, too
    cluster = distributed.LocalCluster(
        host="127.0.0.1",
        **_secured(),
        n_workers=jobs,
        threads_per_worker=1,  # a call has its process for itself: memory is counted, and kills hit one call
        dashboard_address="127.0.0.1:0",  # any free port, for this machine alone: several clusters do not collide
        silence_logs=logging.CRITICAL,
        local_directory=scratch,
    )
    stack.enter_context(cluster)
    return distributed.Client(cluster, set_as_default=False)


def _secured() -> dict[str, Any]:
    """Certificates made for this cluster alone: other users of the machine reach its ports, but get no word with it."""
    try:
        return {"protocol": "tls://", "security": distributed.Security.temporary()}
    except ImportError:
        logging.getLogger("timeloop_marl").warning(
            "the Dask cluster of this run listens on random ports of 127.0.0.1 without encryption: who has an account "
            "on this machine could run code in its workers; pip install cryptography closes that"
        )
        return {"protocol": "tcp://"}


def _running(scheduler: str) -> distributed.Client:
    where = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    try:
        return distributed.Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # no answer within the time is an OSError, too
        raise UsageError(
            f"scheduler {scheduler}: no Dask scheduler answers there: {error}; "
            "start one with 'dask scheduler', or leave --scheduler out for a cluster on this machine"
        ) from error


def _check_workers(client: distributed.Client, scheduler: str | None) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise UsageError(
            f"scheduler {scheduler or 'of this machine'}: no worker within {CONNECT_SECONDS} s; "
            f"start some with 'dask worker {scheduler or 'ADDRESS'} --nthreads 1'"
        ) from error
    mine = versions()
    try:
        theirs = client.run(versions)
    except ImportError as error:
        raise UsageError(f"scheduler {scheduler}: a worker cannot import timeloop_marl: {error}") from error
    for worker, found in theirs.items():
        if found != mine:
            raise UsageError(
                f"worker {worker}: other versions than here, results could differ: {found} there, {mine} here"
            )


class _Backend(DaskDistributedBackend):
    """joblib's own, but for tasks that Dask gives up: joblib would wait for their results for ever."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Processors of the cluster, 2 at least: for one alone, joblib would do the work in this process."""
        try:
            return max(2, int(super().effective_n_jobs(n_jobs)))
        except TimeoutError as error:
            raise WorkerLostError(f"the cluster has had no worker for {RETURN_SECONDS} s") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Give up what was handed in, on the cluster, too."""
        super().abort_everything(ensure_ready=ensure_ready)
        self.client.cancel(list(self._results), force=True)

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
        """Hand a batch to the cluster; ``callback`` is also told of its failure."""
        handed = super().submit(func, callback=callback)

        def told(done: Future[Any]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None and callback is not None:
                callback(error)

        handed.add_done_callback(told)
        return handed

    def retrieve_result_callback(self, out: Any) -> Any:
        """What the batch returned; raises what it failed with."""
        if isinstance(out, LOST):
            raise WorkerLostError(str(out))
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)

"""joblib's processes of this machine: they end with their command, and no signal makes them or it print a traceback."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress
from typing import Any

from joblib import register_parallel_backend
from joblib.parallel import LokyBackend

NAME = "timeloop-marl-loky"
WATCH_SECONDS = 0.2
"""Between two looks of a worker at whether its parent is still there."""


class _Backend(LokyBackend):
    """joblib's own, but for tasks that are given up before loky has passed them on."""

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Give up all tasks: loky's thread would look for those in this queue when they are gone, and fail."""
        with suppress(queue.Empty):
            while True:
                self._workers._work_ids.get_nowait()
        super().abort_everything(ensure_ready=ensure_ready)


register_parallel_backend(NAME, _Backend)


def configuration(jobs: int) -> dict[str, Any]:
    """Of ``joblib.parallel_config``, for so many processes."""
    # From their start on: one that waits for its first task would outlive a killed parent for minutes.
    return {"backend": NAME, "n_jobs": jobs, "initializer": _end_with, "initargs": (os.getpid(),)}


def _end_with(parent: int) -> None:
    """Let this process end when its parent is killed: it would go on writing where a resumed run wants to write."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()

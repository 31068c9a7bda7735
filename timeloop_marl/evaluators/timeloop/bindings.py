"""The route through pytimeloop: its bindings in worker processes, where timeloop-model is not on the path."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

from ...errors import BackendError, UsageError
from .program import Run

WORKER = Path(__file__).with_name("worker.py")
_MODULE, _COMPILED = "pytimeloop", "bindings"  # what is imported, and the extension behind it
_START_SECONDS = 60.0  # loading the bindings comes on top of the first call's limit

Worker = subprocess.Popen[str]


def importable() -> bool:
    """Whether pytimeloop is installed."""
    return importlib.util.find_spec(_MODULE) is not None


class Bindings:
    """Calls of pytimeloop, each in a fork of a worker process; as many workers as there are calls at the same time."""

    def __init__(self) -> None:
        if not importable():
            raise UsageError("pytimeloop is not installed, and timeloop-model is not on the path")
        self.fingerprint = _fingerprint()
        self.name = f"pytimeloop (sha256 {self.fingerprint[:12]})"
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._finalizer = weakref.finalize(self, _close, self._idle)

    def close(self) -> None:
        """End the workers."""
        self._finalizer()

    def run(self, folder: Path, environ: Mapping[str, str], seconds: float | None) -> Run:
        """Evaluate the ``input.yaml`` of a folder.

        Raises:
            BackendError: the bindings cannot be loaded.
        """
        try:
            worker, limit = self._idle.get_nowait(), seconds
        except Empty:
            worker, limit = _start(environ), None if seconds is None else seconds + _START_SECONDS
        status = _ask(worker, folder, limit)
        if status is None:
            _kill(worker)
        else:
            self._idle.put(worker)
        return Run(
            (sys.executable, str(WORKER)),
            folder,
            status,
            _text(folder / "stdout.txt"),
            _text(folder / "stderr.txt"),
        )


def _start(environ: Mapping[str, str]) -> Worker:
    return subprocess.Popen(
        [sys.executable, str(WORKER)],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _ask(worker: Worker, folder: Path, seconds: float | None) -> int | None:
    """The exit status of a call; ``None`` if the time is over."""
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(str(folder)) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended; the empty answer says so
    ready, _, _ = select.select([worker.stdout], [], [], seconds)
    if not ready:
        return None
    answer = worker.stdout.readline()
    if not answer:
        _kill(worker)
        raise BackendError(
            f"pytimeloop cannot be loaded or has ended: see above; try: {sys.executable} -c 'import pytimeloop.app'"
        )
    return int(answer)


def _kill(worker: Worker) -> None:
    try:
        os.killpg(worker.pid, signal.SIGKILL)
    except ProcessLookupError:
        worker.kill()
    _finish(worker)


def _close(idle: SimpleQueue[Worker]) -> None:
    while not idle.empty():
        _finish(idle.get_nowait())


def _finish(worker: Worker) -> None:
    """Workers end when their input does."""
    for stream in (worker.stdin, worker.stdout):
        if stream is not None and not stream.closed:
            stream.close()
    worker.wait()


def _fingerprint() -> str:
    """SHA-256 over the compiled part of pytimeloop."""
    spec = importlib.util.find_spec(_COMPILED) or importlib.util.find_spec(_MODULE)
    assert spec is not None
    folders = [Path(place) for place in spec.submodule_search_locations or []]
    files = sorted({file for folder in folders for file in folder.glob("*.so")})
    origin = Path(spec.origin) if spec.origin else None
    digest = hashlib.sha256()
    for file in files or ([origin] if origin else []):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

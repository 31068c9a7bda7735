"""A small process that outlives ours: what a ``kill -9`` leaves behind, programs and folders, it ends and removes.

The same on Linux and macOS, without signals to threads: our process notes down what it has begun, in a pipe that closes
when it ends, however it ends. This file is both sides; as a program it is started by its name and loads nothing else.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TRIES, _PAUSE = 20, 0.05  # a killed program may write one more file while its folder is removed


class Keeper:
    """Our side. One for the process, started at the first note; a forked child starts its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @contextmanager
    def holding(self, *, group: int | None = None, folder: Path | None = None) -> Iterator[None]:
        """Should this process die in here, the process group is killed, the folder removed."""
        number = next(self._numbers)
        self._say({"number": number, "group": group, "folder": None if folder is None else str(folder)})
        try:
            yield
        finally:
            self._say({"number": number})

    def close(self) -> None:
        """End the small process; what is still noted is cleared away. The next note starts another."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None and self._owner == os.getpid() and process.stdin is not None:
                process.stdin.close()
                process.wait()
            self._owner = 0

    def _say(self, note: dict[str, object]) -> None:
        with self._lock:
            if self._owner != os.getpid():
                if len(note) == 1:  # it is known to no process that is there
                    return
                self._owner, self._process = os.getpid(), _start()
            if self._process is None or self._process.stdin is None:
                return
            try:
                os.write(self._process.stdin.fileno(), json.dumps(note).encode() + b"\n")
            except OSError:  # somebody ended it: calls go on without it
                self._process.stdin.close()
                self._process.wait()
                self._process = None


def _start() -> subprocess.Popen[bytes] | None:
    """The small process, in a session of its own; ``None`` if the system gives none: calls do not depend on it."""
    try:
        return subprocess.Popen(
            [sys.executable, "-IS", __file__],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    except OSError:
        return None


KEEPER = Keeper()
"""The one of this process."""
atexit.register(KEEPER.close)


def main() -> None:
    """The small process: read notes until the pipe closes, then clear away."""
    noted: dict[int, dict[str, object]] = {}
    for line in sys.stdin.buffer:
        note = json.loads(line)
        if len(note) > 1:
            noted[note["number"]] = note
        else:
            noted.pop(note["number"], None)
    for note in noted.values():
        if isinstance(group := note["group"], int):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
    _remove([str(note["folder"]) for note in noted.values() if note["folder"]])


def _remove(folders: Iterable[str]) -> None:
    for folder in folders:
        for _ in range(_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()

"""Work done in a process of its own, with an end to its time and memory, whatever it is that takes them."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ..errors import SpecError

Made = TypeVar("Made")
SECONDS = 5
"""Of processor time; three times as long by the clock, for other processes may be at work."""
MEMORY = 512 << 20
"""Bytes beside what this process has already."""
_LARGEST = 256 << 20  # bytes of a result


class EndedError(Exception):
    """The work had to be ended; the text says why."""


def apart(work: Callable[[], Made]) -> Made:
    """What the function returns, as a copy.

    Raises:
        SpecError: what the function raised.
        EndedError: it took too much time or memory.
    """
    ours, theirs = os.pipe()
    try:
        with warnings.catch_warnings():
            # A child of a process with threads must not wait for their locks: this one only works on the input.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
    except OSError as error:
        for end in (ours, theirs):
            os.close(end)
        raise EndedError(f"no process for it: {error.strerror}") from None
    if child == 0:
        os.close(ours)
        _work(work, theirs)
    os.close(theirs)
    try:
        reply = _received(ours)
    finally:
        os.close(ours)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not reply:
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        raise EndedError(
            f"it takes more than {SECONDS} s" if late else f"it takes more than {MEMORY >> 20} MiB of memory"
        )
    failed, made = pickle.loads(reply)  # from our own child
    if failed:
        raise made
    result: Made = made
    return result


def _received(pipe: int) -> bytes:
    """All that comes until the other end is closed; nothing if that does not come in time, or is too much."""
    deadline, size = time.monotonic() + 3 * SECONDS, 0
    parts: list[bytes] = []
    while size <= _LARGEST:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return b""
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    return b""


def _work(work: Callable[[], Any], pipe: int) -> NoReturn:
    """In the child, which ends here: nothing of the parent's is cleaned up, flushed or answered by it."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_CPU, SECONDS)
        _limit(resource.RLIMIT_AS, _size() + MEMORY)
        try:
            reply = pickle.dumps((False, work()), protocol=5)
        except SpecError as error:
            reply = pickle.dumps((True, error), protocol=5)
        view = memoryview(reply)
        while view:
            view = view[os.write(pipe, view) :]
    except BaseException:  # out of memory: the empty reply says so
        os._exit(1)
    os._exit(0)


def _limit(what: int, most: int) -> None:
    """At most what the process may have anyway."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most + 1 if what == resource.RLIMIT_CPU and hard != most else most))


def _size() -> int:
    """Bytes of address space of this process."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 64 << 30

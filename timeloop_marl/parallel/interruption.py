"""Ctrl-C and SIGTERM: long loops are asked to stop where nothing is lost, everything else ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")

INTERRUPTED = 130
"""Exit status after Ctrl-C (SIGINT)."""
TERMINATED = 143
"""Exit status after SIGTERM."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived where no loop looks out for it."""


class Interrupted(KeyboardInterrupt):
    """A signal ended a call after all that it had found was written down. ``result``: what it would have returned."""

    def __init__(self, result: Any) -> None:
        super().__init__(
            "interrupted; what was found until then is in the attribute 'result' of this exception"
        )
        self.result = result


def ended(result: Found, *, interrupted: bool) -> Found:
    """The result of a call that is over.

    Raises:
        Interrupted: it was a signal that ended it.
    """
    if interrupted:
        raise Interrupted(result)
    return result


def whole(
    call: Callable[Arguments, Found], *arguments: Arguments.args, **keywords: Arguments.kwargs
) -> Found:
    """What a call returns, also where a signal ended it: for callers that say so themselves."""
    try:
        return call(*arguments, **keywords)
    except Interrupted as interrupted:
        result: Found = interrupted.result
        return result


class HaltedError(Exception):
    """The time of a loop is over, or a signal came, while a single step of it still goes on."""


class _Patience(threading.local):
    """Of this thread."""

    over: Callable[[], bool] | None = None


_PATIENCE = _Patience()


@contextmanager
def halting(over: Callable[[], bool]) -> Iterator[None]:
    """In here, in this thread, ``go_on`` ends what takes its time as soon as ``over`` says so."""
    before, _PATIENCE.over = _PATIENCE.over, over
    try:
        yield
    finally:
        _PATIENCE.over = before


def go_on() -> None:
    """To be called now and then by what may work for long without a result.

    Raises:
        HaltedError: it has to end.
    """
    if _PATIENCE.over is not None and _PATIENCE.over():
        raise HaltedError


class _State:
    """Of this process: signals come to its main thread, whoever asked for them."""

    asked: threading.Event | None = None
    terminated = False


def exit_status() -> int:
    """143 if the last signal was SIGTERM, 130 otherwise."""
    return TERMINATED if _State.terminated else INTERRUPTED


def leave() -> None:
    """Ignore Ctrl-C from here to the end of the process: pools of workers are being closed, nothing is computed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def watched() -> Iterator[Callable[[], bool]]:
    """Let SIGINT and SIGTERM only set a flag, that the loop inside asks for; the second SIGINT interrupts.

    A loop within a loop looks at the same flag. Elsewhere than in the main thread no signal ever arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    if _State.asked is not None:
        yield _State.asked.is_set
        return
    asked = threading.Event()

    def handler(number: int, frame: FrameType | None) -> None:
        _State.terminated = number == signal.SIGTERM
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    _State.asked = asked
    try:
        yield asked.is_set
    finally:
        _State.asked = None
        for number, old in previous.items():
            signal.signal(number, old)


@contextmanager
def at_once() -> Iterator[None]:
    """Within a watched loop: the first signal already interrupts, for waits that no flag ends.

    Raises:
        KeyboardInterrupt: a signal came, now or before.
    """
    if _State.asked is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = _State.asked
    if asked.is_set():
        raise KeyboardInterrupt

    def handler(number: int, frame: FrameType | None) -> None:
        asked.set()
        _terminate(number, frame)

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextmanager
def deferred() -> Iterator[None]:
    """Signals wait for the end of what may not be cut in the middle: they arrive, once, when it is over.

    Processes begun inside never see SIGINT: Ctrl-C reaches the whole group, and it is for the parent to end them.

    Raises:
        KeyboardInterrupt: at the end, if a signal came (what its handler raises).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    # Python's helper for shared resources lifts the mask where it is started with the first process: have it first.
    resource_tracker.ensure_running()
    # Threads inherit the mask, and processes that of the thread that begins them, also those begun later on.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, old in previous.items():
            signal.signal(number, old)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise ``Terminated``, as SIGINT raises ``KeyboardInterrupt``: files are closed, workers ended."""
    _State.terminated = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    _State.terminated = number == signal.SIGTERM
    raise Terminated if _State.terminated else KeyboardInterrupt

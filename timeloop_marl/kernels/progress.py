"""How far compiling is: kernels are counted as they are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .numba_internals import module, taken

_event = module("numba.core.event")
_Listener = taken(_event, "Listener")
_install = taken(_event, "install_listener")
EVERY = 5.0
"""Seconds between two lines."""


def _counting(told: Callable[[str], None], what: str, expected: int) -> Any:
    """A listener that tells how many kernels are done, at most once in ``EVERY`` seconds."""
    begun = said = time.monotonic()
    done = 0

    def count(listener: Any, event: Any) -> None:
        nonlocal said, done
        done += 1  # those that it calls ended before it
        now = time.monotonic()
        if now - said >= EVERY and done < expected:  # beyond, nobody knows how much longer
            said = now
            left = (expected - done) * (now - begun) / done
            told(f"compiling {what}: {done / expected:.0%}, about {left:.0f} s left")

    return type("Counting", (_Listener,), {"on_start": lambda listener, event: None, "on_end": count})()


@contextmanager
def compiling(told: Callable[[str], None] | None, what: str, expected: int) -> Iterator[None]:
    """Say in a line every few seconds how far compiling is, and how long it may still take.

    Args:
        told: what is given the lines; ``None`` = nobody.
        what: that is compiled.
        expected: kernels that this takes, about.
    """
    if told is None:
        yield
        return
    told(f"compiling {what}, once; the result is kept for later runs")
    with _install("numba:compile", _counting(told, what, expected)):
        yield

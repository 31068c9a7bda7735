"""Where a run is shown: in a notebook, on a terminal, or nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console

from .notebook import NotebookView, in_notebook
from .snapshot import Snapshot
from .terminal import TerminalView

T = TypeVar("T")


class View(Protocol):
    """A display of snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot in place of the last one."""

    def announce(self, text: str) -> None:
        """Say what goes on before the first sample."""


class Nowhere:
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Do nothing."""

    def announce(self, text: str) -> None:
        """Do nothing."""


@contextmanager
def live_view(wanted: bool = True) -> Iterator[View]:
    """The display that fits: HTML in a notebook, rich on a terminal (standard error), nothing elsewhere."""
    if wanted and in_notebook():
        with NotebookView() as notebook:
            yield notebook
    elif wanted and sys.stderr.isatty():
        with TerminalView(Console(stderr=True)) as terminal:
            yield terminal
    else:
        yield Nowhere()


def all_of(*listeners: Callable[[T], None] | None) -> Callable[[T], None]:
    """One listener that tells all of them, in order."""
    chosen = [listener for listener in listeners if listener is not None]

    def tell(news: T) -> None:
        for listener in chosen:
            listener(news)

    return tell

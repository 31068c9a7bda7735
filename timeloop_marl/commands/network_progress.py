"""The live line of a network's search: share done, samples/s, total so far, the layer that came back last."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from ..networks.rounds import NetworkProgress


class NetworkLine:
    """Context manager; ``update`` is a network's ``on_progress``. Nothing is shown unless ``visible``."""

    def __init__(self, console: Console, visible: bool) -> None:
        self._visible = visible
        self._bar = Bar(
            BarColumn(bar_width=10),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            transient=True,
            disable=not visible,
        )
        self._task = self._bar.add_task("", total=1.0, text="starting")

    def __enter__(self) -> NetworkLine:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def update(self, progress: NetworkProgress) -> None:
        """Show a snapshot."""
        samples = sum(course.samples for course in progress.courses)
        rate = samples / progress.seconds if progress.seconds > 0 else 0.0
        share = None if progress.budget is None else samples / progress.budget
        course = progress.courses[progress.layer]
        best = f"{course.best.cost:.4g}" if course.best else "nothing valid yet"
        text = (
            f"round {progress.round} · {samples:,} samples · {rate:,.0f}/s · "
            f"{progress.names[progress.layer]} {best} after {course.samples:,}"
        )
        self._bar.update(self._task, total=None if share is None else 1.0, completed=share or 0.0, text=text)

    def announce(self, text: str) -> None:
        """Say what goes on before the first sample."""
        if self._visible:
            self._bar.update(self._task, total=None, text=text)
        else:
            print(text, file=sys.stderr, flush=True)

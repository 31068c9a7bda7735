"""The live line of a running search: share done, samples/s, best so far, valid share, time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from ..search_result import Progress
from ..settings import Settings


class ProgressLine:
    """Context manager around a rich progress bar; ``update`` is a search's ``on_progress``."""

    def __init__(self, console: Console, settings: Settings) -> None:
        self._limits = settings.limits
        self._objective = settings.objective
        self._bar = Bar(
            BarColumn(bar_width=10),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("", total=1.0, text="starting")

    def __enter__(self) -> ProgressLine:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def update(self, progress: Progress) -> None:
        """Show a snapshot."""
        self._bar.update(self._task, total=1.0, completed=self._share(progress), text=self._text(progress))

    def announce(self, text: str) -> None:
        """Say what goes on before the first sample; the bar shows that something moves."""
        self._bar.update(self._task, total=None, text=text)

    def _share(self, progress: Progress) -> float:
        done = {"samples": progress.samples, "valid_samples": progress.valid, "seconds": progress.seconds}
        shares = [
            done[name] / limit for name, limit in self._limits.items() if name in done and limit is not None
        ]
        return min(1.0, max(shares, default=0.0))

    def _text(self, progress: Progress) -> str:
        best = f"best {self._objective} {progress.cost:.4g}" if progress.valid else "nothing valid yet"
        done = f"{progress.samples:,} samples"
        if progress.replayed:
            return f"replaying what was recorded: {done} · {best}"
        share = self._share(progress)
        if share == 1.0:
            return f"{done} · {best} · writing the results"
        left = f" · {_duration(progress.seconds * (1 - share) / share)}" if share > 0.0 else ""
        return (
            f"{done} · {progress.samples_per_second:,.0f}/s · {best} · {progress.valid_share:.0%} valid{left}"
        )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 6000 else f"{seconds / 3600:.1f} h left"

"""Where a run is shown: in a notebook, on a terminal, or nowhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeVar

from markupsafe import Markup
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .options import Settings
from .result import Progress
from .units import cost_text


@dataclass(frozen=True)
class Row:
    """One layer of several: a text per column, the share of its samples done, whether it has just moved."""

    cells: tuple[str, ...]
    share: float
    active: bool


@dataclass(frozen=True)
class Snapshot:
    """``share``: part of the budget spent, ``None`` if it cannot be told; ``facts``: the most telling first."""

    title: str
    share: float | None
    facts: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def line(self) -> str:
        """All facts in one line."""
        return " · ".join(self.facts)

    def fitting(self, width: int) -> str:
        """The facts that fit a line of ``width`` characters, the first of them in any case."""
        facts = list(self.facts)
        while len(facts) > 1 and len(" · ".join(facts)) > width:
            facts.pop()
        return " · ".join(facts)


def search_snapshot(progress: Progress, settings: Settings) -> Snapshot:
    """A search: samples, best so far, time left, samples/s, valid share."""
    best = f"best {cost_text(settings.objective, progress.cost)}" if progress.valid else "nothing valid yet"
    done = f"{progress.samples:,} samples"
    share = spent(settings.limits, progress)
    if progress.replayed:
        return Snapshot("replaying", share, (f"replaying what was recorded: {done}", best))
    if share == 1.0:
        return Snapshot("done", share, (done, best, "writing the results"))
    left = [f"{duration(progress.seconds * (1 - share) / share)} left"] if share > 0.0 else []
    rate = f"{progress.samples_per_second:,.0f}/s"
    return Snapshot("searching", share, (done, best, *left, rate, f"{progress.valid_share:.0%} valid"))


def spent(limits: Mapping[str, Any], progress: Progress) -> float:
    """The largest share of any limit that is used up, 0 to 1."""
    done = {"samples": progress.samples, "valid_samples": progress.valid, "seconds": progress.seconds}
    shares = [done[name] / limit for name, limit in limits.items() if name in done and limit is not None]
    return min(1.0, max(shares, default=0.0))


def duration(seconds: float) -> str:
    """``95 s``, ``12 min``, ``3.4 h``, ``2.1 days``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 100 * 3600 else f"{seconds / 86400:.1f} days"


_BAR = 10  # characters of the bar of the whole
_AROUND = 5  # lines of the terminal that are not rows


def snapshot_view(snapshot: Snapshot, height: int, width: int) -> RenderableType:
    """The whole display, at most about ``height`` lines; of many rows those that moved last, and the next."""
    head = Table.grid(padding=(0, 1))
    bar = _bar(snapshot.share, _BAR)
    head.add_row(bar, Text(snapshot.fitting(width - _BAR - 1)))
    if not snapshot.rows:
        return head
    return Group(head, _table(snapshot, max(height - _AROUND, 3)))


def _table(snapshot: Snapshot, most: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column(Text(snapshot.columns[0]), no_wrap=True, overflow="ellipsis", max_width=32)
    table.add_column("", width=12)
    for column in snapshot.columns[1:]:
        table.add_column(Text(column), justify="right", no_wrap=True)
    rows = chosen_rows(snapshot.rows, most)
    for row in rows:
        bar = _bar(row.share, 12)
        style = "bold" if row.active else ""
        table.add_row(
            Text(row.cells[0], style=style), bar, *(Text(cell, style=style) for cell in row.cells[1:])
        )
    if len(rows) < len(snapshot.rows):
        table.add_row(Text(f"and {len(snapshot.rows) - len(rows)} more", style="dim"))
    return table


def _bar(share: float | None, width: int) -> ProgressBar:
    """Blue on grey, which everybody can tell apart; moving if nothing is known."""
    return ProgressBar(
        total=1.0,
        completed=min(share or 0.0, 1.0),
        width=width,
        pulse=share is None,
        complete_style="bright_blue",
        finished_style="bright_blue",
    )


def chosen_rows(rows: tuple[Row, ...], most: int) -> list[Row]:
    """All rows if there is room; else the active ones and those around them, in their order."""
    if len(rows) <= most:
        return list(rows)
    active = next((i for i, row in enumerate(rows) if row.active), 0)
    begin = max(0, min(active - (most - 1) // 2, len(rows) - (most - 1)))
    return list(rows[begin : begin + most - 1])


class TerminalView:
    """Context manager around rich's live display; ``show`` takes snapshots, ``announce`` a text before the first."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=5)

    def __enter__(self) -> TerminalView:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot in place of the last one."""
        self._live.update(snapshot_view(snapshot, self._console.height, self._console.width))

    def announce(self, text: str) -> None:
        """Say what goes on; the bar shows that something moves."""
        self.show(Snapshot("", None, (text,)))


_NOTEBOOK_SECONDS = 0.25  # between updates: a browser cannot follow thousands
_NOTEBOOK_ROWS = 24


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, where HTML can be shown."""
    tools: Any = sys.modules.get("IPython")  # a kernel has loaded it; importing it only to ask takes too long
    shell = tools.get_ipython() if tools is not None else None
    return shell is not None and hasattr(shell, "kernel")


def snapshot_html(snapshot: Snapshot) -> str:
    """The snapshot as HTML; every text in it is escaped."""
    head = Markup(
        "<div style='display:flex;gap:12px;align-items:center'><b>{}</b>{}<span>{}</span></div>"
    ).format(snapshot.title, _bar_html(snapshot.share or 0.0, 160), snapshot.line)
    if not snapshot.rows:
        return str(_framed_html(head))
    rows = chosen_rows(snapshot.rows, _NOTEBOOK_ROWS)
    titles = Markup("").join(
        Markup("<th style='text-align:{};font-weight:600;padding:2px 10px 2px 0'>{}</th>").format(
            _align_html(i), name
        )
        for i, name in enumerate(("", *snapshot.columns))
        if i != 0
    )
    body = Markup("").join(_row_html(row) for row in rows)
    more = len(snapshot.rows) - len(rows)
    rest = Markup("<div>and {} more</div>").format(more) if more else Markup("")
    table = Markup("<table style='border-collapse:collapse'><tr>{}<th></th></tr>{}</table>").format(
        titles, body
    )
    return str(_framed_html(head + table + rest))


def _framed_html(inside: Markup) -> Markup:
    return Markup(
        "<div style='font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums'>{}</div>"
    ).format(inside)


def _row_html(row: Row) -> Markup:
    cells = Markup("").join(
        Markup("<td style='text-align:{};padding:2px 10px 2px 0'>{}</td>").format(_align_html(i + 1), text)
        for i, text in enumerate(row.cells)
    )
    weight = "600" if row.active else "400"
    return Markup("<tr style='font-weight:{};background:none'>{}<td>{}</td></tr>").format(
        weight, cells, _bar_html(row.share, 90)
    )


def _align_html(column: int) -> str:
    return "left" if column == 1 else "right"


def _bar_html(share: float, width: int) -> Markup:
    return Markup(
        "<span style='display:inline-block;width:{}px;height:6px;border-radius:3px;background:#8884'>"
        "<span style='display:block;width:{:.1f}%;height:6px;border-radius:3px;background:#0072B2'></span></span>"
    ).format(width, 100 * min(max(share, 0.0), 1.0))


class NotebookView:
    """Shows snapshots in the output of the running cell, the last one always."""

    def __init__(self) -> None:
        import IPython.display

        self._tools: Any = IPython.display
        self._display: Any = None
        self._next = 0.0
        self._pending: Snapshot | None = None

    def __enter__(self) -> NotebookView:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pending is not None:
            self._write(self._pending)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot in place of the last one, or keep it until the next may be shown."""
        if time.monotonic() < self._next:
            self._pending = snapshot
        else:
            self._write(snapshot)

    def announce(self, text: str) -> None:
        """Say what goes on before the first sample."""
        self._write(Snapshot("", None, (text,)))

    def _write(self, snapshot: Snapshot) -> None:
        content = self._tools.HTML(snapshot_html(snapshot))
        if self._display is None:
            self._display = self._tools.display(content, display_id=True)
        else:
            self._display.update(content)
        self._pending, self._next = None, time.monotonic() + _NOTEBOOK_SECONDS


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

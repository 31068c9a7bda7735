"""A snapshot on a terminal: one line with a bar, and under it a table of layers that fits the window."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .snapshot import Row, Snapshot

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

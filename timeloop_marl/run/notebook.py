"""A snapshot in a Jupyter notebook: HTML that is replaced in place, no widgets needed."""

from __future__ import annotations

import sys
import time
from typing import Any

from markupsafe import Markup

from .snapshot import Row, Snapshot
from .terminal import chosen_rows

_SECONDS = 0.25  # between updates: a browser cannot follow thousands
_ROWS = 24


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, where HTML can be shown."""
    tools: Any = sys.modules.get("IPython")  # a kernel has loaded it; importing it only to ask takes too long
    shell = tools.get_ipython() if tools is not None else None
    return shell is not None and hasattr(shell, "kernel")


def snapshot_html(snapshot: Snapshot) -> str:
    """The snapshot as HTML; every text in it is escaped."""
    head = Markup(
        "<div style='display:flex;gap:12px;align-items:center'><b>{}</b>{}<span>{}</span></div>"
    ).format(snapshot.title, _bar(snapshot.share or 0.0, 160), snapshot.line)
    if not snapshot.rows:
        return str(_framed(head))
    rows = chosen_rows(snapshot.rows, _ROWS)
    titles = Markup("").join(
        Markup("<th style='text-align:{};font-weight:600;padding:2px 10px 2px 0'>{}</th>").format(
            _align(i), name
        )
        for i, name in enumerate(("", *snapshot.columns))
        if i != 0
    )
    body = Markup("").join(_row(row) for row in rows)
    more = len(snapshot.rows) - len(rows)
    rest = Markup("<div>and {} more</div>").format(more) if more else Markup("")
    table = Markup("<table style='border-collapse:collapse'><tr>{}<th></th></tr>{}</table>").format(
        titles, body
    )
    return str(_framed(head + table + rest))


def _framed(inside: Markup) -> Markup:
    return Markup(
        "<div style='font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums'>{}</div>"
    ).format(inside)


def _row(row: Row) -> Markup:
    cells = Markup("").join(
        Markup("<td style='text-align:{};padding:2px 10px 2px 0'>{}</td>").format(_align(i + 1), text)
        for i, text in enumerate(row.cells)
    )
    weight = "600" if row.active else "400"
    return Markup("<tr style='font-weight:{};background:none'>{}<td>{}</td></tr>").format(
        weight, cells, _bar(row.share, 90)
    )


def _align(column: int) -> str:
    return "left" if column == 1 else "right"


def _bar(share: float, width: int) -> Markup:
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
        self._pending, self._next = None, time.monotonic() + _SECONDS

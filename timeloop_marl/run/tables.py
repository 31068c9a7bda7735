"""Results as tables: what ``print`` shows in a line, a notebook as a table, and pandas takes as columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

from ..errors import UsageError

_SHOWN = 20  # rows in a notebook


class Tabular(ABC):
    """A result that knows what it is in one line and in a table."""

    @abstractmethod
    def headline(self) -> str:
        """What was found, in one line."""

    @abstractmethod
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """The table: name of each column -> its values, all equally long."""

    def to_frame(self) -> Any:
        """The table as a ``pandas.DataFrame``; energies in pJ, EDP in pJ·cycles.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError("to_frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.columns())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline()}>"

    def _repr_html_(self) -> str:
        columns = self.columns()
        rows = list(zip(*columns.values()))
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>"
            for row in rows[:_SHOWN]
        )
        more = f"<p>… and {len(rows) - _SHOWN:,} more rows</p>" if len(rows) > _SHOWN else ""
        title = escape(f"{type(self).__name__}: {self.headline()}")
        return f"<div><p><b>{title}</b></p><table><tr>{head}</tr>{body}</table>{more}</div>"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows with the same names as columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

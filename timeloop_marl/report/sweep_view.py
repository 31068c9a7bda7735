"""A sweep's results on the terminal: a line for each point."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ..networks.sweep_result import DONE, SweepPoint, SweepResult
from .units import energy_text

_SHOWN = 4  # points named in one line
_MESSAGE = 60  # letters of an error in the table; all of it is in sweep.json


def sweep_table(result: SweepResult) -> Table:
    """Settings that differ, figures, EDP against the best; ``*``: no other point is at least as good in all figures."""
    swept = [name for name, values in result.axes.items() if len(values) > 1]
    several = len(result.machines) > 1 or not swept
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    if several:
        table.add_column("machine", no_wrap=True)
    for name in swept:
        table.add_column(Text(name.lstrip("+")), justify="right")
    for title in ("area [mm²]", "cycles", "energy", "EDP [J·cycle]", "× least", "utilised", "front"):
        table.add_column(title, justify="right" if title != "front" else "left", no_wrap=True)
    least = min((point.edp for point in result.done if point.edp is not None), default=None)
    for number, point in enumerate(result.points, 1):
        head = [Text(point.machine)] if several else []
        table.add_row(
            str(number), *head, *(Text(point.values.get(name, "")) for name in swept), *_cells(point, least)
        )
    return table


def _cells(point: SweepPoint, least: float | None) -> list[Text | str]:
    area = "unknown" if point.area_um2 is None else f"{point.area_um2 * 1e-6:.4g}"
    if point.status != DONE or point.cycles is None or point.energy_pj is None or point.edp is None:
        said = point.message.splitlines()[0] if point.message else ""
        said = said if len(said) <= _MESSAGE else said[: _MESSAGE - 1] + "…"
        return [area, Text(f"{point.status}{': ' if said else ''}{said}"), "", "", "", "", ""]
    return [
        area,
        f"{point.cycles:,}",
        energy_text(point.energy_pj),
        f"{point.edp * 1e-12:.5g}",
        f"{point.edp / least:.3f}" if least else "",
        f"{point.utilization or 0:.0%}",
        ("*" if point.front else "") + (" best" if point.best else ""),
    ]


def area_notes(result: SweepResult) -> list[str]:
    """Why areas are not known, each reason once."""
    notes: dict[str, list[str]] = {}
    for point in result.points:
        if point.area_note:
            notes.setdefault(point.area_note, []).append(point.name)
    return [f"area unknown{_of(names, len(result.points))}: {note}" for note, names in notes.items()]


def _of(names: list[str], points: int) -> str:
    """Which points, unless it is all."""
    if len(names) == points:
        return ""
    return " of " + ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")

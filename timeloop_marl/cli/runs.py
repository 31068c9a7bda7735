"""``timeloop-marl runs``: run folders listed and compared."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ..api.runs import ABSENT, Difference, RunEntry, differences, find_runs
from ..errors import UsageError
from ..report.drawing import png, standalone_svg
from ..report.html import REPORT, page_of, render
from ..report.html.page import Page, all_pictures
from ..run.folder import RunFolder
from ..run.units import edp_text, energy_text, objective_label, plain_number, short_count
from .screen import console

_KEYS: dict[str, Callable[[RunEntry], Any]] = {
    "folder": lambda entry: entry.folder,
    "when": lambda entry: entry.changed,
    "best": lambda entry: (entry.objective, entry.best is None, entry.best or 0.0),
    "edp": lambda entry: (entry.edp is None, entry.edp or 0.0),
    "samples": lambda entry: -entry.samples,
    "state": lambda entry: (entry.state, entry.folder),
    "kind": lambda entry: (entry.kind, entry.folder),
    "searcher": lambda entry: (entry.searcher, entry.folder),
}
_CUT = 60  # letters of a value in a comparison; all of it with --json
_MOST = 30  # values of a section; all of them with --json
_NAMES = {"energy_pj": "energy", "edp": "EDP"}
_UNITS: dict[str, Callable[[float], str]] = {
    "cycles": lambda value: f"{value:,.0f}",
    "energy_pj": energy_text,
    "edp": lambda value: f"{edp_text(value)} J·cycle",
}


def runs_command(options: argparse.Namespace) -> int:
    """List or compare; 0, or 1 if there is no run or nothing that differs."""
    if options.compare:
        found = differences(options.compare)
        if options.json:
            print(json.dumps([dataclasses.asdict(difference) for difference in found], indent=1))
        else:
            _print_differences(options.compare, found)
        return 0 if found else 1
    entries = sorted(find_runs(options.folders or ["."], inside=options.all), key=_KEYS[options.sort])
    if options.json:
        print(json.dumps([dataclasses.asdict(entry) for entry in entries], indent=1))
    elif entries:
        console().print(_table(entries))
    else:
        print("no runs here: a run is a folder that search, network or sweep has written (-o DIR)")
    return 0 if entries else 1


def _table(entries: Sequence[RunEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        "folder",
        "kind",
        "what",
        "searcher",
        "seed",
        "samples",
        "best",
        "cycles",
        "energy",
        "state",
        "when",
    ):
        table.add_column(
            title,
            justify="right" if title in ("seed", "samples", "best", "cycles", "energy") else "left",
            overflow="fold" if title in ("folder", "what") else "ellipsis",
            no_wrap=title not in ("folder", "what"),
        )
    for entry in entries:
        table.add_row(
            Text(entry.folder),
            entry.kind,
            Text(entry.what),
            Text(entry.searcher),
            "" if entry.seed is None else str(entry.seed),
            f"{entry.samples:,}",
            _best(entry),
            "" if entry.cycles is None else short_count(entry.cycles),
            "" if entry.energy_pj is None else energy_text(entry.energy_pj),
            _state(entry),
            _when(entry.changed),
        )
    return table


def _best(entry: RunEntry) -> str:
    if entry.best is None:
        return ""
    label = objective_label(entry.objective.split(",")[0] or "edp")
    if label.name == "energy":
        return energy_text(entry.best)
    return f"{plain_number(label.scale * entry.best)} {label.unit}" if label.unit else short_count(entry.best)


def _state(entry: RunEntry) -> str:
    parts = "" if entry.parts is None or entry.done in (None, entry.parts) else f" {entry.done}/{entry.parts}"
    return f"{entry.state}{parts}"


def _when(stamp: str) -> str:
    """Local time to the minute."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp


def _print_differences(folders: Sequence[str], found: Sequence[Difference]) -> None:
    if not found:
        print("nothing differs")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "", *folders):
        table.add_column(Text(str(title)), overflow="fold")
    for section, group in itertools.groupby(found, key=lambda difference: difference.section):
        lines = _told(list(group))
        for number, difference in enumerate(lines[:_MOST]):
            table.add_row(
                section if number == 0 else "",
                Text(_NAMES.get(difference.path, difference.path)),
                *map(Text, _cells(difference)),
            )
        if len(lines) > _MOST:
            table.add_row("", f"… and {len(lines) - _MOST:,} more (--json shows all)")
    console().print(table)


def _told(lines: list[Difference]) -> list[Difference]:
    """Without the best cost where it is a figure of its own, too."""
    figures = {line.values for line in lines if line.path in _UNITS}
    return [line for line in lines if line.path != "best" or line.values not in figures]


def _cells(difference: Difference) -> list[str]:
    """Values cut to a readable length; results in their units, with the ratio to the first run's."""
    cells = [value if len(value) <= _CUT else value[: _CUT - 1] + "…" for value in difference.values]
    write = _UNITS.get(difference.path) if difference.section == "results" else None
    if write is None or ABSENT in difference.values:
        return cells
    numbers = [float(value) for value in difference.values]
    ratios = [f" ({number / numbers[0]:.4g}×)" if numbers[0] else "" for number in numbers]
    return [write(number) + ratio for number, ratio in zip(numbers, ["", *ratios[1:]])]


def report_command(options: argparse.Namespace) -> int:
    """Write a page for every folder; 0 if all were written."""
    if options.output is not None and len(options.folders) > 1:
        raise UsageError(f"-o names one file, but there are {len(options.folders)} folders; leave it out")
    for folder in options.folders:
        target = Path(options.output) if options.output else Path(folder) / REPORT
        page = page_of(folder)
        print(RunFolder(target.parent).write(target.name, render(page)))
        if options.pictures is not None:
            _write_pictures(page, RunFolder(options.pictures))
    return 0


def _write_pictures(page: Page, folder: RunFolder) -> None:
    folder.create()
    for picture in all_pictures(page):
        drawing = picture.draw(picture.widths[-1])
        print(folder.write(f"{picture.name}.svg", standalone_svg(drawing)))
        print(folder.write(f"{picture.name}.png", png(drawing)))

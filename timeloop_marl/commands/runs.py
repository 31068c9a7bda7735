"""``timeloop-marl runs``: run folders listed and compared."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from ..report.units import energy_text, short_count
from ..runs.differences import Difference, differences
from ..runs.entry import RunEntry, find_runs
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


def run(options: argparse.Namespace) -> int:
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
    if entry.objective.startswith("edp") or not entry.objective:
        return f"{entry.best * 1e-12:.4g} J·cycle"
    return energy_text(entry.best) if entry.objective.startswith("energy") else short_count(entry.best)


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
    section = ""
    for difference in found:
        table.add_row(
            difference.section if difference.section != section else "",
            Text(difference.path),
            *(Text(value if len(value) <= _CUT else value[: _CUT - 1] + "…") for value in difference.values),
        )
        section = difference.section
    console().print(table)

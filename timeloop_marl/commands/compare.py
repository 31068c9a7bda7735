"""``timeloop-marl compare``: our search against Timeloop's five mappers, in figures, pictures and words."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from rich.table import Table

from ..comparison import Comparison, Course, compare_searchers
from ..comparison.course import OURS, PROGRAM
from ..errors import UsageError
from ..evaluators.timeloop.program import MAPPER, MODEL, Program, find_program
from ..mapspace.diagnosis import require_feasible
from ..objective import parse_objective
from ..report.html import REPORT, page_of, pictures_png, render
from ..report.maps import map_text
from ..report.results import write_mapping
from ..run_folder import RunFolder
from ..searchers.registry import SEARCHERS
from ..settings import Settings, read_settings
from ..versions import versions
from .backend import device_of, report_verification, say, verify_found
from .inputs import print_notices, read_inputs
from .screen import console

_SECONDS = 10.0
_KINDS = {OURS: "ours", PROGRAM: "timeloop-mapper"}


def run(options: argparse.Namespace) -> int:
    """Compare; 0 if ours is nowhere worse at equal samples, 1 if it is or nothing was found."""
    document, spec = read_inputs(options)
    print_notices(spec)
    require_feasible(spec)
    settings = read_settings(document)
    device = device_of(options)
    objective = parse_objective(options.objective or settings.objective, len(spec.architecture.storage))
    folder = RunFolder(options.output)
    folder.create()
    comparison = compare_searchers(
        spec,
        _searchers(options.searchers),
        objective,
        samples=options.samples or settings.samples or settings.limits.get("samples") or 2000,
        seconds=options.seconds or settings.seconds or _SECONDS,
        seeds=options.seeds,
        mapper=_mapper(options.timeloop_mapper),
        device=device,
        on_run=say,
    )
    _show(comparison)
    _write(folder, comparison, options.files)
    agreed = _judge(folder, comparison, options)
    print(f"results in {folder.path}")
    mine, other = comparison.winner(ours=True), comparison.winner(ours=False)
    if mine is None or not agreed:
        return 1
    return 0 if other is None or mine.cost <= other.cost else 1


def _searchers(given: str | None) -> list[str]:
    names = [name.strip() for name in (given or Settings.searcher).split(",") if name.strip()]
    for name in names:
        if name not in SEARCHERS or name.startswith("timeloop-"):
            ours = ", ".join(entry for entry in SEARCHERS if not entry.startswith("timeloop-"))
            raise UsageError(f"--searchers: unknown searcher {name!r}; known: {ours} (Timeloop's run anyway)")
    if not names:
        raise UsageError("--searchers names no searcher")
    return names


def _mapper(given: str | None) -> Program | None:
    """The real program: the one that was named, else the one on the path, if there is any."""
    if given is not None:
        return find_program(given)
    return find_program(MAPPER) if shutil.which(MAPPER) else None


def _show(comparison: Comparison) -> None:
    for notice in comparison.notices:
        say(f"notice: {notice}")
    for title, courses in _budgets(comparison):
        console().print(_table(title, comparison, courses))
    mine, other = comparison.winner(ours=True), comparison.winner(ours=False)
    if mine is not None and other is not None:
        print(f"\nwinner of ours ({mine.searcher}) against Timeloop's best ({other.searcher}):")
    for sentence in comparison.words():
        print(f"  - {sentence}")


def _budgets(comparison: Comparison) -> list[tuple[str, Sequence[Course]]]:
    return [
        (f"equal samples: {comparison.samples:,}", comparison.by_samples),
        (f"equal time: {comparison.seconds:g} s on one thread", comparison.by_seconds),
    ]


def _table(title: str, comparison: Comparison, courses: Sequence[Course]) -> Table:
    rows = comparison.table(courses)
    best = min(row.quartiles[1] for row in rows)
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    table.add_column("searcher")
    table.add_column("run by")
    name = comparison.objective.name
    for column in ("runs", f"{name}: 25 %", "median", "75 %", "to best", "valid", "samples", "samples/s"):
        table.add_column(column, justify="right")
    for row in rows:
        costs = [f"{cost:.5g}" if cost < float("inf") else "none" for cost in row.quartiles]
        ratio = f"{row.quartiles[1] / best:.3f}" if row.quartiles[1] < float("inf") else "-"
        # The real program's log counts samples when one is valid: without any, nothing is known of them.
        counts = [f"{row.valid_share:.1%}", f"{row.samples:,.0f}", f"{row.rate:,.0f}"]
        if not row.samples:
            counts = ["-"] * 3
        table.add_row(row.searcher, _KINDS.get(row.kind, "reproduced"), str(row.runs), *costs, ratio, *counts)
    return table


def _write(folder: RunFolder, comparison: Comparison, files: Sequence[str]) -> None:
    content = {"files": list(files), **_as_dict(comparison)}
    folder.write("compare.json", json.dumps(content, indent=2) + "\n")
    found = [(name, comparison.winner(ours=ours)) for name, ours in (("ours", True), ("timeloop", False))]
    columns = []
    for name, course in found:
        if course is not None and course.mapping is not None:
            statistics = comparison.statistics(course)
            write_mapping(folder, comparison.spec, course.mapping, statistics, name)
            title = f"{name}: {course.searcher}, {comparison.objective.name} {course.cost:.6g}"
            columns.append([title, "", *map_text(comparison.spec, course.mapping, statistics).splitlines()])
    folder.write("nests.txt", side_by_side(columns))
    page = page_of(folder.path)
    folder.write("compare.png", pictures_png(page, "equal-"))
    folder.write(REPORT, render(page))


def side_by_side(columns: Sequence[Sequence[str]]) -> str:
    """Texts in columns, line by line."""
    widths = [max(map(len, column), default=0) for column in columns]
    lines = [
        " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
        for row in zip_longest(*columns, fillvalue="")
    ]
    return "\n".join(lines) + "\n"


def _as_dict(comparison: Comparison) -> dict[str, Any]:
    return {
        "problem": comparison.spec.problem.name,
        "objective": comparison.objective.name,
        "energies": comparison.spec.energies.origin,
        "rules": comparison.spec.options.rules,
        "versions": versions(),
        "notices": list(comparison.notices),
        "words": comparison.words(),
        "equal_samples": {"budget": comparison.samples, **_courses(comparison, comparison.by_samples)},
        "equal_seconds": {"budget": comparison.seconds, **_courses(comparison, comparison.by_seconds)},
    }


def _courses(comparison: Comparison, courses: Sequence[Course]) -> dict[str, Any]:
    """All runs, and a row per searcher; nothing found is ``null``."""
    rows = [dataclasses.asdict(row) for row in comparison.table(courses)]
    for row in rows:
        row["quartiles"] = [cost if cost < float("inf") else None for cost in row["quartiles"]]
    return {"runs": [course.as_dict() for course in courses], "table": rows}


def _judge(folder: RunFolder, comparison: Comparison, options: argparse.Namespace) -> bool:
    """The verdict of timeloop-model on our winner, where there is one; whether it agrees with the native model."""
    mine = comparison.winner(ours=True)
    if mine is None or mine.mapping is None:
        return True
    if options.timeloop_model is None and shutil.which(MODEL) is None:
        say("notice: timeloop-model is not on the path; the winner was not evaluated with it")
        return True
    return report_verification(verify_found(comparison.spec, [mine.mapping], options), folder)

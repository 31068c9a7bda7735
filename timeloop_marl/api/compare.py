"""Our searchers against Timeloop's mappers, and the files that say so."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..cost.objective import parse_objective
from ..evaluators.timeloop.program import Program
from ..mapspace.diagnosis import require_feasible
from ..parallel.versions import versions
from ..report.html import REPORT, page_of, pictures_png, render
from ..report.maps import map_text
from ..report.results import write_mapping
from ..run.folder import RunFolder
from ..run.options import DEFAULT_SAMPLES, RunOptions
from ..run.run import Run
from ..specs.spec import Spec
from ..validation.comparison import Comparison, Course, compare_searchers
from .inputs import Source, load

SECONDS = 10.0


def compare(
    spec: Spec | Source,
    *,
    searchers: Sequence[str] = ("marl",),
    objective: str = "edp",
    samples: int = DEFAULT_SAMPLES,
    seconds: float = SECONDS,
    seeds: int = 5,
    mapper: Program | None = None,
    device: str = "cpu",
    output: str | Path | None = None,
    on_run: Callable[[str], None] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Comparison:
    """Our searchers against Timeloop's five mappers on one design: same number of samples, and same time.

    Args:
        spec: what ``load`` returned, or files.
        searchers: names of ours.
        samples, seconds: the two budgets, each of every run.
        seeds: runs of each of ours; Timeloop's mappers always do the same.
        mapper: the real timeloop-mapper, for the runs in equal time.
        device: ``cpu``, ``cuda`` or ``auto``.
        output: folder for tables, winners and report; what is there is written over.
        on_run: told in one line what begins.
        arguments: as in ``RunOptions``.

    Raises:
        UsageError: unknown searcher or objective. BackendError: timeloop-mapper crashed.
        InfeasibleError: the constraints leave no mapping.
    """
    spec = spec if isinstance(spec, Spec) else load(spec)
    require_feasible(spec)
    goal = parse_objective(objective, len(spec.architecture.storage))
    files = list((arguments or {}).get("files", spec.files))
    with Run("compare", RunOptions(output, arguments=arguments or {}), mark=None) as run:
        run.describe({"files": files, "objective": objective, "samples": samples, "seconds": seconds})
        run.start(problem=spec.problem.name, searchers=list(searchers), objective=objective)
        comparison = compare_searchers(
            spec, searchers, goal, samples=samples, seconds=seconds, seeds=seeds, mapper=mapper, device=device,
            on_run=on_run,
        )  # fmt: skip
        run.end("all searchers compared")
        if run.folder is not None:
            write_comparison(run.folder, comparison, files)
    return comparison


def write_comparison(folder: RunFolder, comparison: Comparison, files: Sequence[str]) -> None:
    """``compare.json``, the two winners with their files, their loop nests side by side, picture and page."""
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

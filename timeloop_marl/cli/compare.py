"""``timeloop-marl compare``: our search against Timeloop's five mappers, in figures, pictures and words."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from rich.table import Table

from ..api.compare import SECONDS, compare
from ..errors import UsageError
from ..evaluators.timeloop.program import MAPPER, MODEL, Program, find_program
from ..mapspace.diagnosis import require_feasible
from ..run.folder import RunFolder
from ..run.options import DEFAULT_SAMPLES, Settings, read_settings
from ..searchers.registry import all_searchers
from ..validation.comparison import Comparison, Course
from ..validation.comparison.runs import OURS, PROGRAM
from .screen import console, device_of, print_notices, read_inputs, report_verification, say, verify_found

_KINDS = {OURS: "ours", PROGRAM: "timeloop-mapper"}


def compare_command(options: argparse.Namespace) -> int:
    """Compare; 0 if ours is nowhere worse at equal samples, 1 if it is or nothing was found."""
    document, spec = read_inputs(options)
    print_notices(spec)
    require_feasible(spec)
    settings = read_settings(document)
    device = device_of(options)
    comparison = compare(
        spec,
        searchers=_searchers(options.searchers),
        objective=options.objective or settings.objective,
        samples=options.samples or settings.samples or settings.limits.get("samples") or DEFAULT_SAMPLES,
        seconds=options.seconds or settings.seconds or SECONDS,
        seeds=options.seeds,
        mapper=_mapper(options.timeloop_mapper),
        device=device,
        output=options.output,
        on_run=say,
        arguments={name: getattr(options, name) for name in ("files", "values", "rules")},
    )
    folder = RunFolder(options.output)
    _show(comparison)
    agreed = _judge(folder, comparison, options)
    print(f"results in {folder.path}")
    mine, other = comparison.winner(ours=True), comparison.winner(ours=False)
    if mine is None or not agreed:
        return 1
    return 0 if other is None or mine.cost <= other.cost else 1


def _searchers(given: str | None) -> list[str]:
    names = [name.strip() for name in (given or Settings.searcher).split(",") if name.strip()]
    for name in names:
        if name not in all_searchers() or name.startswith("timeloop-"):
            ours = ", ".join(entry for entry in all_searchers() if not entry.startswith("timeloop-"))
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
    print("judged: candidates that a searcher looked at on traffic, without evaluating them")
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
    for column in (
        "runs",
        f"{name}: 25 %",
        "median",
        "75 %",
        "to best",
        "valid",
        "samples",
        "judged",
        "samples/s",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        costs = [f"{cost:.5g}" if cost < float("inf") else "none" for cost in row.quartiles]
        ratio = f"{row.quartiles[1] / best:.3f}" if row.quartiles[1] < float("inf") else "-"
        # The real program's log counts samples when one is valid: without any, nothing is known of them.
        judged = f"{row.judged:,.0f}" if row.judged else "-"
        counts = [f"{row.valid_share:.1%}", f"{row.samples:,.0f}", judged, f"{row.rate:,.0f}"]
        if not row.samples:
            counts = ["-"] * 4
        table.add_row(row.searcher, _KINDS.get(row.kind, "reproduced"), str(row.runs), *costs, ratio, *counts)
    return table


def _judge(folder: RunFolder, comparison: Comparison, options: argparse.Namespace) -> bool:
    """The verdict of timeloop-model on our winner, where there is one; whether it agrees with the native model."""
    mine = comparison.winner(ours=True)
    if mine is None or mine.mapping is None:
        return True
    if options.timeloop_model is None and shutil.which(MODEL) is None:
        say("notice: timeloop-model is not on the path; the winner was not evaluated with it")
        return True
    return report_verification(verify_found(comparison.spec, [mine.mapping], options), folder)

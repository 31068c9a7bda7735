"""``timeloop-marl sweep``: a layer or a network on several machines, or on one with many settings."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from rich.console import Console

from ..errors import UsageError
from ..evaluation import EvaluatorChoice
from ..interruption import exit_status
from ..report.terminal import area_notes, sweep_table
from ..run_folder import RunFolder
from ..settings import Settings
from ..sweeps.result import DONE, FAILED, STOPPED, SweepResult
from ..sweeps.run import sweep
from ..sweeps.watching import SweepProgress
from .backend import device_of
from .inputs import parse_values
from .recalled import recall
from .screen import console

_SETTINGS = ("searcher", "objective", "samples", "seconds", "seed")
_RECORDED = ("files", "values", "rules", "paired", "transfer", "share", "knowledge", *_SETTINGS, "option")


def run(options: argparse.Namespace) -> int:
    """Sweep; 0 if every point was searched, 1 if some failed, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _RECORDED)
    if not options.files:
        raise UsageError("no input files: give machines and layers (only --resume goes without)")
    visible = sys.stderr.isatty() and not options.quiet
    result = sweep(
        options.files,
        output=options.output,
        values=parse_values(options.values, "--set"),
        paired=options.paired,
        settings=_settings(options),
        resume=options.resume,
        evaluator=EvaluatorChoice(device=device_of(options)),
        jobs=options.jobs,
        backend=options.backend,
        scheduler=options.scheduler,
        rules=options.rules,
        transfer=options.transfer,
        share=options.share,
        knowledge=options.knowledge,
        on_progress=None if options.quiet or visible else _Reporter().update,
        on_notice=lambda text: print(f"notice: {text}", file=sys.stderr),
        live=visible,
    )
    return _finish(folder, result, options)


def _settings(options: argparse.Namespace) -> Settings:
    choices = {name: getattr(options, name) for name in _SETTINGS}
    return Settings().updated({**choices, "options": parse_values(options.option, "--option") or None})


class _Reporter:
    """A line on stderr for every point that is done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._start = time.monotonic()

    def update(self, progress: SweepProgress) -> None:
        """Say which point it was, and how long the others may take."""
        point = progress.point
        what = f"EDP {point.edp * 1e-12:.4g} J·cycle" if point.edp is not None else point.status
        left = progress.total - progress.done
        time_left = f", about {progress.seconds / max(1, progress.done) * left:.0f} s left" if left else ""
        self._console.print(
            f"{progress.done}/{progress.total} {point.name}: {what}{time_left}", soft_wrap=True
        )


def _finish(folder: RunFolder, result: SweepResult, options: argparse.Namespace) -> int:
    counts = {status: sum(p.status == status for p in result.points) for status in (DONE, FAILED)}
    samples = sum(point.samples for point in result.points)
    print(
        f"{result.network} on {len(result.points)} machines: {counts[DONE]} searched, {counts[FAILED]} failed; "
        f"{samples:,} samples ({result.searcher}, seed {result.seed})"
    )
    interrupted = not result.complete
    if interrupted:
        again = f"timeloop-marl sweep --resume -o {shlex.quote(str(folder.path))}"
        print(f"interrupted; nothing is lost, go on with: {again}", file=sys.stderr)
    for point in result.points:
        if point.status == FAILED:
            print(f"{point.name}: {point.message}", file=sys.stderr)
    console().print(sweep_table(result))
    for note in area_notes(result):
        print(note)
    print(f"results in {folder.path}")
    if interrupted or any(point.status == STOPPED for point in result.points):
        return exit_status()
    return 1 if counts[FAILED] else 0

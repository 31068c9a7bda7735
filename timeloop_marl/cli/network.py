"""``timeloop-marl network``: search for the mappings of all layers of a network; totals, tables, a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from rich.console import Console

from ..api.networks import network, sweep
from ..errors import UsageError
from ..evaluators.choice import EvaluatorChoice
from ..networks.layers import write_network
from ..networks.result import NetworkResult
from ..networks.sweep_result import DONE, FAILED, STOPPED, SweepResult
from ..networks.watching import SweepProgress
from ..parallel.interruption import exit_status, whole
from ..report.terminal import area_notes, network_view, one_line, sweep_table
from ..run.folder import RunFolder
from ..run.knowledge import load_knowledge, save_knowledge
from ..run.options import Settings
from ..run.result import StopReason
from ..specs.converters.convert import convert_model
from ..specs.layer_list import LIST_NAME
from .screen import console, device_of, parse_values, recall, say

_SETTINGS = ("searcher", "objective", "samples", "seconds", "seed")
_RECORDED = ("files", "values", "rules", *_SETTINGS, "option", "knowledge", "transfer")


def network_command(options: argparse.Namespace) -> int:
    """Search; 0 if every layer has a mapping, 1 if not, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _RECORDED)
    if not options.files:
        raise UsageError("no input files: give an architecture and layers (only --resume goes without)")
    visible = sys.stderr.isatty() and not options.quiet
    result = whole(
        network,
        options.files,
        output=options.output,
        settings=_settings(options),
        resume=options.resume,
        overwrite=options.overwrite,
        evaluator=EvaluatorChoice(device=device_of(options)),
        jobs=options.jobs,
        backend=options.backend,
        scheduler=options.scheduler,
        values=parse_values(options.values, "--set"),
        rules=options.rules,
        transfer=options.transfer,
        knowledge=options.knowledge,
        on_notice=_notice,
        on_compile=None if options.quiet or visible else say,
        live=visible,
        tensorboard=options.tensorboard,
    )
    if options.save_knowledge:
        save_knowledge(load_knowledge(folder.path), options.save_knowledge)
    return _finish(folder, result, options)


def _notice(text: str) -> None:
    print(f"notice: {text}", file=sys.stderr)


def _settings(options: argparse.Namespace) -> Settings:
    choices = {name: getattr(options, name) for name in _SETTINGS}
    return Settings().updated({**choices, "options": parse_values(options.option, "--option") or None})


def _finish(folder: RunFolder, result: NetworkResult, options: argparse.Namespace) -> int:
    print(
        f"{result.samples:,} samples of {len(result.layers)} distinct layers, {result.valid:,} valid, "
        f"{result.seconds:.1f} s: {result.stopped} ({result.searcher}, seed {result.seed}; {result.evaluator})"
    )
    if result.judged:
        print(f"{result.judged:,} candidates judged by what the searcher knows of the traffic")
    if result.stopped == StopReason.INTERRUPTED.value:
        again = f"timeloop-marl network --resume -o {shlex.quote(str(folder.path))}"
        print(f"interrupted; nothing is lost, go on with: {again}", file=sys.stderr)
    if not result.found:
        print(f"{one_line(result)}; no totals", file=sys.stderr)
    if not options.quiet:
        console().print(network_view(result))
    elif result.found:
        print(one_line(result))
    print(f"results in {folder.path}")
    if result.stopped == StopReason.INTERRUPTED.value:
        return exit_status()
    return 0 if result.found else 1


_SWEEP_RECORDED = (
    "files",
    "values",
    "rules",
    "paired",
    "transfer",
    "share",
    "knowledge",
    *_SETTINGS,
    "option",
)


def sweep_command(options: argparse.Namespace) -> int:
    """Sweep; 0 if every point was searched, 1 if some failed, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _SWEEP_RECORDED)
    if not options.files:
        raise UsageError("no input files: give machines and layers (only --resume goes without)")
    visible = sys.stderr.isatty() and not options.quiet
    result = whole(
        sweep,
        options.files,
        output=options.output,
        values=parse_values(options.values, "--set"),
        paired=options.paired,
        settings=_settings(options),
        resume=options.resume,
        overwrite=options.overwrite,
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
    return _finish_sweep(folder, result, options)


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


def _finish_sweep(folder: RunFolder, result: SweepResult, options: argparse.Namespace) -> int:
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


def convert_command(options: argparse.Namespace) -> int:
    """Convert; 0 if that worked."""
    if (Path(options.output) / LIST_NAME).exists() and not options.overwrite:
        raise UsageError(
            f"{options.output}: holds a network already; choose another -o folder, or give --overwrite"
        )
    converted = convert_model(options.model, sizes(options.dim), options.name)
    for notice in converted.notices:
        print(f"notice: {notice}", file=sys.stderr)
    written = write_network(converted.network, options.output)
    network = converted.network
    print(
        f"{network.folder}: {len(network.layers)} layers, {len(written) - 1} distinct, {network.macs:,} computations; "
        f"files in {options.output}"
    )
    return 0


def sizes(given: list[str]) -> dict[str, int]:
    """``NAME=SIZE`` arguments as a map."""
    found = {}
    for name, text in parse_values(given, "--dim").items():
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"--dim {name}={text}: expected a whole number of at least 1")
        found[name] = int(text)
    return found

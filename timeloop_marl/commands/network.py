"""``timeloop-marl network``: search for the mappings of all layers of a network; totals, tables, a folder."""

from __future__ import annotations

import argparse
import shlex
import sys

from ..errors import UsageError
from ..evaluation import EvaluatorChoice
from ..interruption import exit_status
from ..knowledge_file import load_knowledge, save_knowledge
from ..networks.result import NetworkResult
from ..networks.run import network
from ..report.terminal import network_view, one_line
from ..run_folder import RunFolder
from ..search_result import StopReason
from ..settings import Settings
from .backend import device_of, say
from .inputs import parse_values
from .recalled import recall
from .screen import console

_SETTINGS = ("searcher", "objective", "samples", "seconds", "seed")
_RECORDED = ("files", "values", "rules", *_SETTINGS, "option", "knowledge", "transfer")


def run(options: argparse.Namespace) -> int:
    """Search; 0 if every layer has a mapping, 1 if not, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _RECORDED)
    if not options.files:
        raise UsageError("no input files: give an architecture and layers (only --resume goes without)")
    visible = sys.stderr.isatty() and not options.quiet
    result = network(
        options.files,
        output=options.output,
        settings=_settings(options),
        resume=options.resume,
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

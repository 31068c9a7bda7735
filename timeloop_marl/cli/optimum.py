"""``timeloop-marl optimum``: the best mapping there is, with the proof, or with the gap that is still open."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable

from rich.console import Console

from ..api.optimum import Frontier, OptimumResult, Start, optimum
from ..cost.objective import plain_name
from ..errors import UsageError
from ..parallel.interruption import exit_status, whole
from ..report.terminal import result_view
from ..run.folder import RunFolder
from ..run.options import read_settings
from ..run.result import StopReason
from ..run.units import cost_text
from .screen import console, device_of, print_notices, read_inputs, recall

_RECORDED = ("files", "values", "rules", "objective", "searcher", "samples", "seed")


def optimum_command(options: argparse.Namespace) -> int:
    """Prove; 0 if a valid mapping was found, 1 if not, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _RECORDED)
    if not options.files:
        raise UsageError("no input files: give the architecture, problem, ... (only --resume goes without)")
    document, spec = read_inputs(options)
    print_notices(spec)
    start = _start(options)
    objective = options.objective or read_settings(document).objective
    result = whole(
        optimum,
        spec,
        objective=objective,
        seconds=options.seconds,
        gap=(options.gap or 0.0) / 100,
        jobs=options.jobs,
        start=start,
        output=folder.path,
        resume=options.resume,
        overwrite=options.overwrite,
        on_round=None if options.quiet else _progress(plain_name(objective)),
        arguments={name: getattr(options, name) for name in _RECORDED},
    )
    return _finish(folder, result, options)


def _start(options: argparse.Namespace) -> Start:
    default = Start()
    return Start(
        options.searcher or default.searcher,
        default.samples if options.samples is None else options.samples,
        default.seed if options.seed is None else options.seed,
        device_of(options),
    )


def _progress(objective: str) -> Callable[[Frontier], None]:
    """One line every few seconds, or one that is rewritten on a terminal."""
    errors = Console(stderr=True)
    every = 0.5 if errors.is_terminal else 10.0
    last = time.monotonic()

    def show(frontier: Frontier) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < every and not frontier.proven:
            return
        last = now
        text = _state(frontier, objective)
        if errors.is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\r\x1b[K" if frontier.proven else ""))
            sys.stderr.flush()
        else:
            print(text, file=sys.stderr, flush=True)

    return show


def _state(frontier: Frontier, objective: str) -> str:
    best = "nothing valid yet" if frontier.best is None else f"best {cost_text(objective, frontier.cost)}"
    return (
        f"{frontier.seconds:.0f} s · {best} · bound {cost_text(objective, frontier.bound)} · gap {frontier.gap:.2%} · "
        f"{len(frontier.nodes):,} open · {frontier.counts['nodes']:,} bounds"
    )


def _finish(folder: RunFolder, result: OptimumResult, options: argparse.Namespace) -> int:
    frontier = result.frontier
    verdict = {
        "optimal": f"optimal: no mapping has a lower {result.objective.name}",
        "infeasible": "proven: no mapping is valid",
        "open": f"not proven: {result.gap:.2%} of the cost are still open ({result.reason.value})",
    }[result.status()]
    print(
        f"{verdict}; {frontier.seconds:.1f} s, {frontier.counts['nodes']:,} bounds, "
        f"{frontier.counts['evaluated']:,} mappings evaluated"
    )
    interrupted = result.reason is StopReason.INTERRUPTED
    if not result.proven:
        again = f"timeloop-marl optimum --resume -o {shlex.quote(str(folder.path))}"
        print(f"nothing is lost, go on with: {again}", file=sys.stderr)
    if result.found and not options.quiet:
        console().print(result_view(result.spec, result.mapping, result.best))
    print(f"results in {folder.path}")
    if interrupted:
        return exit_status()
    return 0 if result.found else 1

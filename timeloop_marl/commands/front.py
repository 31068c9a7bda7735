"""``timeloop-marl search --pareto``: a front instead of a single best."""

from __future__ import annotations

import argparse
import sys

from rich.table import Table

from ..interruption import exit_status
from ..pareto import FRONT_SEARCHER, Front, search_front
from ..run_folder import RunFolder
from ..search_result import StopReason
from ..searchers.fronts import UNITS, figure_names
from ..settings import SECTION, Settings
from ..specs.document import Document
from ..specs.spec import Spec
from .backend import evaluator_choice, judged_already, report_verification, say, verify_found
from .screen import console

_SHOWN = 30  # members on the screen; all are in front.json


def chosen(settings: Settings, document: Document, options: argparse.Namespace) -> Settings:
    """The settings, with the searcher made for fronts unless the user names another one."""
    named = options.searcher or not document.root().child(SECTION).child("searcher").absent
    return settings if named else settings.updated({"searcher": FRONT_SEARCHER})


def run(
    folder: RunFolder,
    spec: Spec,
    settings: Settings,
    options: argparse.Namespace,
) -> int:
    """Search and print the front; 0 if a valid mapping was found, 1 if not, 130 or 143 if it was interrupted."""
    visible = sys.stderr.isatty() and not options.quiet
    front = search_front(
        spec,
        figures=figure_names(options.figures or "cycles,energy"),
        settings=settings,
        output=folder.path,
        resume=options.resume,
        threads=options.threads,
        evaluator=evaluator_choice(options),
        on_compile=None if options.quiet or visible else say,
        live=visible,
        tensorboard=options.tensorboard,
    )
    search = front.search
    print(
        f"{search.samples:,} samples, {search.valid:,} valid, {search.seconds:.1f} s: {search.reason.value} "
        f"({settings.searcher}, seed {settings.seed}; {front.evaluator})"
    )
    print(f"{len(front.members)} mappings on the front; hypervolume {front.hypervolume():.6g}")
    if not options.quiet and front.members:
        console().print(_table(front))
    print(f"results in {folder.path}")
    if options.verify and front.members and not judged_already(spec, front.evaluator):
        mappings = [member.found.mapping for member in front.members[: options.verify]]
        return 0 if report_verification(verify_found(spec, mappings, options), folder) else 1
    if search.reason is StopReason.INTERRUPTED:
        return exit_status()
    return 0 if front.members else 1


def _table(front: Front) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    titles = [name if UNITS[name] == name else f"{name} [{UNITS[name]}]" for name in front.figures]
    for title in ("", *titles, "EDP [pJ·cycles]", "utilisation"):
        table.add_column(title, justify="right")
    for number, member in enumerate(front.members[:_SHOWN], 1):
        figures = (f"{value:,.0f}" for value in member.figures)
        table.add_row(str(number), *figures, f"{member.found.edp:.4g}", f"{member.found.utilization:.1%}")
    if len(front.members) > _SHOWN:
        table.add_row("…")
    return table

"""``timeloop-marl search``: search for the best mapping of FILES, live progress, results in a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from rich.table import Table

from ..api.front import FRONT_SEARCHER, Front, search_front
from ..api.search import Result
from ..api.search import search as run_search
from ..errors import UsageError
from ..evaluators.choice import fitting_choice, timeloop_evaluator
from ..evaluators.counting import CORRECTED
from ..mapspace.awkward import factors_notice
from ..mapspace.diagnosis import Severity, diagnose
from ..parallel.interruption import exit_status, whole
from ..report.terminal import result_view
from ..run.folder import RunFolder
from ..run.knowledge import save_knowledge
from ..run.options import SECTION, Settings, read_settings
from ..run.result import SearchResult, StopReason
from ..run.units import edp_text, energy_text, plain_number
from ..searchers.fronts import UNITS, figure_names
from ..specs.document import Document
from ..specs.spec import Spec
from .screen import (
    console,
    evaluator_choice,
    judged_already,
    parse_values,
    print_notices,
    read_inputs,
    recall,
    report_verification,
    say,
    verify_found,
)

_SETTINGS = (
    "searcher", "objective", "samples", "valid_samples", "seconds", "target", "stagnation", "seed",
)  # fmt: skip
_RECORDED = (
    "files",
    "values",
    "rules",
    *_SETTINGS,
    "option",
    "top",
    "pareto",
    "figures",
    "knowledge",
    "no_proof",
)


def search_command(options: argparse.Namespace) -> int:
    """Search; 0 if a valid mapping was found, 1 if not, 130 or 143 if it was interrupted."""
    folder = RunFolder(options.output)
    if options.resume and (folder.started or not options.files):
        recall(folder, options, _RECORDED)
    if not options.files:
        raise UsageError("no input files: give the architecture, problem, ... (only --resume goes without)")
    document, spec = read_inputs(options)
    print_notices(spec)
    settings = read_settings(document).updated(_choices(options))
    if options.pareto:
        settings = chosen(settings, document, options)
    elif options.figures:
        raise UsageError("--figures only goes with --pareto")
    if options.pareto and (options.knowledge or options.save_knowledge):
        raise UsageError("--knowledge and --save-knowledge do not go with --pareto")
    _print_findings(spec)
    choice = fitting_choice(spec, evaluator_choice(options))
    if choice.kind == "native" and choice.engine.clustered:
        say(
            "notice: the native model evaluates in this process; clusters serve timeloop-model, network and sweep"
        )
    if options.verify and spec.beyond is None:
        timeloop_evaluator(
            spec, choice
        )  # a program that is not there is said before the search, not after it
    if options.pareto:
        return front_command(folder, spec, settings, options)
    result = _search(folder, spec, settings, options)
    if options.save_knowledge:
        save_knowledge(result.knowledge, options.save_knowledge)
    code = _finish(folder, result, options)
    if options.verify and result.found and not judged_already(spec, result.evaluator):
        mappings = [found.mapping for found in result.search.best[: options.verify]]
        code = max(code, 0 if report_verification(verify_found(spec, mappings, options), folder) else 1)
    return code


def _search(folder: RunFolder, spec: Spec, settings: Settings, options: argparse.Namespace) -> Result:
    visible = sys.stderr.isatty() and not options.quiet
    return whole(
        run_search,
        spec,
        settings=settings,
        output=folder.path,
        resume=options.resume,
        overwrite=options.overwrite,
        threads=options.threads,
        top=max(options.top, options.verify or 0),
        proof=not options.no_proof,
        evaluator=evaluator_choice(options),
        knowledge=options.knowledge,
        on_compile=None if options.quiet or visible else say,
        live=visible,
        tensorboard=options.tensorboard,
        arguments={name: getattr(options, name) for name in _RECORDED},
    )


def _finish(folder: RunFolder, result: Result, options: argparse.Namespace) -> int:
    search = result.search
    if search.dropped_bytes:
        print(
            f"notice: {search.dropped_bytes} half-written bytes at the end of the trace were dropped",
            file=sys.stderr,
        )
    noun = "sample" if search.samples == 1 else "samples"
    print(
        f"{search.samples:,} {noun}, {search.valid:,} valid, {search.seconds:.1f} s: {search.reason.value} "
        f"({result.settings.searcher}, seed {result.settings.seed}; {result.evaluator})"
    )
    if search.knowledge != "none":
        print(f"{search.judged:,} candidates judged by what the searcher knows of the {search.knowledge}")
    if search.proof is not None:
        print(proof_line(search))
    if search.reason is StopReason.INTERRUPTED:
        again = f"timeloop-marl search --resume -o {shlex.quote(str(folder.path))}"
        print(f"interrupted; nothing is lost, go on with: {again}", file=sys.stderr)
    if not result.found:
        failures = ", ".join(f"{failure.name.lower()} {count}" for failure, count in search.failures.items())
        print(f"no valid mapping was found; failures: {failures or 'none'}", file=sys.stderr)
        return _code(search.reason, 1)
    if not options.quiet:
        console().print(result_view(result.spec, result.mapping, result.best))
    _print_charge(result)
    print(f"results in {folder.path}")
    return _code(search.reason, 0)


def _print_charge(result: Result) -> None:
    """What the search was charged for its best, where that is more or less than Timeloop counts."""
    best = result.search.best[0]
    if best.energy_pj != result.best.energy_pj or best.cycles != result.best.cycles:
        share = result.best.computes / result.spec.problem.operations
        print(
            f"charged ({result.spec.mapper.count or CORRECTED}): {best.cycles:,} cycles, "
            f"{energy_text(best.energy_pj)}; "
            f"Timeloop counts {share:.2%} of the layer's multiply-accumulates"
        )


def proof_line(search: SearchResult) -> str:
    """What was proven beside the search."""
    if search.proven:
        return "proven optimal" if search.best else "proven: there is no valid mapping"
    if search.gap is None:
        return "no bound yet: nothing valid was found"
    return f"not proven optimal: at most {search.gap:.2%} better is possible (timeloop-marl optimum goes on)"


def _code(reason: StopReason, otherwise: int) -> int:
    return exit_status() if reason is StopReason.INTERRUPTED else otherwise


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    choices: dict[str, Any] = {name: getattr(options, name) for name in _SETTINGS}
    if options.option:
        choices["options"] = parse_values(options.option, "--option")
    return choices


def _print_findings(spec: Spec) -> None:
    for finding in diagnose(spec):
        if finding.severity is Severity.ERROR:
            raise finding.as_error()
        print(f"warning: {finding}", file=sys.stderr)
    about = factors_notice(spec)
    if about:
        print(f"notice: {about}", file=sys.stderr)


_SHOWN = 30  # members on the screen; all are in front.json


def chosen(settings: Settings, document: Document, options: argparse.Namespace) -> Settings:
    """The settings, with the searcher made for fronts unless the user names another one."""
    named = options.searcher or not document.root().child(SECTION).child("searcher").absent
    return settings if named else settings.updated({"searcher": FRONT_SEARCHER})


def front_command(
    folder: RunFolder,
    spec: Spec,
    settings: Settings,
    options: argparse.Namespace,
) -> int:
    """Search and print the front; 0 if a valid mapping was found, 1 if not, 130 or 143 if it was interrupted."""
    visible = sys.stderr.isatty() and not options.quiet
    front = whole(
        search_front,
        spec,
        figures=figure_names(options.figures or "cycles,energy"),
        settings=settings,
        output=folder.path,
        resume=options.resume,
        overwrite=options.overwrite,
        threads=options.threads,
        evaluator=evaluator_choice(options),
        on_compile=None if options.quiet or visible else say,
        live=visible,
        tensorboard=options.tensorboard,
        arguments={name: getattr(options, name) for name in _RECORDED},
    )
    search = front.search
    print(
        f"{search.samples:,} samples, {search.valid:,} valid, {search.seconds:.1f} s: {search.reason.value} "
        f"({settings.searcher}, seed {settings.seed}; {front.evaluator})"
    )
    if search.knowledge != "none":
        print(f"{search.judged:,} candidates judged by what the searcher knows of the {search.knowledge}")
    corner = ", ".join(
        energy_text(value) if name == "energy" else f"{value:,.0f} {UNITS[name]}"
        for name, value in zip(front.figures, front.reference)
    )
    volume = f"{front.hypervolume():.4f} decades^{len(front.figures)}"
    print(
        f"{len(front.members)} mappings on the front; hypervolume {volume}, up to {corner} (no reuse at all)"
    )
    if not options.quiet and front.members:
        console().print(_front_table(front))
    print(f"results in {folder.path}")
    if options.verify and front.members and not judged_already(spec, front.evaluator):
        mappings = [member.found.mapping for member in front.members[: options.verify]]
        return 0 if report_verification(verify_found(spec, mappings, options), folder) else 1
    if search.reason is StopReason.INTERRUPTED:
        return exit_status()
    return 0 if front.members else 1


def _front_table(front: Front) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    scales = [1e-6 if name == "energy" else 1.0 for name in front.figures]
    units = ["µJ" if name == "energy" else UNITS[name] for name in front.figures]
    titles = [name if unit == name else f"{name} [{unit}]" for name, unit in zip(front.figures, units)]
    for title in ("", *titles, "EDP [J·cycle]", "utilisation"):
        table.add_column(title, justify="right")
    for number, member in enumerate(front.members[:_SHOWN], 1):
        figures = (plain_number(scale * value) for scale, value in zip(scales, member.figures))
        table.add_row(str(number), *figures, edp_text(member.found.edp), f"{member.found.utilization:.1%}")
    if len(front.members) > _SHOWN:
        table.add_row("…")
    return table

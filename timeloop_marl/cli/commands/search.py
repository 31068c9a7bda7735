"""``timeloop-marl search``: search for the best mapping of FILES, live progress, results in a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from ...api.search import Result
from ...api.search import search as run_search
from ...errors import UsageError
from ...evaluators.choice import fitting_choice
from ...interruption import exit_status
from ...mapspace.diagnosis import Severity, diagnose
from ...report.terminal import result_view
from ...run.folder import INPUTS, RunFolder
from ...run.knowledge import save_knowledge
from ...run.options import Settings, read_settings
from ...run.result import StopReason
from ...specs.spec import Spec
from ...specs.writing import document as document_of
from ...specs.writing import yaml_text
from . import front
from .backend import evaluator_choice, judged_already, report_verification, say, verify_found
from .inputs import parse_values, print_notices, read_inputs
from .recalled import recall
from .screen import console

_SETTINGS = (
    "searcher", "objective", "samples", "valid_samples", "seconds", "target", "stagnation", "seed",
)  # fmt: skip
_RECORDED = ("files", "values", "rules", *_SETTINGS, "option", "top", "pareto", "figures", "knowledge")


def run(options: argparse.Namespace) -> int:
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
        settings = front.chosen(settings, document, options)
    elif options.figures:
        raise UsageError("--figures only goes with --pareto")
    if options.pareto and (options.knowledge or options.save_knowledge):
        raise UsageError("--knowledge and --save-knowledge do not go with --pareto")
    _print_findings(spec)
    # Nothing is written if there is no evaluator for this design.
    choice = fitting_choice(spec, evaluator_choice(options))
    if choice.kind == "native" and choice.engine.clustered:
        say(
            "notice: the native model evaluates in this process; clusters serve timeloop-model, network and sweep"
        )
    folder.create()
    with folder.locked():
        if folder.trace.exists() and not options.resume:
            raise UsageError(
                f"{folder.path}: holds a run already; go on with it by --resume, or choose another -o folder"
            )
        if not folder.started or not options.resume:
            folder.write(INPUTS, yaml_text(document_of(spec)))
            arguments = {name: getattr(options, name) for name in _RECORDED}
            folder.write_manifest({"kind": "front" if options.pareto else "search", "arguments": arguments})
        if options.pareto:
            return front.run(folder, spec, settings, options)
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
    return run_search(
        spec,
        settings=settings,
        output=folder.path,
        resume=options.resume,
        threads=options.threads,
        top=max(options.top, options.verify or 0),
        evaluator=evaluator_choice(options),
        knowledge=options.knowledge,
        on_compile=None if options.quiet or visible else say,
        live=visible,
        tensorboard=options.tensorboard,
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
    if search.reason is StopReason.INTERRUPTED:
        again = f"timeloop-marl search --resume -o {shlex.quote(str(folder.path))}"
        print(f"interrupted; nothing is lost, go on with: {again}", file=sys.stderr)
    if not result.found:
        failures = ", ".join(f"{failure.name.lower()} {count}" for failure, count in search.failures.items())
        print(f"no valid mapping was found; failures: {failures or 'none'}", file=sys.stderr)
        return _code(search.reason, 1)
    if not options.quiet:
        console().print(result_view(result.spec, result.mapping, result.best))
    print(f"results in {folder.path}")
    return _code(search.reason, 0)


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

"""``timeloop-marl evaluate``: one mapping, or many recorded rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..api.inputs import expand
from ..cost.outcome import Rejection, Statistics
from ..errors import MappingError, UsageError
from ..evaluators.choice import fitting_choice, timeloop_evaluator
from ..evaluators.native import NativeEvaluator
from ..evaluators.timeloop.figures import Measured, read_stats
from ..mapspace.diagnosis import require_feasible
from ..mapspace.membership import violations
from ..report.maps import read_map_text
from ..report.numbers import OutputStyle
from ..report.records import PREFIX
from ..report.results import write_mapping
from ..report.stats import stats_text
from ..report.terminal import result_view
from ..run.folder import RunFolder
from ..specs.constraints import Switches
from ..specs.document import Document, Node
from ..specs.loading import load_document
from ..specs.mapping import Mapping
from ..specs.mapping_yaml import read_mapping
from ..specs.scalars import SKEW, feature
from ..specs.spec import Beyond, Spec
from ..specs.writing import document as document_of
from ..validation.expectation import compare_stats, read_recorded
from ..validation.verification import RULES, drawn, recognise_rules, with_rules
from .screen import (
    console,
    evaluator_choice,
    parse_values,
    print_notices,
    read_inputs,
    report_verification,
    say,
    verify_found,
)


def evaluate_command(options: argparse.Namespace) -> int:
    """Evaluate; 0 valid or all rows equal, 1 invalid or a row differs."""
    return _rows(options) if options.rows else _one(options)


def _rows(options: argparse.Namespace) -> int:
    from ..validation.rows import evaluate_rows

    if options.inputs is None:
        raise UsageError(
            "--rows needs --inputs DIR, the folder with the arch/ and problems/ that the rows name"
        )
    report = evaluate_rows(Path(options.rows), Path(options.inputs), options.output, rules=options.rules)
    print(report.summary())
    for row, difference in report.first_differences:
        print(f"  {row}: {difference}")
    return 1 if report.differing_rows else 0


def _one(options: argparse.Namespace) -> int:
    if not options.files:
        raise UsageError("no input files: give the architecture, problem, ... and a mapping")
    document, spec = read_inputs(options, program="mapper" if options.mapping else "model")
    print_notices(spec)
    skews: list[Node] = []
    mapping, switches = _mapping(options, document, spec, skews)
    for violation in violations(mapping, spec) if options.mapping else []:
        print(f"notice: outside the constraints: {violation}", file=sys.stderr)
    if skews:
        spec = _skewed(spec, document, skews)
        print(f"notice: {spec.notices[-1]}", file=sys.stderr)
    spec = replace(spec, constraints=replace(spec.constraints, switches=switches))
    result = _evaluated(options, spec, mapping)
    if isinstance(result, Rejection):
        print(f"invalid: {result.level_name}: {result.message}")
        return 1
    console().print(result_view(spec, mapping, result.statistics))
    status = _expected(options, spec, mapping, result.statistics) if options.expect else 0
    if options.output:
        folder = RunFolder(options.output)
        folder.create()
        own = result.texts if spec.beyond else {}
        write_mapping(folder, spec, mapping, result.statistics, PREFIX, own)
        print(f"results in {folder.path}")
    return status


_SHOWN = 20  # differences on the screen


def _expected(options: argparse.Namespace, spec: Spec, mapping: Mapping, statistics: Statistics) -> int:
    """Compare with ``--expect``; 0 if a rule set gives every recorded figure (or the real program did), else 1."""
    recorded = read_recorded(_text(Path(options.expect)), options.expect)
    by_rules = {options.rules: statistics}
    if evaluator_choice(options).kind == "native" and spec.beyond is None:
        for rules in RULES:
            found = NativeEvaluator(with_rules(spec, rules), compiled=False).statistics(mapping)
            if not isinstance(found, Rejection):
                by_rules[rules] = found
    style = OutputStyle(hide_inconsequential=False)
    own = {
        rules: read_stats(stats_text(with_rules(spec, rules), figures, style))
        for rules, figures in by_rules.items()
    }
    expectation = compare_stats(recorded, own)
    print(expectation.sentence(options.expect))
    if expectation.fitting and options.rules not in expectation.fitting:
        say(f"notice: the figures above are those of --rules {options.rules}")
    differences = [] if expectation.fitting else expectation.differences[expectation.nearest]
    for difference in differences[:_SHOWN]:
        print(f"  {difference.path}: recorded {difference.expected}, computed {difference.got}")
    if len(differences) > _SHOWN:
        print(f"  and {len(differences) - _SHOWN:,} more")
    if expectation.unknown:
        some = ", ".join(expectation.unknown[:3])
        print(
            f"  not compared: {len(expectation.unknown):,} figures that this stats.txt alone has ({some}, …)"
        )
    return 0 if expectation.fitting else 1


def _evaluated(options: argparse.Namespace, spec: Spec, mapping: Mapping) -> Measured | Rejection:
    """By the native model, or by the real one where that is asked for or alone covers the design."""
    choice = fitting_choice(spec, evaluator_choice(options))
    if choice.kind == "timeloop":
        program = timeloop_evaluator(spec, choice)
        print(f"evaluated by {program.name}", file=sys.stderr)
        return program.measure(mapping)
    evaluator = NativeEvaluator(spec)
    evaluator.warm_up(lambda text: print(text, file=sys.stderr, flush=True))
    found = evaluator.statistics(mapping)
    return found if isinstance(found, Rejection) else Measured(found, full=True)


def _skewed(spec: Spec, document: Document, skews: Sequence[Node]) -> Spec:
    """The Spec with directives of the mapping that only the real program knows."""
    features = tuple(feature(node, SKEW) for node in skews)
    beyond = spec.beyond or Beyond((), document_of(spec, constraints=False, mapper=False))
    beyond = beyond.with_directives(features, [node.value for node in skews])
    return replace(spec, beyond=beyond, notices=(*spec.notices, beyond.notice))


def _mapping(
    options: argparse.Namespace, document: Document, spec: Spec, skews: list[Node]
) -> tuple[Mapping, Switches]:
    file = options.mapping
    if file is None:
        node = document.root().child("mapping")
        if node.absent:
            raise UsageError("no mapping: give one with --mapping, or a 'mapping' section in FILES")
    elif file.endswith(".txt"):
        return _map_text(Path(file), spec), spec.constraints.switches
    else:
        node = load_document([file], style="timeloop", named=True).root().child("mapping")
        if node.absent:
            raise UsageError(f"{file}: no 'mapping' section")
    try:
        notices: list[str] = []
        mapping, switches, warnings = read_mapping(node, spec, skews=skews, notices=notices)
    except MappingError as error:
        if file is not None or _has_mapping(options):
            raise
        # v0.4: constraints can be a whole mapping. These are none, and most likely were not meant to be.
        raise UsageError(
            f"no mapping: give one with --mapping, or a 'mapping' section in FILES (the constraints alone are none: "
            f"{error.problem})"
        ) from error
    for warning in (*notices, *warnings):
        print(f"notice: {warning}", file=sys.stderr)
    return mapping, switches


def _has_mapping(options: argparse.Namespace) -> bool:
    values = parse_values(options.values, "--set")
    return not load_document(expand(options.files), jinja_data=values).root().child("mapping").absent


def _map_text(path: Path, spec: Spec) -> Mapping:
    return read_map_text(_text(path), spec, str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file") from None


def verify_command(options: argparse.Namespace) -> int:
    """Draw, evaluate, compare; 0 if no figure differs, 1 if one does."""
    _, spec = read_inputs(options)
    spec.require_native()
    print_notices(spec)
    require_feasible(spec)
    choice = evaluator_choice(options)
    found = recognise_rules(lambda probe: timeloop_evaluator(probe, choice))
    program = timeloop_evaluator(spec, choice)
    print(found.sentence(program.name))
    if found.rules is not None and found.rules != options.rules:
        say(f"notice: comparing with the rules of {found.rules}; searches want --rules {found.rules}")
        spec = with_rules(spec, found.rules)
    mappings = drawn(spec, options.draw, options.samples, options.seed)
    if len(mappings) < options.samples:
        say(f"notice: the mapspace gave {len(mappings)} different mappings, {options.samples} were asked for")
    folder = None
    if options.output:
        folder = RunFolder(options.output)
        folder.create()
    return 0 if report_verification(verify_found(spec, mappings, options), folder) else 1

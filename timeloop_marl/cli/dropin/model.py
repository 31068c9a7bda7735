"""Drop-in for timeloop-model: evaluates the mapping given in the input files (formats sections 3 and 10)."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from ...cost.outcome import Rejection, Statistics
from ...evaluators.native import NativeEvaluator
from ...report.maps import map_text, tensella_text
from ...report.stats import stats_text
from ...specs.document import Document
from ...specs.mapping import Mapping
from ...specs.mapping_yaml import FactorProductError, read_mapping
from ...specs.scalars import Reading
from ...specs.spec import ModelOptions, Spec
from .program import Program, ProgramError, read_input, run_program, violates_constraints
from .screen import LAYOUT, computes_of, result_line

PREFIX = "timeloop-model"


def run_model(
    argv: Sequence[str],
    *,
    environ: MappingType[str, str],
    stdout: TextIO,
    stderr: TextIO,
    cwd: Path,
) -> int:
    """Run as ``timeloop-model ARGV`` would in folder ``cwd`` with these variables and streams.

    Returns:
        The exit code: 0; 1 where the real program prints an error of its own; 2 for input that is wrong otherwise.
    """
    return run_program(_model, argv, environ, stdout, stderr, cwd)


def _model(program: Program) -> int:
    document = program.read_document("model")
    spec = read_input(document, ModelOptions.from_environment(program.environ), mapper=False)
    program.notices(document.notices)
    if spec.model.verbose:
        program.notice("model.verbose adds no lines here")
    spec, mapping = _read_mapping(program, document, spec)
    if violates_constraints(mapping, spec):
        raise ProgramError("ERROR: mapping violates architecture constraints.")
    program.say_adjustments(spec)
    program.stdout.write(LAYOUT)
    # the closed form of one perfect mapping takes milliseconds as plain Python, compiling it up to minutes
    evaluator = NativeEvaluator(spec, compiled=mapping.imperfect)
    if spec.model.auto_bypass_on_failure:
        mapping = evaluator.auto_bypass(mapping)
    if mapping.imperfect and program.stderr.isatty():
        evaluator.warm_up(program.notice)
    result = evaluator.statistics(mapping)
    if isinstance(result, Rejection):
        raise ProgramError(f"ERROR: couldn't map level {result.level_name}: {result.message}")
    _write_results(program, spec, mapping, result)
    return 0


def _read_mapping(program: Program, document: Document, spec: Spec) -> tuple[Spec, Mapping]:
    """The mapping, and the spec with the reuse switches its directives set."""
    reading = Reading(document, strict=False)
    node = reading.find(document.root(), "mapping")
    try:
        mapping, switches, warnings = read_mapping(node, spec, strict=False)
    except FactorProductError as error:
        program.stderr.writelines(f"{line}\n" for line in error.warnings)
        raise ProgramError("\n".join(error.timeloop_lines)) from None
    program.stderr.writelines(f"{line}\n" for line in warnings)
    return replace(spec, constraints=replace(spec.constraints, switches=switches)), mapping


def _write_results(program: Program, spec: Spec, mapping: Mapping, statistics: Statistics) -> None:
    figures = statistics.utilization, statistics.energy_pj, computes_of(statistics), statistics.cycles
    program.stdout.write(result_line(program.style, *figures))
    program.write(f"{PREFIX}.map.txt", map_text(spec, mapping, statistics))
    program.write(f"{PREFIX}.stats.txt", stats_text(spec, statistics, program.style))
    program.write(f"{PREFIX}.map.tensella.txt", tensella_text(spec, mapping))

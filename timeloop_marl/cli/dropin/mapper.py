"""Drop-in for timeloop-mapper: Timeloop's own search, sample for sample, and its output files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from itertools import groupby
from pathlib import Path
from typing import TextIO

from ...errors import MappingError
from ...evaluators.native import NativeEvaluator
from ...mapping import Mapping
from ...mapspace.timeloop import TimeloopMapspace
from ...model.outcome import Statistics
from ...report.map_text import map_text, nest_text
from ...report.map_yaml import map_yaml_text
from ...report.numbers import FloatFormat, OutputStyle
from ...report.one_line import one_line
from ...report.orojenesis import mapping_line
from ...report.stats import stats_text
from ...report.tensella import tensella_text
from ...report.tiles import nominal_contents
from ...searchers.timeloop.events import Event, FailClass, FailureStatistic, ThreadEnd, ValidMapping
from ...searchers.timeloop.mapper import run_mapper as search
from ...searchers.timeloop.searcher import BestMapping, TimeloopSearcher
from ...specs.document import Document
from ...specs.spec import ModelOptions, Spec
from .program import (
    BANNER,
    LAYOUT,
    NO_VALID_MAPPING,
    TRY_DIAGNOSTICS,
    Program,
    read_input,
    result_line,
    run_program,
)

PREFIX = "timeloop-mapper"


def run_mapper(
    argv: Sequence[str],
    *,
    environ: MappingType[str, str],
    stdout: TextIO,
    stderr: TextIO,
    cwd: Path,
) -> int:
    """Run as ``timeloop-mapper ARGV`` would in folder ``cwd`` with these variables and streams.

    Returns:
        The exit code: 0, also without a valid mapping; 1 where the real program prints an error of its own; 2 for
        input that is wrong otherwise.
    """
    return run_program(_mapper, argv, environ, stdout, stderr, cwd)


def _mapper(program: Program) -> int:
    document = program.read_document("mapper")
    program.stdout.write(BANNER)
    spec = read_input(document, ModelOptions.from_environment(program.environ), mapper=True)
    space = TimeloopMapspace(spec)
    searcher = TimeloopSearcher(space)
    program.notices((*document.notices, *spec.constraints.warnings, *searcher.notices))
    _point_out_options(program, spec)
    program.stdout.write(_configuration(document, space, searcher))
    program.stdout.flush()
    if not _names_metrics(document):
        program.stderr.write("WARNING: no optimization metric(s) specified, using edp as default.\n")
    evaluator = NativeEvaluator(spec, accesses=searcher.needs_accesses, precheck=True)
    if program.stderr.isatty():  # scripts get what the real program prints and nothing else
        evaluator.warm_up(program.notice)
    csv = program.arguments.output / f"{PREFIX}.orojenesis.csv"
    with csv.open("w", encoding="utf-8", newline="\n") as stream:
        best = search(searcher, evaluator, _Log(program, spec, evaluator, stream).take)
    _finish(program, spec, evaluator, searcher, best)
    return 0


def _point_out_options(program: Program, spec: Spec) -> None:
    options = spec.mapper
    if options.live_status:
        program.notice("live_status is not reproduced; the lines are printed as without it")
    if options.emit_whoop_nest:
        program.notice(f"emit_whoop_nest is not supported; {PREFIX}.map.cpp stays empty")
    if options.log_orojenesis_mappings or options.log_mappings_yaml or options.log_mappings_verbose:
        program.notice(
            f"of the mapping logs only log_all_mappings is reproduced; {PREFIX}.orojenesis.csv has its columns"
        )


def _names_metrics(document: Document) -> bool:
    options = document.root().child("mapper").value
    given = {str(key).replace("-", "_") for key in options} if isinstance(options, MappingType) else set()
    return not given.isdisjoint({"optimization_metric", "optimization_metrics"})


def _configuration(document: Document, space: TimeloopMapspace, searcher: TimeloopSearcher) -> str:
    """The lines from the end of the banner to the start of the search."""
    root = document.root()
    text = "Problem configuration complete.\n"
    if not root.child("ERT").absent:
        text += "Found Accelergy ERT (energy reference table), replacing internal energy model.\n"
        if not root.child("ART").absent:
            text += "Found Accelergy ART (area reference table), replacing internal area model.\n"
    text += "Architecture configuration complete.\nSparse optimization configuration complete.\n"
    given = space.spec.mapper.num_threads
    text += (
        f"{'Using threads' if given else 'Using all available hardware threads'} = {len(searcher.threads)}\n"
    )
    text += "Mapper configuration complete.\n" + _mapspace(space, len(searcher.threads))
    return text + "Search configuration complete.\n" + LAYOUT


def _mapspace(space: TimeloopMapspace, threads: int) -> str:
    text = "Initializing Index Factorization subspace.\n"
    for name, size in zip(space.problem.dims, space.factorization_sizes, strict=True):
        text += f"  Factorization options along problem dimension {name} = {size}\n"
    sizes = space.sizes
    for label, size in (
        ("IndexFactorization", sizes.index_factorization),
        ("LoopPermutation", sizes.loop_permutation),
        ("Spatial", sizes.spatial),
        ("DatatypeBypass", sizes.datatype_bypass),
    ):
        text += f"Mapspace Dimension [{label}] Size: {size}\n"
    share = -(-sizes.index_factorization // threads)
    residue = share * threads - sizes.index_factorization
    text += "Mapspace split! Per-split Mapping Dimension [IndexFactorization] "
    return text + f"Size: {share} Residue: {residue}\nMapspace construction complete.\n"


class _Log:
    """Sends events to the screen and, if wanted, a line per valid mapping to the CSV file."""

    def __init__(self, program: Program, spec: Spec, evaluator: NativeEvaluator, csv: TextIO) -> None:
        options = spec.mapper
        self._spec, self._evaluator = spec, evaluator
        self._screen = MapperScreen(spec, self._computes, program.style, program.stderr)
        self._wants_csv = options.log_all_mappings or options.log_orojenesis_mappings
        self._csv = csv

    def take(self, event: Event) -> None:
        self._screen.show(event)
        if self._wants_csv and isinstance(event, ValidMapping):
            statistics = valid_statistics(self._evaluator, event.mapping)
            self._csv.write(mapping_line(self._spec, event.mapping, statistics))

    def _computes(self, mapping: Mapping) -> int:
        """Computes of a mapping: with imperfect factors not always the product of the bounds."""
        if mapping.imperfect:
            return valid_statistics(self._evaluator, mapping).computes
        return self._spec.problem.operations


def valid_statistics(evaluator: NativeEvaluator, mapping: Mapping) -> Statistics:
    """Statistics of a mapping that is known to be valid."""
    result = evaluator.statistics(mapping)
    if not isinstance(result, Statistics):
        raise MappingError(f"a mapping found valid fails at {result.level_name}: {result.message}")
    return result


def _finish(
    program: Program,
    spec: Spec,
    evaluator: NativeEvaluator,
    searcher: TimeloopSearcher,
    best: BestMapping | None,
) -> None:
    """The end of stdout and all output files but the CSV; without a valid mapping the files stay empty."""
    if spec.mapper.diagnostics:
        program.stdout.write(diagnostics_block(spec, searcher.failures))
    texts = dict.fromkeys(("map.txt", "stats.txt", "map.tensella.txt", "map.yaml", "map.cpp"), "")
    if best is None:
        advice = NO_VALID_MAPPING + ("" if spec.mapper.diagnostics else TRY_DIAGNOSTICS)
        program.stdout.write("\n" + advice)
    else:
        statistics = valid_statistics(evaluator, best.mapping)
        program.stdout.write(_summary(program, statistics))
        texts["map.txt"] = map_text(spec, best.mapping, statistics)
        texts["stats.txt"] = stats_text(spec, statistics, program.style)
        texts["map.tensella.txt"] = tensella_text(spec, best.mapping)
        texts["map.yaml"] = map_yaml_text(spec, best.mapping)
    for name, text in texts.items():
        program.write(f"{PREFIX}.{name}", text)


def _summary(program: Program, statistics: Statistics) -> str:
    per_compute = statistics.energy_pj / statistics.computes
    line = result_line(program.style, statistics.utilization, per_compute, statistics.cycles)
    return f"\n\nSummary stats for best mapping found by mapper:\n  {line}"


_FIRST_PRECISION, _LATER_PRECISION = 6, 3


class MapperScreen:
    """Turns the events of the mapper threads into lines on stderr."""

    def __init__(
        self, spec: Spec, computes: Callable[[Mapping], int], style: OutputStyle, stderr: TextIO
    ) -> None:
        self._spec, self._computes, self._style, self._stderr = spec, computes, style, stderr
        # a C++ stream keeps the precision last set: before any was set it prints six decimals
        self._precision = _FIRST_PRECISION

    def show(self, event: Event) -> None:
        """Print what the real program prints about an event, if anything."""
        if isinstance(event, ThreadEnd):
            for statement in event.statements:
                self._stderr.write(f"[{event.thread:3d}] STATEMENT: {statement}\n")
        else:
            self._valid(event)
        self._stderr.flush()

    def _valid(self, event: ValidMapping) -> None:
        options = self._spec.mapper
        if options.log_stats:
            counts = f"{event.total} {event.valid} {event.invalid_since_valid}"
            self._stderr.write(f"[{event.thread}] INVALID {counts}\n")
        if options.log_suboptimal and event.total % max(options.log_interval, 1) == 0:
            self._stderr.write(self._every_mapping(event))
        if options.log_stats and event.improved:
            self._stderr.write(f"[{event.thread}] UPDATE {self._update(event)}\n")
        if event.improved and not options.log_suboptimal:
            line = result_line(
                self._style,
                event.utilization,
                event.energy_pj / self._computes(event.mapping),
                event.cycles,
                one_line(self._spec, event.mapping),
            )
            self._stderr.write(f"[{event.thread:3d}] {line}")
            self._precision = _LATER_PRECISION

    def _every_mapping(self, event: ValidMapping) -> str:
        """The other form of the line, with which log_suboptimal shows every valid mapping."""
        utilization = f"{event.utilization * 100:.{self._precision}f}%"
        self._precision = _LATER_PRECISION
        per_compute = self._style.real(event.energy_pj / self._computes(event.mapping), 3, 4)
        mapping = one_line(self._spec, event.mapping)
        return (
            f"[{event.thread:3d}] Utilization = {utilization} | pJ/Compute = {per_compute} | {mapping} "
            f"| Cycles = {event.cycles}\n"
        )

    def _update(self, event: ValidMapping) -> str:
        """Counts and improvement; the improvement is computed after the update and therefore always 0."""
        # A C++ stream prints in the general format until a figure of a mapping was printed in another one.
        plain = self._style.floats is FloatFormat.GENERAL or self._precision == _FIRST_PRECISION
        improvement = "0" if plain else self._style.real(0.0, self._precision)
        return f"{event.total} {event.valid} {event.suboptimal_since_best} {improvement}"


_DOUBLE, _SINGLE = "=" * 47 + "\n", "-" * 47 + "\n"
_BEGIN, _END = f"{'':15}BEGIN DIAGNOSTICS{'':15}", f"{'':17}END DIAGNOSTICS{'':15}"
_TITLES = {FailClass.FANOUT: "Fanout", FailClass.CAPACITY: "Capacity"}


def diagnostics_block(spec: Spec, failures: Sequence[FailureStatistic]) -> str:
    """Failures by class and level, each with a mapping that failed so and the reason."""
    text = f"\n{_DOUBLE}{_BEGIN}\n{_SINGLE}"
    for fail_class, group in groupby(failures, key=lambda failure: failure.fail_class):
        text += f"Fail class: {_TITLES[fail_class]}\n\n"
        text += "".join(_level(spec, failure) for failure in group)
    return text + f"{_SINGLE}{_END}\n{_DOUBLE}"


def _level(spec: Spec, failure: FailureStatistic) -> str:
    nest = nest_text(spec, failure.sample, nominal_contents(spec, failure.sample), indent=" " * 6)
    return (
        f"  Level: {failure.level_name}\n"
        f"    Fail count: {failure.count}\n"
        "    Sample mapping that experienced this fail class:\n"
        f"{nest}"
        f"    Fail reason: {failure.reason}\n\n"
    )

"""Drop-in for timeloop-mapper: Timeloop's own search, sample for sample, and its output files."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ...cost.outcome import Statistics
from ...errors import MappingError
from ...evaluators.native import NativeEvaluator
from ...mapspace.timeloop import TimeloopMapspace
from ...report.maps import map_text, map_yaml_text, mapping_line, tensella_text
from ...report.stats import stats_text
from ...searchers.timeloop.events import Event, ValidMapping
from ...searchers.timeloop.searcher import BestMapping, TimeloopSearcher
from ...searchers.timeloop.searcher import run_mapper as search
from ...specs.document import Document
from ...specs.mapping import Mapping
from ...specs.spec import ModelOptions, Spec
from .program import Program, read_input, run_program
from .screen import (
    BANNER,
    LAYOUT,
    NO_VALID_MAPPING,
    TRY_DIAGNOSTICS,
    Computes,
    MapperScreen,
    computes_of,
    diagnostics_block,
    result_line,
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
    text += "Architecture configuration complete.\n"
    if space.spec.sparsity is not None:
        names = [level.name for level in space.architecture.storage]
        text += "".join(f"{line}\n" for line in space.spec.sparsity.adjustments(names))
    text += "Sparse optimization configuration complete.\n"
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

    def _computes(self, mapping: Mapping) -> Computes:
        """Computes of a mapping: with imperfect factors, or zeros, not always the product of the bounds."""
        if mapping.imperfect or self._spec.sparsity is not None:
            return computes_of(valid_statistics(self._evaluator, mapping))
        return (self._spec.problem.operations,)


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
    figures = statistics.utilization, statistics.energy_pj, computes_of(statistics), statistics.cycles
    line = result_line(program.style, *figures)
    return f"\n\nSummary stats for best mapping found by mapper:\n  {line}"

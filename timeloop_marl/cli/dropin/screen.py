"""What the programs print: fixed texts, lines while they search, one-line results, diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TextIO

from ...cost.outcome import Statistics
from ...report.maps import nest_text, nominal_contents, one_line
from ...report.numbers import FloatFormat, OutputStyle
from ...searchers.timeloop.events import Event, FailClass, FailureStatistic, ThreadEnd, ValidMapping
from ...specs.mapping import Mapping
from ...specs.spec import Spec

BANNER = r"""  _______                __                
 /_  __(_)___ ___  ___  / /___  ____  ____ 
  / / / / __ `__ \/ _ \/ / __ \/ __ \/ __ \
 / / / / / / / / /  __/ / /_/ / /_/ / /_/ /
/_/ /_/_/ /_/ /_/\___/_/\____/\____/ .___/ 
                                  /_/      

"""  # noqa: W291

LAYOUT = "Start Parsering Layout\nNo Layout specified, so using bandwidth based modeling\n"

NO_VALID_MAPPING = """\
MESSAGE: no valid mappings found within search criteria. Some suggestions:
(1) Observe each mapper thread's termination message. If it terminated due to
    consecutive failed mappings, it will tell you the number of mappings that
    failed because of a spatial fanout violation and the number that failed
    because of a buffer capacity violation.
(2) Check your architecture configuration (especially mapspace constraints).
    Try to find the offending constraints that are likely to have caused the
    above violations, and disable those constraints.
(3) Try other search algorithms, and relax the termination criteria:
    victory_condition, timeout and/or search_size.
"""

TRY_DIAGNOSTICS = """\
(4) Enable mapper's diagnostics (mapper.diagnostics = True) to track and emit 
    more information about failed mappings.
"""  # noqa: W291


def input_lines(files: tuple[str, ...]) -> str:
    """One line per file of the command line."""
    return "".join(f"input file: {name}\n" for name in files)


Computes = tuple[int, ...]
"""Operations of a mapping: all of them, and for a sparse design after these the ones that really happen."""


def computes_of(statistics: Statistics) -> Computes:
    """The operations of an evaluated mapping."""
    dense = statistics.algorithmic_computes
    return (dense, statistics.computes) if dense else (statistics.computes,)


def result_line(
    style: OutputStyle,
    utilization: float,
    energy_pj: float,
    computes: Computes,
    cycles: int,
    mapping: str = "",
) -> str:
    """Utilisation, energy per compute in pJ and cycles, with the mapping in between if given."""
    middle = f"| {mapping} " if mapping else ""
    return (
        f"Utilization = {style.real(utilization, 2, 4)} | {_per_compute(style, energy_pj, computes, 8)} "
        f"{middle}| Cycles = {cycles}\n"
    )


def _per_compute(style: OutputStyle, energy_pj: float, computes: Computes, width: int) -> str:
    labels = ("pJ/Algorithmic-Compute", "pJ/Compute")[-len(computes) :]
    shares = [style.real(energy_pj / count, 3, width) for count in computes]
    return " | ".join(f"{label} = {share}" for label, share in zip(labels, shares))


_FIRST_PRECISION, _LATER_PRECISION = 6, 3


class MapperScreen:
    """Turns the events of the mapper threads into lines on stderr."""

    def __init__(
        self, spec: Spec, computes: Callable[[Mapping], Computes], style: OutputStyle, stderr: TextIO
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
                event.energy_pj,
                self._computes(event.mapping),
                event.cycles,
                one_line(self._spec, event.mapping),
            )
            self._stderr.write(f"[{event.thread:3d}] {line}")
            self._precision = _LATER_PRECISION

    def _every_mapping(self, event: ValidMapping) -> str:
        """The other form of the line, with which log_suboptimal shows every valid mapping."""
        utilization = f"{event.utilization * 100:.{self._precision}f}%"
        self._precision = _LATER_PRECISION
        per_compute = _per_compute(self._style, event.energy_pj, self._computes(event.mapping), 4)
        mapping = one_line(self._spec, event.mapping)
        return (
            f"[{event.thread:3d}] Utilization = {utilization} | {per_compute} | {mapping} "
            f"| Cycles = {event.cycles}\n"
        )

    def _update(self, event: ValidMapping) -> str:
        """Counts and improvement; the improvement is computed after the update and therefore always 0."""
        # A C++ stream prints in the general format until a figure of a mapping was printed in another one.
        plain = self._style.floats is FloatFormat.GENERAL or self._precision == _FIRST_PRECISION
        improvement = "0" if plain else self._style.real(0.0, self._precision)
        return f"{event.total} {event.valid} {event.suboptimal_since_best} {improvement}"


_DOUBLE, _SINGLE = "=" * 47 + "\n", "-" * 47 + "\n"
_DIAGNOSTICS_BEGIN, _DIAGNOSTICS_END = f"{'':15}BEGIN DIAGNOSTICS{'':15}", f"{'':17}END DIAGNOSTICS{'':15}"
_TITLES = {FailClass.FANOUT: "Fanout", FailClass.CAPACITY: "Capacity"}


def diagnostics_block(spec: Spec, failures: Sequence[FailureStatistic]) -> str:
    """Failures by class and level, each with a mapping that failed so and the reason."""
    text = f"\n{_DOUBLE}{_DIAGNOSTICS_BEGIN}\n{_SINGLE}"
    for fail_class, group in groupby(failures, key=lambda failure: failure.fail_class):
        text += f"Fail class: {_TITLES[fail_class]}\n\n"
        text += "".join(_failures_of_level(spec, failure) for failure in group)
    return text + f"{_SINGLE}{_DIAGNOSTICS_END}\n{_DOUBLE}"


def _failures_of_level(spec: Spec, failure: FailureStatistic) -> str:
    nest = nest_text(spec, failure.sample, nominal_contents(spec, failure.sample), indent=" " * 6)
    return (
        f"  Level: {failure.level_name}\n"
        f"    Fail count: {failure.count}\n"
        "    Sample mapping that experienced this fail class:\n"
        f"{nest}"
        f"    Fail reason: {failure.reason}\n\n"
    )

"""The lines timeloop-mapper prints while it searches (formats section 10, mapspace section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from ..mapping import Mapping
from ..report.maps import one_line
from ..report.numbers import FloatFormat, OutputStyle
from ..searchers.timeloop.events import Event, ThreadEnd, ValidMapping
from ..specs.spec import Spec
from .screen import result_line

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

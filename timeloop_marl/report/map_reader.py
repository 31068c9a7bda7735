"""Reads timeloop-X.map.txt back into a ``Mapping``, residuals included (formats sections 7 and 10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import MappingError
from ..mapping import Mapping, TilingLoops
from ..specs.problem import Problem
from ..specs.spec import Spec

_HEADER = re.compile(r"(?P<name>\S.*) \[ (?P<held>.*)\]\s*$")
_HELD = re.compile(r"(?P<name>[^\s:]+):\d+(?: \(\d+\))? ")  # without the number in brackets until 2021
_LOOP = re.compile(
    r"\|\s+for (?P<dim>\S+) in \[0:(?P<bound>\d+)(?:,(?P<residual>\d+))?\)(?: \(Spatial-(?P<axis>[XY])\))?\s*$"
)
_COMPUTE = re.compile(r"\|\s+<< Compute >>\s*$")


def read_map_text(text: str, spec: Spec, file: str | None = None) -> Mapping:
    """The mapping that a map.txt shows.

    Data spaces listed at a level are kept there, all others bypassed; unit loops come last in each permutation.

    Args:
        text: content of timeloop-model.map.txt or timeloop-mapper.map.txt.
        spec: the machine and problem it was made for.
        file: name for error messages.

    Raises:
        MappingError: the text is no map.txt, or does not fit the machine or the problem.
    """
    return _Reader(spec, file).read(text)


def check_bounds(mapping: Mapping, problem: Problem, file: str | None = None) -> None:
    """Raise a ``MappingError`` unless the factors of every dim make up its bound (cost-model section 1)."""
    for dim, (name, bound) in enumerate(zip(problem.dims, problem.bounds, strict=True)):
        last = 0
        for loops in reversed(mapping.loops):
            last = last * loops.factors[dim] + loops.residuals[dim] - 1
        if last + 1 != bound:
            raise MappingError(
                f"the loops over dimension {name} cover {last + 1} points",
                file=file,
                expected=f"{bound}, the bound of {name} in the problem",
                remedy="use the map.txt with the problem it was made for",
            )


@dataclass
class _Section:
    """The loops of one storage level as read: (dim, bound, residual) triples, outermost first."""

    held: frozenset[int]
    temporal: list[tuple[int, int, int]] = field(default_factory=list)
    x: list[tuple[int, int, int]] = field(default_factory=list)
    y: list[tuple[int, int, int]] = field(default_factory=list)


class _Reader:
    def __init__(self, spec: Spec, file: str | None) -> None:
        self._problem, self._architecture, self._file = spec.problem, spec.architecture, file
        self._sections: list[_Section] = []  # outermost first

    def read(self, text: str) -> Mapping:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and set(line.strip()) != {"-"} and not _COMPUTE.match(line):
                self._line(number, line)
        if len(self._sections) != len(self._architecture.storage):
            raise self._error(
                f"{len(self._sections)} storage levels shown", expected=f"{len(self._architecture.storage)}"
            )
        inside_out = self._sections[::-1]
        loops = [
            self._tiling(inside_out[tiling.storage], tiling.spatial)
            for tiling in self._architecture.tiling_levels
        ]
        spaces = range(len(self._problem.data_spaces))
        keep = tuple(tuple(space in section.held for space in spaces) for section in inside_out)
        mapping = Mapping(tuple(loops), keep)
        check_bounds(mapping, self._problem, self._file)
        return mapping

    def _line(self, number: int, line: str) -> None:
        loop, header = _LOOP.match(line), _HEADER.match(line)
        if loop:
            self._loop(number, loop)
        elif header:
            self._header(number, header)
        else:
            raise self._error("not a line of a map.txt", number, line)

    def _header(self, number: int, match: re.Match[str]) -> None:
        index = len(self._architecture.storage) - 1 - len(self._sections)
        expected = self._architecture.storage[index].name if index >= 0 else "no further level"
        if match["name"] != expected:
            raise self._error("storage level out of place", number, match["name"], expected)
        names = {space.name: i for i, space in enumerate(self._problem.data_spaces)}
        held = [found["name"] for found in _HELD.finditer(match["held"])]
        if _HELD.sub("", match["held"]).strip():
            raise self._error("level line not understood", number, match[0], "e.g. BUF [ A:8 (8) B:16 (16) ]")
        for name in held:
            if name not in names:
                raise self._error("unknown data space", number, name, f"one of {', '.join(names)}")
        self._sections.append(_Section(frozenset(names[name] for name in held)))

    def _loop(self, number: int, match: re.Match[str]) -> None:
        if not self._sections:
            raise self._error("a loop before the first storage level", number, match[0])
        if match["dim"] not in self._problem.dims:
            known = ", ".join(self._problem.dims)
            raise self._error("unknown dimension", number, match["dim"], f"one of {known}")
        section, axis = self._sections[-1], match["axis"]
        loops = section.temporal if not axis else section.x if axis == "X" else section.y
        inner = section.x if axis == "Y" else section.x + section.y if not axis else []
        if inner:
            raise self._error(
                "loop out of place", number, match[0], "temporal loops, then Spatial-Y, then Spatial-X"
            )
        bound, residual = int(match["bound"]), int(match["residual"] or match["bound"])
        if not 1 <= residual <= bound:
            raise self._error("residual bound out of range", number, residual, f"1 to {bound}")
        loops.append((self._problem.dim_index(match["dim"]), bound, residual))
        if axis:
            self._check_fanout(number, len(self._sections))

    def _check_fanout(self, number: int, shown: int) -> None:
        level = len(self._architecture.storage) - shown
        if not any(t.storage == level and t.spatial for t in self._architecture.tiling_levels):
            name = self._architecture.storage[level].name
            raise self._error(f"spatial loop at {name}, which has no fan-out", number)

    def _tiling(self, section: _Section, spatial: bool) -> TilingLoops:
        """One tiling level; innermost first, unit dims last."""
        shown = section.y + section.x if spatial else section.temporal
        dims = range(len(self._problem.dims))
        factors, residuals = [1 for _ in dims], [1 for _ in dims]
        order = []
        for dim, bound, residual in reversed(shown):
            if dim in order:
                raise self._error(f"two loops over {self._problem.dims[dim]} at one level")
            order.append(dim)
            factors[dim], residuals[dim] = bound, residual
        order += [dim for dim in dims if dim not in order]
        split = len(section.x) if spatial else len(order)
        return TilingLoops(tuple(factors), tuple(residuals), tuple(order), split)

    def _error(
        self, problem: str, line: int | None = None, value: object = ..., expected: str = ""
    ) -> MappingError:
        path = f"line {line}" if line else ""
        return MappingError(problem, file=self._file, path=path, value=value, expected=expected)

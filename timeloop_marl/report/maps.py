"""A mapping in every notation of Timeloop: map.txt (both ways), map.yaml, one line, tables for other tools.

Sections 3, 7 and 10 of the formats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..cost.outcome import Statistics
from ..errors import MappingError
from ..specs.architecture import Architecture
from ..specs.mapping import Mapping, TilingLoops
from ..specs.mapping_yaml import directives
from ..specs.problem import DataSpace, Problem
from ..specs.spec import Spec
from .numbers import float32_ratio


@dataclass(frozen=True)
class Loop:
    """One loop. ``dim`` is a dimension index; ``axis`` is ``"X"`` or ``"Y"`` for a spatial loop, else empty."""

    dim: int
    bound: int
    residual: int
    axis: str = ""

    @property
    def perfect(self) -> bool:
        """Whether every execution of the loop has the same number of iterations."""
        return self.bound == self.residual


@dataclass(frozen=True)
class LevelNest:
    """The non-unit loops of one storage level, each tuple outermost first; the temporal ones lie outside."""

    level: int
    temporal: tuple[Loop, ...]
    spatial: tuple[Loop, ...]

    @property
    def loops(self) -> tuple[Loop, ...]:
        """All loops, outermost first."""
        return self.temporal + self.spatial


def loop_nest(mapping: Mapping, architecture: Architecture) -> tuple[LevelNest, ...]:
    """The nest of every storage level, outermost level first."""
    levels = range(len(architecture.storage))
    temporal: dict[int, tuple[Loop, ...]] = dict.fromkeys(levels, ())
    spatial: dict[int, tuple[Loop, ...]] = dict.fromkeys(levels, ())
    for tiling, loops in zip(architecture.tiling_levels, mapping.loops, strict=True):
        target = spatial if tiling.spatial else temporal
        target[tiling.storage] = _tiling_loops(loops, tiling.spatial)
    return tuple(LevelNest(level, temporal[level], spatial[level]) for level in reversed(levels))


def _tiling_loops(level: TilingLoops, spatial: bool) -> tuple[Loop, ...]:
    """Loops of one tiling level, outermost first, unit bounds dropped."""
    found = []
    for position, dim in enumerate(level.order):
        # X or Y follows from the place in the whole permutation: unit loops count as places
        axis = ("X" if position < level.split else "Y") if spatial else ""
        if level.factors[dim] > 1:
            found.append(Loop(dim, level.factors[dim], level.residuals[dim], axis))
    return tuple(reversed(found))


@dataclass(frozen=True)
class HeldTile:
    """A data space held at a level: words after bypass and distribution, and the full tile shape in words."""

    name: str
    size: int
    shape: int


Contents = Sequence[Sequence[HeldTile]]  # inside-out like Architecture.storage


def map_text(spec: Spec, mapping: Mapping, statistics: Statistics) -> str:
    """The text of timeloop-model.map.txt and timeloop-mapper.map.txt for an evaluated mapping."""
    return nest_text(spec, mapping, held_tiles(spec, mapping, statistics))


def held_tiles(spec: Spec, mapping: Mapping, statistics: Statistics) -> Contents:
    """What each storage level holds, inside-out."""
    names = [space.name for space in spec.problem.data_spaces]
    return [
        [
            HeldTile(name, tensor.capacity, tensor.tile_shape)
            for name, tensor, kept in zip(names, level.tensors, row, strict=True)
            if kept
        ]
        for level, row in zip(statistics.levels, mapping.keep, strict=True)
    ]


def nest_text(spec: Spec, mapping: Mapping, contents: Contents, indent: str = "") -> str:
    """The nest with given contents; every non-empty line begins with ``indent``."""
    printer = _Printer(spec.problem.dims)
    for nest in loop_nest(mapping, spec.architecture):
        printer.level(spec.architecture.storage[nest.level].name, nest, contents[nest.level])
    printer.finish()
    return "".join(f"{indent}{line}\n" if line else "\n" for line in printer.lines)


class _Printer:
    """Collects the lines; remembers whether the last header still wants its line of dashes."""

    def __init__(self, dims: Sequence[str]) -> None:
        self._dims = dims
        self.lines: list[str] = []
        self._depth = 0
        self._pending = ""  # last header, as long as no loop was printed below it

    def level(self, name: str, nest: LevelNest, tiles: Sequence[HeldTile]) -> None:
        if self.lines and not self._pending:
            self.lines.append("")
        held = "".join(f"{tile.name}:{tile.size} ({tile.shape}) " for tile in tiles)
        self._pending = f"{name} [ {held}] "
        self.lines.append(self._pending)
        for loop in nest.loops:
            self._body(self._loop(loop))

    def finish(self) -> None:
        self._body("<< Compute >>")

    def _body(self, text: str) -> None:
        if self._pending:
            self.lines.append("-" * (len(self._pending) - 1))
            self._pending = ""
        self.lines.append("| " + "  " * self._depth + text)
        self._depth += 1

    def _loop(self, loop: Loop) -> str:
        residual = "" if loop.perfect else f",{loop.residual}"
        where = f" (Spatial-{loop.axis})" if loop.axis else ""
        return f"for {self._dims[loop.dim]} in [0:{loop.bound}{residual}){where}"


def tile_words(space: DataSpace, extents: tuple[int, ...]) -> int:
    """Words of a data space under a tile of ``extents[d]`` iterations per dim: the hull, gaps counted."""
    words = 1
    for rank in space.ranks:
        words *= 1 + sum(abs(term.coefficient) * (extents[term.dim] - 1) for term in rank)
    return words


def level_extents(spec: Spec, mapping: Mapping) -> tuple[tuple[int, ...], ...]:
    """Extents per dim of the largest tile that every storage level ever holds, inside-out.

    That is the product of the bounds, but for a dim all of whose outer loops run once: it only ever shows its
    residual tile.
    """
    levels = spec.architecture.tiling_levels
    boundaries = [index for index, tiling in enumerate(levels) if not tiling.spatial]
    dims = range(len(spec.problem.dims))
    return tuple(tuple(_tile_extent(mapping, dim, last) for dim in dims) for last in boundaries)


def _tile_extent(mapping: Mapping, dim: int, last: int) -> int:
    full, partial = 1, 1
    for loops in mapping.loops[: last + 1]:
        partial += full * (loops.residuals[dim] - 1)
        full *= loops.factors[dim]
    always_last = all(loops.residuals[dim] == 1 for loops in mapping.loops[last + 1 :])
    return partial if always_last else full


def nominal_contents(spec: Spec, mapping: Mapping) -> Contents:
    """What each storage level would hold, inside-out, for printing a mapping that failed."""
    return [
        [
            HeldTile(space.name, words, words)
            for space, kept in zip(spec.problem.data_spaces, row, strict=True)
            if kept
            for words in (tile_words(space, extents),)
        ]
        for extents, row in zip(level_extents(spec, mapping), mapping.keep, strict=True)
    ]


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
class _ReadLevel:
    """The loops of one storage level as read: (dim, bound, residual) triples, outermost first."""

    held: frozenset[int]
    temporal: list[tuple[int, int, int]] = field(default_factory=list)
    x: list[tuple[int, int, int]] = field(default_factory=list)
    y: list[tuple[int, int, int]] = field(default_factory=list)


class _Reader:
    def __init__(self, spec: Spec, file: str | None) -> None:
        self._problem, self._architecture, self._file = spec.problem, spec.architecture, file
        self._sections: list[_ReadLevel] = []  # outermost first

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
        self._sections.append(_ReadLevel(frozenset(names[name] for name in held)))

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

    def _tiling(self, section: _ReadLevel, spatial: bool) -> TilingLoops:
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


def map_yaml_text(spec: Spec, mapping: Mapping, *, complete: bool = False) -> str:
    """The text of timeloop-mapper.map.yaml: block style, two blanks deeper a step, no line end at the end.

    Args:
        spec: machine and problem.
        mapping: what to write.
        complete: Timeloop leaves residual bounds and reuse switches out, so that its file cannot replay every
            mapping. True writes them, too; timeloop-model reads both forms.
    """
    text = "mapping:"
    for directive in directives(mapping, spec, complete=complete):
        for number, (key, value) in enumerate(directive.items()):
            text += f"\n  {'-' if number == 0 else ' '} {key}:{_yaml_value(value)}"
    return text


def _yaml_value(value: Any) -> str:
    if not isinstance(value, list):
        return f" {value}"
    return "".join(f"\n      - {item}" for item in value) if value else "\n      []"


def one_line(spec: Spec, mapping: Mapping) -> str:
    """For example ``L2[ABZ] N2 M2 - L1[AB] K2 - L0[Z] M4X K3;1 `` (with a blank at the end).

    Levels and loops come outermost first; data spaces by their first letters; ``X``/``Y`` mark spatial loops and
    ``;`` a residual bound. A level without temporal loops shows Timeloop's dummy loop over the last dimension.
    """
    initials = [space.name[:1] for space in spec.problem.data_spaces]
    parts = []
    for nest in loop_nest(mapping, spec.architecture):
        held = "".join(
            letter for letter, kept in zip(initials, mapping.keep[nest.level], strict=True) if kept
        )
        parts.append(f"L{nest.level}[{held}] {_one_line_loops(spec.problem.dims, nest)} ")
    return "- ".join(parts)


def _one_line_loops(dims: tuple[str, ...], nest: LevelNest) -> str:
    dummy = Loop(len(dims) - 1, 1, 1)
    return " ".join(_one_line_loop(dims, loop) for loop in (nest.temporal or (dummy,)) + nest.spatial)


def _one_line_loop(dims: tuple[str, ...], loop: Loop) -> str:
    residual = "" if loop.perfect else f";{loop.residual}"
    return f"{dims[loop.dim]}{loop.bound}{residual}{loop.axis}"


def mapping_line(spec: Spec, mapping: Mapping, statistics: Statistics) -> str:
    """One valid mapping: operations per byte of the outermost level, its accesses, and the on-chip words.

    Columns: operations per byte; on-chip words of all data spaces; outermost accesses; then per data space the words
    at its outermost on-chip level and its outermost accesses; the mapping; the mapping as YAML (``None``).
    """
    top = statistics.levels[-1]
    moved_bytes = spec.architecture.storage[-1].word_bits * top.accesses // 8
    held = [_on_chip_words(statistics, space) for space in range(len(spec.problem.data_spaces))]
    cells = [f"{float32_ratio(statistics.operations, moved_bytes):.6g}", str(sum(held)), str(top.accesses)]
    for words, tensor in zip(held, top.tensors, strict=True):
        accesses = tensor.instances * (tensor.reads + tensor.fills + tensor.updates)
        cells += [str(words), str(accesses if tensor.kept else 0)]
    return ",".join([*cells, one_line(spec, mapping), "None"]) + "\n"


def _on_chip_words(statistics: Statistics, space: int) -> int:
    for level in reversed(statistics.levels[:-1]):
        if level.tensors[space].kept:
            return level.tensors[space].capacity
    return 0


_BYPASS = "#error Tenssella does not support bypass.\n"


def tensella_text(spec: Spec, mapping: Mapping) -> str:
    """The text of timeloop-model.map.tensella.txt and timeloop-mapper.map.tensella.txt."""
    text = ""
    for nest in loop_nest(mapping, spec.architecture):
        if nest.level > 0:
            # the complaints about the level below stand before this level's block
            text += _BYPASS * sum(not kept for kept in mapping.keep[nest.level - 1])
        text += _tensella_block(spec, nest)
    return text


def _tensella_block(spec: Spec, nest: LevelNest) -> str:
    dims = spec.problem.dims
    # a level without temporal loops gets Timeloop's dummy loop over the last dimension
    temporal = nest.temporal or (Loop(len(dims) - 1, 1, 1),)
    text = f"t{nest.level}\n" + _tensella_loops(dims, temporal)
    if nest.spatial:
        split = len(dims) - sum(loop.axis == "Y" for loop in nest.spatial)
        text += f"s{nest.level}\n" + _tensella_loops(dims, nest.spatial) + f"{split}\n"
    return text


def _tensella_loops(dims: tuple[str, ...], loops: tuple[Loop, ...]) -> str:
    bounds = {loop.dim: loop.bound for loop in loops}
    text = "".join(f"{name} {bounds.get(dim, 1)} " for dim, name in enumerate(dims)) + "\n"
    return text + "".join(dims[loop.dim] for loop in reversed(loops)) + "\n"

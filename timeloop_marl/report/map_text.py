"""timeloop-X.map.txt: the loop nest with the data kept at each level (formats sections 7 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cost.outcome import Statistics
from ..mapping import Mapping
from ..specs.spec import Spec
from .nest import LevelNest, Loop, loop_nest


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

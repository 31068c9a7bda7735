"""What a page is made of: sections of blocks. Plain data; the templates turn them into HTML and escape every text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ..drawing import Drawing

Draw = Callable[[float], Drawing]
HALF, FULL = (
    (334.0, 520.0),
    (334.0, 640.0, 1068.0),
)  # px: phone, half a desktop page; phone, tablet, a whole page


@dataclass(frozen=True)
class Tile:
    """A figure in large type, with a note in small type."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """The totals."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Picture:
    """A drawing in several widths; the page shows the one that fits. ``name`` becomes file name and anchor."""

    kind: ClassVar[str] = "picture"
    name: str
    draw: Draw
    caption: str = ""
    widths: Sequence[float] = HALF


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, and the number to sort by (texts are sorted as texts)."""

    text: str
    number: float | None = None
    bar: float | None = None  # 0 … 1: a bar behind the figure


@dataclass(frozen=True)
class Table:
    """A table; with ``sortable`` every heading sorts, with ``filterable`` a field finds rows by any text in them.

    The first column names the row. ``numeric``: columns set to the right.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: frozenset[int] = frozenset()
    sortable: bool = False
    filterable: bool = False
    targets: Sequence[str] = ()  # per row: anchor that its name leads to


@dataclass(frozen=True)
class Paragraph:
    """Text; ``warning`` sets it off."""

    kind: ClassVar[str] = "paragraph"
    text: str
    warning: bool = False


@dataclass(frozen=True)
class Bullets:
    """Sentences."""

    kind: ClassVar[str] = "bullets"
    sentences: Sequence[str]


@dataclass(frozen=True)
class Listing:
    """Text in a fixed-width font, lines as they are."""

    kind: ClassVar[str] = "listing"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Fold:
    """Blocks that open on demand."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: Sequence[Block]
    name: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class Scroll:
    """Blocks in a box that scrolls if they are many; ``title`` is what is read aloud."""

    kind: ClassVar[str] = "scroll"
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Grid:
    """Titled groups of blocks side by side where there is room; ``pairs``: two in a row, else as many as fit."""

    kind: ClassVar[str] = "grid"
    cells: Sequence[tuple[str, Sequence[Block]]]
    pairs: bool = False


LONG = 60  # rows from which on a table scrolls in a box of its own

Block = Tiles | Picture | Table | Paragraph | Bullets | Listing | Facts | Fold | Grid | Scroll


@dataclass(frozen=True)
class Section:
    """A titled part of a page; ``half``: beside others on wide screens."""

    name: str
    title: str
    blocks: Sequence[Block]
    half: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page. ``marks``: short facts under the title."""

    title: str
    subtitle: str = ""
    marks: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)

"""What a page is made of, and the page as one HTML file: style, script and pictures inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import ClassVar

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ..drawing import Drawing, beside, page_svg, palette, png
from ..drawing.svg import role_rules

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


_TABLET = 620.0  # px of a picture in a file of several
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


def render(page: Page) -> str:
    """The page as text. All texts in it are escaped, wherever they come from."""
    script = _text("page.js")
    numbers = itertools.count(1)

    def pictures(picture: Picture) -> list[Markup]:
        """The drawing in every width, narrowest first; the style sheet shows the one that fits."""
        return [page_svg(picture.draw(width), f"p{next(numbers)}") for width in picture.widths]

    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            groups=_groups(page.sections),
            pictures=pictures,
            long=LONG,
            style=Markup(_text("page.css")),
            theme=Markup(theme_rules()),
            export_style=Markup(role_rules()),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def all_pictures(page: Page) -> Iterator[Picture]:
    """Every picture of a page, folded ones included."""
    for section in page.sections:
        yield from _pictures(section.blocks)


def pictures_png(page: Page, *starts: str) -> bytes:
    """The pictures whose names begin so, side by side under the title of the page, as PNG."""
    drawings = [picture.draw(_TABLET) for picture in all_pictures(page) if picture.name.startswith(starts)]
    return png(beside(drawings, page.title))


def theme_rules() -> str:
    """Style variables and shape rules of the light and the dark theme; paper is always light."""
    dark = f"{_variables(True)}{role_rules(True)}"
    return f"{_variables(False)}{role_rules()}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _variables(dark: bool) -> str:
    names = ("ink", "muted", "faint", "grid", "surface", "raised", "accent", "accent-soft", "warning")
    return ":root{" + "".join(f"--{name}:{palette.ROLES[name][dark]};" for name in names) + "}"


def _pictures(blocks: Sequence[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Fold | Scroll):
            yield from _pictures(block.blocks)
        elif isinstance(block, Grid):
            for _, inside in block.cells:
                yield from _pictures(inside)


def _groups(sections: Sequence[Section]) -> list[list[list[Section]]]:
    """Runs of sections as columns: one for a section of full width, two for neighbouring halves."""
    groups: list[list[list[Section]]] = []
    heights = [0.0, 0.0]
    for section in sections:
        if not section.half:
            groups.append([[section]])
            continue
        if not groups or len(groups[-1]) == 1:
            groups.append([[], []])
            heights = [0.0, 0.0]
        column = 0 if heights[0] <= heights[1] else 1
        groups[-1][column].append(section)
        heights[column] += 90.0 + sum(_height(block) for block in section.blocks)
    return groups


def _height(block: Block) -> float:
    """About how high a block is in half a desktop page, in px: only used to even out columns."""
    if isinstance(block, Picture):
        return block.draw(block.widths[min(1, len(block.widths) - 1)]).height + 50.0
    return 34.0 * len(block.rows) + 60.0 if isinstance(block, Table) else 60.0


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")

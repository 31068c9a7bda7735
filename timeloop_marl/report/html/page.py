"""A page as one HTML file: style, script and pictures inside, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from .. import palette
from ..drawing import page_svg
from ..drawing.svg import role_rules
from .blocks import LONG, Block, Fold, Grid, Page, Picture, Scroll, Section, Table


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

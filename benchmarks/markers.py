"""Puts what a benchmark found into a document, between markers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def replace_part(path: Path, name: str, found: Iterable[str]) -> None:
    """Put lines between ``<!-- name -->`` and ``<!-- end of name -->``."""
    text = path.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path}: no <!-- {name} --> … <!-- end of {name} -->")
    path.write_text(pattern.sub(lambda m: m[1] + "\n" + "\n".join(found) + "\n\n" + m[2], text))

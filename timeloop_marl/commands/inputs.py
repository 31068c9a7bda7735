"""Input files as the commands take them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..api import expand, model_options
from ..errors import UsageError
from ..specs.document import Document
from ..specs.reading import load_flat, read_spec
from ..specs.spec import Spec


def read_inputs(options: argparse.Namespace, *, program: str = "mapper") -> tuple[Document, Spec]:
    """The document and the Spec of the files on the command line; notices go to the screen.

    Args:
        options: with ``files``, ``values`` and ``rules``.
        program: ``mapper`` or ``model``: whether v0.4 constraints are constraints or the mapping itself.
    """
    files = expand(options.files)
    document = load_flat(files, program=program, jinja_data=parse_values(options.values, "--set"))
    spec = read_spec(document, options=model_options(options.rules))
    return document, spec


def print_notices(spec: Spec) -> None:
    """What the user should know about the input, on stderr."""
    for notice in spec.notices:
        print(f"notice: {notice}", file=sys.stderr)


def parse_values(values: Sequence[str], flag: str) -> dict[str, str]:
    """``NAME=VALUE`` arguments as a map; ``UsageError`` if one has no ``=``."""
    parsed: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{flag} {text!r}: expected NAME=VALUE")
        parsed[name] = value
    return parsed

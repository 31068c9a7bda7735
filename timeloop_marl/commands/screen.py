"""Where the commands print: tables as wide as they need when the output is not a terminal."""

from __future__ import annotations

import sys

from rich.console import Console

_WIDE = 160  # columns for files and pipes: nothing is cut


def console() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, soft_wrap=False)

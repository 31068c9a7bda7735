"""Where the commands print: tables as wide as they need when the output is not a terminal."""

from __future__ import annotations

import re
import sys

from rich.console import Console, RenderableType

_WIDE = 160  # columns for files and pipes: nothing is cut
_TRAILING = re.compile(r" +$", re.MULTILINE)


class Screen:
    """Standard output. Names out of files are printed as they are: no markup, no emoji, no guessed colours."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        width = None if self._terminal else _WIDE
        self._console = Console(width=width, markup=False, emoji=False, highlight=False)

    def print(self, *items: RenderableType) -> None:
        """One item below the other; for files and pipes text is not folded and lines do not end in blanks."""
        with self._console.capture() as captured:
            for item in items or ("",):
                self._console.print(item, soft_wrap=isinstance(item, str) and not self._terminal)
        text = captured.get()
        # Written here, not by rich, which has its own mind about broken pipes.
        sys.stdout.write(text if self._terminal else _TRAILING.sub("", text))


def console() -> Screen:
    """Standard output as it is now."""
    return Screen()

"""Standard streams that are closed, full, broken or not UTF-8: output never ends in a traceback."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TextIO

_ERRORS = "timeloop-marl.plain"
# What our own texts contain beyond ASCII, in letters that any terminal has.
_PLAIN = str.maketrans(
    {
        "µ": "u",
        "·": "*",
        "×": "x",
        "…": "...",
        "█": "#",
        "━": "-",
        "╸": "-",
        "╺": "-",
        **dict.fromkeys("▏▎▍▌▋▊▉▐▕", "#"),
        "–": "-",
        "≥": ">=",
    }
)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Codec error handler: near look-alikes, the original bytes of odd file names, else ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    made = bytearray()
    for letter in error.object[error.start : error.end]:
        if "\udc80" <= letter <= "\udcff":
            made.append(ord(letter) - 0xDC00)
        else:
            made += letter.translate(_PLAIN).encode("ascii", "replace")
    return bytes(made), error.end


def prepare() -> None:
    """Let every text be printed on whatever the standard streams are; a closed one swallows what it is given."""
    codecs.register_error(_ERRORS, _plain)
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def drop_output() -> None:
    """Send what is still in the buffer of standard output nowhere, so that Python does not complain at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

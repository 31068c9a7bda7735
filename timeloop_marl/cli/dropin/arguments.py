"""The command lines of timeloop-model and timeloop-mapper (formats introduction)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError


class ProgramError(Exception):
    """An error of the real program: its own text, without a line end, on stderr, and exit code 1."""


@dataclass(frozen=True)
class Arguments:
    """Input files as written, and the folder that the output files go to."""

    files: tuple[str, ...]
    output: Path


def parse_arguments(argv: Sequence[str], cwd: Path) -> Arguments:
    """Split the words of the command line: ``-o DIR`` may stand anywhere, everything else is a file.

    Raises:
        ProgramError: ``-o`` without a folder that exists, a file that is no .yaml, .yml or .cfg.
        UsageError: no file at all (the real program aborts).
    """
    files: list[str] = []
    output = cwd
    words = iter(argv)
    for word in words:
        if word == "-o":
            folder = next(words, None)
            if folder is None or not (cwd / folder).is_dir():
                raise ProgramError("ERROR: error parsing command line.")
            output = cwd / folder
        else:
            files.append(word)
    if not files:
        raise UsageError("no input file: give the architecture, problem, ... as YAML files")
    for name in files:
        if not name.endswith((".cfg", ".yml", ".yaml")):
            raise ProgramError(f"ERROR: input file {name} is neither .yaml, .yml nor .cfg")
    return Arguments(tuple(files), output)

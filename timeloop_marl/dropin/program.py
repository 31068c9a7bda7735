"""What both drop-ins share: their streams, how errors become exit codes, and reading the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ..errors import TimeloopMarlError
from ..report.numbers import OutputStyle
from ..specs.document import Document
from ..specs.flatten import flatten, is_nodes_form
from ..specs.loading import IGNORED_INPUT, load_document
from .arguments import Arguments, ProgramError, parse_arguments
from .screen import input_lines


@dataclass
class Program:
    """One run of a drop-in: where it reads, prints and writes."""

    arguments: Arguments
    environ: Mapping[str, str]
    stdout: TextIO
    stderr: TextIO
    cwd: Path
    style: OutputStyle = field(init=False)

    def __post_init__(self) -> None:
        self.style = OutputStyle.from_environment(self.environ)

    def notice(self, text: str) -> None:
        """Say on stderr where this program knowingly differs from the real one, or what it ignores like that one."""
        self.stderr.write(f"timeloop-marl: notice: {text}\n")

    def notices(self, texts: Iterable[str]) -> None:
        """Several notices, each on one line."""
        for text in texts:
            self.notice(" ".join(text.split()))

    def write(self, name: str, text: str) -> None:
        """Write one output file."""
        (self.arguments.output / name).write_text(text, encoding="utf-8", newline="\n")

    def read_document(self, program: str) -> Document:
        """All input files as one document in the flat form that ``program`` (model or mapper) reads.

        Prints the ``input file`` lines.
        """
        self.stdout.write(input_lines(self.arguments.files))
        present = [name for name in self.arguments.files if (self.cwd / name).is_file()]
        for name in self.arguments.files:
            if name not in present:
                self.notice(f"{name} does not exist; ignored, as Timeloop does")
        # paths stay as written where possible: error messages show them
        relative = self.cwd.resolve() == Path.cwd()
        paths = [Path(name) if relative or name == IGNORED_INPUT else self.cwd / name for name in present]
        document = load_document(paths, style="timeloop")
        if not is_nodes_form(document):
            return document
        self.notice(
            "the architecture has the v0.4 form (nodes), which the real program refuses; "
            "taken through the front end"
        )
        return flatten(load_document(paths, style="frontend"), program=program)


def run_program(
    body: Callable[[Program], int],
    argv: Sequence[str],
    environ: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
    cwd: Path,
) -> int:
    """Parse the arguments and run ``body``.

    Returns:
        What ``body`` returns; 1 after an error of the real program (its text on stderr); 2 after one of ours.
    """
    try:
        return body(Program(parse_arguments(argv, cwd), environ, stdout, stderr, cwd))
    except BrokenPipeError:
        raise  # not an error: the reader has gone
    except OSError as error:
        stderr.write(f"timeloop-marl: {error.filename or 'output'}: {error.strerror or error}\n")
        return 2
    except ProgramError as error:
        stderr.write(f"{error}\n")
        return 1
    except TimeloopMarlError as error:
        stderr.write(f"timeloop-marl: {error}\n")
        return error.exit_code

"""What both drop-ins share: arguments, streams, how errors become exit codes, and reading the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ...errors import SpecError, TimeloopMarlError, UsageError
from ...report.numbers import OutputStyle
from ...specs.constraints import LoopConstraint
from ...specs.document import Document
from ...specs.flatten import flatten, is_nodes_form
from ...specs.loading import IGNORED_INPUT, load_document
from ...specs.mapping import Mapping, TilingLoops
from ...specs.reading import read_spec
from ...specs.spec import ModelOptions, Spec
from .screen import input_lines


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


@dataclass
class Program:
    """One run of a drop-in: where it reads, prints and writes."""

    arguments: Arguments
    environ: Map[str, str]
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

    def say_adjustments(self, spec: Spec) -> None:
        """The lines about word bits of formats that do not divide an access."""
        if spec.sparsity is not None:
            names = [level.name for level in spec.architecture.storage]
            self.stdout.writelines(f"{line}\n" for line in spec.sparsity.adjustments(names))

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
    environ: Map[str, str],
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


_KEY_NOT_FOUND = "key not found: "


def read_input(document: Document, options: ModelOptions, *, mapper: bool) -> Spec:
    """The ``Spec`` of a document, read as leniently as the real programs do.

    Args:
        document: the input in its flat form.
        options: choices of the cost model.
        mapper: read the mapspace constraints too, which timeloop-model does not.

    Raises:
        ProgramError: what the real program reports with a text of its own.
        SpecError: anything else wrong in the input.
    """
    try:
        return read_spec(document, options=options, strict=False, mapspace_constraints=mapper)
    except SpecError as error:
        if error.problem.startswith(_KEY_NOT_FOUND):
            raise ProgramError(f"ERROR: {error.problem}, at line: 0") from error
        raise


def violates_constraints(mapping: Mapping, spec: Spec) -> bool:
    """Whether fixed or largest factors, a permutation prefix or a split do not match.

    Smallest factors, keep and bypass and the minimum parallelism are not looked at, as in the real program.
    """
    for tiling, loops in zip(spec.architecture.tiling_levels, mapping.loops, strict=True):
        constraint = spec.constraints.loops.get(tiling)
        if constraint is not None and _violates(loops, constraint, tiling.spatial):
            return True
    return False


def _violates(loops: TilingLoops, constraint: LoopConstraint, spatial: bool) -> bool:
    if any(loops.factors[dim] != factor for dim, factor in constraint.fixed.items()):
        return True
    if any(loops.factors[dim] > limit for dim, limit in constraint.maximum.items()):
        return True
    prefix = constraint.prefix or ()
    # the real program looks at the nest, where unit loops are gone, and appends the unit dims in declaration order
    order = [dim for dim in loops.order if loops.factors[dim] > 1]
    order += [dim for dim, factor in enumerate(loops.factors) if factor == 1]
    if any(wanted != found for wanted, found in zip(prefix, order, strict=False)):
        return True
    return spatial and constraint.split is not None and constraint.split != loops.split

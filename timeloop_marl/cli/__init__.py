"""The command line: arguments to calls; no logic. Heavy modules are imported by the commands, not here."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TextIO

from ..errors import TimeloopMarlError
from ..parallel import interruption
from . import arguments

DROP_INS = ("model", "mapper")
_MODULES = {
    "sweep": "network", "convert": "network", "verify": "evaluate", "cluster": "info", "searchers": "info",
    "examples": "info", "warmup": "info", "report": "runs",
}  # fmt: skip
"""Where a command is that has no module of its own name."""


ALLOWED = "TIMELOOP_MARL_ALLOW_PATH"  # as specs.loading reads it; importing that takes too long for --help
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


def prepare_streams() -> None:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 1 no valid mapping or differing rows, 2 wrong input or nowhere to write, 130 interrupted
        by Ctrl-C, 143 by SIGTERM, 141 nobody reads the output any more.
    """
    prepare_streams()
    try:
        with interruption.terminable():
            code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be answered
    except TimeloopMarlError as error:
        print(f"timeloop-marl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("timeloop-marl: interrupted", file=sys.stderr)
        return interruption.exit_status()
    except BrokenPipeError:
        drop_output()  # the reader of our output has gone (`| head`): end quietly
        return 141
    except OSError as error:
        drop_output()
        print(
            f"timeloop-marl: {error.filename or 'standard output'}: {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    return code


def program() -> int:
    """``main`` as a process of its own: once its work is done and said, Ctrl-C no longer disturbs how Python ends."""
    code = main()
    interruption.leave()
    return code


def _run(given: list[str]) -> int:
    if given and given[0] in DROP_INS:
        return _drop_in(given[0], given[1:])
    options = _parser().parse_args(given)
    if getattr(options, "allow_path", None):  # workers have to know it, too
        os.environ[ALLOWED] = os.pathsep.join(str(Path(folder).absolute()) for folder in options.allow_path)
    module = import_module(f".{_MODULES.get(options.command, options.command)}", __name__)
    return int(getattr(module, f"{options.command}_command")(options))


def _drop_in(name: str, given: Sequence[str]) -> int:
    from . import dropin

    program = dropin.run_model if name == "model" else dropin.run_mapper
    return program(given, environ=os.environ, stdout=sys.stdout, stderr=sys.stderr, cwd=Path.cwd())


class _Parser(argparse.ArgumentParser):
    """Says in two lines what is wrong with an argument: what and where, and how to see all of them."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\nall arguments: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="timeloop-marl",
        description="Find good mappings for Timeloop/Accelergy designs.",
        epilog="'timeloop-marl COMMAND --help' explains a command. "
        "'model' and 'mapper' take exactly the arguments of timeloop-model and timeloop-mapper.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in arguments.COMMANDS.values():
        add(commands)
    commands.add_parser(
        "model", help="drop-in for timeloop-model: same arguments, same files", add_help=False
    )
    commands.add_parser(
        "mapper", help="drop-in for timeloop-mapper: same arguments, same files", add_help=False
    )
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: the metadata lookup is not free."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"timeloop-marl {version('timeloop-marl')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())

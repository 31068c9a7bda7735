"""The command line: arguments to calls; no logic. Heavy modules are imported by the commands, not here."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import streams
from .errors import TimeloopMarlError

DROP_INS = ("model", "mapper")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 1 no valid mapping or differing rows, 2 wrong input or nowhere to write, 130 interrupted,
        141 nobody reads the output any more.
    """
    streams.prepare()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be answered
    except TimeloopMarlError as error:
        print(f"timeloop-marl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("timeloop-marl: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        streams.drop_output()  # the reader of our output has gone (`| head`): end quietly
        return 141
    except OSError as error:
        streams.drop_output()
        print(
            f"timeloop-marl: {error.filename or 'standard output'}: {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    return code


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in DROP_INS:
        return _drop_in(arguments[0], arguments[1:])
    options = _parser().parse_args(arguments)
    from . import commands

    return commands.run(options)


def _drop_in(name: str, arguments: Sequence[str]) -> int:
    from . import dropin

    program = dropin.run_model if name == "model" else dropin.run_mapper
    return program(arguments, environ=os.environ, stdout=sys.stdout, stderr=sys.stderr, cwd=Path.cwd())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="timeloop-marl",
        description="Find good mappings for Timeloop/Accelergy designs.",
        epilog="'timeloop-marl COMMAND --help' explains a command. "
        "'model' and 'mapper' take exactly the arguments of timeloop-model and timeloop-mapper.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_search(commands)
    _add_evaluate(commands)
    _add_info(commands)
    _add_verify(commands)
    _add_compare(commands)
    commands.add_parser("searchers", help="list the searchers and their options")
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


def _add_files(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "files",
        nargs="*" if optional else "+",
        metavar="FILES",
        help="architecture, problem, tables, constraints, mapper: any order; a folder stands for its YAML files",
    )
    parser.add_argument(
        "--set",
        dest="values",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value for a Jinja2 variable of the input files (may be repeated)",
    )
    parser.add_argument(
        "--rules",
        choices=("2025", "2022"),
        default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )


def _add_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "search", help="search for the best mapping", description="Search for the best mapping."
    )
    _add_files(parser, optional=True)
    parser.add_argument(
        "-o",
        "--output",
        default="timeloop-marl-out",
        type=_name,
        metavar="DIR",
        help="output folder (%(default)s)",
    )
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]", help="edp (default), energy, delay, … or a list by priority"
    )
    parser.add_argument("--searcher", metavar="NAME", help="see 'timeloop-marl searchers'")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of the searcher"
    )
    parser.add_argument(
        "--samples", type=_count, metavar="N", help="evaluate at most N mappings, valid or not (default 2000)"
    )
    parser.add_argument("--valid-samples", type=_count, metavar="N", help="stop after N valid mappings")
    parser.add_argument("--seconds", type=_positive, metavar="S", help="stop after S seconds")
    parser.add_argument(
        "--target",
        type=_positive,
        metavar="COST",
        help="stop when the objective is COST or lower (edp: pJ*cycles, energy: pJ, delay: cycles)",
    )
    parser.add_argument(
        "--stagnation", type=_count, metavar="N", help="stop after N samples without improvement"
    )
    parser.add_argument("--seed", type=_seed, metavar="S", help="seed of the searcher (default 1)")
    parser.add_argument(
        "--threads", type=_count, default=1, metavar="N", help="threads that evaluate (same result)"
    )
    parser.add_argument("--top", type=_count, default=1, metavar="K", help="write the K best mappings")
    parser.add_argument(
        "--evaluator",
        choices=("native", "timeloop"),
        help="native model (default) or the real timeloop-model",
    )
    parser.add_argument(
        "--verify",
        type=_count,
        metavar="K",
        help="evaluate the K best mappings with the real timeloop-model, too, and report every differing figure",
    )
    _add_program(parser)
    parser.add_argument(
        "--cache",
        metavar="FILE",
        help="mappings that timeloop-model has evaluated, shared by all runs; 'none' = no such file "
        "(default: in the user's cache folder, or TIMELOOP_MARL_CACHE)",
    )
    parser.add_argument(
        "--pareto", action="store_true", help="all mappings that no other beats in every figure, not one best"
    )
    parser.add_argument(
        "--figures", metavar="A,B[,C]", help="of --pareto: cycles,energy (default), and buffer: on-chip words"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in -o DIR; FILES may be left out"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def _add_program(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="calls of timeloop-model at the same time (same result; -1 = all)",
    )
    parser.add_argument(
        "--timeloop-model", metavar="PROGRAM", help="the program, if it is not timeloop-model on the path"
    )
    parser.add_argument(
        "--call-seconds", type=_positive, metavar="S", help="time limit of one call of it (default 60)"
    )
    parser.add_argument(
        "--on-crash", choices=("stop", "skip"), help="stop (default) or count the sample as failed and go on"
    )


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="compare the native model with the installed timeloop-model on random mappings",
        description="Draw random mappings of the mapspace of FILES, evaluate them with the native model and with the "
        "installed timeloop-model, and compare every figure. Exit 1 if any differs.",
    )
    _add_files(parser)
    parser.add_argument(
        "--samples", type=_count, default=100, metavar="N", help="mappings to draw (%(default)s)"
    )
    parser.add_argument("--seed", type=_seed, default=1, metavar="S", help="seed of the draw (%(default)s)")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for verify.json")
    _add_program(parser)


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compare",
        help="our search against Timeloop's five mappers on the same files",
        description="Search FILES with our searchers and with Timeloop's mappers, at the same number of samples and in "
        "the same time; table, plots, winning loop nests side by side.",
    )
    _add_files(parser)
    parser.add_argument(
        "-o", "--output", default="timeloop-marl-compare", metavar="DIR", help="output folder (%(default)s)"
    )
    parser.add_argument(
        "--searchers", metavar="NAME[,NAME…]", help="ours: see 'timeloop-marl searchers' (default: marl)"
    )
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]", help="edp (default), energy, delay, … or a list by priority"
    )
    parser.add_argument(
        "--samples", type=_count, metavar="N", help="samples each, valid or not (default 2000)"
    )
    parser.add_argument("--seconds", type=_positive, metavar="S", help="wall clock each (default 10)")
    parser.add_argument("--seeds", type=_count, default=5, metavar="K", help="runs of ours (%(default)s)")
    parser.add_argument(
        "--timeloop-mapper", metavar="PROGRAM", help="the program, if it is not timeloop-mapper on the path"
    )
    _add_program(parser)


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="evaluate one mapping, or many recorded rows",
        description="Evaluate the mapping given in FILES (or by --mapping), or every row of --rows.",
    )
    _add_files(parser, optional=True)
    parser.add_argument(
        "--mapping", metavar="FILE", help="map.yaml or map.txt; default: the 'mapping' key of FILES"
    )
    parser.add_argument(
        "--rows", metavar="FILE.jsonl[.gz]", help="recorded rows: compute, and compare with what they expect"
    )
    parser.add_argument("--inputs", metavar="DIR", help="folder with arch/ and problems/ that the rows name")
    parser.add_argument(
        "-o",
        "--output",
        type=_name,
        metavar="OUT",
        help="folder for the statistics; with --rows: file for the rows",
    )


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "info", help="what was understood: levels, constraints, mapspace, difficulty"
    )
    _add_files(parser)


def _integer(text: str) -> int:
    """Also ``20_000`` and ``1e5``."""
    try:
        value = float(text)
        if value.is_integer():
            return int(value) if abs(value) < 2**53 else int(text)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}")


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing ('.' is the current folder)")
    return text


def _count(text: str) -> int:
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _seed(text: str) -> int:
    value = _integer(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError("must be between 0 and 2^63 - 1")
    return value


if __name__ == "__main__":
    sys.exit(main())

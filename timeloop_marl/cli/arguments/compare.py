"""Arguments of ``timeloop-marl compare``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_device, add_files, add_program


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="our search against Timeloop's five mappers on the same files",
        description="Search FILES with our searchers and with Timeloop's mappers, at the same number of samples and in "
        "the same time; table, plots, winning loop nests side by side.",
    )
    add_files(parser)
    parser.add_argument(
        "-o", "--output", default="timeloop-marl-compare", metavar="DIR", help="output folder (%(default)s)"
    )
    parser.add_argument(
        "--searchers",
        "--searcher",
        metavar="NAME[,NAME…]",
        help="ours: see 'timeloop-marl searchers' (default: marl)",
    )
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]", help="edp (default), energy, delay, … or a list by priority"
    )
    parser.add_argument(
        "--samples", type=kinds.count, metavar="N", help="samples each, valid or not (default 2000)"
    )
    parser.add_argument("--seconds", type=kinds.positive, metavar="S", help="wall clock each (default 10)")
    parser.add_argument(
        "--seeds", type=kinds.count, default=5, metavar="K", help="runs of ours (%(default)s)"
    )
    parser.add_argument(
        "--timeloop-mapper", metavar="PROGRAM", help="the program, if it is not timeloop-mapper on the path"
    )
    add_device(parser)
    add_program(parser)

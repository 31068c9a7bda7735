"""Arguments of ``timeloop-marl info``."""

from __future__ import annotations

import argparse

from .shared import add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "info", help="what was understood: levels, constraints, mapspace, difficulty"
    )
    add_files(parser)
    parser.add_argument(
        "--flattening",
        action="store_true",
        help="compare how these v0.4 files are flattened with what the installed front end of Timeloop makes of them, "
        "and print every difference; status 1 if there is any",
    )

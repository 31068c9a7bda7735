"""Arguments of ``timeloop-marl evaluate``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_call, add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="evaluate one mapping, or many recorded rows",
        description="Evaluate the mapping given in FILES (or by --mapping), or every row of --rows.",
    )
    add_files(parser, optional=True)
    parser.add_argument(
        "--mapping", metavar="FILE", help="map.yaml or map.txt; default: the 'mapping' key of FILES"
    )
    parser.add_argument(
        "--evaluator",
        choices=("native", "timeloop"),
        help="native model (default), or the real timeloop-model, which also evaluates what only it covers",
    )
    add_call(parser)
    parser.add_argument(
        "--rows", metavar="FILE.jsonl[.gz]", help="recorded rows: compute, and compare with what they expect"
    )
    parser.add_argument("--inputs", metavar="DIR", help="folder with arch/ and problems/ that the rows name")
    parser.add_argument(
        "-o",
        "--output",
        type=kinds.name,
        metavar="OUT",
        help="folder for the statistics; with --rows: file for the rows",
    )

"""Arguments of ``timeloop-marl report``."""

from __future__ import annotations

import argparse

from . import kinds


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="an HTML page of a finished run, network, sweep or comparison",
        description="Write an HTML page, one file that needs no network, of what is in the output folder of search, "
        "network, sweep or compare. Those commands write it, too; this one writes it anew.",
    )
    parser.add_argument(
        "folders", nargs="+", type=kinds.name, metavar="DIR", help="output folder of a command"
    )
    parser.add_argument(
        "-o", "--output", type=kinds.name, metavar="FILE", help="the page (default: DIR/report.html)"
    )
    parser.add_argument(
        "--pictures", type=kinds.name, metavar="DIR", help="also write every picture as SVG and PNG into DIR"
    )

"""Arguments of ``timeloop-marl runs``."""

from __future__ import annotations

import argparse

SORTS = ("folder", "when", "best", "edp", "samples", "state", "kind", "searcher")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "runs",
        help="list run folders: what, by whom, how far, how good; or what differs between some",
        description="List the runs in and below the folders, or compare some of them value by value.",
    )
    parser.add_argument(
        "folders", nargs="*", metavar="DIR", help="where to look (default: the current folder)"
    )
    parser.add_argument("--sort", choices=SORTS, default="folder", help="order of the lines (%(default)s)")
    parser.add_argument(
        "--all", action="store_true", help="also the layers of networks and the points of sweeps"
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="DIR",
        help="what differs between these runs: settings, input, results",
    )
    parser.add_argument("--json", action="store_true", help="for programs")

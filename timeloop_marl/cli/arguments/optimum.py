"""Arguments of ``timeloop-marl optimum``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_device, add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "optimum",
        help="find the optimum of the mapspace and prove it, or say how much is still open",
        description="Go through the whole mapspace of FILES by branch and bound. The result is called optimal only "
        "when that is proven; until then the best mapping, the bound and the gap between them are known at any time.",
    )
    add_files(parser, optional=True)
    parser.add_argument(
        "-o",
        "--output",
        default="timeloop-marl-optimum",
        type=kinds.name,
        metavar="DIR",
        help="output folder (%(default)s)",
    )
    parser.add_argument(
        "--objective", metavar="NAME", help="edp (default), energy, delay, last_level_accesses, accesses-K"
    )
    parser.add_argument("--seconds", type=kinds.positive, metavar="S", help="stop after S seconds")
    parser.add_argument(
        "--gap", type=kinds.positive, metavar="PCT", help="stop when at most PCT %% of the cost are open"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="threads (same result; -1 = one per processor)"
    )
    parser.add_argument(
        "--searcher", metavar="NAME", help="searcher that finds the first mapping (default: genetic)"
    )
    parser.add_argument(
        "--samples", type=kinds.count, metavar="N", help="samples of that search (default: 4000)"
    )
    parser.add_argument("--seed", type=kinds.seed, metavar="S", help="seed of that search (default: 1)")
    add_device(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the proof in -o DIR; FILES may be left out"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")

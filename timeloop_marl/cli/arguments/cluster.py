"""Arguments of ``timeloop-marl cluster``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "cluster", help="which choices of a mapping belong together: matrix, tree, the agents' groups"
    )
    add_files(parser)
    parser.add_argument(
        "--signal",
        choices=("interaction", "pearson", "spearman", "mutual"),
        default="interaction",
        help="interaction in log cost (default), or correlation or mutual information of the values",
    )
    parser.add_argument(
        "--samples",
        type=kinds.count,
        default=1000,
        metavar="N",
        help="random feasible mappings (default 1000)",
    )
    parser.add_argument(
        "--agents", type=kinds.count, metavar="N", help="number of groups (default: chosen by silhouette)"
    )
    parser.add_argument(
        "--objective", metavar="METRIC[,...]", default="edp", help="of the interaction (default edp)"
    )
    parser.add_argument("--seed", type=kinds.seed, default=1, metavar="N", help="of the samples (default 1)")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder for cluster.json and cluster.png (default: none is written)",
    )

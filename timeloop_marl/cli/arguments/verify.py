"""Arguments of ``timeloop-marl verify``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_files, add_program


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="compare the native model with the installed timeloop-model on random mappings",
        description="Draw random mappings of the mapspace of FILES, evaluate them with the native model and with the "
        "installed timeloop-model, and compare every figure. Exit 1 if any differs.",
    )
    add_files(parser)
    parser.add_argument(
        "--samples", type=kinds.count, default=100, metavar="N", help="mappings to draw (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=kinds.seed, default=1, metavar="S", help="seed of the draw (%(default)s)"
    )
    parser.add_argument(
        "--draw",
        choices=("feasible", "any", "unconstrained", "imperfect", "mixed"),
        default="mixed",
        help="feasible: of the mapspace, drawn to be valid; any: of Timeloop's whole mapspace, most of them invalid; "
        "unconstrained: any bypass, order and factor; imperfect: with factors that do not divide; mixed: some of each "
        "(%(default)s)",
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for verify.json")
    add_program(parser)

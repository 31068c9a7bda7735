"""Arguments of ``timeloop-marl search``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_device, add_files, add_knowledge, add_program, add_tensorboard


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "search", help="search for the best mapping", description="Search for the best mapping."
    )
    add_files(parser, optional=True)
    parser.add_argument(
        "-o",
        "--output",
        default="timeloop-marl-out",
        type=kinds.name,
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
        "--samples",
        type=kinds.count,
        metavar="N",
        help="evaluate at most N mappings, valid or not (default 2000)",
    )
    parser.add_argument("--valid-samples", type=kinds.count, metavar="N", help="stop after N valid mappings")
    parser.add_argument("--seconds", type=kinds.positive, metavar="S", help="stop after S seconds")
    parser.add_argument(
        "--target",
        type=kinds.positive,
        metavar="COST",
        help="stop when the objective is COST or lower (edp: pJ*cycles, energy: pJ, delay: cycles)",
    )
    parser.add_argument(
        "--stagnation", type=kinds.count, metavar="N", help="stop after N samples without improvement"
    )
    parser.add_argument("--seed", type=kinds.seed, metavar="S", help="seed of the searcher (default 1)")
    parser.add_argument(
        "--threads", type=kinds.count, default=1, metavar="N", help="threads that evaluate (same result)"
    )
    parser.add_argument("--top", type=kinds.count, default=1, metavar="K", help="write the K best mappings")
    parser.add_argument(
        "--evaluator",
        choices=("native", "timeloop"),
        help="native model (default) or the real timeloop-model",
    )
    add_device(parser)
    parser.add_argument(
        "--verify",
        type=kinds.count,
        metavar="K",
        help="evaluate the K best mappings with the real timeloop-model, too, and report every differing figure",
    )
    add_program(parser)
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
    add_knowledge(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in -o DIR; FILES may be left out"
    )
    add_tensorboard(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")

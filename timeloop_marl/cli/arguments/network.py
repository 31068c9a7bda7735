"""Arguments of ``timeloop-marl network``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_device, add_engine, add_knowledge, add_set, add_tensorboard


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "network",
        help="search for the mappings of all layers of a network",
        description="Map all layers of a network onto one machine. Equal layers are searched once and weighted by how "
        "often they occur; the sample budget is that of the whole network and goes where it still pays.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="ARCH… PROBLEMS…",
        help="machine and layers: files, folders, patterns, lists of layers (network.yaml), in any order",
    )
    _add_inputs(parser)
    _add_search(parser)
    add_engine(parser, "layers")
    add_device(parser)
    add_knowledge(parser)
    parser.add_argument(
        "--no-transfer", dest="transfer", action="store_false", help="every layer begins with nothing"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in -o DIR; FILES may be left out"
    )
    add_tensorboard(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", default="timeloop-marl-network", type=kinds.name, metavar="DIR",
        help="output folder (%(default)s)",
    )  # fmt: skip
    add_set(parser)
    parser.add_argument(
        "--rules", choices=("2025", "2022"), default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )  # fmt: skip


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]",
        help="of the network as a whole: edp (default; sum of energies x sum of delays), energy, delay, …",
    )  # fmt: skip
    parser.add_argument("--searcher", metavar="NAME", help="see 'timeloop-marl searchers'")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of the searcher"
    )
    parser.add_argument(
        "--samples", type=kinds.count, metavar="N",
        help="evaluate at most N mappings of all layers together (default 500 per distinct layer)",
    )  # fmt: skip
    parser.add_argument("--seconds", type=kinds.positive, metavar="S", help="stop after S seconds")
    parser.add_argument("--seed", type=kinds.seed, metavar="S", help="seed of the searchers (default 1)")

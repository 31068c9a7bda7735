"""Arguments of ``timeloop-marl sweep``."""

from __future__ import annotations

import argparse

from . import kinds
from .shared import add_device, add_engine, add_set


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "sweep",
        help="a layer or a network on several machines, or on one with many settings",
        description="Search the mappings of a layer or a network on every machine and with every value of --set, and "
        "compare area, latency and energy.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="ARCH… PROBLEMS…",
        help="machines and layers: files, folders, patterns, lists of layers (network.yaml), in any order",
    )
    parser.add_argument(
        "-o", "--output", default="timeloop-marl-sweep", type=kinds.name, metavar="DIR",
        help="output folder (%(default)s)",
    )  # fmt: skip
    add_set(
        parser,
        "; several values with commas between them are a machine each, several lists every combination",
    )
    parser.add_argument(
        "--paired", action="store_true", help="take the lists of --set side by side, not every combination"
    )
    parser.add_argument(
        "--rules", choices=("2025", "2022"), default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )  # fmt: skip
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]", help="of each machine's search: edp (default), …"
    )
    parser.add_argument("--searcher", metavar="NAME", help="see 'timeloop-marl searchers'")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of the searcher"
    )
    parser.add_argument(
        "--samples", type=kinds.count, metavar="N",
        help="evaluate at most N mappings for each machine, all layers together (default 500 per distinct layer)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=kinds.positive, metavar="S", help="stop each machine after S seconds"
    )
    parser.add_argument("--seed", type=kinds.seed, metavar="S", help="seed of the searchers (default 1)")
    parser.add_argument(
        "--knowledge",
        metavar="FILE",
        help="begin every machine with what other searches have learnt (searcher marl)",
    )
    parser.add_argument(
        "--no-transfer", dest="transfer", action="store_false", help="every layer begins with nothing"
    )
    parser.add_argument(
        "--alone", dest="share", action="store_false", help="machines learn nothing from each other"
    )
    add_engine(parser, "machines (with few of them, layers)")
    add_device(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the sweep in -o DIR; FILES may be left out"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")

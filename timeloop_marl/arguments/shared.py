"""Arguments that several commands have."""

from __future__ import annotations

import argparse

from . import kinds


def add_files(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILES and how they are read."""
    parser.add_argument(
        "files",
        nargs="*" if optional else "+",
        metavar="FILES",
        help="architecture, problem, tables, constraints, mapper: any order; a folder stands for its YAML files",
    )
    parser.add_argument(
        "--set",
        dest="values",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value for a Jinja2 variable of the input files (may be repeated)",
    )
    parser.add_argument(
        "--rules",
        choices=("2025", "2022"),
        default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )


def add_program(parser: argparse.ArgumentParser) -> None:
    """How the real timeloop-model is called."""
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="calls of timeloop-model at the same time (same result; -1 = all)",
    )
    parser.add_argument(
        "--timeloop-model", metavar="PROGRAM", help="the program, if it is not timeloop-model on the path"
    )
    parser.add_argument(
        "--call-seconds", type=kinds.positive, metavar="S", help="time limit of one call of it (default 60)"
    )
    parser.add_argument(
        "--on-crash", choices=("stop", "skip"), help="stop (default) or count the sample as failed and go on"
    )

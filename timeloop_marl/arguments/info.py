"""Arguments of ``timeloop-marl info``."""

from __future__ import annotations

import argparse

from .shared import add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "info", help="what was understood: levels, constraints, mapspace, difficulty"
    )
    add_files(parser)

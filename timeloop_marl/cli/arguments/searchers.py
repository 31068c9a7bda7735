"""Arguments of ``timeloop-marl searchers``."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    commands.add_parser("searchers", help="list the searchers and their options")

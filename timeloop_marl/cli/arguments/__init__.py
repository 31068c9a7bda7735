"""The arguments of the commands: one light module each, with ``add(commands)``; what it does is in ``commands``."""

from __future__ import annotations

import argparse
from importlib import import_module

COMMANDS = (
    "search", "optimum", "network", "convert", "sweep", "runs", "evaluate", "info", "cluster", "verify", "compare",
    "report", "searchers",
)  # fmt: skip


def add_all(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add every command, in the order of the help."""
    for name in COMMANDS:
        import_module(f".{name}", __name__).add(commands)

"""``timeloop-marl searchers``: what can be chosen with --searcher and --option."""

from __future__ import annotations

import argparse

from rich.table import Table

from ..searchers.registry import SEARCHERS
from .screen import console


def run(options: argparse.Namespace) -> int:
    """Print the registry."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("searcher", "what it is", "options"):
        table.add_column(title)
    for entry in SEARCHERS.values():
        known = "\n".join(f"{name}={default}" for name, default in entry.options.items())
        table.add_row(entry.name, entry.description, known)
    console().print(table)
    return 0

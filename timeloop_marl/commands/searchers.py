"""``timeloop-marl searchers``: what can be chosen with --searcher and --option."""

from __future__ import annotations

import argparse

from rich.padding import Padding
from rich.table import Table

from ..searchers.registry import all_searchers
from .screen import console


def run(options: argparse.Namespace) -> int:
    """Print the registry; searchers with the same options share a line of them."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("searcher", "knows", "what it is"):
        table.add_column(title, overflow="fold")
    groups: dict[tuple[str, ...], list[str]] = {}
    for entry in all_searchers().values():
        table.add_row(entry.name, entry.knowledge, entry.description)
        known = tuple(f"{name}={default}" for name, default in entry.options.items())
        groups.setdefault(known, []).append(entry.name)
    screen = console()
    screen.print(table)
    screen.print(
        "\nknows: traffic = counts by itself the words that a mapping moves; none = only what it is told"
    )
    screen.print("\noptions and their defaults, for --option NAME=VALUE")
    for known, names in groups.items():
        screen.print(Padding(f"{', '.join(names)}: {' '.join(known) or 'none'}", (0, 0, 0, 2)))
    return 0

"""One module per command of the command line; each has ``run(options) -> exit code``."""

from __future__ import annotations

import argparse
from importlib import import_module


def run(options: argparse.Namespace) -> int:
    """Run the command that was parsed, importing only what it needs."""
    module = import_module(f".{options.command}", __name__)
    return int(module.run(options))

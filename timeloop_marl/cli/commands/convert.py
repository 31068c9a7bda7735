"""``timeloop-marl convert``: layer files from a model."""

from __future__ import annotations

import argparse
import sys

from ...converters.convert import convert_model, write_network
from ...errors import UsageError
from .inputs import parse_values


def run(options: argparse.Namespace) -> int:
    """Convert; 0 if that worked."""
    converted = convert_model(options.model, sizes(options.dim), options.name)
    for notice in converted.notices:
        print(f"notice: {notice}", file=sys.stderr)
    written = write_network(converted.network, options.output)
    network = converted.network
    print(
        f"{network.folder}: {len(network.layers)} layers, {len(written) - 1} distinct, {network.macs:,} computations; "
        f"files in {options.output}"
    )
    return 0


def sizes(given: list[str]) -> dict[str, int]:
    """``NAME=SIZE`` arguments as a map."""
    found = {}
    for name, text in parse_values(given, "--dim").items():
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"--dim {name}={text}: expected a whole number of at least 1")
        found[name] = int(text)
    return found

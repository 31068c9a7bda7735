"""What an argument's text may be: counts, positive numbers, seeds, names."""

from __future__ import annotations

import argparse


def name(text: str) -> str:
    """Any text but the empty one."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing ('.' is the current folder)")
    return text


def count(text: str) -> int:
    """A whole number of at least 1; also ``20_000`` and ``1e5``."""
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    value = _integer(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError("must be between 0 and 2^63 - 1")
    return value


def _integer(text: str) -> int:
    """Also ``20_000`` and ``1e5``."""
    try:
        value = float(text)
        if value.is_integer():
            return int(value) if abs(value) < 2**53 else int(text)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}")

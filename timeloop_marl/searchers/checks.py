"""Range checks of searchers' options."""

from __future__ import annotations

from ..errors import UsageError


def at_least(low: float, **options: float) -> None:
    """Raise ``UsageError`` for the first option below ``low``."""
    for name, value in options.items():
        if not value >= low:
            raise UsageError(f"option {name} must be at least {low:g}, got {value:g}")


def share(**options: float) -> None:
    """Raise ``UsageError`` for the first option outside 0 .. 1."""
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise UsageError(f"option {name} must be between 0 and 1, got {value:g}")

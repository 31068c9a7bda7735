"""Versions that results may depend on."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("timeloop-marl", "numpy", "numba")


def versions() -> dict[str, str]:
    """Of Python and the packages that costs are computed with."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found

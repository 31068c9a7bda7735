"""The ready inputs that come with the package: machines, networks, mappers, examples."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError

NAMES = ("arch", "problems", "mappers", "examples")
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_root() -> Path:
    """The folder that has them: in an installed package its own, in a checkout the root."""
    inside = _PACKAGE / "shipped"
    return inside if inside.is_dir() else _PACKAGE.parent


def located(path: str | Path) -> Path:
    """The path itself; or, where nothing is there, the input of that name that came with the package."""
    given = Path(path)
    if given.parts and given.parts[0] in NAMES and not given.exists() and (shipped_root() / given).exists():
        return shipped_root() / given
    return given


def copy_shipped(folder: str | Path) -> list[Path]:
    """Write all ready inputs into a folder; returns the folders written.

    Raises:
        UsageError: one of them is there already, or nothing can be written.
    """
    targets = [Path(folder) / name for name in NAMES]
    for target in targets:
        if target.exists():
            raise UsageError(f"{target}: is there already; choose another folder")
    try:
        for target in targets:
            shutil.copytree(
                shipped_root() / target.name,
                target,
                ignore=shutil.ignore_patterns("__pycache__", "out", ".*"),
            )
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot write: {error.strerror or error}") from error
    return targets


def contents(name: str) -> Sequence[str]:
    """What is in one of ``NAMES``, as the command line takes it."""
    root = shipped_root() / name
    found = [
        path for path in sorted(root.iterdir()) if path.is_dir() or path.suffix in (".py", ".ipynb", ".yaml")
    ]
    return [f"{name}/{path.name}" for path in found if not path.name.startswith(("__", "."))]

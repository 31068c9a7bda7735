"""Designs as functions take them: files, folders, or objects of Timeloop's Python front end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..specs.loading import IGNORED_INPUT
from ..specs.reading import load as load_files
from ..specs.reading import load_object
from ..specs.shipped import located
from ..specs.spec import ModelOptions, Spec

Source = str | Path | Sequence[str | Path] | Mapping[str, Any]
"""A design: files, or a ``Specification`` of timeloopfe, or a dict of its sections."""


def load(files: Source, *, values: Mapping[str, Any] | None = None, rules: str = "2025") -> Spec:
    """Read a design: files, or a ``Specification`` of Timeloop's Python front end.

    Args:
        files: architecture, problem, tables, constraints, mapper (v0.2 to v0.4, in any order; a folder stands for its
            YAML files); or a v4 or v3 ``Specification``, or a dict with the same sections.
        values: variables for Jinja2 templates, and values to set by their path.
        rules: ``2025`` or ``2022``: the Timeloop version to equal.

    Raises:
        SpecError: anything wrong in the design.
        UsageError: no such file, or an object that is no design.
    """
    if isinstance(files, Mapping):
        return load_object(files, jinja_data=values, options=model_options(rules))
    return load_files(expand(files), jinja_data=values, options=model_options(rules))


def model_options(rules: str) -> ModelOptions:
    """Choices of the cost model: the rule set, and Timeloop's own environment variables."""
    if rules not in ("2025", "2022"):
        raise UsageError(f"unknown rules {rules!r}: expected 2025 or 2022")
    return ModelOptions.from_environment(os.environ, rules)


def expand(files: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files themselves, and for a folder the YAML files directly in it, sorted by name.

    What is not there is looked up among the ready inputs of the package: ``arch/eyeriss_like``.
    """
    found: list[Path] = []
    for name in [files] if isinstance(files, (str, Path)) else files:
        path = located(name)
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix in (".yaml", ".yml") and file.name != IGNORED_INPUT and file.is_file()
            )
            if not inside:
                raise UsageError(f"{path}: no .yaml or .yml file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return found

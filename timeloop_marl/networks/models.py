"""Models among the arguments of a network: converted into a folder of layer files within the run's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..converters.convert import convert_model, is_model, write_network
from ..specs.layer_list import LIST_NAME

PROBLEMS = "problems"
"""Where the layer files of converted models are."""


def layer_folders(
    arguments: Sequence[str | Path], root: Path, on_notice: Callable[[str], None] | None
) -> list[str | Path]:
    """The arguments, every model replaced by its folder of layer files; what is there already is not converted again.

    Raises:
        UsageError: a model cannot be converted, or its converter is not installed.
    """
    found: list[str | Path] = []
    for number, argument in enumerate(arguments):
        if not is_model(argument):
            found.append(argument)
            continue
        folder = root / PROBLEMS / f"model{number}"
        if not (folder / LIST_NAME).exists():
            converted = convert_model(argument, {})
            write_network(converted.network, folder)
            if on_notice is not None:
                for notice in converted.notices:
                    on_notice(notice)
        found.append(folder)
    return found

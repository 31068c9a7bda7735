"""What differs between runs: inputs, settings, versions, results; value by value."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..run.folder import INPUTS, MANIFEST
from ..specs.document import format_path
from ..specs.loading import load_document
from .runs import RunEntry, read_entry

ABSENT = "-"
_RESULTS = (
    "state", "stopped", "samples", "valid", "best", "cycles", "energy_pj", "edp", "parts", "done", "evaluator",
)  # fmt: skip
_IDENTITY = ("files", "created", "changed", "folder")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same everywhere. ``values``: one for each run, ``-`` where it has none."""

    section: str
    path: str
    values: tuple[str, ...]


def differences(folders: Sequence[str | Path]) -> list[Difference]:
    """What differs between runs, in the sections ``results``, ``settings``, ``input`` and ``versions``.

    Raises:
        UsageError: fewer than two folders, or one that holds no run.
    """
    paths = [Path(folder) for folder in folders]
    if len(paths) < 2:
        raise UsageError("two runs at least are needed for a comparison")
    for path in paths:
        if not (path / MANIFEST).is_file():
            raise UsageError(f"{path}: there is no run here ({MANIFEST} is missing)")
    entries = [read_entry(path) for path in paths]
    sections: dict[str, list[dict[str, str]]] = {
        "results": [_results(entry) for entry in entries],
        "settings": [_settings(path) for path in paths],
        "input": [_inputs(path) for path in paths],
        "versions": [dict(entry.versions) for entry in entries],
    }
    return [difference for section, tables in sections.items() for difference in _differing(section, tables)]


def _differing(section: str, tables: Sequence[Mapping[str, str]]) -> Iterator[Difference]:
    for path in dict.fromkeys(key for table in tables for key in table):
        values = tuple(table.get(path, ABSENT) for table in tables)
        if len(set(values)) > 1:
            yield Difference(section, path, values)


def _settings(path: Path) -> dict[str, str]:
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path / MANIFEST}: not a readable run manifest: {error}") from None
    arguments = {"kind": manifest.get("kind", "search"), **manifest.get("arguments", {})}
    return dict(_flat(arguments, ()))


def _inputs(path: Path) -> dict[str, str]:
    """Every value of the inputs of a run.

    What all layers of a network (or all points of a sweep) have in common, such as their machine, comes once; the rest
    goes by their folders.
    """
    inside = {
        file.parent.relative_to(path).parts[1:]: dict(_flat(load_document([file], style="timeloop").data, ()))
        for file in sorted(path.rglob(INPUTS))
    }
    tables = list(inside.values())
    common = dict(tables[0]) if tables else {}
    for table in tables[1:]:
        common = {key: value for key, value in common.items() if table.get(key) == value}
    found = dict(common)
    for folder, table in inside.items():
        prefix = format_path(folder) + "." if folder else ""
        found.update({prefix + key: value for key, value in table.items() if key not in common})
    return found


def _results(entry: RunEntry) -> dict[str, str]:
    values = dataclasses.asdict(entry)
    return {name: _text(values[name]) for name in _RESULTS if values[name] not in (None, "")}


def _flat(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, key))
    elif (
        isinstance(value, (list, tuple))
        and value
        and any(isinstance(e, (Mapping, list, tuple)) for e in value)
    ):
        for index, inner in enumerate(value):
            yield from _flat(inner, (*path, _called(inner, index)))
    elif value not in (None, [], {}):
        yield format_path(path), _text(value)


def _called(element: Any, index: int) -> str | int:
    """Elements of lists go by their names, so that one that was added does not shift the others."""
    if isinstance(element, Mapping):
        for key in ("name", "target"):
            if isinstance(element.get(key), str):
                kind = element.get("type")
                return f"{element[key]}/{kind}" if isinstance(kind, str) else str(element[key])
    return index


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return " ".join(_text(entry) for entry in value) if isinstance(value, (list, tuple)) else str(value)

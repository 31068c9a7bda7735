"""Our v0.4 flattening against that of the installed front end of Timeloop: what both make of the same files."""

from __future__ import annotations

import dataclasses
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SpecError
from .specification import front_end
from .specs.document import Document, to_document
from .specs.energy_source import EnergyChoice
from .specs.reading import load_flat, read_spec
from .specs.safe_yaml import parse_yaml
from .specs.spec import Spec
from .specs.templates import read_text, uses_templates

# Where things stood, and what is said about them.
_PLACES = frozenset(
    {"files", "notices", "source", "bypass_sources", "parallelism_source", "warnings", "origin", "features", "options"}
)  # fmt: skip
_ABSENT = "(nothing)"
# What the front end writes out and the programs take without it, too.
_DEFAULTS: dict[str, object] = {"read_write": False, "band_width": 0, "workload_tensor_size": 0}
_UNORDERED = ("required_actions",)  # the front end writes these in an order of the moment


@dataclass(frozen=True)
class FlatDifference:
    """A value that the two flattenings give differently. ``path``: in the ``Spec`` that is read from either."""

    path: str
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{self.path}: ours {self.ours!r}, theirs {self.theirs!r}"


@dataclass(frozen=True)
class FlatteningCheck:
    """The comparison.

    Attributes:
        package: the front end.
        values: how many were compared.
        differences: in the order of the Spec.
        refused: its error where it takes the files for wrong, or ours where it writes what makes no sense.
    """

    package: str
    values: int
    differences: tuple[FlatDifference, ...]
    refused: str = ""

    @property
    def agree(self) -> bool:
        """Whether both read the files, and alike."""
        return not self.differences and not self.refused

    def summary(self) -> str:
        """One line."""
        if self.refused:
            return f"flattening: nothing to compare, {self.package} refuses or spoils these files: {self.refused}"
        return f"flattening: {self.values:,} values compared with {self.package}, {len(self.differences):,} differ"


def check_flattening(files: Sequence[str | Path], values: Mapping[str, Any] | None = None) -> FlatteningCheck:
    """Flatten the files by both and compare everything that a mapper or a model takes from the result.

    Args:
        files: a whole v0.4 input; files with nothing but an ERT or an ART are left out.
        values: variables for templates.

    Raises:
        UsageError: no front end is installed.
        SpecError: the files are wrong.
    """
    v4 = front_end("v4")
    package = v4.__name__.removesuffix(".v4")
    files = [file for file in files if not _only_tables(Path(file))]
    ours = load_flat(files, jinja_data=values)
    try:
        text = _flattened(v4, package, files, values)
    except Exception as error:  # whatever that package raises; it is named in the report
        return FlatteningCheck(package, 0, (), f"{type(error).__name__}: {_first_line(error)}")
    mine = _spec(ours)
    try:
        other = _spec(to_document(parse_yaml(text, lambda line: (f"what {package} writes", line + 1))))
    except SpecError as error:
        return FlatteningCheck(package, 0, (), str(error))
    differences = tuple(compare(mine, other))
    return FlatteningCheck(package, sum(1 for _ in _leaves(mine)), differences)


def _only_tables(file: Path) -> bool:
    """Whether a file holds energies and areas and nothing else: these pass through both unchanged, if at all."""
    text = read_text(file)
    if uses_templates(text):
        return False
    data = parse_yaml(text, lambda line: (str(file), line + 1), keep_first=True)
    return isinstance(data, Mapping) and set(data) <= {"ERT", "ART"}


def _flattened(v4: Any, package: str, files: Sequence[str | Path], values: Mapping[str, Any] | None) -> str:
    """The input that the front end writes for timeloop-mapper."""
    calls = importlib.import_module(f"{package}.common.backend_calls")
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it warns of every string that it takes apart
    try:
        specification = v4.Specification.from_yaml_files(
            *map(str, files), jinja_parse_data=dict(values or {})
        )
        calls.delayed_import()
        return str(calls._specification_to_yaml_string(specification, for_model=False))
    finally:
        logging.disable(before)


def _spec(document: Document) -> Spec:
    tables = document.data.get("ERT") is not None
    return read_spec(document, strict=False, energies=EnergyChoice(source="tables" if tables else "pat"))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def compare(mine: object, other: object, path: str = "") -> Iterator[FlatDifference]:
    """Everything in which two Specs differ, but for where things stood; absent and null are the same."""
    left, right = _parts(mine), _parts(other)
    if left is None or right is None:
        if _scalar(mine) != _scalar(other):
            yield FlatDifference(path, mine, other)
        return
    for key in dict.fromkeys([*left, *right]):
        below = f"{path}.{key}".removeprefix(".")
        if key not in left or key not in right:
            only = left.get(key, right.get(key))
            if _parts(only) != {} and (key not in _DEFAULTS or only != _DEFAULTS[key]):
                yield FlatDifference(below, left.get(key, _ABSENT), right.get(key, _ABSENT))
            continue
        pair = (left[key], right[key])
        if key in _UNORDERED:
            pair = (_as_set(pair[0]), _as_set(pair[1]))
        yield from compare(*pair, below)


def _as_set(value: object) -> object:
    return frozenset(map(str, value)) if isinstance(value, (list, tuple)) else value


def _leaves(value: object) -> Iterator[object]:
    parts = _parts(value)
    if parts is None:
        yield value
        return
    for part in parts.values():
        yield from _leaves(part)


def _parts(value: object) -> dict[str, object] | None:
    """The parts of a container, nulls left out; ``None`` for a scalar."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return {name: part for name, part in pairs if name not in _PLACES and part is not None}
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items() if part is not None}
    if isinstance(value, (set, frozenset)):
        return {str(part): True for part in value}
    if isinstance(value, (list, tuple)):
        named = [_name(part) or str(index) for index, part in enumerate(value)]
        return {name: part for name, part in zip(named, value, strict=True) if part is not None}
    return None


def _name(value: object) -> str | None:
    """What a level or a table is called, so that paths speak of it by name."""
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if isinstance(name, str) and name else None


def _scalar(value: object) -> object:
    """Numbers by value, however they are written."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value).strip()
    try:
        return float(text)
    except ValueError:
        return text

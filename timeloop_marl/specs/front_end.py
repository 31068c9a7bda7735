"""Timeloop's Python front end: a found mapping as its ``Specification``, and its v0.4 flattening against ours."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import SpecError, UsageError
from .document import Document, plain, to_document
from .energy_source import EnergyChoice
from .mapping import Mapping as LoopNest
from .mapping_yaml import directives, model_document
from .objects import version_of
from .reading import load_flat, read_spec
from .spec import Spec
from .templates import read_text, uses_templates
from .yaml_text import parse_yaml

FRONT_ENDS = ("pytimeloop.timeloopfe", "timeloopfe")
"""Where the front end is: within pytimeloop, or the older package of its own."""


def specification(spec: Spec, mapping: LoopNest, original: Any = None) -> Any:
    """The Specification; see ``api.Result.specification``.

    Raises:
        UsageError: ``original`` is no Specification, or there is no front end.
    """
    version = version_of(original)
    if original is not None and version is None:
        raise UsageError(f"expected a Specification of timeloopfe, got {type(original).__name__}")
    skewed = spec.beyond is not None and spec.beyond.directives
    if version == "v4" and not mapping.imperfect and not skewed:
        return _with_mapping(copy.deepcopy(original), spec, mapping)
    return front_end("v3").Specification(**plain(model_document(spec, mapping)))


def front_end(version: str) -> Any:
    """The module of a version of the front end.

    Raises:
        UsageError: it is not installed.
    """
    for name in FRONT_ENDS:
        try:
            if importlib.util.find_spec(f"{name}.{version}") is not None:
                return import_module(f"{name}.{version}")
        except ImportError:
            continue  # pytimeloop without its bindings, or not there at all
    raise UsageError(
        f"cannot import {' or '.join(FRONT_ENDS)}: install pytimeloop, or use the Docker image (docs/docker.md); "
        "timeloop-marl.model.yaml among the results is the same input as a file"
    )


def _with_mapping(copied: Any, spec: Spec, mapping: LoopNest) -> Any:
    """The constraints of the copy give way to the mapping, which says everything they left open."""
    module = import_module(type(copied).__module__)
    for node in _arch_leaves(copied.architecture, module):
        node["constraints"] = module.constraints.ConstraintGroup()
    copied.constraints["targets"] = module.constraints.ConstraintsList()
    copied["mapping"] = module.constraints.ConstraintsList(
        [entry for entry in map(_constraint, directives(mapping, spec, complete=True)) if entry]
    )
    return copied


def _arch_leaves(architecture: Any, module: Any) -> list[Any]:
    """Containers and components; what a ``!Nothing`` keeps is no choice of the mapping, but how branches are told."""
    leaves = architecture.get_nodes_of_type(module.arch.Leaf)
    return [leaf for leaf in leaves if not isinstance(leaf, module.arch.Nothing)]


def _constraint(directive: dict[str, Any]) -> dict[str, Any] | None:
    """A directive for a level as the constraint of a node: fan-outs belong to the node below, not to their dummy."""
    target, kind = str(directive["target"]), directive["type"]
    inner = target.removeprefix("inter_").removesuffix("_spatial")
    dummy = inner != target and target == f"inter_{inner}_spatial"
    if dummy and kind != "spatial":
        return None  # the front end closes dummies by itself
    entry = {**plain(directive), "target": inner if dummy else target}
    if kind not in ("spatial", "temporal"):
        return {**entry, "type": "dataspace"}
    return {
        **entry,
        "factors": str(entry["factors"]).split(),
        "permutation": list(str(entry["permutation"])),
    }


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
    calls = import_module(f"{package}.common.backend_calls")
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

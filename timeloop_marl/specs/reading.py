"""From a parsed document, or files, to a ``Spec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SpecError, UsageError
from .architecture import Architecture
from .changes import changed, split_values
from .constraints import read_constraints
from .document import NOWHERE, Document, Map, Node, to_document
from .energy import read_ert
from .energy_source import EnergyChoice, read_energies
from .flatten import flatten, is_nodes_form
from .loading import load_document
from .machine import architecture_node, read_architecture
from .mapper import read_mapper, read_model_section
from .objects import object_document
from .problem import Problem, read_problem, shape_map
from .scalars import LAYOUT, Reading, empty
from .sparse import Sparsity, is_sparse, read_sparsity
from .spec import Beyond, ModelOptions, Spec, verbatim
from .templates import read_text, uses_templates

_OPTIONS = ModelOptions()
_ENERGIES = EnergyChoice()
_TOP_LEVEL = (
    "problem", "architecture", "arch", "mapping", "mapper", "mapspace", "mapspace_constraints",
    "architecture_constraints", "arch_constraints", "ERT", "ART", "model", "variables", "sparse_optimizations",
    "layout", "compound_components", "components", "globals",
)  # fmt: skip


def read_spec(
    document: Document,
    *,
    options: ModelOptions = _OPTIONS,
    strict: bool = True,
    mapspace_constraints: bool = True,
    energies: EnergyChoice = _ENERGIES,
) -> Spec:
    """The ``Spec`` of a v0.3-shaped document. What the native model does not cover is in ``Spec.beyond``.

    Args:
        document: merged input.
        options: choices of the cost model that are not in the files.
        strict: unknown keys of closed grammars are errors; False: notices, as the real programs ignore them.
        mapspace_constraints: False reads the architecture constraints alone, as timeloop-model does.
        energies: where energies come from.

    Raises:
        SpecError: anything wrong in the input, with file, key path, value and remedy.
    """
    reading = Reading(document, strict, list(document.notices))
    root = document.root()
    if not isinstance(document.data, Mapping):
        root.fail("not a Timeloop input", expected="a map with architecture, problem, ...")
    _check_top_level(reading, root)
    if not empty(reading.find(root, "layout").value):
        reading.outside(reading.find(root, "layout"), LAYOUT)
    architecture = read_architecture(reading, architecture_node(reading))
    problem = read_problem(reading, reading.find(root, "problem"), sparse=is_sparse(reading))
    _check_bandwidth_scales(architecture, problem, architecture_node(reading))
    priced = read_energies(reading, architecture, energies)
    sparsity = _sparsity(reading, problem, architecture)
    beyond = _beyond(reading)
    return Spec(
        problem=problem,
        architecture=architecture,
        energies=priced,
        constraints=read_constraints(reading, problem, architecture, mapspace=mapspace_constraints),
        mapper=read_mapper(reading),
        model=read_model_section(reading),
        options=options,
        files=document.files,
        notices=tuple(reading.notices),
        beyond=beyond,
        sparsity=None if beyond else sparsity,
    )


def _sparsity(reading: Reading, problem: Problem, architecture: Architecture) -> Sparsity | None:
    """What a sparse design adds, with all that it takes to write it out again."""
    priced = "ERT" in reading.tables
    tables = read_ert(reading, Node(reading.tables["ERT"], NOWHERE, reading.document)) if priced else []
    found = read_sparsity(reading, problem, architecture, tables)
    return None if found is None else replace(found, sections=_sections(reading))


def _sections(reading: Reading) -> dict[str, Any]:
    """All that the real program needs of the input."""
    shape = shape_map(reading, reading.find(reading.document.root(), "problem"))
    return verbatim(reading.document, shape, reading.tables)


def _beyond(reading: Reading) -> Beyond | None:
    """What the native model does not cover, with all that the real program needs of the input."""
    if not reading.beyond:
        return None
    beyond = Beyond(tuple(reading.beyond), _sections(reading))
    reading.notice(beyond.notice)
    return beyond


def _check_top_level(reading: Reading, root: Node) -> None:
    """A misspelt section would be left out silently; other unknown ones are none of Timeloop's business."""
    for key, child in root.items():
        if key in _TOP_LEVEL or key.replace("-", "_") in _TOP_LEVEL:
            continue
        near = reading.guess(key, _TOP_LEVEL, 0.85)
        if near and reading.strict:
            child.fail(f"unknown section {key!r}", expected=near, remedy=f"did you mean {near!r}?")
        if near:
            reading.notice(f"section {key!r} is ignored; did you mean {near!r}?", child)


def _check_bandwidth_scales(architecture: Architecture, problem: Problem, node: Node) -> None:
    names = {space.name for space in problem.data_spaces}
    for level in architecture.storage:
        for name in level.bandwidth_scale:
            if name not in names:
                raise SpecError(
                    "bandwidth scale of a data space that the problem does not have (Timeloop ends on that)",
                    file=node.origin.file or None,
                    path=f"{level.name}.attributes.per_dataspace_bandwidth_consumption_scale",
                    value=name,
                    expected="one of " + ", ".join(sorted(names)),
                )


def load(
    files: Sequence[str | Path],
    *,
    options: ModelOptions = _OPTIONS,
    strict: bool = True,
    mapspace_constraints: bool = True,
    energies: EnergyChoice = _ENERGIES,
    jinja_data: Mapping[str, Any] | None = None,
) -> Spec:
    """Read files and build the ``Spec`` they describe.

    Args:
        files: YAML files in the order of the command line, v0.4 nodes and templates included.
        options: as in ``read_spec``, like ``strict``, ``mapspace_constraints`` and ``energies``.
        strict: see there.
        mapspace_constraints: see there.
        energies: see there.
        jinja_data: variables for templates, and values to set by their path (``changes``).

    Raises:
        SpecError: anything wrong in the files.
    """
    raw = load_document(files, jinja_data=jinja_data)
    document = flatten(raw)
    # Accelergy reads the original files only where these are the whole truth.
    if not energies.inputs and not is_nodes_form(raw) and not split_values(jinja_data or {})[1]:
        energies = replace(energies, inputs=plain_inputs(files))
    return read_spec(
        document, options=options, strict=strict, mapspace_constraints=mapspace_constraints, energies=energies
    )


def load_object(
    value: Mapping[str, Any],
    *,
    options: ModelOptions = _OPTIONS,
    strict: bool = True,
    energies: EnergyChoice = _ENERGIES,
    jinja_data: Mapping[str, Any] | None = None,
) -> Spec:
    """The ``Spec`` of a ``Specification`` of timeloopfe, or of a dict with the same sections.

    Args:
        value: the object; it is not changed.
        options: as in ``read_spec``, like ``strict`` and ``energies``.
        strict: see there.
        energies: see there.
        jinja_data: values to set by their path (``changes``).

    Raises:
        SpecError: anything wrong in it.
        UsageError: it is something else, or a value has no path.
    """
    document = object_document(value)
    variables, changes = split_values(jinja_data or {})
    if variables:
        raise UsageError(f"{next(iter(variables))}: only files have templates to set variables of")
    if changes:
        assert isinstance(document.data, Map)
        data, notices = changed(document.data, changes)
        document = to_document(data, notices)
    return read_spec(flatten(document), options=options, strict=strict, energies=energies)


def load_flat(
    files: Sequence[str | Path], *, program: str = "mapper", jinja_data: Mapping[str, Any] | None = None
) -> Document:
    """Read files into one v0.3-shaped document, a v0.4 architecture flattened.

    Args:
        files: YAML files in the order of the command line.
        program: ``mapper`` or ``model``: whether v0.4 constraints become constraints or the mapping itself.
        jinja_data: variables for templates, and values to set by their path (``changes``).

    Raises:
        SpecError: a file cannot be read or flattened.
    """
    return flatten(load_document(files, jinja_data=jinja_data), program=program)


def plain_inputs(files: Sequence[str | Path]) -> tuple[Path, ...]:
    """The files themselves, for Accelergy, unless one is a template; not meant for v0.4 nodes."""
    paths = tuple(Path(file) for file in files)
    return () if any(uses_templates(read_text(path)) for path in paths) else paths

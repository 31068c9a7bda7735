"""From a parsed document, or files, to a ``Spec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from .constraint_reading import read_constraints
from .document import Document, Node
from .energies import resolve
from .mapper_reading import read_mapper
from .scalars import Reading
from .spec import ModelOptions, Spec
from .tables import read_art, read_ert
from .tree import architecture_node, read_architecture
from .workload import read_problem, unsupported

_TOP_LEVEL = (
    "problem", "architecture", "arch", "mapping", "mapper", "mapspace", "mapspace_constraints",
    "architecture_constraints", "arch_constraints", "ERT", "ART", "model", "variables", "sparse_optimizations",
    "layout", "compound_components", "components", "globals",
)  # fmt: skip


def read_spec(
    document: Document,
    *,
    options: ModelOptions = ModelOptions(),
    strict: bool = True,
    mapspace_constraints: bool = True,
) -> Spec:
    """The ``Spec`` of a v0.3-shaped document.

    Args:
        document: merged input.
        options: choices of the cost model that are not in the files.
        strict: unknown keys of closed grammars are errors; False: notices, as the real programs ignore them.
        mapspace_constraints: False reads the architecture constraints alone, as timeloop-model does.

    Raises:
        SpecError: anything wrong in the input, with file, key path, value and remedy.
        UnsupportedFeatureError: legal Timeloop outside the native model.
    """
    reading = Reading(document, strict)
    root = document.root()
    if not isinstance(document.data, Mapping):
        root.fail("not a Timeloop input", expected="a map with architecture, problem, ...")
    _refuse_unsupported(reading, root)
    problem = read_problem(reading, reading.find(root, "problem"))
    architecture = read_architecture(reading, architecture_node(reading))
    ert = reading.find(root, "ERT")
    tables = [] if ert.absent else read_ert(reading, ert)
    art = reading.find(root, "ART")
    areas = {} if art.absent or ert.absent else read_art(reading, art)
    origin = "PAT" if ert.absent else "ERT"
    energies = resolve(architecture, tables, areas, origin)
    constraints = read_constraints(reading, problem, architecture, mapspace=mapspace_constraints)
    mapper = read_mapper(reading)
    return Spec(
        problem=problem,
        architecture=architecture,
        energies=energies,
        constraints=constraints,
        mapper=mapper,
        options=options,
        files=tuple(dict.fromkeys(origin.file for origin in document.origins.values() if origin.file)),
        notices=tuple(reading.notices),
    )


def _refuse_unsupported(reading: Reading, root: Node) -> None:
    for key, what in (("sparse_optimizations", "sparse optimisations are"), ("layout", "data layouts are")):
        node = reading.find(root, key)
        if node.value not in (None, {}, []) and node.value != {"targets": []}:
            unsupported(node, what)


def load(
    files: Sequence[str | Path],
    *,
    options: ModelOptions = ModelOptions(),
    strict: bool = True,
    mapspace_constraints: bool = True,
) -> Spec:
    """Read files and build the ``Spec`` they describe; arguments as in ``read_spec``."""
    data: dict[str, object] = {}
    for file in files:
        for key, value in (yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}).items():
            data.setdefault(key, value)
    document = Document(data)
    return read_spec(document, options=options, strict=strict, mapspace_constraints=mapspace_constraints)

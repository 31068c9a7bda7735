"""Input of timeloop-model that evaluates one mapping of a Spec (formats sections 3 and 4)."""

from __future__ import annotations

from typing import Any

from .mapping import Mapping
from .mapping_yaml import directives
from .specs.spec import Spec
from .specs.writing import document


def model_document(spec: Spec, mapping: Mapping) -> dict[str, Any]:
    """Machine, workload, energy and area tables, and the mapping down to residuals, unit loops and reuse switches.

    Constraints are left out: timeloop-model refuses mappings that timeloop-mapper finds under the same ones, because it
    compares permutations and splits of unit loops (mapspace section 2.5). So are options of the section ``model``, one
    of which changes the mapping.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    return {**mapping_section(spec, mapping), **machine_sections(spec)}


def mapping_section(spec: Spec, mapping: Mapping) -> dict[str, Any]:
    """The part of ``model_document`` that differs from mapping to mapping."""
    own = [] if spec.beyond is None else list(spec.beyond.directives)
    return {"mapping": [*directives(mapping, spec, complete=True), *own]}


def machine_sections(spec: Spec) -> dict[str, Any]:
    """The part of ``model_document`` that all mappings share.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    sections = document(spec, constraints=False, mapper=False)
    sections.pop("model", None)
    return sections

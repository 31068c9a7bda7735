"""A found mapping as a ``Specification`` of Timeloop's Python front end, ready for its ``call_model``."""

from __future__ import annotations

import copy
import importlib.util
from importlib import import_module
from typing import Any

from .errors import UsageError
from .mapping import Mapping
from .mapping_yaml import directives
from .model_input import model_document
from .specs.document import plain
from .specs.objects import version_of
from .specs.spec import Spec

FRONT_ENDS = ("pytimeloop.timeloopfe", "timeloopfe")
"""Where the front end is: within pytimeloop, or the older package of its own."""


def specification(spec: Spec, mapping: Mapping, original: Any = None) -> Any:
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


def _with_mapping(copied: Any, spec: Spec, mapping: Mapping) -> Any:
    """The constraints of the copy give way to the mapping, which says everything they left open."""
    module = import_module(type(copied).__module__)
    for node in _leaves(copied.architecture, module):
        node["constraints"] = module.constraints.ConstraintGroup()
    copied.constraints["targets"] = module.constraints.ConstraintsList()
    copied["mapping"] = module.constraints.ConstraintsList(
        [entry for entry in map(_constraint, directives(mapping, spec, complete=True)) if entry]
    )
    return copied


def _leaves(architecture: Any, module: Any) -> list[Any]:
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

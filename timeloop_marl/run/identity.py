"""What identifies a search, so that only the same search resumes its trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..cost.objective import Objective
from ..parallel.versions import versions
from ..specs.fingerprint import spec_fingerprint
from ..specs.spec import Spec
from .options import Settings


def run_identity(spec: Spec, settings: Settings, objective: Objective, evaluator: str) -> dict[str, Any]:
    """Identity for a trace's header: a fingerprint of the input, and by name everything that steers the search.

    Which settings do, their fields say (``metadata={"identity": True}``).
    """
    steering = [field.name for field in dataclasses.fields(settings) if field.metadata.get("identity")]
    return {
        "spec": spec_fingerprint(spec),
        **{name: _plain(getattr(settings, name)) for name in steering},
        "objective": objective.name,
        "evaluator": evaluator,
        "versions": versions(),
    }


def qualified_name(thing: object) -> str:
    """``package.module.Name`` of a class or function, or of the class of anything else."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: str(entry) for key, entry in sorted(value.items())}
    return value

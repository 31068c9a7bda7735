"""What a search depends on in a Spec, as one number: equal inputs resume each other's traces and share a cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from .spec import Spec

# Where the input came from, what is said about it, and what energies were resolved from change neither mapspace nor
# costs: a Spec written out and read again (specs.writing) is the same search.
_IRRELEVANT = frozenset(
    {
        "files", "notices", "source", "bypass_sources", "parallelism_source", "warnings", "origin", "out_prefix",
        "attributes", "class_name", "vector_access", "features",
    }
)  # fmt: skip
# Absent, it changes nothing: traces recorded before there was such a field go on.
_OPTIONAL = frozenset({"beyond"})


def spec_fingerprint(spec: Spec) -> str:
    """SHA-256 over everything in a Spec that mapspace and costs depend on; the same in every process."""
    return hashlib.sha256(json.dumps(_plain(spec), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _IRRELEVANT]
        pairs = {name: getattr(value, name) for name in names}
        return {name: _plain(x) for name, x in pairs.items() if x is not None or name not in _OPTIONAL}
    if isinstance(value, Mapping):
        return sorted(([repr(_plain(key)), _plain(entry)] for key, entry in value.items()), key=repr)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(entry) for entry in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return repr(value) if isinstance(value, float) else str(value) if not isinstance(value, int) else value

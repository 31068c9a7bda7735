"""What a search depends on in a Spec, as one number: equal inputs resume each other's traces and share a cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .spec import Spec


def spec_fingerprint(spec: Spec) -> str:
    """SHA-256 over everything in a Spec that mapspace and costs depend on; the same in every process."""
    return hashlib.sha256(json.dumps(_plain(spec), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(x) for field, x in _identifying(value)}
    if isinstance(value, Mapping):
        return sorted(([repr(_plain(key)), _plain(entry)] for key, entry in value.items()), key=repr)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(entry) for entry in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return repr(value) if isinstance(value, float) else str(value) if not isinstance(value, int) else value


def _identifying(value: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """The fields that mapspace or costs depend on, with their values.

    A field says itself that it is none of them: ``metadata={"identity": False}`` of where the input came from, what is
    said about it and what energies were resolved from, so that a Spec written out and read again (specs.writing) is the
    same search; ``"if given"``: absent, it changes nothing, and traces recorded before there was such a field go on.
    """
    for field in dataclasses.fields(value):
        counts, x = field.metadata.get("identity", True), getattr(value, field.name)
        if counts is True or (counts == "if given" and x is not None):
            yield field, x

"""Specification objects of Timeloop's Python front end (timeloopfe v4 and v3), and plain dicts, as documents.

The front end is not imported: its objects are maps and lists that know their YAML tags. They hold every default, too,
which is left out again, so that the document is the one their files would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .document import Document, KeyPath, Map, Origin, Quoted, Seq, to_document
from .flatten.nodes import NOTHING_KEYS

_INTERNAL = ("processors", "ignore")  # beside names that begin with an underscore
_TAGS = ("Container", "Hierarchical", "Parallel", "Pipelined", "Nothing", "Component")
_TABLES = ("ERT", "ART", "sparse_optimizations")
_MADE_UP = ("type", "target")  # what the classes of constraints add to themselves


def is_specification(value: object) -> bool:
    """Whether it is a ``Specification`` of timeloopfe, of whatever version."""
    return version_of(value) is not None


def version_of(value: object) -> str | None:
    """``v4``, ``v3``, ... of a ``Specification``; ``None`` for anything else."""
    for base in type(value).__mro__:
        if base.__name__ == "Specification" and "timeloopfe." in f"{base.__module__}.":
            return base.__module__.split("timeloopfe.", 1)[1].split(".")[0]
    return None


def object_document(value: Mapping[str, Any]) -> Document:
    """The document of a ``Specification``, or of a dict of the same keys.

    Strings that stood in quotes, and all strings of a Specification whose expressions are evaluated already, are
    taken as they are.

    Raises:
        UsageError: a Specification of another version than v3 or v4, or none at all.
    """
    version = version_of(value)
    if not isinstance(value, Mapping) or version not in (None, "v3", "v4"):
        raise UsageError(
            f"cannot read a {type(value).__module__}.{type(value).__name__}: expected a v4 or v3 Specification of "
            "timeloopfe, a dict, or files"
        )
    name = "dict" if version is None else f"{version} Specification"
    reader = _Reader(name, final=bool(value.get("_parsed_expressions")))
    data = Map(Origin(name))
    for key, item in value.items():
        if key in _INTERNAL or str(key).startswith("_") or "ignore" in str(key).lower():
            continue
        if key in _TABLES and not _says_anything(item):
            continue
        data.put(str(key), reader.value(item, (str(key),)), Origin(name, None, (str(key),)))
    return to_document(data)


class _Reader:
    """Copies values, without defaults, with their place in the object."""

    def __init__(self, name: str, *, final: bool) -> None:
        self._name, self._final = name, final

    def value(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return self._map(value, path)
        if isinstance(value, (list, tuple)):
            return self._list(value, path)
        if isinstance(value, str):
            quoted = self._final or type(value).__name__ in (
                "DoubleQuotedScalarString",
                "SingleQuotedScalarString",
            )
            return Quoted(value) if quoted or isinstance(value, Quoted) else str(value)
        return _number(value)

    def _map(self, value: Mapping[Any, Any], path: KeyPath) -> Map:
        result = Map(self._origin(path), _tag(value))
        constraint = "constraints" in path[-2:-1] and "nodes" in path
        nothing = result.tag == "!Nothing"  # which the front end gives a name and a class
        for key, item in value.items():
            if _empty(item) or (constraint and key in _MADE_UP) or (nothing and key not in NOTHING_KEYS):
                continue
            where = (*path, str(key))
            result.put(str(key), self.value(item, where), self._origin(where))
        return result

    def _list(self, value: list[Any] | tuple[Any, ...], path: KeyPath) -> Seq:
        result = Seq(self._origin(path))
        for index, item in enumerate(value):
            if path[-1:] == ("permutation",) and not str(item).strip():
                continue  # a permutation given as a string with blanks is split into letters and blanks
            result.add(self.value(item, (*path, index)), self._origin((*path, index)))
        return result

    def _origin(self, path: KeyPath) -> Origin:
        return Origin(self._name, None, path)


def _tag(value: Mapping[Any, Any]) -> str:
    """The YAML tag: as it was read, else that of the class (buffers, compute units and networks are components)."""
    tag = getattr(value, "tag", None)
    text = tag if isinstance(tag, str) else getattr(tag, "value", None)
    if isinstance(text, str) and text:
        return text
    names = [base.__name__ for base in type(value).__mro__ if "timeloopfe" in base.__module__]
    return next((f"!{name}" for name in _TAGS if name in names), "")


def _number(value: Any) -> Any:
    """Numbers without the class that remembers how they were written."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else value


def _empty(value: Any) -> bool:
    """A default that says nothing: absent, or containers of such."""
    if isinstance(value, Mapping):
        return not _tag(value) and all(_empty(item) for key, item in value.items() if key not in _MADE_UP)
    return value is None or (isinstance(value, (list, tuple)) and len(value) == 0)


def _says_anything(value: Any) -> bool:
    entries = value.get("tables") or value.get("targets") if isinstance(value, Mapping) else value
    return bool(entries)

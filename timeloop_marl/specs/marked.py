"""Values that remember where they were written: maps, lists and strings with origins, and their way into a Document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import SpecError
from .document import Document, KeyPath, Origin, format_path

MAX_NODES = 400_000  # values of a document with all aliases expanded
NOWHERE = Origin("")


class Quoted(str):
    """A string that stood in quotes: the v0.4 front end never reads it as an expression (formats section 6)."""

    __slots__ = ()


class Map(dict[str, Any]):
    """A YAML map with its tag (``!Component``; empty if none), its origin and the origin of every key.

    ``size`` is the number of values in it with aliases expanded, a guard against alias bombs.
    """

    __slots__ = ("origin", "size", "tag", "where")

    def __init__(self, origin: Origin = NOWHERE, tag: str = "") -> None:
        super().__init__()
        self.origin, self.tag, self.size = origin, tag, 1
        self.where: dict[str, Origin] = {}

    def put(self, key: str, value: Any, origin: Origin | None = None) -> None:
        """Set ``key`` and remember where it stood; without ``origin`` the one already known is kept."""
        self[key] = value
        if origin is not None:
            self.where[key] = origin

    def origin_of(self, key: str) -> Origin:
        """Where ``key`` stood, else where the map stood."""
        return self.where.get(key, self.origin)


class Seq(list[Any]):
    """A YAML list with its origin and the origin of every element."""

    __slots__ = ("origin", "size", "where")

    def __init__(self, origin: Origin = NOWHERE) -> None:
        super().__init__()
        self.origin, self.size = origin, 1
        self.where: list[Origin] = []

    def add(self, value: Any, origin: Origin | None = None) -> None:
        """Append ``value``, which stood at ``origin``."""
        self.append(value)
        self.where.append(origin or self.origin)

    def origin_of(self, index: int) -> Origin:
        """Where element ``index`` stood, else where the list stood."""
        return self.where[index] if index < len(self.where) else self.origin


def error_at(
    origin: Origin, problem: str, *, value: object = ..., expected: str = "", remedy: str = ""
) -> SpecError:
    """A ``SpecError`` about the value that stood at ``origin``."""
    where = origin.file if origin.line is None else f"{origin.file}:{origin.line}"
    return SpecError(
        problem,
        file=where or None,
        path=format_path(origin.path),
        value=value,
        expected=expected,
        remedy=remedy,
    )


def to_marked(value: Any, origin: Origin = NOWHERE) -> Any:
    """Plain dicts and lists as marked ones, all of the same origin; marked values are returned as they are."""
    if isinstance(value, (Map, Seq)):
        return value
    if isinstance(value, Mapping):
        result = Map(origin)
        for key, item in value.items():
            result.put(str(key), to_marked(item, origin), origin)
        return result
    if isinstance(value, (list, tuple)):
        sequence = Seq(origin)
        for item in value:
            sequence.add(to_marked(item, origin), origin)
        return sequence
    return value


def deep_merge(base: Map, over: Map) -> Map:
    """A new map with the keys of both; where both hold a map, these are merged too, else ``over`` wins."""
    merged = Map(over.origin, over.tag or base.tag)
    for source in (base, over):
        for key, value in source.items():
            mine = merged.get(key)
            if isinstance(mine, Map) and isinstance(value, Map):
                value = deep_merge(mine, value)
            merged.put(key, value, source.origin_of(key))
    return merged


def to_document(data: Map, notices: Iterable[str] = ()) -> Document:
    """The document of ``data``; raises a ``SpecError`` if it grows beyond ``MAX_NODES`` values."""
    origins: dict[KeyPath, Origin] = {(): data.origin}
    pending: list[tuple[KeyPath, Any]] = [((), data)]
    while pending:
        path, value = pending.pop()
        keys: Iterable[Any] = value if isinstance(value, Map) else range(len(value))
        for key in keys:
            child = value[key]
            where = (*path, key)
            origins[where] = value.origin_of(key)
            if isinstance(child, (Map, Seq)):
                pending.append((where, child))
        if len(origins) > MAX_NODES:
            raise error_at(
                data.origin,
                "the document is too large once all aliases are expanded",
                expected=f"at most {MAX_NODES} values",
                remedy="remove nested aliases (a YAML bomb?) or split the input",
            )
    return Document(data, origins, tuple(notices))

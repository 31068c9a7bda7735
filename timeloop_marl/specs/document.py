"""A parsed input document that remembers where each value came from, and typed access to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import SpecError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value stands: file, 1-based line, and its key path there (it may differ after flattening)."""

    file: str
    line: int | None = None
    path: KeyPath = ()


@dataclass(frozen=True)
class Document:
    """Plain dicts, lists and scalars, with the origins of the values that are known (longest prefix counts)."""

    data: Mapping[str, Any]
    origins: Mapping[KeyPath, Origin] = field(default_factory=dict)
    notices: tuple[str, ...] = ()  # what the reader wants the user to know, e.g. an ignored file

    def origin(self, path: KeyPath) -> tuple[Origin, KeyPath]:
        """Origin of the nearest enclosing value that has one, and the path from there to ``path``."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]], path[length:]
        return Origin(""), path

    def root(self) -> Node:
        """The whole document as a node."""
        return Node(self, (), self.data)


@dataclass(frozen=True)
class Node:
    """One value of a document and its key path. Accessors raise a ``SpecError`` naming file, path and value."""

    document: Document
    path: KeyPath
    value: Any

    def child(self, key: str | int) -> Node:
        """The value under ``key``; a node of value ``None`` if absent."""
        container = self.value
        present = (isinstance(container, Mapping) and key in container) or (
            isinstance(container, list) and isinstance(key, int) and key < len(container)
        )
        return Node(self.document, (*self.path, key), container[key] if present else None)

    @property
    def absent(self) -> bool:
        """Missing or null: Timeloop treats both alike."""
        return self.value is None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Key and node of every entry of a map."""
        if not isinstance(self.value, Mapping):
            self.fail("not a map", expected="a map of keys and values")
        for key in self.value:
            yield str(key), self.child(key)

    def elements(self) -> list[Node]:
        """The nodes of a list."""
        if not isinstance(self.value, list):
            self.fail("not a list", expected="a list")
        return [self.child(index) for index in range(len(self.value))]

    def fail(self, problem: str, *, expected: str = "", remedy: str = "") -> NoReturn:
        """Raise a ``SpecError`` about this value."""
        raise self.error(problem, expected=expected, remedy=remedy)

    def error(self, problem: str, *, expected: str = "", remedy: str = "") -> SpecError:
        """A ``SpecError`` about this value."""
        origin, rest = self.document.origin(self.path)
        where = origin.file if origin.line is None else f"{origin.file}:{origin.line}"
        return SpecError(
            problem,
            file=where or None,
            path=format_path((*origin.path, *rest)),
            value=self.value,
            expected=expected,
            remedy=remedy,
        )


def format_path(path: KeyPath) -> str:
    """``("a", "nodes", 2, "b")`` as ``a.nodes[2].b``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else str(key))
    return text

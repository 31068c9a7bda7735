"""The tree of an input: maps, lists and scalars that know where they were written, and typed access to them.

From YAML text to ``Spec`` there is this one tree. Whatever rewrites it (merging files, ``--set``, the v0.4 front end)
keeps the origins, so that every error names the user's own file, line and key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

from ..errors import SpecError

KeyPath = tuple[str | int, ...]
MAX_NODES = 400_000  # values of a document with all aliases expanded


@dataclass(frozen=True)
class Origin:
    """Where a value was written: file, 1-based line, and its key path there."""

    file: str
    line: int | None = None
    path: KeyPath = ()

    @property
    def place(self) -> str:
        """File and line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, format_path(self.path)) if part)

    def below(self, key: str | int) -> Origin:
        """The origin of what has none of its own: that of its container, and the key."""
        return replace(self, path=(*self.path, key))

    def error(self, problem: str, *, value: object = ..., expected: str = "", remedy: str = "") -> SpecError:
        """A ``SpecError`` about what stands here."""
        return SpecError(
            problem,
            file=self.place or None,
            path=format_path(self.path),
            value=value,
            expected=expected,
            remedy=remedy,
        )


NOWHERE = Origin("")


class Quoted(str):
    """A string that stood in quotes: the v0.4 front end never reads it as an expression (formats section 6)."""

    __slots__ = ()


class Map(dict[str, Any]):
    """A map with its YAML tag (``!Component``; empty if none), its origin and the origin of every key.

    ``size`` is the number of values in it with aliases expanded, a guard against alias bombs; ``alone``: it was marked
    as one to which the merge key ``<<<`` adds nothing.
    """

    __slots__ = ("alone", "origin", "size", "tag", "where")

    def __init__(self, origin: Origin = NOWHERE, tag: str = "") -> None:
        super().__init__()
        self.origin, self.tag, self.size, self.alone = origin, tag, 1, False
        self.where: dict[str, Origin] = {}

    def put(self, key: str, value: Any, origin: Origin | None = None) -> None:
        """Set ``key`` and remember where it stood; without ``origin`` the one already known is kept."""
        self[key] = value
        if origin is not None:
            self.where[key] = origin

    def put_node(self, key: str, node: Node) -> None:
        """Set ``key`` to what stood elsewhere."""
        self.put(key, node.value, node.origin)

    def origin_of(self, key: str) -> Origin:
        """Where ``key`` stood, else its place below this map."""
        return self.where.get(key) or self.origin.below(key)

    def node(self, key: str) -> Node:
        """The value under ``key``; a node of value ``None`` if absent."""
        return Node(self.get(key), self.origin_of(key))

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Key and node of every entry."""
        return ((key, Node(value, self.origin_of(key))) for key, value in self.items())

    def copied(self, without: Iterable[str] = ()) -> Map:
        """A copy of this map alone, some keys left out."""
        result = Map(self.origin, self.tag)
        for key, node in self.nodes():
            if key not in without:
                result.put_node(key, node)
        return result


class Seq(list[Any]):
    """A list with its origin and the origin of every element; ``size`` and ``alone`` as in a ``Map``."""

    __slots__ = ("alone", "origin", "size", "where")

    def __init__(self, origin: Origin = NOWHERE) -> None:
        super().__init__()
        self.origin, self.size, self.alone = origin, 1, False
        self.where: list[Origin] = []

    def add(self, value: Any, origin: Origin | None = None) -> None:
        """Append ``value``, which stood at ``origin``."""
        self.append(value)
        self.where.append(origin or self.origin)

    def origin_of(self, index: int) -> Origin:
        """Where element ``index`` stood, else where the list stood."""
        return self.where[index] if index < len(self.where) else self.origin.below(index)


@dataclass(frozen=True)
class Node:
    """One value of a tree and where it stands. Accessors raise a ``SpecError`` that names file, path and value.

    Plain dicts and lists serve as well; what is in them has only a path.
    """

    value: Any
    origin: Origin = NOWHERE
    document: Document | None = None

    def child(self, key: str | int) -> Node:
        """The value under ``key``; a node of value ``None`` if absent."""
        container = self.value
        present = (isinstance(container, Mapping) and key in container) or (
            isinstance(container, list) and isinstance(key, int) and key < len(container)
        )
        marked = present and isinstance(container, (Map, Seq))
        origin = container.origin_of(key) if marked else self.origin.below(key)
        return Node(container[key] if present else None, origin, self.document)

    @property
    def absent(self) -> bool:
        """Missing or null: Timeloop treats both alike."""
        return self.value is None

    def items(self, what: str = "") -> Iterator[tuple[str, Node]]:
        """Key and node of every entry of a map."""
        if not isinstance(self.value, Mapping):
            self.fail(f"{what} is not a map" if what else "not a map", expected="a map of keys and values")
        for key in self.value:
            yield str(key), self.child(key)

    def elements(self, what: str = "") -> list[Node]:
        """The nodes of a list."""
        if not isinstance(self.value, list):
            self.fail(
                f"{what} is not a list" if what else "not a list", expected="a list" + ": - ..." * bool(what)
            )
        return [self.child(index) for index in range(len(self.value))]

    def as_map(self, what: str) -> Map:
        """The value as a map; an absent one is empty."""
        if self.value is None:
            return Map(self.origin)
        if not isinstance(self.value, Map):
            self.fail(f"{what} is not a map", expected="keys and values")
        return self.value

    def as_list(self, what: str) -> list[Node]:
        """The nodes of a list; an absent one is empty."""
        return [] if self.value is None else self.elements(what)

    def as_name(self, what: str) -> str:
        """The value as a name: a non-empty string (numbers are taken as written)."""
        value = self.value
        if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not str(value).strip():
            self.fail(f"{what} is missing" if value is None else f"not {what}", expected=what)
        return str(value)

    def fail(self, problem: str, *, expected: str = "", remedy: str = "") -> NoReturn:
        """Raise a ``SpecError`` about this value."""
        raise self.error(problem, expected=expected, remedy=remedy)

    def error(self, problem: str, *, expected: str = "", remedy: str = "") -> SpecError:
        """A ``SpecError`` about this value."""
        return self.origin.error(problem, value=self.value, expected=expected, remedy=remedy)


@dataclass(frozen=True)
class Document:
    """A whole input: its tree (plain maps and lists will do), and what its reader wants the user to know."""

    data: Mapping[str, Any]
    notices: tuple[str, ...] = ()

    def root(self) -> Node:
        """The whole document as a node."""
        return Node(self.data, getattr(self.data, "origin", NOWHERE), self)

    def at(self, *path: str | int) -> Node:
        """The node at a key path."""
        node = self.root()
        for key in path:
            node = node.child(key)
        return node

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files that anything in it stood in."""
        return tuple(dict.fromkeys(origin.file for origin in _origins(self.data) if origin.file))


def _origins(data: Any) -> Iterator[Origin]:
    """The origins of all values, aliases expanded."""
    yield getattr(data, "origin", NOWHERE)
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, Map):
            yield from (value.origin_of(key) for key in value)
        elif isinstance(value, Seq):
            yield from value.where
        else:
            continue
        inner = value.values() if isinstance(value, Map) else value
        pending += [item for item in inner if isinstance(item, (Map, Seq))]


def to_document(data: Map, notices: Iterable[str] = ()) -> Document:
    """The document of ``data``; raises a ``SpecError`` if it has more than ``MAX_NODES`` values."""
    for count, _ in enumerate(_origins(data)):
        if count > MAX_NODES:
            raise data.origin.error(
                "the document is too large once all aliases are expanded",
                expected=f"at most {MAX_NODES} values",
                remedy="remove nested aliases (a YAML bomb?) or split the input",
            )
    return Document(data, tuple(notices))


def tree(value: Any, origin: Origin = NOWHERE) -> Any:
    """Plain dicts and lists as a tree, all of the same origin; what is a tree already is returned as it is."""
    if isinstance(value, (Map, Seq)):
        return value
    if isinstance(value, Mapping):
        result = Map(origin)
        for key, item in value.items():
            result.put(str(key), tree(item, origin), origin)
        return result
    if isinstance(value, (list, tuple)):
        sequence = Seq(origin)
        for item in value:
            sequence.add(tree(item, origin), origin)
        return sequence
    return value


def plain(value: Any) -> Any:
    """A tree as plain maps, lists and scalars, without the marks of where it was read."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def merged(first: Map, second: Map, clash: Callable[[Node, Node], Node], *, head: Map | None = None) -> Map:
    """A new map with the keys of both; ``clash`` says what stands under a key that both have.

    Origin and tag are those of ``head`` (default: the first), a missing tag that of the other.
    """
    head = head or first
    result = Map(head.origin, head.tag or first.tag or second.tag)
    for key, node in first.nodes():
        result.put_node(key, node)
    for key, node in second.nodes():
        result.put_node(key, clash(first.node(key), node) if key in first else node)
    return result


def overridden(first: Node, second: Node) -> Node:
    """The clash of which the second wins."""
    return second


def deeply(first: Node, second: Node) -> Node:
    """The clash of the merge key ``<<<``: the second wins, but maps are merged and lists joined, its own first."""
    if getattr(second.value, "alone", False):
        return second
    if isinstance(first.value, Map) and isinstance(second.value, Map):
        return Node(merged(first.value, second.value, deeply, head=second.value), second.origin)
    if isinstance(first.value, Seq) and isinstance(second.value, Seq):
        return appended(second, first, "a list")
    return second


def together(mine: Node, other: Node) -> Node:
    """The clash of equals, of two files for one: maps are combined, lists appended, different scalars an error."""
    if mine.absent or other.absent:
        return other if mine.absent else mine
    if isinstance(mine.value, Map) and isinstance(other.value, Map):
        return Node(merged(mine.value, other.value, together), mine.origin)
    if isinstance(mine.value, Seq) and isinstance(other.value, Seq):
        return appended(mine, other, "a list")
    same = type(mine.value) is type(other.value) and mine.value == other.value
    if not same and str(mine.value) != str(other.value):
        other.fail(
            "two files give different values for one key"
            if mine.origin.file != other.origin.file
            else "two different values for one key",
            expected=f"{mine.value!r}, as in {mine.origin.place}",
            remedy="give one machine and one problem at a time (a folder stands for all YAML files in it)",
        )
    return mine


def appended(first: Node, second: Node, what: str) -> Node:
    """Two lists in one."""
    joined = Seq(first.origin)
    for part in (first, second):
        for element in part.as_list(what):
            joined.add(element.value, element.origin)
    return Node(joined, first.origin)


def format_path(path: KeyPath) -> str:
    """``("a", "nodes", 2, "b")`` as ``a.nodes[2].b``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else str(key))
    return text

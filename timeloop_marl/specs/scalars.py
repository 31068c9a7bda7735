"""Reading scalars and keys the way Timeloop reads them, with one clear error where it would abort (formats.md)."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SpecError
from .document import Document, Map, Node, format_path

INT64_MAX = 2**63 - 1
_MAX_NAME = 100  # longer keys are no misspellings, and comparing them is slow
_MAX_NOTICES = 1000
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf}
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})

# What is outside the native model, in the plural.
SPARSE = "sparse optimisations"
LAYOUT = "data layouts"
FLATTENED = "flattened dimensions"
OVERBOOKING = "overbooked buffers"
SKEW = "skewed loops"


@dataclass(frozen=True)
class Feature:
    """Legal Timeloop outside the native model: what it is, in the plural, and where it stands."""

    what: str
    file: str | None
    path: str
    value: object = field(repr=False)

    @property
    def place(self) -> str:
        """File, line and key path."""
        return ": ".join(part for part in (self.file, self.path) if part)


@dataclass
class Reading:
    """State of reading one document.

    Args:
        document: what is read.
        strict: unknown keys of closed grammars are errors; otherwise notices, as Timeloop ignores them.
        notices: collects what the user should know.
        beyond: collects what is outside the native model.
        tables: the sections ERT and ART that price the machine, once they are known.
    """

    document: Document
    strict: bool = True
    notices: list[str] = field(default_factory=list)
    beyond: list[Feature] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)
    _guesses: int = 2000  # similarity is slow; a file of 100000 unknown keys must not take minutes

    def notice(self, text: str, node: Node | None = None) -> None:
        """Remember a notice once, with the place of ``node`` in front."""
        line = f"{node.origin}: {text}" if node is not None else text
        if len(self.notices) < _MAX_NOTICES and line not in self.notices:
            self.notices.append(line)

    def outside(self, node: Node, what: str) -> None:
        """Remember that ``node`` asks for something outside the native model."""
        self.beyond.append(feature(node, what))

    def find(self, node: Node, *names: str) -> Node:
        """The value under the first of ``names`` that is present and not null; hyphens serve as underscores."""
        value = node.value
        if not isinstance(value, Mapping):
            return Node(None, node.origin.below(names[0]), node.document)
        for name in names:
            for spelling in dict.fromkeys((name, name.replace("_", "-"))):
                if value.get(spelling) is not None:
                    return node.child(spelling)
        return node.child(names[0])

    def has(self, node: Node, name: str) -> bool:
        """Whether ``name`` (or its hyphenated form) is a key of the map, even if its value is null."""
        value = node.value
        return isinstance(value, Mapping) and (name in value or name.replace("_", "-") in value)

    def _variable(self, node: Node) -> Node | None:
        """The top-level variable called like the text of ``node``."""
        variables = self.document.root().child("variables")
        if isinstance(node.value, str) and isinstance(variables.value, Mapping):
            found = variables.child(node.value)
            return None if found.absent else found
        return None

    def _scalar(self, node: Node) -> bool:
        """Whether there is a scalar to read; Timeloop takes null, lists and maps as absent."""
        if node.absent:
            return False
        if isinstance(node.value, (list, Mapping)):
            self.notice("a list or map where a single value is wanted is ignored, as Timeloop does", node)
            return False
        return True

    def integer(self, node: Node, *, minimum: int | None = None, maximum: int = INT64_MAX) -> int | None:
        """A plain integer, or the variable named; ``None`` if absent.

        Raises:
            SpecError: not an integer, or outside ``minimum..maximum``.
        """
        if not self._scalar(node):
            return None
        value = _integer(node.value)
        if value is None:
            variable = self._variable(node)
            value = None if variable is None else _integer(variable.value)
        if value and isinstance(node.value, str) and node.value.strip().lstrip("+-")[:1] == "0":
            self.notice(f"read as an octal number, {value}, as by Timeloop", node)
        if value is None:
            remedy = f"write {int(node.value)}" if _whole(node.value) else ""
            node.fail("not an integer", expected="a plain integer", remedy=remedy)
        if (minimum is not None and value < minimum) or not -INT64_MAX <= value <= maximum:
            low = "" if minimum is None else f" >= {minimum}"
            node.fail("integer out of range", expected=f"an integer{low}, at most {maximum}")
        return value

    def number(
        self, node: Node, *, minimum: float | None = None, above: float | None = None, finite: bool = True
    ) -> float | None:
        """A double; a string that is no number gives 0, as in Timeloop, with a notice. ``None`` if absent.

        Raises:
            SpecError: nan, infinite where it must be ``finite``, below ``minimum``, or not above ``above``.
        """
        if not self._scalar(node):
            return None
        value = _number(node.value)
        if value is None:
            self.notice(
                f"{node.value!r} is not a number; Timeloop reads it as 0 (variables are not looked up for this key)",
                node,
            )
            value = 0.0
        if math.isnan(value) or (finite and math.isinf(value)):
            node.fail("not a finite number", expected="a number")
        if minimum is not None and value < minimum:
            node.fail("number out of range", expected=f"a number >= {minimum:g}")
        if above is not None and not value > above:
            node.fail("number out of range", expected=f"a number > {above:g}")
        return value

    def numbers(self, node: Node) -> dict[str, float]:
        """Numbers >= 0 by name; nulls are left out."""
        if node.absent:
            return {}
        if not isinstance(node.value, Mapping):
            node.fail("not a map", expected="a map of data space and factor, e.g. {Inputs: 2.0}")
        values = {name: self.number(child, minimum=0.0) for name, child in node.items()}
        return {name: value for name, value in values.items() if value is not None}

    def boolean(self, node: Node) -> bool | None:
        """A YAML truth value, or the variable named; ``None`` if absent."""
        if not self._scalar(node):
            return None
        value = _boolean(node.value)
        if value is None:
            variable = self._variable(node)
            value = None if variable is None else _boolean(variable.value)
        if value is None:
            node.fail("not a truth value", expected="true or false")
        return value

    def text(self, node: Node) -> str | None:
        """A string, or the value of the variable of that name; ``None`` if absent."""
        if not self._scalar(node):
            return None
        variable = self._variable(node)
        value = node.value if variable is None else variable.value
        return str(value).lower() if isinstance(value, bool) else str(value)

    def names(self, node: Node) -> list[Node]:
        """The nodes of a list of names; empty if absent."""
        if node.absent:
            return []
        if not isinstance(node.value, list):
            node.fail("not a list of names", expected="a list, e.g. [Weights, Inputs]")
        for element in node.elements():
            if not isinstance(element.value, (str, int, float)):
                element.fail("not a name", expected="a name")
        return node.elements()

    def guess(self, name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
        """``nearest``, a limited number of times per document; ``None`` after that."""
        self._guesses -= 1
        return nearest(name, known, cutoff) if self._guesses >= 0 else None

    def closed(self, node: Node, known: Iterable[str], what: str) -> None:
        """Complain about keys of a closed grammar that are not ``known``."""
        names = list(known)
        accepted = {spelling for name in names for spelling in (name, name.replace("_", "-"))}
        for key, child in node.items():
            if key in accepted:
                continue
            near = self.guess(key, names)
            hint = f"did you mean {near!r}?" if near else ""
            if self.strict:
                child.fail(
                    f"unknown key {key!r} in {what}", expected="one of " + ", ".join(names), remedy=hint
                )
            self.notice(f"key {key!r} is unknown in {what} and ignored. {hint}".rstrip(), child)

    def near_misses(self, node: Node, known: Iterable[str], what: str) -> None:
        """Notices about free-form keys that look like a misspelling of a ``known`` one."""
        names = list(known)
        accepted = {spelling for name in names for spelling in (name, name.replace("_", "-"))}
        for key, child in node.items():
            near = None if key in accepted else self.guess(key, names, 0.85)
            if near:
                self.notice(f"key {key!r} in {what} is ignored by Timeloop; did you mean {near!r}?", child)


def unknown(
    node: Node, problem: str, known: Iterable[str], *, name: str | None = None, expected: str = ""
) -> SpecError:
    """The error about a name (default: the value) that is none of the ``known`` ones, with the nearest of them."""
    names = list(known)
    near = nearest(str(node.value) if name is None else name, names)
    return node.error(
        problem,
        expected=expected or "one of " + ", ".join(names),
        remedy=f"did you mean {near!r}?" if near else "",
    )


def feature(node: Node, what: str) -> Feature:
    """What ``node`` asks for, in the plural, with its place."""
    return Feature(what, node.origin.place or None, format_path(node.origin.path), node.value)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like ``name``: equal but for case, hyphens and underscores, else by similarity."""
    names = list(known)
    if len(name) > _MAX_NAME:
        return None
    for candidate in names:
        if _folded(candidate) == _folded(name) and candidate != name:
            return candidate
    found = difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    return found[0] if found and found[0] != name else None


def close_keys(value: Map, allowed: Collection[str], what: str) -> None:
    """Raise a ``SpecError`` for the first key of ``value`` that is not allowed."""
    for key, node in value.nodes():
        if key not in allowed:
            near = nearest(key, allowed, 0.5)
            node.fail(
                f"unknown key {key!r} in {what}",
                expected="one of " + ", ".join(allowed),
                remedy=f"did you mean {near!r}?" if near else "remove it",
            )


def empty(value: object) -> bool:
    """Nothing said: absent, or containers that hold nothing but such (and a version)."""
    if isinstance(value, Mapping):
        return all(key == "version" or empty(item) for key, item in value.items())
    return value is None or value == []


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not _INTEGER.fullmatch(text):
        return None
    if text.lstrip("+-")[0] == "0":  # octal, as in C; 8 and 9 are no digits there
        return int(text, 8) if not set("89") & set(text) else None
    return int(text)


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        # an integer beyond the range of a double
        return float(value) if abs(value) < 2**1023 else math.copysign(math.inf, value)
    text = str(value).strip()
    if text.lower() in _SPECIAL:
        return _SPECIAL[text.lower()]
    return float(text) if _NUMBER.fullmatch(text) else None


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    return True if text in _TRUE else False if text in _FALSE else None


def _whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()

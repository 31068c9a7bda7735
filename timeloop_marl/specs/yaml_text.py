"""YAML text to trees that know where everything stood, and plain documents to YAML text.

Reading is safe: nothing is ever run. Scalars follow the core schema of YAML 1.2, as in the official front end: ``1e-9``
is a number, ``yes`` a string. What is written every reader understands alike: YAML 1.1, 1.2 and yaml-cpp.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from ..errors import SpecError
from .document import MAX_NODES, KeyPath, Map, Origin, Quoted, Seq, deeply, merged, overridden
from .scalars import nearest

MAX_DEPTH = 100
NODE_TAGS = ("!Container", "!Component", "!Parallel", "!Hierarchical", "!Pipelined", "!Nothing")
NO_MERGE = "!nomerge"  # of a list or map below the merge key <<<: it stands as it is
_CORE = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_OCTAL = re.compile(r"[-+]?0[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + dot: float(sign + "inf") for sign in ("", "+", "-") for dot in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Locate = Callable[[int], tuple[str, int]]  # 0-based line of the text -> file, 1-based line there
Include = Callable[[str], Any]  # payload of an include tag -> the included value


def parse_yaml(
    text: str,
    locate: Locate,
    *,
    keep_first: bool = False,
    include_tag: str = "",
    include: Include | None = None,
) -> Any:
    """The value of one YAML document.

    Args:
        text: the document.
        locate: tells where a line of ``text`` comes from.
        keep_first: of duplicate keys keep the first (the C++ programs); otherwise they are an error (front end).
        include_tag: a tag whose scalars are replaced by ``include(scalar)``, used for templates.
        include: see ``include_tag``.

    Raises:
        SpecError: syntax, unsafe tags, duplicate keys, recursion, too deep or too large a document.
    """
    return _Composer(text, locate, keep_first, include_tag, include).document()


def _too_deep(place: Origin) -> SpecError:
    return place.error("nested too deeply", expected=f"at most {MAX_DEPTH} levels")


class _Composer:
    def __init__(
        self, text: str, locate: Locate, keep_first: bool, include_tag: str, include: Include | None
    ) -> None:
        self.locate, self.keep_first = locate, keep_first
        self.include_tag, self.include = include_tag, include
        self.anchors: dict[str, Any] = {}
        self.open: set[str] = set()
        self.total = 0
        self.events: Iterator[Any] = self._events(text)

    def _events(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=_Loader)
        except yaml.YAMLError as error:
            file, line = self.locate(_error_line(error, text))
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
            if "nesting depth" in problem:  # libyaml's own limit, of which newer versions have one
                raise _too_deep(Origin(file, line)) from None
            raise Origin(file, line).error(
                f"not valid YAML: {problem}",
                remedy="check indentation, brackets and quotes near this line; the file must be YAML text",
            ) from None

    def document(self) -> Any:
        """The only document of the stream; ``None`` for an empty one."""
        result: Any = None
        seen = False
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise self._origin(event, ()).error(
                        "a second YAML document begins here",
                        remedy="Timeloop reads one document: remove the line '---'",
                    )
                seen = True
                result = self._node(next(self.events), (), 0)
        return result

    def _origin(self, event: Any, path: KeyPath) -> Origin:
        file, line = self.locate(event.start_mark.line)
        return Origin(file, line, path)

    def _node(self, event: Any, path: KeyPath, depth: int) -> Any:
        origin = self._origin(event, path)
        if depth > MAX_DEPTH:
            raise _too_deep(Origin(origin.file, origin.line, path[:8]))
        if isinstance(event, yaml.AliasEvent):
            return self._count(self._alias(event.anchor, origin), origin)
        anchor = event.anchor
        if anchor is not None:
            self.anchors.pop(anchor, None)
            self.open.add(anchor)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, origin)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, origin, depth)
        else:
            value = self._mapping(event, origin, depth)
        if anchor is not None:
            self.open.discard(anchor)
            self.anchors[anchor] = value
        return self._count(value, origin, container=False)

    def _alias(self, name: str | None, origin: Origin) -> Any:
        if name is not None and name in self.anchors:
            return self.anchors[name]
        if name in self.open:
            raise origin.error(f"the alias *{name} contains itself", remedy="break the circle")
        raise origin.error(
            f"the alias *{name} is not defined before this line", remedy=f"define it with &{name}"
        )

    def _count(self, value: Any, origin: Origin, container: bool = True) -> Any:
        """Count ``value`` against the limit; only aliases add what they stand for."""
        self.total += value.size if container and isinstance(value, (Map, Seq)) else 1
        if self.total > MAX_NODES:
            raise origin.error(
                "the document is too large, aliases expanded",
                expected=f"at most {MAX_NODES} values",
                remedy="remove nested aliases (a YAML bomb?) or split the input",
            )
        return value

    def _scalar(self, event: Any, origin: Origin) -> Any:
        text, tag = event.value, event.tag
        if self.include_tag and tag == self.include_tag and self.include is not None:
            return self.include(text)
        if self.include_tag and self.include_tag in text:
            raise origin.error(
                "an included map or list inside other text",
                remedy="let include(...) be the whole value: no quotes and no text around it",
            )
        if tag in (None, "!") or tag == _CORE + "str":
            if event.style in ("'", '"') or tag is not None:
                return Quoted(text)
            if self.keep_first and _OCTAL.fullmatch(text):
                return text  # the C++ programs read an octal integer or a decimal double, as the key wants it
            return text if event.style in ("|", ">") else resolve(text)
        if tag.startswith(_CORE) and tag[len(_CORE) :] in ("int", "float", "bool", "null"):
            value = resolve(text)
            return float(value) if tag.endswith("float") and isinstance(value, int) else value
        if tag == NO_MERGE:
            raise origin.error(f"{tag} on a single value", value=text, expected="a list or a map behind it")
        if tag in NODE_TAGS and not text:
            return Map(origin, tag)
        raise _unknown_tag(tag, origin)

    def _sequence(self, event: Any, origin: Origin, depth: int) -> Seq:
        if event.tag not in (None, "!", _CORE + "seq", NO_MERGE):
            raise _unknown_tag(event.tag, origin)
        result = Seq(origin)
        result.alone = event.tag == NO_MERGE
        while not isinstance(child := next(self.events), yaml.SequenceEndEvent):
            path = (*origin.path, len(result))
            value = self._node(child, path, depth + 1)
            result.add(value, self._origin(child, path))
            result.size += _size(value)
        return result

    def _mapping(self, event: Any, origin: Origin, depth: int) -> Map:
        if event.tag not in (None, "!", _CORE + "map", *NODE_TAGS, NO_MERGE):
            raise _unknown_tag(event.tag, origin)
        tag = event.tag if event.tag in NODE_TAGS else ""
        own = Map(origin, tag)
        merges: list[tuple[str, Any, Origin]] = []
        while not isinstance(key_event := next(self.events), yaml.MappingEndEvent):
            key = self._key(key_event, origin)
            where = self._origin(key_event, (*origin.path, key))
            value = self._node(next(self.events), where.path, depth + 1)
            if key in ("<<", "<<<"):
                merges.append((key, value, where))
            elif key not in own:
                own.put(key, value, where)
            elif not self.keep_first:
                raise where.error(
                    f"the key {key!r} occurs twice in one map",
                    remedy=f"remove one; the first stands on line {own.where[key].line}",
                )
            own.size += 1 + _size(value)
        for merge in merges:
            own = _merged(own, *merge)
        own.alone = event.tag == NO_MERGE
        return own

    def _key(self, event: Any, origin: Origin) -> str:
        if isinstance(event, yaml.AliasEvent):
            value = self._alias(event.anchor, self._origin(event, origin.path))
            if isinstance(value, (str, int, float)):
                return str(value)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                self.anchors[event.anchor] = event.value
            return str(event.value)
        raise self._origin(event, origin.path).error(
            "a map or list as a key", expected="a word as the key of a map"
        )


def resolve(text: str) -> Any:
    """The value of a plain scalar: null, bool, int, float, or the text itself."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > 100:  # longer numbers are nobody's intention, and slow to convert
        return text
    if _INT.fullmatch(text):
        if text[:2] in ("0o", "0x"):
            return int(text, 0)
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _error_line(error: yaml.YAMLError, text: str) -> int:
    """0-based line of a syntax error; for forbidden characters the parser gives their position in bytes."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line)
    position = getattr(error, "position", 0)
    return text.encode()[: position if isinstance(position, int) else 0].count(b"\n")


def _size(value: Any) -> int:
    return value.size if isinstance(value, (Map, Seq)) else 1


def _merged(own: Map, key: str, source: Any, where: Origin) -> Map:
    """``own`` with the keys of ``source`` that it lacks; with ``<<<`` nested maps are merged as well."""
    sources = source if isinstance(source, Seq) else [source]
    for base in sources:
        if not isinstance(base, Map):
            raise where.error(f"{key} needs a map or a list of maps", value=base, expected="<<: *anchor")
        size = own.size + base.size
        own = merged(base, own, deeply if key == "<<<" else overridden, head=own)
        own.size = size
    return own


def _unknown_tag(tag: str, origin: Origin) -> SpecError:
    near = nearest(tag, NODE_TAGS)
    return origin.error(
        f"the YAML tag {tag} is not accepted",
        expected=", ".join(NODE_TAGS),
        remedy=f"did you mean {near}?"
        if near
        else "remove the tag; nothing in an input file is ever constructed or executed",
    )


_WIDTH = 110  # longest line of a map or list written in one piece
_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_./<>=+ -]*[A-Za-z0-9_./<>=+-])?")
# What some reader takes for a truth value, nothing or a number; YAML 1.1 knows y and n, dimensions are called so.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"})
_TEMPLATE = re.compile(r"\{(?=[{%#])")  # Jinja2 would take it for its own
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def yaml_text(document: Mapping[str, Any]) -> str:
    """The text of a document of plain maps, lists and scalars, keys in their order, ending with a line end.

    Maps stand in block style, small ones without maps inside on one line; there are no anchors, and a string is
    quoted where any reader could take it for something else. Doubles are read back to the last bit.
    """
    sections = []
    for key, value in document.items():
        name = _scalar(str(key))
        if isinstance(value, (Mapping, list)) and value:
            sections.append("\n".join([f"{name}:", *_lines(value, 2)]) + "\n")
        else:
            sections.append(f"{name}: {_flow(value)}\n")
    return "\n".join(sections)


def _lines(value: Mapping[str, Any] | list[Any], indent: int) -> Iterator[str]:
    """The lines of a map or list that is not empty, ``indent`` blanks deep."""
    margin = " " * indent
    if isinstance(value, list):
        for item in value:
            if _on_one_line(item, indent + 2):
                yield f"{margin}- {_flow(item)}"
            else:  # the first line of the item stands behind its dash
                first, *rest = _lines(item, indent + 2)
                yield f"{margin}- {first.lstrip()}"
                yield from rest
        return
    for key, item in value.items():
        name = _scalar(str(key))
        if _on_one_line(item, indent + len(name) + 2):
            yield f"{margin}{name}: {_flow(item)}"
        else:
            yield f"{margin}{name}:"
            # a list begins in the column of its key
            yield from _lines(item, indent if isinstance(item, list) else indent + 2)


def _on_one_line(value: Any, column: int) -> bool:
    """Scalars, empty containers, and small maps and lists without maps inside."""
    if not isinstance(value, (Mapping, list)) or not value:
        return True
    return _leaf(value) and column + len(_flow(value)) <= _WIDTH


def _leaf(value: Mapping[str, Any] | list[Any]) -> bool:
    items = value.values() if isinstance(value, Mapping) else value
    return not any(
        isinstance(item, Mapping) or (isinstance(item, list) and not _leaf(item)) for item in items
    )


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(float(value))
    return _string(str(value))


def _number(value: float) -> str:
    """A double that is read back exactly; readers of YAML 1.1 want a dot before the exponent."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"


def _string(text: str) -> str:
    """Plain where no reader can take it for anything else, else in quotes; escapes only where they must be."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    if text.isprintable() and not _TEMPLATE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + _TEMPLATE.sub(r"\\x7b", "".join(map(_escaped, text))) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"

"""Plain documents as YAML text that every reader understands alike: YAML 1.1, 1.2 and yaml-cpp."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

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

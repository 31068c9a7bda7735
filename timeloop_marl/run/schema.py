"""Files of run folders read back: every value is what its schema says, or one message says which is not.

Schemas are types: dataclasses, which are built, and ``TypedDict``s, which stay maps and may have further keys.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, is_typeddict

from ..errors import UsageError, shorten

Schema = TypeVar("Schema")
LARGEST = 256 << 20
"""Bytes of a file."""
_INTEGERS = 1 << 63
_NAMES = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}


class Misfit(Exception):  # noqa: N818 (becomes a UsageError, which names the file)
    """A value is not what the schema says. ``path``: keys and indices that lead to it."""

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(f"{path or 'the whole'} is {shorten(value, 60)}, expected {expected}")


def fit(value: Any, schema: Any, path: str = "") -> Any:
    """The value as the schema has it: lists as tuples where these are asked for, maps as dataclasses.

    Raises:
        Misfit: it is something else.
    """
    origin, inside = typing.get_origin(schema), typing.get_args(schema)
    if schema is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, inside, path)
    if origin is not None and issubclass(origin, Mapping):
        content = _kind(value, dict, "a map", path)
        return {key: fit(content[key], inside[1], f"{path}.{key}".lstrip(".")) for key in content}
    if origin is not None and issubclass(origin, Sequence):
        return _listed(value, origin, inside, path)
    if dataclasses.is_dataclass(schema) or is_typeddict(schema):
        return _record(value, schema, path)
    return _plain(value, schema, path)


def _plain(value: Any, schema: Any, path: str) -> Any:
    if schema is type(None) or schema is None:
        if value is not None:
            raise Misfit(path, value, "null")
        return None
    if schema is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) < _INTEGERS or (isinstance(value, float) and math.isfinite(value)):
            return value
    elif schema is int and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _INTEGERS:
            return value
    elif schema in (str, bool) and isinstance(value, schema):
        return value
    raise Misfit(path, value, _NAMES[schema])


def _kind(value: Any, kind: type, name: str, path: str) -> Any:
    if not isinstance(value, kind):
        raise Misfit(path, value, name)
    return value


def _one_of(value: Any, schemas: Sequence[Any], path: str) -> Any:
    if value is None and type(None) in schemas:
        return None
    failed = None
    for schema in schemas:
        if schema is not type(None):
            try:
                return fit(value, schema, path)
            except Misfit as misfit:
                failed = misfit
    assert failed is not None
    raise failed


def _listed(value: Any, origin: type, inside: Sequence[Any], path: str) -> Any:
    items = _kind(value, list, "a list", path)
    fixed = origin is tuple and Ellipsis not in inside
    if fixed and len(items) != len(inside):
        raise Misfit(path, value, f"a list of {len(inside)}")
    schemas = inside if fixed else [inside[0]] * len(items)
    made = [fit(item, schema, f"{path}[{i}]") for i, (item, schema) in enumerate(zip(items, schemas))]
    return tuple(made) if origin is tuple else made


def _record(value: Any, schema: Any, path: str) -> Any:
    content = dict(_kind(value, dict, "a map", path))
    hints = typing.get_type_hints(schema)
    if is_typeddict(schema):
        required = schema.__required_keys__
    else:
        fields = dataclasses.fields(schema)
        hints = {field.name: hints[field.name] for field in fields}
        missing = dataclasses.MISSING
        required = {
            field.name for field in fields if field.default is missing and field.default_factory is missing
        }
    for key in sorted(required - set(content)):
        raise Misfit(path, sorted(content), f"a key {key!r}")
    made = {
        key: fit(content[key], hint, f"{path}.{key}".lstrip("."))
        for key, hint in hints.items()
        if key in content
    }
    if is_typeddict(schema):
        return {**content, **made}
    for key in content.keys() - hints.keys():
        raise Misfit(path, key, f"keys among {', '.join(hints)}")
    return schema(**made)


def read_json(file: Path, schema: type[Schema], missing: str) -> Schema:
    """The content of a JSON file.

    Args:
        missing: what to say where there is no such file.

    Raises:
        UsageError: it is missing, cannot be read, or something in it is not what the schema says.
    """
    return fitted(file, read_map(file, missing), schema)


def fitted(file: Path, content: Any, schema: type[Schema]) -> Schema:
    """The content of a file by its schema; errors as ``read_json``."""
    try:
        made: Schema = fit(content, schema)
    except Misfit as misfit:
        raise damaged(file, misfit) from None
    return made


def damaged(file: Path, why: object) -> UsageError:
    """The one message for all files of a run folder."""
    return UsageError(f"{file}: damaged: {why}\n  remedy: restore the file, or run the command again")


def read_map(file: Path, missing: str) -> dict[str, Any]:
    """The map that a JSON file holds; errors as ``read_json``."""
    try:
        if file.stat().st_size > LARGEST:
            raise damaged(file, f"it has {file.stat().st_size:,} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{file}: {missing}") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot read: {error.strerror}") from error
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise damaged(file, "not a readable JSON file") from None
    if not isinstance(content, dict):
        raise damaged(file, "not a JSON object")
    return content

"""Files of run folders read back: every value is what its schema says, or one message says which is not.

Schemas are types, checked by msgspec: dataclasses, which are built, and ``TypedDict``s, which stay maps and may have
further keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn, TypeVar, is_typeddict

import msgspec

from ..errors import UsageError

Schema = TypeVar("Schema")
LARGEST = 256 << 20
"""Bytes of a file."""
_INTEGERS = 1 << 63


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
        made = msgspec.convert(content, schema)
    except msgspec.ValidationError as error:
        raise damaged(file, error) from None
    return content if is_typeddict(schema) else made


def damaged(file: Path, why: object) -> UsageError:
    """The one message for all files of a run folder."""
    return UsageError(f"{file}: damaged: {why}\n  remedy: restore the file, or run the command again")


def read_map(file: Path, missing: str) -> dict[str, Any]:
    """The map that a JSON file holds; errors as ``read_json``."""
    try:
        if file.stat().st_size > LARGEST:
            raise damaged(file, f"it has {file.stat().st_size:,} bytes")
        content = json.loads(file.read_text(encoding="utf-8"), parse_int=_integer, parse_constant=_no_number)
    except FileNotFoundError:
        raise UsageError(f"{file}: {missing}") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot read: {error.strerror}") from error
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise damaged(file, "not a readable JSON file") from None
    if not isinstance(content, dict):
        raise damaged(file, "not a JSON object")
    return content


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= len(str(_INTEGERS)) else _INTEGERS
    return number if abs(number) < _INTEGERS else _no_number(digits)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no number of ours")

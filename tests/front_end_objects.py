"""Specification objects of Timeloop's front end without it: their classes, tags and values, recorded as JSON."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "golden" / "front_end"
DESIGN, RECORDED = FOLDER / "design.yaml", FOLDER / "specification.json"
_MODULE = "pytimeloop.timeloopfe.v4"
_LEFT_OUT = ("processors", "_required_processors", "_processors_run", "_processors_run_pre_parse")


def recorded(value: Any) -> Any:
    """The value as JSON: maps and lists of the front end with class and tag, strings with whether they were quoted."""
    if isinstance(value, dict):
        items = {str(key): recorded(item) for key, item in value.items() if key not in _LEFT_OUT}
        return {"class": _names(value), **_tag(value), "map": items}
    if isinstance(value, list):
        return {"class": _names(value), "list": [recorded(item) for item in value]}
    if isinstance(value, str) and "Quoted" in type(value).__name__:
        return {"quoted": str(value)}
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value)


def _names(value: Any) -> str:
    """Its class and those it inherits from, as far as they are the front end's."""
    return " ".join(base.__name__ for base in type(value).__mro__ if "timeloopfe" in base.__module__)


def _tag(value: Any) -> dict[str, str]:
    tag = getattr(value, "tag", None)
    text = tag if isinstance(tag, str) else getattr(tag, "value", None)
    return {"tag": text} if text else {}


class DoubleQuotedScalarString(str):
    """Called as the class of ruamel.yaml, which the front end reads quoted strings into."""


@cache
def _class(names: str, base: type) -> type:
    for name in reversed(names.split()):
        base = type(name, (base,), {"__module__": f"{_MODULE}.specification"})
    return base


def revived(value: Any) -> Any:
    """The object that was recorded."""
    if not isinstance(value, dict):
        return value
    if "quoted" in value:
        return DoubleQuotedScalarString(value["quoted"])
    if "list" in value:
        return _class(value["class"], list)(revived(item) for item in value["list"])
    result = _class(value["class"], dict)({key: revived(item) for key, item in value["map"].items()})
    if "tag" in value:
        result.tag = value["tag"]
    return result

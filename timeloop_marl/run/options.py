"""What is searched with (``Settings``, also a section of the input files), and how anything is run (``RunOptions``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..cost.objective import plain_name
from ..errors import SpecError
from ..specs.document import Document, Node
from ..specs.scalars import nearest

SECTION = "timeloop_marl"
DEFAULT_SAMPLES = 2000
_IDENTITY = {"identity": True}
_COUNTS = ("samples", "valid_samples", "stagnation")
_NUMBERS = ("seconds", "target")


@dataclass(frozen=True)
class Settings:
    """What to search with and for how long. ``None`` = no such limit.

    ``samples`` counts every evaluated mapping, valid or not. Without any of samples, valid_samples, seconds, target and
    stagnation, a search ends after ``DEFAULT_SAMPLES`` samples. A search is resumed only with the same searcher,
    objective, seed and options (fields marked ``identity``); limits may change.
    """

    searcher: str = field(default="marl", metadata=_IDENTITY)
    objective: str = field(default="edp", metadata=_IDENTITY)
    samples: int | None = None
    valid_samples: int | None = None
    seconds: float | None = None
    target: float | None = None
    stagnation: int | None = None
    seed: int = field(default=1, metadata=_IDENTITY)
    options: Mapping[str, object] = field(default_factory=dict, metadata=_IDENTITY)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", plain_name(self.objective))  # latency is delay, on record too

    @property
    def limits(self) -> dict[str, Any]:
        """The budget, by name."""
        given = {name: getattr(self, name) for name in (*_COUNTS, *_NUMBERS)}
        if all(value is None for value in given.values()):
            given["samples"] = DEFAULT_SAMPLES
        return given

    def as_arguments(self) -> dict[str, Any]:
        """In words of the command line: every setting by its name, options as ``NAME=VALUE``."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        options = given.pop("options")
        return {**given, "option": [f"{key}={value}" for key, value in options.items()]}

    def updated(self, choices: Mapping[str, Any]) -> Settings:
        """These settings with every choice that is not ``None`` put in its place; options are added one by one."""
        chosen = {name: value for name, value in choices.items() if value is not None}
        if "options" in chosen:
            same = chosen.get("searcher", self.searcher) == self.searcher
            chosen["options"] = {**(self.options if same else {}), **chosen["options"]}
        elif chosen.get("searcher", self.searcher) != self.searcher:
            chosen["options"] = {}  # options of another searcher mean nothing to this one
        return dataclasses.replace(self, **chosen)


@dataclass(frozen=True)
class RunOptions:
    """How a search, a front, a network, a sweep, a proof or a comparison is run; none of it changes what is found.

    Attributes:
        output: folder for everything that is written; ``None`` = nothing is.
        resume: go on with the run that is there.
        overwrite: begin anew where a run is there: what it has left is removed. Not with ``resume``.
        live: show how it goes, in a notebook or on a terminal.
        tensorboard: folder for scalars (extra ``tensorboard``).
        on_compile: told in one line what is compiled first; that takes tens of seconds.
        arguments: what the run was asked for, in words of the command line: kept in ``run.json``, for ``--resume``.
    """

    output: str | Path | None = None
    resume: bool = False
    live: bool = False
    tensorboard: str | Path | None = None
    on_compile: Callable[[str], None] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False


def read_settings(document: Document) -> Settings:
    """The settings in a document; the defaults where it has none.

    Raises:
        SpecError: an unknown key or a value of the wrong type.
    """
    node = document.root().child(SECTION)
    if node.absent:
        return Settings()
    values: dict[str, Any] = {}
    known = [entry.name for entry in dataclasses.fields(Settings)]
    for key, child in node.items():
        name = key.replace("-", "_")
        if name not in known:
            near = nearest(name, known)
            child.fail(
                f"unknown key {key!r}",
                expected=", ".join(known),
                remedy=f"did you mean {near!r}?" if near else "",
            )
        if not child.absent:
            values[name] = _value(name, child)
    return Settings(**values)


def _value(name: str, node: Node) -> object:
    value = node.value
    if name == "options":
        return {key: child.value for key, child in node.items()}
    if name == "objective" and isinstance(value, list):
        return ",".join(str(entry) for entry in value)
    if name in ("searcher", "objective"):
        if not isinstance(value, str):
            node.fail("not a name", expected="a name, e.g. edp or marl")
        return value
    kinds = (int, float) if name in _NUMBERS else (int,)
    least = 0 if name == "seed" else 1 if name in _COUNTS else None
    if isinstance(value, bool) or not isinstance(value, kinds):
        node.fail("not a number", expected="a number" if name in _NUMBERS else "a whole number")
    if (least is not None and value < least) or (least is None and not value > 0):
        raise _too_small(node, least)
    return value


def _too_small(node: Node, least: int | None) -> SpecError:
    return node.error("out of range", expected="above 0" if least is None else f"at least {least}")

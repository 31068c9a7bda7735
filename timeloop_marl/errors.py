"""Every error a user can cause: it says the file, the key path, the value, what was expected and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


class TimeloopMarlError(Exception):
    """Root of all errors that are the input's fault. The command line prints it and exits with 2."""

    exit_code = 2


class SpecError(TimeloopMarlError):
    """Something in an input file is wrong.

    Args:
        problem: what is wrong, one clause, no trailing full stop.
        file: the file it stands in, if known.
        path: key path within the document, e.g. ``architecture.nodes[2].attributes.depth``.
        value: the offending value, shortened in the message.
        expected: what would have been accepted.
        remedy: how to mend it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        path: str = "",
        value: object = ...,
        expected: str = "",
        remedy: str = "",
    ) -> None:
        self.problem, self.file, self.path, self.value = problem, file, path, value
        self.expected, self.remedy = expected, remedy
        super().__init__(self._message())

    def __reduce__(self) -> tuple[Callable[..., SpecError], tuple[object, ...]]:
        """All parts: the whole message would be taken for the problem."""
        value = self.value if self.value is ... else _Shown(shorten(self.value, 10**9))
        parts = {"file": self.file, "path": self.path, "value": value}
        return _remade, (
            type(self), str(self.problem), {**parts, "expected": self.expected, "remedy": self.remedy},
        )  # fmt: skip

    def _message(self) -> str:
        where = ": ".join(cut(str(part), 400) for part in (self.file, self.path) if part)
        problem = cut(self.problem, 600)
        lines = [f"{where}: {problem}" if where else problem]
        if self.value is not ...:
            lines.append(f"  found: {shorten(self.value)}")
        if self.expected:
            lines.append(f"  expected: {cut(self.expected, 1000)}")
        if self.remedy:
            lines.append(f"  remedy: {cut(self.remedy, 1000)}")
        return "\n".join(lines)


class _Shown(str):
    """The ``repr`` of a value that stayed in another process."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _remade(kind: type[SpecError], problem: str, parts: dict[str, Any]) -> SpecError:
    return kind(problem, **parts)


class UnsupportedFeatureError(SpecError):
    """The input is legal Timeloop, but the native model does not cover it; the remedy names the real backend."""


class MappingError(SpecError):
    """A mapping does not fit the problem or the architecture (unknown level, wrong factor product, ...)."""


class InfeasibleError(SpecError):
    """The constraints leave no mapping; the message says which constraint, at which level, and what would mend it."""


class UsageError(TimeloopMarlError):
    """The call itself is wrong: an unknown searcher, a malformed budget, a missing file."""


class InstallationError(TimeloopMarlError):
    """A package at hand is of a version that this one does not work with."""


class BackendError(TimeloopMarlError):
    """A real Timeloop program crashed, hung or wrote what cannot be understood; says how to run it again by hand."""

    exit_code = 3


def shorten(value: object, limit: int = 120) -> str:
    """``repr`` of a value, cut to ``limit`` characters."""
    try:
        text = repr(value)
    except (
        ValueError,
        RecursionError,
    ):  # integers of thousands of digits, containers in containers without end
        text = "a value too long to print"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def cut(text: str, limit: int) -> str:
    """``text``, its end replaced by dots beyond ``limit`` characters: what a user writes may be long."""
    return text if len(text) <= limit else text[: limit - 3] + "..."

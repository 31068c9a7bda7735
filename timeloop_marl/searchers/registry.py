"""Searchers by name. A searcher is one file of this folder: its class, its options, and ``@searcher`` above them.

Nothing is imported until a name is looked up, and a library only when a searcher that needs it is made.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from ..cost.objective import Objective
from ..errors import UsageError
from ..mapspace.axes import LearnersMapspace
from ..specs.spec import Spec
from .base import Searcher

Option = bool | int | float | str
Make = Callable[[Spec, Objective, int, Mapping[str, Option]], Searcher]
_FOLDERS = ("", ".marl", ".library", ".timeloop")  # every module in them may register searchers


@dataclass(frozen=True)
class Entry:
    """One searcher: what it is, what it knows, its options with their defaults, and how it is made.

    Attributes:
        knowledge: as ``Searcher.knowledge``, with the default options.
        inherits: whether it can begin with what was learnt on other layers.
        extra: of the package; installs the library that the searcher needs.
    """

    name: str
    description: str
    options: Mapping[str, Option]
    knowledge: str
    inherits: bool
    extra: str
    module: str
    make: Make


_ENTRIES: dict[str, Entry] = {}
Made = TypeVar("Made", bound=Callable[..., Any])


def searcher(
    name: str, description: str, options: type[Any] | Mapping[str, Option] | None = None, *, extra: str = ""
) -> Callable[[Made], Made]:
    """Register a searcher.

    Above a class: it is made as ``cls(LearnersMapspace(spec), objective, seed)``, followed by an instance of
    ``options``, a dataclass, if there is one. Above a function: it is called with Spec, objective, seed, and those of
    ``options`` (names and defaults) that were given.

    Args:
        description: one line.
        extra: of the package, to install what making the searcher imports.

    Raises:
        UsageError: another module has registered this name.
    """

    def register(made: Made) -> Made:
        module = getattr(made, "func", made).__module__
        if name in _ENTRIES and _ENTRIES[name].module != module:
            raise UsageError(f"searcher {name!r} of {module}: {_ENTRIES[name].module} has that name already")
        defaults = dataclasses.asdict(options()) if isinstance(options, type) else dict(options or {})
        kind = options if isinstance(options, type) else None
        _ENTRIES[name] = Entry(
            name=name,
            description=description,
            options=defaults,
            knowledge=getattr(made, "knowledge", "none"),
            inherits=getattr(made, "inherit", Searcher.inherit) is not Searcher.inherit,
            extra=extra,
            module=module,
            make=_on_learners_view(made, kind) if isinstance(made, type) else made,
        )
        return made

    return register


def _on_learners_view(cls: Callable[..., Searcher], kind: type[Any] | None) -> Make:
    def make(spec: Spec, objective: Objective, seed: int, given: Mapping[str, Option]) -> Searcher:
        own = () if kind is None else (kind(**given),)
        return cls(LearnersMapspace(spec), objective, seed, *own)

    return make


def all_searchers() -> Mapping[str, Entry]:
    """Every searcher, by name."""
    _find()
    return dict(sorted(_ENTRIES.items()))


@cache
def _find() -> None:
    for folder in _FOLDERS:
        package = importlib.import_module(f"{__package__}{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


def inherits(name: str) -> bool:
    """Whether this searcher can begin with what was learnt on other layers."""
    return name in all_searchers() and all_searchers()[name].inherits


def make_searcher(
    name: str, spec: Spec, seed: int, objective: Objective, options: Mapping[str, object] | None = None
) -> Searcher:
    """A searcher by name; its mapspace is ``searcher.space``.

    Args:
        options: values may be strings, as from the command line.

    Raises:
        UsageError: unknown name or option (with the nearest known one), a value of the wrong type, or a library that
            is not installed.
        InfeasibleError: the constraints leave no mapping.
    """
    entry: Entry = _lookup(name, all_searchers(), "searcher")
    chosen = {}
    for key, value in (options or {}).items():
        default = _lookup(key.replace("-", "_"), entry.options, f"option of searcher {name}")
        chosen[key.replace("-", "_")] = _converted(key, value, default)
    if seed < 0:
        raise UsageError(f"the seed must not be negative, got {seed}")
    try:
        return entry.make(spec, objective, seed, chosen)
    except ModuleNotFoundError as error:
        if not entry.extra:
            raise
        raise UsageError(
            f"searcher {name} needs {error.name}, which is not installed: pip install 'timeloop-marl[{entry.extra}]'"
        ) from error


def _lookup(name: str, known: Mapping[str, Any], what: str) -> Any:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"unknown {what}: {name!r}{hint} Known: {', '.join(known) or 'none'}")


def _converted(key: str, value: object, default: Option) -> Option:
    kind = type(default)
    text = str(value).strip()
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in ("true", "false", "1", "0", "yes", "no"):
            return text.lower() in ("true", "1", "yes")
        raise UsageError(f"option {key}: expected true or false, got {text!r}")
    try:
        return float(text) if kind is float else int(text)
    except ValueError:
        raise UsageError(
            f"option {key}: expected {'a number' if kind is float else 'an integer'}, got {text!r}"
        ) from None

"""How kernels are compiled: numba, cached on disk, the GIL released. The same functions also run as plain Python.

``fastmath`` is off so that no sum is re-associated and no product contracted to a fused multiply-add;
``error_model='numpy'`` so that a division has no branch for an exception. Reference counts are off (``_nrt``): a kernel
is given all its arrays and makes only views, and counting these in every call took more than half of the time of an
invalid mapping. So a kernel cannot make arrays (numba refuses to compile one that tries), unless it is an
``allocating`` one.

Compiled code is kept next to the sources, or in the user's cache where these cannot be written to (``NUMBA_CACHE_DIR``
names another place). Where neither can be written, kernels are compiled anew in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ParamSpec, TypeVar, cast

from . import numba_internals
from .numba_internals import Dispatcher

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

PACKAGE = Path(__file__).parent.parent
CALLED: dict[str, tuple[str, ...]] = {
    "traffic": ("traffic",),
    "cost": ("traffic", "cost"),
    "mapspace": ("traffic", "mapspace"),
    "optimal": ("traffic", "mapspace", "cost", "optimal"),
    "searchers": ("traffic", "mapspace", "searchers/timeloop", "searchers/marl"),
    "kernels": ("traffic", "cost", "kernels"),
}
"""Room of a kernel to the folders whose code may be merged into it; a kernel outside the package may call all."""


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function over plain arrays and records on its first call."""
    return _compiled(function)


def allocating(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``kernel``, for a function that makes arrays; only Python or another one like it may be given them."""
    return _compiled(function, counted=True)


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``kernel``, but merged into its callers: handing several arrays on costs more than a little work on them."""
    return _compiled(function, forceinline=True)


def plain(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The kernel as ordinary Python, with every kernel that it calls, directly or not, made ordinary too."""
    return rebuilt(function, lambda source, _: source)


def rebuilt(
    function: Callable[Arguments, Result],
    decorate: Callable[[FunctionType, bool], Any],
    instead: Mapping[Callable[..., Any], Any] | None = None,
    modules: Mapping[ModuleType, ModuleType] | None = None,
    done: dict[int, Any] | None = None,
) -> Callable[Arguments, Result]:
    """The kernel and all kernels that it calls made anew from their sources: one text for several targets.

    A function looks its callees up in the globals of its module (so ``Dispatcher.py_func`` alone would still call
    compiled ones); each is rebuilt over a copy of those globals in which kernels are replaced.

    Args:
        function: a kernel.
        decorate: makes something callable of a plain function; told whether it is an ``inlined`` one. What it calls is
            not there yet.
        instead: kernels to something that takes their place, and is not looked into.
        modules: modules to others that sources find under their names.
        done: what was made before with the same arguments; more is added.
    """
    known = {} if done is None else done
    known.update({_number(one): other for one, other in (instead or {}).items()})
    made = _rebuild(function, decorate, modules or {}, known)
    return cast(Callable[Arguments, Result], made)


def is_cached(function: Callable[..., object]) -> bool:
    """Whether a kernel was compiled in this process or lies in the cache on disk."""
    return numba_internals.is_cached(function)


def cache_folder(function: Callable[..., object]) -> Path | None:
    """Where the compiled code of a kernel is kept; ``None`` if nowhere."""
    return numba_internals.cache_folder(function)


@cache
def sources(room: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file whose code may be merged into kernels of a room."""
    folders = CALLED.get(room, tuple(sorted({folder for called in CALLED.values() for folder in called})))
    files = [
        Path(__file__),
        Path(numba_internals.__file__),
        *(file for folder in folders for file in sorted((PACKAGE / folder).rglob("*.py"))),
    ]
    return tuple((str(f.relative_to(PACKAGE)), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def _compiled(
    function: Callable[Arguments, Result], forceinline: bool = False, counted: bool = False
) -> Callable[Arguments, Result]:
    dispatcher = numba_internals.compiled(function, forceinline, counted)
    path = Path(function.__code__.co_filename)
    room = path.relative_to(PACKAGE).parts[0] if path.is_relative_to(PACKAGE) else ""
    numba_internals.keep_on_disk(dispatcher, sources(room))
    return cast(Callable[Arguments, Result], dispatcher)


def _number(function: Callable[..., Any]) -> int:
    return id(cast(Any, function).py_func)


def _rebuild(
    dispatcher: Any,
    decorate: Callable[[FunctionType, bool], Any],
    modules: Mapping[ModuleType, ModuleType],
    done: dict[int, Any],
) -> Any:
    source = cast(FunctionType, dispatcher.py_func)
    if id(source) in done:
        return done[id(source)]
    names = dict(source.__globals__)
    new = FunctionType(source.__code__, names, source.__name__, source.__defaults__, source.__closure__)
    made = done[id(source)] = decorate(new, bool(dispatcher.targetoptions.get("forceinline")))
    for name in source.__code__.co_names:
        value = names.get(name)
        if isinstance(value, Dispatcher):
            names[name] = _rebuild(value, decorate, modules, done)
        elif isinstance(value, ModuleType):
            names[name] = modules.get(value, value)
    return made

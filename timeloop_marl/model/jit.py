"""How the kernels of the cost model are compiled, and how the very same functions run as plain Python.

Compiled: numba, cached on disk, GIL released, ``fastmath`` off so that no sum is re-associated and no product is
contracted to a fused multiply-add; ``error_model='numpy'`` so that a division has no branch for an exception.
Plain: ``plain(kernel)`` rebuilds a kernel and, recursively, every kernel its code refers to, as ordinary functions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a scalar function over plain arrays on its first call."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=False)(function)
    _stamp(compiled)
    _ignore_literals(compiled)
    return cast(Callable[Arguments, Result], compiled)


def _ignore_literals(dispatcher: Dispatcher) -> None:
    """Compile one version for all integers: numba would compile another for every argument that is a constant."""
    template, unliteral = dispatcher.get_call_template, cast(Any, types).unliteral

    def get_call_template(args: Any, kws: Any) -> Any:
        return template(
            tuple(unliteral(kind) for kind in args),
            {name: unliteral(kind) for name, kind in kws.items()},
        )

    vars(dispatcher)["get_call_template"] = get_call_template


def _stamp(dispatcher: Dispatcher) -> None:
    """Tie the cached machine code to the sources of all kernels.

    numba itself looks at the file of the function alone, and would go on using old code of callees in other files.
    """
    cache = getattr(dispatcher, "_cache", None)
    if isinstance(cache, FunctionCache):
        cache._cache_file._source_stamp = _sources()


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def plain(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The kernel as ordinary Python, with every kernel that it calls, directly or not, made ordinary too.

    ``Dispatcher.py_func`` alone would still call compiled callees, because a function looks its callees up in the
    globals of its module; so each function is rebuilt over a copy of those globals in which kernels are replaced.
    """
    return cast(Callable[Arguments, Result], _rebuild(cast(Dispatcher, function), {}))


def _rebuild(dispatcher: Dispatcher, done: dict[int, FunctionType]) -> FunctionType:
    source = cast(FunctionType, dispatcher.py_func)
    if id(source) in done:
        return done[id(source)]
    names = dict(source.__globals__)
    rebuilt = FunctionType(source.__code__, names, source.__name__, source.__defaults__, source.__closure__)
    done[id(source)] = rebuilt
    for name in source.__code__.co_names:
        value = names.get(name)
        if isinstance(value, Dispatcher):
            names[name] = _rebuild(value, done)
    return rebuilt


def is_cached(function: Callable[..., object]) -> bool:
    """Whether a kernel was compiled in this process or lies in the cache on disk."""
    dispatcher = cast(Dispatcher, function)
    return bool(dispatcher.signatures) or any(
        Path(str(dispatcher.stats.cache_path)).glob(f"*{function.__name__}*.nbi")
    )

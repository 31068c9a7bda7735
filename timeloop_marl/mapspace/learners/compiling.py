"""How the kernels of the learners' view are compiled: numba, cached on disk, the GIL released."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function over plain arrays on its first call."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    _stamp(compiled)
    return cast(Callable[Arguments, Result], compiled)


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``kernel``, but merged into its callers: handing some forty arrays on costs more than the work itself."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    _stamp(compiled)
    return cast(Callable[Arguments, Result], compiled)


def _stamp(dispatcher: Dispatcher) -> None:
    """Tie the cached machine code to the sources of all kernels here.

    numba looks at the file of the function alone, and would go on using old code of callees in other files.
    """
    cache = getattr(dispatcher, "_cache", None)
    if isinstance(cache, FunctionCache):
        cache._cache_file._source_stamp = _sources()


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file of this folder."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)

"""How the kernels of this room are compiled: numba, cached on disk, the GIL released, no check for division by zero."""

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
    """As ``kernel``, but merged into its callers: handing dozens of arrays on would cost more than the work."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    _stamp(compiled)
    return cast(Callable[Arguments, Result], compiled)


def _stamp(dispatcher: Dispatcher) -> None:
    """Tie cached machine code to all sources merged into it: numba looks at the file of the function alone."""
    cache = getattr(dispatcher, "_cache", None)
    if isinstance(cache, FunctionCache):
        cache._cache_file._source_stamp = _sources()


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file whose kernels are compiled here."""
    room = Path(__file__).parent
    files = [*room.rglob("*.py"), *(room.parent / "searchers" / "timeloop").glob("*.py")]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(files))

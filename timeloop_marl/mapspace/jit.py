"""How the kernels of this room are compiled: numba, cached on disk, the GIL released."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function over plain arrays on its first call."""
    return cast(Callable[Arguments, Result], numba.njit(cache=True, nogil=True)(function))

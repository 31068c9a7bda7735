"""Kernels merged into their callers: handing some forty arrays from call to call would cost more than the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``mapspace.jit.kernel``, but merged into its callers."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    return cast(Callable[Arguments, Result], compiled)

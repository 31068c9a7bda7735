"""Kernels of the CPU as functions of the GPU: the same sources, compiled for another target.

What makes results equal to the last bit: no fast math, and no product contracted with a sum to a fused multiply-add.
The latter is not an option of ``cuda.jit`` but one of the compiler behind it (NVVM), so it is handed to that one, and
``check_unfused`` looks for such instructions in what comes out. Divisions, square roots and conversions are rounded
as on the CPU by default.
"""

from __future__ import annotations

import math
import re
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from ..compiling import rebuilt
from ..numba_internals import cuda_compiled_with
from .target import simulated

cuda: Any = import_module("numba.cuda")  # numba's annotations do not know it

_COMPILING = threading.RLock()

FUSED = re.compile(r"\b(?:fma|mad)\.\S*f(?:32|64)\b")
UNROUNDED = re.compile(r"\b(?:add|sub|mul|div|sqrt)(?:\.approx|\.full|\.ftz)*\.f(?:32|64)\b")
"""Arithmetic in PTX that is fused, or that the assembler may still fuse because it says no rounding."""


class Translator:
    """Makes device functions of kernels, each once.

    Args:
        instead: kernels to plain functions that take their place on the device.
    """

    def __init__(self, instead: Mapping[Callable[..., Any], Callable[..., Any]] | None = None) -> None:
        self._instead = {one: device_function(other) for one, other in (instead or {}).items()}
        self._modules = {} if simulated() else _modules()
        self._done: dict[int, Any] = {}

    def __call__(self, kernel: Callable[..., Any]) -> Any:
        """A kernel of the CPU as a function that device code can call."""
        return rebuilt(kernel, device_function, self._instead, self._modules, self._done)


def device_function(function: Callable[..., Any], inlined: bool = False) -> Any:
    """A plain function as one that device code can call."""
    if simulated():
        return cuda.jit(device=True)(function)
    return cuda.jit(device=True, forceinline=inlined, lto=False)(function)


def device_kernel(function: Callable[..., Any], **options: Any) -> Any:
    """A plain function as one that is launched."""
    if simulated():
        return cuda.jit()(function)
    return cuda.jit(fastmath=False, lto=False, **options)(function)


@contextmanager
def unfused() -> Iterator[None]:
    """Compile without contraction: kernels are compiled at their first launch, which has to be in here."""
    if simulated():
        yield
        return
    with _COMPILING, cuda_compiled_with(compiler_options):
        yield


def launch(kernel: Any, blocks: int, threads: int, arguments: tuple[Any, ...], checked: set[int]) -> None:
    """Launch a kernel; ``checked`` remembers those whose code was looked at."""
    with unfused():
        kernel[blocks, threads](*arguments)
    if id(kernel) not in checked and not simulated():
        for made in kernel.overloads.values():
            check_unfused(made.library.get_asm_str())
    checked.add(id(kernel))


def compiler_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of NVVM with contraction off."""
    return {**given, "fma": 0}


def check_unfused(ptx: str) -> None:
    """Refuse code whose sums could be rounded otherwise than on the CPU.

    Raises:
        AssertionError: the compiler did not heed ``unfused``.
    """
    found = FUSED.search(ptx) or UNROUNDED.search(ptx)
    if found is not None:
        raise AssertionError(f"the CUDA compiler wrote {found[0]}: results would differ from the CPU's")


def _modules() -> dict[types.ModuleType, types.ModuleType]:
    """numpy and math as kernels use them, where the CUDA target lacks a function or computes it otherwise."""
    libdevice: Any = import_module("numba.cuda.libdevice")

    def ceil(value: float) -> float:
        return float(libdevice.ceil(value))

    def log2(value: int) -> float:
        # Kernels ask only for the whole part, of a count.
        return float(63 - cuda.clz(value))

    numpy, maths = types.ModuleType("numpy"), types.ModuleType("math")
    vars(numpy).update(ceil=device_function(ceil, True), int64=np.int64, uint64=np.uint64)
    vars(maths).update(floor=math.floor, log2=device_function(log2, True))
    return {np: numpy, math: maths}

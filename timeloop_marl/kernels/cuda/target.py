"""Is there a CUDA GPU, and if not, what is missing?

The target is the package numba-cuda (extra ``gpu``); numba's own simulator, which runs kernels as plain Python
(``NUMBA_ENABLE_CUDASIM=1``), needs neither the extra nor a GPU.
"""

from __future__ import annotations

import importlib.metadata
import os
from importlib import import_module
from typing import Any

from ...errors import UsageError

DEVICES = ("cpu", "cuda", "auto")
_REMEDY = "or leave out --device: the CPU gives the same results"


def simulated() -> bool:
    """Whether kernels run in numba's simulator."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def chosen_device(device: str) -> str:
    """``cpu`` or ``cuda``, for ``auto`` whichever there is.

    Raises:
        UsageError: no such device, or ``cuda`` where there is none.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}: expected {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
    if device == "cpu":
        return device
    missing = what_is_missing()
    if missing is None:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise UsageError(missing)


def what_is_missing() -> str | None:
    """Why there is no CUDA GPU to be used, and how to mend it; ``None`` if there is one, or the simulator."""
    if simulated():
        return None
    if not _installed("numba-cuda"):
        return (
            "device cuda: the package numba-cuda is not installed\n"
            f"  remedy: pip install 'timeloop-marl[gpu]' (docs/gpu.md), {_REMEDY}"
        )
    cuda: Any = import_module("numba.cuda")
    if cuda.is_available():
        return None
    reason = " ".join(str(cuda.cuda_error() or "the driver reports no device").split())
    return (
        f"device cuda: no GPU can be used: {reason}\n"
        "  expected: an NVIDIA GPU of compute capability 7.5 or higher and its driver; nvidia-smi must list it\n"
        f"  remedy: install the driver, run where there is a GPU (in a container with --gpus all), {_REMEDY}"
    )


def device_name() -> str:
    """What the GPU is called."""
    if simulated():
        return "simulated CUDA device"
    cuda: Any = import_module("numba.cuda")
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True

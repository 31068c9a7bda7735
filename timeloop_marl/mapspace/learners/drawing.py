"""Random numbers for kernels: a row's numbers must not depend on the batch or the thread it is handled in."""

from __future__ import annotations

import numpy as np

from ...compiling import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@kernel
def draw(state: np.ndarray, bound: int) -> int:
    """Uniform integer in [0, bound), bound < 2^31; ``state`` is one uint64 (SplitMix64), advanced in place."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    high = np.int64(z >> np.uint64(33))
    return int((high * np.int64(bound)) >> np.int64(31))


@kernel
def shuffle(state: np.ndarray, items: np.ndarray, count: int) -> None:
    """Permute the first ``count`` entries of ``items`` uniformly (Fisher-Yates)."""
    for i in range(count - 1, 0, -1):
        j = draw(state, i + 1)
        items[i], items[j] = items[j], items[i]

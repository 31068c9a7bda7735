"""Random numbers for kernels: a row's numbers must not depend on the batch or the thread it is handled in."""

from __future__ import annotations

import numpy as np

from ...kernels.compiling import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@kernel
def mixed(z: np.uint64) -> np.uint64:
    """SplitMix64's mixing of 64 bits."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@kernel
def start(state: np.ndarray, seed: int, number: int) -> None:
    """Set ``state`` for draw ``number`` >= 0 of a seed: any draw can be made by itself, in any order, anywhere."""
    state[0] = mixed(mixed(np.uint64(seed) + _STEP) + np.uint64(number) * _STEP)


@kernel
def start_all(states: np.ndarray, seed: int, first: int) -> None:
    """``states[i]`` as ``start`` sets it for draw ``first + i``."""
    for i in range(states.shape[0]):
        start(states[i : i + 1], seed, first + i)


@kernel
def draw(state: np.ndarray, bound: int) -> int:
    """Uniform integer in [0, bound), bound < 2^31; ``state`` is one uint64 (SplitMix64), advanced in place."""
    state[0] += _STEP
    z = mixed(state[0])
    high = np.int64(z >> np.uint64(33))
    return int((high * np.int64(bound)) >> np.int64(31))


@kernel
def shuffle(state: np.ndarray, items: np.ndarray, count: int) -> None:
    """Permute the first ``count`` entries of ``items`` uniformly (Fisher-Yates)."""
    for i in range(count - 1, 0, -1):
        j = draw(state, i + 1)
        items[i], items[j] = items[j], items[i]

"""Libraries that draw from global random generators, kept from everybody else's draws and from each other's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class GlobalState:
    """Global random states of Python, NumPy and (if asked) torch that belong to one searcher.

    Inside ``active()`` they are in force, outside the ones of everybody else: results do not depend on what else runs
    in the process. torch computes on one thread inside, so that sums do not depend on the machine.
    """

    def __init__(self, seed: int, *, torch: bool = False) -> None:
        self._torch = torch
        self._inside: tuple[Any, ...] | None = None
        self._seed = seed % 2**32

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put the searcher's states in force."""
        outside = self._get()
        if self._inside is None:
            self._begin()
        else:
            self._set(self._inside)
        try:
            yield
        finally:
            self._inside = self._get()
            self._set(outside)

    def _begin(self) -> None:
        random.seed(self._seed)
        np.random.seed(self._seed)
        if self._torch:
            import torch

            torch.manual_seed(self._seed)
            torch.set_num_threads(1)

    def _get(self) -> tuple[Any, ...]:
        states = (random.getstate(), np.random.get_state())
        if not self._torch:
            return states
        import torch

        return (*states, torch.get_rng_state(), torch.get_num_threads())

    def _set(self, states: tuple[Any, ...]) -> None:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if self._torch:
            import torch

            torch.set_rng_state(states[2])
            torch.set_num_threads(states[3])

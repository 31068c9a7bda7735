"""The figures that a search for a front minimises together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from ..mapspace.buffers import buffer_words
from ..specs.spec import Spec
from .base import Space

UNITS = {"cycles": "cycles", "energy": "pJ", "buffer": "words"}


class Figures:
    """Two or three of ``cycles``, ``energy`` (pJ) and ``buffer`` (on-chip words, ``buffer_words``) of candidates."""

    def __init__(self, spec: Spec, space: Space, names: Sequence[str]) -> None:
        self.names = figure_names(names)
        self._spec, self._space = spec, space

    def __call__(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> Float64[ndarray, "m k"]:
        """One column a figure; +inf for invalid mappings."""
        columns = {
            "cycles": lambda: outcome.cycles,
            "energy": lambda: outcome.energy_pj,
            "buffer": lambda: buffer_words(self._spec, self._space.decode(candidates)),
        }
        table = np.stack([np.asarray(columns[name](), np.float64) for name in self.names], axis=1)
        table[outcome.failure != Failure.OK] = np.inf
        return table


def figure_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Two or three different figures from ``cycles,energy`` or a list; ``UsageError`` otherwise."""
    given = tuple(part.strip() for part in names.split(",")) if isinstance(names, str) else tuple(names)
    if not set(given) <= set(UNITS) or len(set(given)) != len(given) or not 2 <= len(given) <= 3:
        raise UsageError(
            f"a front is of two or three different figures out of {', '.join(UNITS)}; "
            f"got {', '.join(given) or 'none'}"
        )
    return given

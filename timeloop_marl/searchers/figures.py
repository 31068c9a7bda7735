"""The figures that a search for a front minimises together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from ..mapping import MappingBatch
from ..mapspace.kernels import hull_volumes
from ..specs.spec import Spec
from ..traffic.geometry import geometry_of
from ..traffic.record import boxed
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


def buffer_words(spec: Spec, mappings: MappingBatch) -> Int64[ndarray, "m"]:
    """Words that all instances of the levels of limited size need to hold their tiles.

    Tiles are hull volumes of the data spaces kept, as capacity checks count them (cost-model section 11); of imperfect
    mappings, those of the full loop bounds.
    """
    total = np.zeros(len(mappings), np.int64)
    levels = np.array([level.storage for level in spec.architecture.tiling_levels])
    for s, storage in enumerate(spec.architecture.storage):
        if storage.effective_size is not None:
            tiles = np.minimum(mappings.factors[:, levels <= s].prod(axis=1), spec.problem.bounds)
            words = hull_volumes(boxed(geometry_of(spec)), tiles)
            total += (words * mappings.keep[:, s]).sum(axis=1) * storage.instances
    return total

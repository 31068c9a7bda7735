"""How much on-chip memory mappings need."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..mapping import MappingBatch
from ..specs.spec import Spec


def buffer_words(spec: Spec, mappings: MappingBatch) -> Int64[ndarray, "m"]:
    """Words that all instances of the levels of limited size need to hold their tiles.

    Tiles are hull volumes of the data spaces kept, as capacity checks count them (cost-model section 11); of imperfect
    mappings, those of the full loop bounds.
    """
    total = np.zeros(len(mappings), np.int64)
    levels = np.array([level.storage for level in spec.architecture.tiling_levels])
    for s, storage in enumerate(spec.architecture.storage):
        if storage.effective_size is None:
            continue
        extents = mappings.factors[:, levels <= s, :].prod(axis=1)
        extents = np.minimum(extents, np.array(spec.problem.bounds))
        for p, space in enumerate(spec.problem.data_spaces):
            words = np.ones(len(mappings), np.int64)
            for rank in space.ranks:
                length = sum(abs(term.coefficient) * (extents[:, term.dim] - 1) for term in rank)
                words *= 1 + length
            total += np.where(mappings.keep[:, s, p], words, 0) * storage.instances
    return total

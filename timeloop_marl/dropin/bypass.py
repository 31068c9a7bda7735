"""Option ``auto_bypass_on_failure`` of timeloop-model (formats introduction, cost-model section 11)."""

from __future__ import annotations

from dataclasses import replace

from ..mapping import Mapping
from ..report.tiles import level_extents, tile_words
from ..specs.spec import Spec


def bypass_overflowing_levels(spec: Spec, mapping: Mapping) -> Mapping:
    """The mapping with everything bypassed at each level that fails the capacity pre-check."""
    keep = list(mapping.keep)
    for index, extents in enumerate(level_extents(spec, mapping, residual=False)):
        spaces = zip(spec.problem.data_spaces, mapping.keep[index], strict=True)
        words = sum(tile_words(space, extents) for space, kept in spaces if kept)
        if not _passes(spec, index, words):
            keep[index] = tuple(False for _ in keep[index])
    return replace(mapping, keep=tuple(keep))


def _passes(spec: Spec, index: int, words: int) -> bool:
    """The pre-check of one level: capacity, times instances under distributed multicast, and minimum utilisation."""
    level = spec.architecture.storage[index]
    if level.effective_size is None:
        return True
    instances = level.instances if level.network.distributed else 1
    least = level.effective_size * level.min_utilization
    return least <= words <= level.effective_size * instances

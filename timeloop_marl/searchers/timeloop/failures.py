"""Option ``diagnostics``: failures by class and storage level, with a sample of each (mapspace section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...cost.outcome import Failure, Outcome
from ...kernels.record import boxed
from ...mapspace.kernels import hull_volumes
from ...mapspace.membership import extents
from ...mapspace.timeloop import TimeloopMapspace
from ...specs.mapping import Mapping, MappingBatch
from ...traffic.geometry import least_words
from .cursor import Block
from .events import FailClass, FailureStatistic
from .rng import new_engine, uniform_fraction

Reasons = list[tuple[int, str]]


@dataclass(frozen=True)
class _Occasion:
    """A sample that failed: place in the block, class, row of a batch, level and reason of each fault."""

    sample: int
    fail_class: FailClass
    batch: MappingBatch
    row: int
    reasons: Reasons


class FailureTally:
    """Counts failures of one thread. All levels that fail count, not only the first.

    The sample shown is drawn as the real program does: the n-th failure of a class and level takes the place of the
    one before with probability 1/n, by an engine of the thread's own that all classes share.
    """

    def __init__(self, space: TimeloopMapspace) -> None:
        self._space = space
        self._found: dict[tuple[FailClass, int], FailureStatistic] = {}
        self._engine = new_engine()

    @property
    def statistics(self) -> tuple[FailureStatistic, ...]:
        """By class, then level from the inside out."""
        return tuple(self._found[key] for key in sorted(self._found))

    def add(self, block: Block, samples: int, outcome: Outcome | None) -> None:
        """Add the failures among the first ``samples`` samples of a block, in their order."""
        codes = block.construction[:samples]
        broken = np.flatnonzero(codes >= 0)
        occasions = self._constructions(block.failed_rows[: len(broken)], broken, codes[broken])
        if outcome is not None:
            built = np.flatnonzero(codes < 0)
            occasions += self._evaluations(block.rows[: len(built)], built, outcome)
        for occasion in sorted(occasions, key=lambda occasion: occasion.sample):
            self._count(occasion)

    def _constructions(
        self, rows: Int64[ndarray, "F axes"], samples: Int64[ndarray, "F"], codes: Int64[ndarray, "F"]
    ) -> list[_Occasion]:
        if not len(rows):
            return []
        batch = self._space.decode(rows)
        occasions = []
        for i, code in enumerate(codes):
            reasons = self._fanout_reasons(batch[i])
            if not reasons:
                text = "parallelism below its constrained minimum"
                if code > len(self._space.tiling_levels):
                    text = "more temporal loops than max_temporal_loops_in_a_mapping"
                reasons = [(0, text)]
            occasions.append(_Occasion(int(samples[i]), FailClass.FANOUT, batch, i, reasons))
        return occasions

    def _evaluations(
        self, rows: Int64[ndarray, "R axes"], samples: Int64[ndarray, "R"], outcome: Outcome
    ) -> list[_Occasion]:
        failed = np.flatnonzero(outcome.failure[: len(rows)] != Failure.OK)
        if not len(failed):
            return []
        batch = self._space.decode(rows[failed])
        occasions = []
        for k, i in enumerate(failed):
            reasons = self._capacity_reasons(batch, k)
            if not reasons:
                name = Failure(int(outcome.failure[i])).name.lower()
                reasons = [(max(0, int(outcome.failed_level[i]) - 1), f"failed in evaluation: {name}")]
            occasions.append(_Occasion(int(samples[i]), FailClass.CAPACITY, batch, k, reasons))
        return occasions

    def _fanout_reasons(self, mapping: Mapping) -> Reasons:
        reasons: Reasons = []
        for t in self._space.spatial_levels:
            for axis, mapped, available in zip("XY", extents(mapping.loops[t]), self._space.mesh(t)):
                if mapped > available:
                    text = f"mapped fanout{axis} {mapped} exceeds hardware fanout{axis} {available}"
                    reasons.append((self._space.tiling_levels[t].storage, text))
                    break
        return reasons

    def _capacity_reasons(self, batch: MappingBatch, i: int) -> Reasons:
        keep, levels = batch.keep[i], self._space.tiling_levels
        if not keep.any(axis=0).all():
            return [(0, "one of the tensors is bypassed in all storage levels")]
        inside = batch.factors[i].cumprod(axis=0)[[not level.spatial for level in levels]]
        words = hull_volumes(boxed(self._space.geometry), inside)
        reasons: Reasons = []
        for s, tile in enumerate((words * keep).sum(axis=1)):
            room, least = self._space.room(s), least_words(self._space.architecture.storage[s])
            if room is not None and tile > room:
                reasons.append((s, f"mapped tile size {tile} exceeds buffer capacity {room}"))
            elif room is not None and tile < least:
                reasons.append(
                    (s, f"mapped tile size {tile} is less than constrained minimum utilization {least:g}")
                )
        return reasons

    def _count(self, occasion: _Occasion) -> None:
        for level, reason in occasion.reasons:
            key = (occasion.fail_class, level)
            known = self._found.get(key)
            count = 1 if known is None else known.count + 1
            if known is not None and uniform_fraction(self._engine) >= 1 / count:
                self._found[key] = replace(known, count=count)
                continue
            name = self._space.architecture.storage[level].name
            sample = occasion.batch[occasion.row]
            self._found[key] = FailureStatistic(occasion.fail_class, level, name, count, sample, reason)


def merged(tallies: list[FailureTally]) -> tuple[FailureStatistic, ...]:
    """Statistics of several threads added up; the samples are those of the first thread that has one."""
    found: dict[tuple[FailClass, int], FailureStatistic] = {}
    for tally in tallies:
        for entry in tally.statistics:
            key = (entry.fail_class, entry.level)
            known = found.get(key)
            found[key] = entry if known is None else replace(known, count=known.count + entry.count)
    return tuple(found[key] for key in sorted(found))

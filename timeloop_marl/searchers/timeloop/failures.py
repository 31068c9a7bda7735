"""Option ``diagnostics``: failures by class and storage level, with a sample of each (mapspace section 5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ...mapping import Mapping, MappingBatch
from ...mapspace.kernels import spatial_extent, tile_volumes
from ...mapspace.timeloop import TimeloopMapspace
from ...model.outcome import Failure, Outcome
from .cursor import Block
from .events import FailClass, FailureStatistic

Reasons = list[tuple[int, str]]


class FailureTally:
    """Counts failures of one thread. All levels that fail count, not only the first; the first sample is kept."""

    def __init__(self, space: TimeloopMapspace) -> None:
        self._space = space
        self._found: dict[tuple[FailClass, int], FailureStatistic] = {}

    @property
    def statistics(self) -> tuple[FailureStatistic, ...]:
        """By class, then level from the inside out."""
        return tuple(self._found[key] for key in sorted(self._found))

    def add(self, block: Block, samples: int, outcome: Outcome | None) -> None:
        """Add the failures among the first ``samples`` samples of a block."""
        broken = block.construction[:samples] >= 0
        rows = block.failed_rows[: int(broken.sum())]
        self._add_construction(rows, block.construction[:samples][broken])
        if outcome is not None:
            counted = int((~broken).sum())
            self._add_evaluation(block.rows[:counted], outcome)

    def _add_construction(self, rows: Int64[ndarray, "F axes"], codes: Int64[ndarray, "F"]) -> None:
        if not len(rows):
            return
        batch = self._space.decode(rows)
        for i, code in enumerate(codes):
            reasons = self._fanout_reasons(batch, i)
            if not reasons:
                text = "parallelism below its constrained minimum"
                if code > len(self._space.tiling_levels):
                    text = "more temporal loops than max_temporal_loops_in_a_mapping"
                reasons = [(0, text)]
            self._count(FailClass.FANOUT, batch[i], reasons)

    def _add_evaluation(self, rows: Int64[ndarray, "R axes"], outcome: Outcome) -> None:
        failed = np.flatnonzero(outcome.failure[: len(rows)] != Failure.OK)
        if not len(failed):
            return
        batch = self._space.decode(rows[failed])
        for k, i in enumerate(failed):
            reasons = self._capacity_reasons(batch, k)
            if not reasons:
                name = Failure(int(outcome.failure[i])).name.lower()
                reasons = [(max(0, int(outcome.failed_level[i]) - 1), f"failed in evaluation: {name}")]
            self._count(FailClass.CAPACITY, batch[k], reasons)

    def _fanout_reasons(self, batch: MappingBatch, i: int) -> Reasons:
        reasons: Reasons = []
        choices = self._space.choices
        for t in self._space.spatial_levels:
            for axis, hardware in (("X", choices.fanout_x[t]), ("Y", choices.fanout_y[t])):
                mapped = spatial_extent(
                    t, batch.factors[i], batch.order[i], int(batch.split[i, t]), axis == "X"
                )
                if mapped > hardware:
                    storage = self._space.tiling_levels[t].storage
                    text = f"mapped fanout{axis} {mapped} exceeds hardware fanout{axis} {hardware}"
                    reasons.append((storage, text))
                    break
        return reasons

    def _capacity_reasons(self, batch: MappingBatch, i: int) -> Reasons:
        tables, keep = self._space.capacity, batch.keep[i]
        if not keep.any(axis=0).all():
            return [(0, "one of the tensors is bypassed in all storage levels")]
        volumes = np.zeros(keep.shape, np.int64)
        tile_volumes(tables, batch.factors[i], volumes)
        reasons: Reasons = []
        for s, tile in enumerate((volumes * keep).sum(axis=1)):
            capacity = int(tables.capacity[s])
            if capacity >= 0 and tile > capacity:
                reasons.append((s, f"mapped tile size {tile} exceeds buffer capacity {capacity}"))
            elif capacity >= 0 and tile < tables.smallest[s]:
                least = f"{tables.smallest[s]:g}"
                reasons.append(
                    (s, f"mapped tile size {tile} is less than constrained minimum utilization {least}")
                )
        return reasons

    def _count(self, fail_class: FailClass, mapping: Mapping, reasons: Reasons) -> None:
        for level, reason in reasons:
            key = (fail_class, level)
            if key in self._found:
                self._found[key] = replace(self._found[key], count=self._found[key].count + 1)
            else:
                name = self._space.architecture.storage[level].name
                self._found[key] = FailureStatistic(fail_class, level, name, 1, mapping, reason)


def merged(tallies: list[FailureTally]) -> tuple[FailureStatistic, ...]:
    """Statistics of several threads added up; the samples are those of the first thread that has one."""
    found: dict[tuple[FailClass, int], FailureStatistic] = {}
    for tally in tallies:
        for entry in tally.statistics:
            key = (entry.fail_class, entry.level)
            known = found.get(key)
            found[key] = entry if known is None else replace(known, count=known.count + entry.count)
    return tuple(found[key] for key in sorted(found))

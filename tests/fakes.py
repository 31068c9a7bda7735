"""An evaluator that needs no cost model: quick, deterministic, with some structure and some invalid mappings."""

from __future__ import annotations

import time

import numpy as np

from timeloop_marl.cost.outcome import Failure, Outcome, Rejection, Statistics
from timeloop_marl.mapping import Mapping, MappingBatch


class FakeEvaluator:
    """Cycles = product of the temporal factors; energy grows with factors far out and with bypassed data spaces.

    ``invalid_every``: every mapping whose energy hashes to 0 modulo this is invalid; 1 = all, 0 = none.
    """

    def __init__(self, spatial: tuple[int, ...] = (), invalid_every: int = 0, seconds: float = 0.0) -> None:
        self.name = "fake"
        self.spatial, self.invalid_every, self.seconds = spatial, invalid_every, seconds
        self.evaluated = 0

    def __call__(self, mappings: MappingBatch) -> Outcome:
        m, T, D = mappings.factors.shape
        self.evaluated += m
        time.sleep(self.seconds)
        temporal = [t for t in range(T) if t not in self.spatial]
        cycles = mappings.factors[:, temporal, :].prod(axis=(1, 2))
        weights = np.arange(1, T * D + 1, dtype=np.float64).reshape(T, D)
        place = np.argsort(mappings.order, axis=2).astype(np.float64)
        energy = (np.log2(mappings.factors) * weights * (1.0 + 0.01 * place)).sum(axis=(1, 2))
        energy += 1.0 + (~mappings.keep).sum(axis=(1, 2)) * 3.0
        bad = np.zeros(m, np.bool_)
        if self.invalid_every:
            bad = (energy * 1000).astype(np.int64) % self.invalid_every == 0
        return Outcome(
            cycles=np.where(bad, 0, cycles),
            energy_pj=np.where(bad, 0.0, energy),
            utilization=np.where(bad, 0.0, 0.5),
            failure=np.where(bad, int(Failure.CAPACITY), 0).astype(np.int8),
            failed_level=np.where(bad, 1, -1).astype(np.int8),
            accesses=np.stack([cycles, cycles * 2, cycles * 3], axis=1),
        )

    def statistics(self, mapping: Mapping) -> Statistics | Rejection:
        raise AssertionError("a search asks for outcomes only")

"""What every evaluator has to keep, and one that needs no cost model."""

from __future__ import annotations

import pickle
import time
from dataclasses import fields

import numpy as np
import pytest

from ..cost.outcome import Failure, Outcome, Rejection, Statistics
from ..evaluators.base import Evaluator
from ..specs.mapping import Mapping, MappingBatch


class FakeEvaluator:
    """Quick, deterministic, with some structure and some invalid mappings.

    Cycles = product of the temporal factors; energy grows with factors far out and with bypassed data spaces.

    Args:
        spatial: tiling levels whose factors do not count as cycles.
        invalid_every: every mapping whose energy hashes to 0 modulo this is invalid; 1 = all, 0 = none.
        seconds: that a call takes.
    """

    def __init__(self, spatial: tuple[int, ...] = (), invalid_every: int = 0, seconds: float = 0.0) -> None:
        self.name = "fake"
        self.spatial, self.invalid_every, self.seconds = spatial, invalid_every, seconds
        self.evaluated = 0

    def __call__(self, mappings: MappingBatch) -> Outcome:
        """Outcomes of all rows, in order."""
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
        """Not there: a search asks for outcomes only."""
        raise AssertionError("a search asks for outcomes only")


def assert_same(one: Outcome, other: Outcome) -> None:
    """Two outcomes are equal to the last bit."""
    for field in fields(Outcome):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


class EvaluatorContract:
    """Inherit it in a class whose name begins with ``Test`` and supply two fixtures.

    ``evaluator``: a new one. ``mappings``: some dozen of its Spec, valid ones and invalid ones.
    """

    @pytest.fixture
    def evaluator(self) -> Evaluator:
        """Supplied by who inherits."""
        raise NotImplementedError(f"{type(self).__name__} has to supply the fixture 'evaluator'")

    @pytest.fixture
    def mappings(self) -> MappingBatch:
        """Supplied by who inherits."""
        raise NotImplementedError(f"{type(self).__name__} has to supply the fixture 'mappings'")

    def test_one_outcome_a_mapping(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        outcome, m = evaluator(mappings), len(mappings)
        assert len(outcome) == m
        for field in fields(Outcome):
            values = getattr(outcome, field.name)
            assert values is None or len(values) == m, field.name
        valid = outcome.failure == Failure.OK
        assert 0 < valid.sum() < m, "the mappings have to contain valid ones and invalid ones"
        assert (outcome.cycles[valid] > 0).all()
        assert np.isfinite(outcome.energy_pj[valid]).all()
        assert (outcome.failed_level[valid] == -1).all()

    def test_a_batch_equals_its_single_rows(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        whole = evaluator(mappings)
        for i in range(len(mappings)):
            one = evaluator(mappings.take(np.array([i])))
            for field in fields(Outcome):
                values = getattr(whole, field.name)
                if values is not None:
                    np.testing.assert_array_equal(getattr(one, field.name), values[i : i + 1], field.name)

    def test_the_order_of_rows_does_not_matter(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        back = np.arange(len(mappings))[::-1]
        turned = evaluator(mappings.take(back))
        assert_same(evaluator(mappings.take(back[::-1])), evaluator(mappings))
        np.testing.assert_array_equal(turned.energy_pj[::-1], evaluator(mappings).energy_pj)

    def test_no_mappings_no_outcomes(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        assert len(evaluator(mappings.take(np.zeros(0, np.int64)))) == 0

    def test_a_pickled_one_gives_the_same(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        other = pickle.loads(pickle.dumps(evaluator))
        assert other.name == evaluator.name
        assert_same(other(mappings), evaluator(mappings))

    def test_statistics_agree_with_outcomes(self, evaluator: Evaluator, mappings: MappingBatch) -> None:
        outcome = evaluator(mappings)
        for i in range(len(mappings)):
            found = evaluator.statistics(mappings[i])
            if outcome.failure[i] == Failure.OK:
                assert isinstance(found, Statistics)
                assert found.cycles == outcome.cycles[i]
                assert found.energy_pj == outcome.energy_pj[i]
            else:
                assert isinstance(found, Rejection)

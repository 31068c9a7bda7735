"""What every searcher has to keep."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from ..cost.outcome import Outcome
from ..errors import UsageError
from ..evaluators.base import Evaluator
from ..searchers.base import KNOWLEDGE, Searcher
from .evaluators import FakeEvaluator

Make: TypeAlias = Callable[[int], Searcher]
_ROWS = 200
_TIMEOUT = 300  # seconds for a new process


def told_rows(searcher: Searcher, evaluator: Evaluator, count: int = _ROWS) -> list[list[int]]:
    """Ask and tell until ``count`` rows were proposed, or the searcher is exhausted; the rows."""
    rows: list[list[int]] = []
    while len(rows) < count:
        asked = searcher.ask(min(searcher.batch, count - len(rows)))
        if not len(asked):
            break
        searcher.tell(asked, evaluator(searcher.space.decode(asked)))
        rows += asked.tolist()
    return rows


class SearcherContract:
    """Inherit it in a class whose name begins with ``Test`` and supply the fixture ``make``.

    ``make`` is a function seed -> new searcher over a mapspace of some hundred mappings at least. It has to be known to
    pickle (a function of a module, or a ``functools.partial`` of one): a new process makes the same searcher with it.

    Attributes:
        bounded: whether the searcher's space tells ``cardinalities`` and what is ``feasible``, and all rows are.
    """

    bounded = True

    @pytest.fixture
    def make(self) -> Make:
        """Supplied by who inherits."""
        raise NotImplementedError(f"{type(self).__name__} has to supply the fixture 'make'")

    def test_rows_have_the_right_shape_and_stay_in_bounds(self, make: Make) -> None:
        searcher = make(1)
        for n in (1, 2, 7, 64):
            rows = searcher.ask(n)
            assert rows.dtype == np.int64
            assert rows.ndim == 2
            assert 0 < len(rows) <= n, "an ask for n rows brings 1 to n of them"
            assert rows.shape[1] == searcher.space.axes
            if self.bounded:
                space: Any = searcher.space
                assert (rows >= 0).all()
                assert (rows < space.cardinalities).all()
                assert space.feasible(rows).all()
            searcher.tell(rows, FakeEvaluator()(searcher.space.decode(rows)))

    def test_ask_twice_names_the_missing_tell(self, make: Make) -> None:
        searcher = make(1)
        searcher.ask(4)
        with pytest.raises(UsageError, match=r"tell\(\)"):
            searcher.ask(4)

    def test_tell_first_names_the_missing_ask(self, make: Make) -> None:
        searcher, other = make(1), make(1)
        outcome = FakeEvaluator()(other.space.decode(other.ask(1)))
        with pytest.raises(UsageError, match=r"ask\(\)"):
            searcher.tell(np.zeros((1, searcher.space.axes), np.int64), outcome)

    def test_nothing_is_not_asked_for(self, make: Make) -> None:
        with pytest.raises(UsageError, match="at least one"):
            make(1).ask(0)

    def test_other_shapes_are_refused_with_expected_and_actual_shape(self, make: Make) -> None:
        searcher = make(1)
        rows = searcher.ask(4)
        outcome = FakeEvaluator()(searcher.space.decode(rows))
        wrong = np.concatenate([rows, rows[:1]])
        with pytest.raises(UsageError) as caught:
            searcher.tell(wrong, outcome)
        assert str(rows.shape) in str(caught.value)
        assert str(wrong.shape) in str(caught.value)

    def test_outcomes_of_another_length_are_refused(self, make: Make) -> None:
        searcher = make(1)
        rows = searcher.ask(4)
        two = np.concatenate([rows, rows])
        with pytest.raises(UsageError):
            searcher.tell(rows, FakeEvaluator()(searcher.space.decode(two)))

    def test_an_all_invalid_batch_is_no_accident(self, make: Make) -> None:
        searcher = make(1)
        assert told_rows(searcher, FakeEvaluator(invalid_every=1))
        searcher.ask(1)

    def test_mixed_outcomes(self, make: Make) -> None:
        assert told_rows(make(1), FakeEvaluator(invalid_every=3))

    def test_same_seed_same_rows(self, make: Make) -> None:
        first, second = (told_rows(make(5), FakeEvaluator(invalid_every=7)) for _ in range(2))
        assert first == second

    def test_a_spawned_process_proposes_the_same_rows(self, make: Make) -> None:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            other = pool.apply_async(_rows_elsewhere, (pickle.dumps(make),)).get(_TIMEOUT)
        assert other == told_rows(make(5), FakeEvaluator(invalid_every=7))

    def test_telling_the_same_outcomes_again_restores_the_state(self, make: Make) -> None:
        original, again = make(2), make(2)
        history = _history(original)
        for n, outcome in history:
            again.tell(again.ask(n), outcome)
        np.testing.assert_array_equal(original.ask(20), again.ask(20))

    @pytest.mark.parametrize("how", ["deep copy", "pickle"])
    def test_a_copy_goes_on_as_the_original_would_and_leaves_it_alone(self, make: Make, how: str) -> None:
        original, untouched = make(2), make(2)
        if not original.copyable:
            pytest.skip("this searcher does not say that it can be copied")
        _history(original)
        _history(untouched)
        copied = copy.deepcopy(original) if how == "deep copy" else pickle.loads(pickle.dumps(original))
        rows = told_rows(copied, FakeEvaluator(invalid_every=7), 60)
        assert told_rows(original, FakeEvaluator(invalid_every=7), 60) == rows
        assert told_rows(untouched, FakeEvaluator(invalid_every=7), 60) == rows

    def test_knowledge_is_owned_up_to(self, make: Make) -> None:
        searcher = make(1)
        assert searcher.knowledge in KNOWLEDGE
        assert searcher.judged == 0, "nothing is judged before the first ask"
        told_rows(searcher, FakeEvaluator(invalid_every=7))
        assert searcher.judged >= 0
        if searcher.knowledge == "none":
            assert searcher.judged == 0, "what is judged is judged by some knowledge"

    def test_what_was_learnt_is_handed_on_or_there_is_nothing(self, make: Make) -> None:
        searcher = make(1)
        assert searcher.learnt("layer") is None, "nothing was learnt before the first tell"
        told_rows(searcher, FakeEvaluator(invalid_every=7))
        learnt = searcher.learnt("layer")
        assert learnt is None or learnt.name == "layer"


def _history(searcher: Searcher) -> list[tuple[int, Outcome]]:
    """Some rounds of ask and tell; what was asked for, and the outcomes."""
    evaluator, history = FakeEvaluator(invalid_every=7), []
    for n in (10, 32, 5, 64, 17):
        rows = searcher.ask(n)
        outcome = evaluator(searcher.space.decode(rows))
        searcher.tell(rows, outcome)
        history.append((n, outcome))
    return history


def _rows_elsewhere(make: bytes) -> list[list[int]]:
    return told_rows(pickle.loads(make)(5), FakeEvaluator(invalid_every=7))

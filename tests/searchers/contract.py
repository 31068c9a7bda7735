"""What every searcher has to keep: inherit ``SearcherContract`` and supply ``make``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEvaluator
from machines import gemm, three_level

from timeloop_marl.cost.outcome import Outcome
from timeloop_marl.errors import UsageError
from timeloop_marl.objective import parse_objective
from timeloop_marl.searchers.base import Searcher
from timeloop_marl.searchers.registry import make_searcher

SPEC = three_level(gemm(16, 24, 40))
EDP = parse_objective("edp", 3)
ROWS = 200


def told_rows(searcher: Searcher, evaluator: FakeEvaluator, count: int = ROWS) -> list[list[int]]:
    """Ask and tell until ``count`` rows were proposed."""
    rows: list[list[int]] = []
    while len(rows) < count:
        asked = searcher.ask(min(searcher.batch, count - len(rows)))
        if not len(asked):
            break
        searcher.tell(asked, evaluator(searcher.space.decode(asked)))
        rows += asked.tolist()
    return rows


class SearcherContract:
    """Checks for one name of the registry; set ``name``."""

    name: str
    options: dict[str, object] = {}  # noqa: RUF012
    bounded = True  # whether the space tells the cardinality of its axes

    def make(self, seed: int = 1) -> Searcher:
        return make_searcher(self.name, SPEC, seed, EDP, self.options)

    def test_rows_have_the_right_shape_and_stay_in_bounds(self) -> None:
        searcher = self.make()
        for n in (1, 2, 7, 64):
            rows = searcher.ask(n)
            assert rows.dtype == np.int64
            assert rows.ndim == 2
            assert 0 < len(rows) <= n
            assert rows.shape[1] == searcher.space.axes
            if self.bounded:
                assert (rows >= 0).all()
                assert (rows < searcher.space.cardinalities).all()
                assert searcher.space.feasible(rows).all()
            searcher.tell(rows, FakeEvaluator()(searcher.space.decode(rows)))

    def test_ask_twice_is_an_error(self) -> None:
        searcher = self.make()
        searcher.ask(4)
        with pytest.raises(UsageError, match=r"tell"):
            searcher.ask(4)

    def test_tell_before_ask_is_an_error(self) -> None:
        searcher = self.make()
        rows = np.zeros((1, searcher.space.axes), np.int64)
        with pytest.raises(UsageError, match=r"ask"):
            searcher.tell(rows, FakeEvaluator()(self.make().space.decode(self.make().ask(1))))

    def test_other_shapes_are_refused_with_expected_and_actual_shape(self) -> None:
        searcher = self.make()
        rows = searcher.ask(4)
        outcome = FakeEvaluator()(searcher.space.decode(rows))
        wrong = np.concatenate([rows, rows[:1]])
        with pytest.raises(UsageError) as caught:
            searcher.tell(wrong, outcome)
        assert str(rows.shape) in str(caught.value)
        assert str(wrong.shape) in str(caught.value)

    def test_outcomes_of_another_length_are_refused(self) -> None:
        searcher = self.make()
        rows = searcher.ask(4)
        two = np.concatenate([rows, rows])
        with pytest.raises(UsageError):
            searcher.tell(rows, FakeEvaluator()(searcher.space.decode(two)))

    def test_an_all_invalid_batch_is_no_accident(self) -> None:
        searcher = self.make()
        rows = told_rows(searcher, FakeEvaluator(invalid_every=1))
        assert rows
        searcher.ask(1)

    def test_mixed_outcomes(self) -> None:
        assert told_rows(self.make(), FakeEvaluator((1,), invalid_every=3))

    def test_same_seed_same_rows(self) -> None:
        first, second = (told_rows(self.make(5), FakeEvaluator((1,), 7)) for _ in range(2))
        assert first == second

    def test_a_spawned_process_proposes_the_same_rows(self) -> None:
        code = (
            "import sys; sys.path[:0] = sys.argv[1:3]\n"
            "from contract import *\n"
            f"searcher = make_searcher({self.name!r}, SPEC, 5, EDP, {self.options!r})\n"
            "rows = told_rows(searcher, FakeEvaluator((1,), 7))\n"
            "import hashlib; print(hashlib.sha256(repr(rows).encode()).hexdigest())\n"
        )
        here = Path(__file__).parent
        run = [sys.executable, "-c", code, str(here), str(here.parent)]
        done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
        import hashlib

        rows = told_rows(self.make(5), FakeEvaluator((1,), 7))
        assert done.stdout.strip() == hashlib.sha256(repr(rows).encode()).hexdigest()

    def test_replaying_outcomes_restores_the_state(self) -> None:
        original, copy = self.make(2), self.make(2)
        evaluator = FakeEvaluator((1,), 7)
        history: list[tuple[int, Outcome]] = []
        for n in (10, 32, 5, 64, 17):
            rows = original.ask(n)
            outcome = evaluator(original.space.decode(rows))
            original.tell(rows, outcome)
            history.append((n, outcome))
        for n, outcome in history:
            copy.tell(copy.ask(n), outcome)
        np.testing.assert_array_equal(original.ask(20), copy.ask(20))

"""A row judged as a whole is judged as one judged step by step."""

from __future__ import annotations

import numpy as np
import pytest
from machines import conv, gemm, level, spec, three_level

from timeloop_marl.mapspace.axes import LearnersMapspace
from timeloop_marl.mapspace.learners.decoding import place_literally
from timeloop_marl.mapspace.learners.tables import workspace
from timeloop_marl.specs.constraints import LoopConstraint
from timeloop_marl.specs.spec import Spec

RULES = {(1, False): LoopConstraint(maximum={0: 2}, minimum={1: 2}), (0, False): LoopConstraint(fixed={2: 2})}
MACHINES = {
    "gemm": three_level(gemm(16, 24, 32)),
    "conv": three_level(conv(4, 8, 3, 8)),
    "rules": spec(gemm(8, 8, 4), [level("BUF", 16), level("MID", 64), level("DRAM", None)], loops=RULES),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_rows_judged_as_a_whole_are_judged_as_step_by_step(machine: Spec) -> None:
    space, rng = LearnersMapspace(machine), np.random.default_rng(0)
    near, wild = space.sample(200, rng), rng.integers(0, space.cardinalities, (200, space.axes))
    for row in near[:100]:
        axis = rng.integers(0, space.axes)
        row[axis] = rng.integers(0, space.cardinalities[axis])
    rows = np.concatenate([near, wild])
    work = workspace(space.tables)
    found = [place_literally(space.tables, work, row) for row in rows]
    np.testing.assert_array_equal(found, space.feasible(rows))
    assert 100 <= sum(found) < 400

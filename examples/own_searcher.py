"""A searcher of your own: hill climbing in 30 lines, on the exact cost model, against the built-in team of agents.

A searcher proposes rows of integers (one per axis of the mapspace) and is told what they cost; it never sees the
evaluator, so the same class also works with the real Timeloop behind it.

    python examples/own_searcher.py [SAMPLES]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import timeloop_marl as tm

ROOT = Path(__file__).resolve().parent.parent
samples = int(sys.argv[1]) if len(sys.argv) > 1 else 1000


class HillClimber(tm.Searcher):
    """Changes two axes of the best row so far."""

    def __init__(self, space, objective, seed):
        self.space, self.objective = space, objective
        self.rng = np.random.default_rng(seed)
        self.best, self.cost = space.sample(1, self.rng)[0], np.inf

    def ask(self, n):
        rows = np.repeat(self.best[None], n, axis=0)
        for row in rows:
            for axis in self.rng.choice(self.space.axes, 2, replace=False):
                row[axis] = self.rng.integers(self.space.cardinalities[axis])
        rows, _ = self.space.repair(rows, self.rng)  # the feasible row next to each
        return rows

    def tell(self, candidates, outcome):
        costs = self.objective.costs(outcome)
        if costs.min() < self.cost:
            self.best, self.cost = candidates[costs.argmin()], costs.min()


spec = tm.load([ROOT / "arch/eyeriss_like", ROOT / "problems/resnet18/conv4_3x3.yaml"])
mine = tm.search(spec, searcher=HillClimber, samples=samples, seed=1).search
team = tm.search(spec, samples=samples, seed=1).search
print(
    f"hill climber {mine.best[0].cost:.4e}, marl {team.best[0].cost:.4e} pJ x cycles after {samples:,} samples each"
)

"""A searcher of your own: hill climbing in 30 lines, on the exact cost model, against the built-in team of agents.

A searcher proposes rows of integers (one per axis of the mapspace) and is told what they cost; it never sees the
evaluator, so the same class also works with the real Timeloop behind it. test_own_searcher.py checks that it keeps
what every searcher has to keep.

    python examples/own_searcher.py [SAMPLES]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

import timeloop_marl as tm
from timeloop_marl.searchers.base import LearnerSearcher, at_least
from timeloop_marl.searchers.registry import searcher


@dataclass(frozen=True)
class HillClimberOptions:
    """What can be set by ``options``, with defaults and checks."""

    changes: int = 2  # axes drawn anew in every proposal

    def __post_init__(self):
        at_least(1, changes=self.changes)


@searcher("hill-climber", "draws a few axes of the best row anew", HillClimberOptions)
class HillClimber(LearnerSearcher):
    """Changes a few axes of the best row so far."""

    def __init__(self, space, objective, seed, options):
        super().__init__(space, objective, seed)
        self.options = options
        self.best, self.cost = space.sample(1, self.rng)[0], np.inf

    def _propose(self, n):
        rows = self.fresh(self._neighbours, n)
        return rows if len(rows) else self.fresh_random(n)

    def _neighbours(self, n):
        rows = np.repeat(self.best[None], n, axis=0)
        for row in rows:
            for axis in self.rng.choice(self.space.axes, self.options.changes, replace=False):
                row[axis] = self.rng.integers(self.space.cardinalities[axis])
        return self.space.repair(rows, self.rng)[0]  # the feasible row next to each

    def _learn(self, rows, costs):
        if costs.min() < self.cost:
            self.best, self.cost = rows[costs.argmin()], costs.min()


def main():
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    spec = tm.load(["arch/eyeriss_like", "problems/resnet18/conv4_3x3.yaml"])
    mine = tm.search(spec, searcher="hill-climber", samples=samples, seed=1).search
    team = tm.search(spec, samples=samples, seed=1).search
    print(
        f"hill climber {mine.best[0].cost:.4e}, marl {team.best[0].cost:.4e} pJ x cycles "
        f"after {samples:,} samples each"
    )


if __name__ == "__main__":
    main()

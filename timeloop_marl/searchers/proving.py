"""A proof beside a searcher: branch and bound goes on between batches, and what it finds is proposed as a candidate.

The searcher proposes what it would alone. The proof is given tiles to look at, never seconds, so that the same seed
gives the same candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ..cost.outcome import Outcome
from ..optimal.frontier import Frontier, Queue, Report
from ..optimal.leaves import Incumbent
from ..optimal.proof import Prover
from ..parallel.interruption import go_on
from .base import LearnerSearcher, Proof, Rows, Searcher
from .knowledge import Knowledge, LayerKnowledge

BEGIN = 256
"""Samples before the proof begins: a good mapping prunes, and a short search needs no proof."""
_A_SAMPLE = 6_000  # tiles that may be looked at for each sample: about as long as the agents take for it
_TURN = 200_000  # tiles of a node before others have their turn
_NODE, _BOUND, _MAPPING = 1 << 15, 8, 64  # what a node, a bound, an evaluation take, in tiles looked at
_KERNELS = 49  # of the proof, about


class Proving(Searcher):
    """A searcher and a proof that share their best mappings.

    Args:
        searcher: nobody else's.
        ends: no more candidates when the proof is complete; else the searcher goes on, for further good mappings.
    """

    def __init__(self, searcher: LearnerSearcher, prover: Prover, *, ends: bool = True) -> None:
        self.searcher, self.space, self.batch = searcher, searcher.space, searcher.batch
        self.precheck, self.knowledge = searcher.precheck, searcher.knowledge
        self.kernels = searcher.kernels + _KERNELS
        self._prover, self._ends = prover, ends
        self._frontier: Frontier | None = None
        self._best: Incumbent | None = None  # of all samples
        self._told = 0
        self._work = 0  # in tiles looked at
        self._own = 0  # rows of the last batch that are the proof's: they come first
        self._proposed = np.inf  # cost of the last of them

    @property
    def proof(self) -> Proof | None:
        """What is proven so far."""
        frontier = self._frontier
        if frontier is None:
            return None
        counts = frontier.counts
        return Proof(frontier.proven, frontier.bound, counts["visits"], counts["evaluated"])

    @property
    def judged(self) -> int:
        """Of the searcher."""
        return self.searcher.judged

    @property
    def compiled(self) -> bool:
        """Whether neither needs compiling."""
        return self.searcher.compiled and self._prover.compiled

    def warm_up(self) -> None:
        """Compile what the searcher and the first node of the proof would."""
        self.searcher.warm_up()
        self._prover.warm_up()

    def account(self) -> Mapping[str, Any] | None:
        """Of the searcher."""
        return self.searcher.account()

    def learnt(self, name: str = "") -> LayerKnowledge | None:
        """What the searcher has learnt."""
        return self.searcher.learnt(name)

    def inherit(self, knowledge: Knowledge) -> None:
        """For the searcher."""
        self.searcher.inherit(knowledge)

    def _propose(self, n: int) -> Rows:
        if self._told >= BEGIN:
            self._prove()
        rows = self._found()
        self._own = len(rows)
        done = self._ends and self._frontier is not None and self._frontier.proven
        if done or self._own == n:
            return rows
        return np.concatenate([rows, self.searcher.ask(n - self._own)])

    def _observe(self, candidates: Rows, outcome: Outcome) -> None:
        own = self._own
        if len(candidates) > own:
            self.searcher.tell(candidates[own:], _without(outcome, own))
        self._told += len(candidates)
        costs = self.searcher.objective.costs(outcome)
        i = int(np.argmin(costs))
        if costs[i] < (np.inf if self._best is None else self._best.cost):
            mapping = self.space.decode(candidates[i : i + 1])[0]
            self._best = Incumbent(
                float(costs[i]), mapping, int(outcome.cycles[i]), float(outcome.energy_pj[i])
            )

    def _prove(self) -> None:
        """Go on with the proof for as long as the samples so far allow."""
        prover = self._prover
        if self._frontier is None:
            self._frontier = Frontier(Queue(prover.roots()))
        frontier = self._frontier
        frontier.merge([Report(best=self._best)])
        while self._work < (self._told - BEGIN) * _A_SAMPLE and not frontier.proven:
            go_on()
            reports = [prover.do(node, frontier.cost, _TURN) for node in frontier.take(1)]
            frontier.merge(reports)
            self._work += sum(
                _NODE
                + prover.lattice.size
                + report.visits
                + _BOUND * report.nodes
                + _MAPPING * report.evaluated
                for report in reports
            )

    def _found(self) -> Rows:
        """The proof's best mapping if it is better than all samples."""
        best = None if self._frontier is None else self._frontier.best
        known = np.inf if self._best is None else self._best.cost
        if best is None or best.cost >= min(known, self._proposed):
            return np.zeros((0, self.searcher.space.axes), np.int64)
        self._proposed = best.cost
        return self.searcher.space.encode(best.mapping)[None]


def _without(outcome: Outcome, first: int) -> Outcome:
    """The outcome but for its first rows."""
    left: dict[str, Any] = {}
    for field in fields(outcome):
        column = getattr(outcome, field.name)
        left[field.name] = None if column is None else column[first:]
    return Outcome(**left)

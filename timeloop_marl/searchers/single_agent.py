"""``single-agent``: one policy over all axes, the baseline that a team has to beat.

The same encodings, repair and tables as the team's agents, one autoregressive policy for everything, clipped policy
gradient (Schulman et al. 2017). ``form=penalised`` is single-agent RL as commonly set up: invalid mappings are
proposed, evaluated and penalised. ``form=repaired`` proposes feasible mappings only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.objective import Objective
from ..mapspace.axes import LearnersMapspace, LiteralSpace
from .base import LearnerSearcher, Rows, at_least, one_of, share
from .marl.agent import CONDITIONING, Learning
from .marl.credit import Rewards, ranked
from .marl.team import AgentWorkers, Team, warm_team
from .registry import searcher

FORMS = ("repaired", "penalised")
_RECENT = 64


@dataclass(frozen=True)
class SingleAgentOptions:
    """Options of ``SingleAgentSearcher``; ``restart`` in samples without improvement (0 = never)."""

    form: str = "repaired"  # repaired, penalised
    batch: int = 32
    conditioning: str = "chain"  # an axis sees none of the others, the one before, all before (pairs)
    rate: float = 0.1
    entropy: float = 0.01
    explore: float = 0.02
    clip: float = 0.2
    epochs: int = 4
    spatial: float = 1.0  # logits added to slots in arrays at the start
    penalty: float = 1.0  # as for marl-paper; penalised form only
    restart: int = 2000

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch, epochs=self.epochs)
        at_least(0, rate=self.rate, entropy=self.entropy, clip=self.clip, spatial=self.spatial)
        at_least(0, penalty=self.penalty, restart=self.restart)
        share(explore=self.explore)
        one_of("form", self.form, FORMS)
        one_of("conditioning", self.conditioning, CONDITIONING)


@searcher("single-agent", "one policy over all axes, the baseline of the team", SingleAgentOptions)
class SingleAgentSearcher(LearnerSearcher):
    """Draws whole rows, learns from every batch; the repaired form never proposes a mapping twice."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: SingleAgentOptions
    ) -> None:
        literal = options.form == "penalised"
        super().__init__(LiteralSpace(space) if literal else space, objective, seed)
        self.options, self.batch = options, options.batch
        self._how = Learning(options.rate, options.clip, options.entropy, options.epochs)
        self._begin()

    def _begin(self) -> None:
        options = self.options
        groups = [tuple(range(self.space.axes))] if self.space.axes else []
        self.team = Team(
            self.space, groups, options.conditioning, options.spatial, AgentWorkers(1, "threading")
        )
        self._rewards = Rewards(options.penalty)
        self._recent: Float64[ndarray, "recent"] = np.zeros(0)
        self._best, self._stagnant = np.inf, 0

    def warm_up(self) -> None:
        """Compile what the first batches would."""
        super().warm_up()
        warm_team(self.space, self.options.conditioning)

    def _propose(self, n: int) -> Rows:
        if not self.space.axes:
            return self.fresh_random(n)
        if self.options.form == "penalised":
            return self.team.draw(n, self.rng, self.options.explore)
        rows = self.fresh(self._repaired, n)
        return np.concatenate([rows, self.fresh_random(n - len(rows))]) if len(rows) < n else rows

    def _repaired(self, n: int) -> Rows:
        return self.space.repair(self.team.draw(n, self.rng, self.options.explore), self.rng)[0]

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        with np.errstate(divide="ignore"):
            logs = np.log(costs)
        self._recent = np.concatenate([self._recent, logs])[-_RECENT - len(logs) :]
        penalised = self.options.form == "penalised"
        advantage = self._rewards.advantages(logs) if penalised else ranked(logs, self._recent)
        if self.team.agents:
            self.team.learn(rows, advantage[:, None], self._how)
        low = float(logs.min())
        self._stagnant = 0 if low < self._best else self._stagnant + len(rows)
        self._best = min(self._best, low)
        if self.options.restart and self._stagnant >= self.options.restart:
            self._begin()

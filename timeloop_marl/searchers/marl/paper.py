"""``marl-paper``: the method as the abstract of Krishnan et al. (arXiv 2507.16249) describes it.

One-step episodes; one agent per mapping parameter, after a while one per cluster of correlated parameters; independent
policy-gradient learners with a shared reward; invalid mappings are evaluated and penalised, nothing is repaired. What
the abstract leaves open, and what was chosen here, is listed in docs/marl.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ...cost.objective import Objective
from ...mapspace.axes import LearnersMapspace, LiteralSpace
from ..base import LearnerSearcher, Rows, at_least, one_of, share
from ..registry import searcher
from . import credit
from .agent import CONDITIONING, Learning
from .clustering import SIGNALS, clusters, fixed_groups, strengths
from .credit import Rewards
from .team import BACKENDS, AgentWorkers, Team, warm_team

_REMEMBERED = 8192
_CONTROLS = ("dimension", "level", "joint", "random")  # groups that need no analysis, to compare with


@dataclass(frozen=True)
class PaperOptions:
    """Options of ``PaperSearcher``; ``warmup`` in samples, 0 = no clusters."""

    batch: int = 32
    warmup: int = 1024  # samples with one agent per parameter, before the correlation analysis
    # pearson, spearman, mutual (of the values), interaction (of the log cost);
    # to compare with: dimension, level, joint, random
    signal: str = "pearson"
    agents: int = 0  # number of clusters, 0 = chosen by silhouette
    conditioning: str = "pairs"  # within a cluster: none, chain, pairs
    rate: float = 0.05
    entropy: float = 0.01
    explore: float = 0.02
    penalty: float = (
        1.0  # standard deviations that an invalid mapping's reward lies below the worst valid one
    )
    shares: bool = False  # every agent learns from samples of its own; else all from the same
    n_jobs: int = 1
    backend: str = "threading"

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch)
        at_least(0, warmup=self.warmup, agents=self.agents, rate=self.rate, entropy=self.entropy)
        at_least(0, penalty=self.penalty)
        share(explore=self.explore)
        one_of("signal", self.signal, (*SIGNALS, *_CONTROLS))
        one_of("conditioning", self.conditioning, CONDITIONING)
        one_of("backend", self.backend, BACKENDS)


@searcher(
    "marl-paper", "the published method as its abstract describes it: penalised, unrepaired", PaperOptions
)
class PaperSearcher(LearnerSearcher):
    """Independent REINFORCE agents (Williams 1992) with one reward for all and a running mean as baseline."""

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: PaperOptions
    ) -> None:
        super().__init__(LiteralSpace(space), objective, seed)
        self.options, self.batch = options, options.batch
        each = [(a,) for a in range(space.axes)]
        self.team = Team(
            space, each, options.conditioning, 0.0, AgentWorkers(options.n_jobs, options.backend)
        )
        # One pass, unlimited ratio: plain policy gradient.
        self._how = Learning(options.rate, np.inf, options.entropy, 1)
        self._rewards = Rewards(options.penalty)
        self._rows: Rows = np.zeros((0, space.axes), np.int64)
        self._logs: Float64[ndarray, "n"] = np.zeros(0)
        self._told = 0
        self._clustered = options.warmup == 0
        self._control = np.random.default_rng(
            seed
        )  # for random groups; the draws of the agents stay as they are

    def warm_up(self) -> None:
        """Compile what the first batches would, the clustering included."""
        super().warm_up()
        warm_team(self.space, self.options.conditioning)

    def _propose(self, n: int) -> Rows:
        if not self.space.axes:
            return self.fresh_random(n)
        return self.team.draw(n, self.rng, self.options.explore)

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        if not self.space.axes:
            return
        with np.errstate(divide="ignore"):
            logs = np.log(costs)
        advantage = np.repeat(self._rewards.advantages(logs)[:, None], len(self.team), axis=1)
        self.team.learn(rows, credit.dealt(advantage) if self.options.shares else advantage, self._how)
        self._told += len(rows)
        if self._clustered:
            return
        self._rows = np.concatenate([self._rows, rows])[-_REMEMBERED:]
        self._logs = np.concatenate([self._logs, logs])[-_REMEMBERED:]
        if self._told >= self.options.warmup:
            self._cluster()

    def _cluster(self) -> None:
        """Correlated parameters become one agent."""
        self._clustered = True
        signal, agents = self.options.signal, self.options.agents
        if signal in _CONTROLS:
            self.team.regroup(fixed_groups(self.space, signal, agents, "", self._control))
            return
        finite = self._logs[np.isfinite(self._logs)]
        if signal != "interaction":
            found = strengths(signal, self._rows, self._logs, self.space.cardinalities)
        elif len(finite):
            # Invalid samples as they were punished: which parameters break a buffer together is what counts here.
            punished = float(finite.max() + self.options.penalty * max(float(finite.std()), 1.0))
            logs = np.where(np.isfinite(self._logs), self._logs, punished)
            found = strengths(signal, self._rows, logs, self.space.cardinalities)
        else:
            return
        self.team.regroup(clusters(found, agents))

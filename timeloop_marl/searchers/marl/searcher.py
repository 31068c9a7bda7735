"""``marl``: clustered agents with policies of their own, credit by agent, and a critic that screens what they propose.

The three ideas of Krishnan et al. (arXiv 2507.16249): a decentralised team, clusters from an analysis of the mapping
parameters, agents that learn in parallel. docs/marl.md lists what is added here and what each addition is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...cost.objective import Objective
from ...errors import UsageError
from ...kernels.compiling import is_cached, kernel
from ...mapspace.axes import LearnersMapspace
from ..base import LearnerSearcher, Rows, at_least, one_of, share
from ..knowledge import Knowledge, LayerKnowledge
from ..registry import searcher
from . import credit
from .agent import Learning
from .clustering import GROUPINGS, INTERACTION, Groups, clusters, fixed_groups, strengths
from .critic import Critic
from .rehearsal import Known, Rehearsal, climb, warm_critic
from .team import BACKENDS, AgentWorkers, Diary, Team, warm_team
from .trend import LESSER
from .warm_start import first_candidates, knowledge_of, warm_start

HERITABLE = ("elites", "critic", "policies", "clusters")


@dataclass(frozen=True)
class MarlOptions:
    """Options of ``MarlSearcher``. Shares and chances 0 .. 1; ``restart`` in samples (0 = never)."""

    batch: int = 8  # doubled after 512 samples
    # Who decides what
    clusters: str = "interaction"  # one of grouping.GROUPINGS
    groups: str = ""  # for clusters=given: axis names, comma within a group, semicolon between groups
    # How it proposes
    full: float = 0.15  # share of candidates from all policies together
    moves: float = 0.35  # share of block moves: a few agents act on an elite; the rest are local moves
    acting: float = 1.5  # mean number of agents that act in a block move, beside the first
    redraw: float = 0.5  # chance that an acting agent's axis is drawn anew
    explore: float = 0.02
    explore_moves: float = 0.15
    spatial: float = 1.0  # logits added to slots in arrays at the start
    # How it learns
    learn: bool = True
    rate: float = 0.1
    entropy: float = 0.01
    clip: float = 0.2
    epochs: int = 2
    elites: int = 32
    restart: int = 200  # samples without improvement that end an epoch; the longer the later
    # Critic
    critic: bool = True
    points: int = 400  # samples that the critic remembers
    pool: int = 64  # candidates rehearsed per sample; up to 24 times as many at the start, three eighths late
    away: float = 0.5  # share of rehearsals on an island that begins anew elsewhere
    exchange: float = (
        0.2  # share of rehearsed candidates by agents taking over joint choices; the rest local moves
    )
    # What it takes over from other layers, if it is given their knowledge
    inherit: str = "elites,critic,policies,clusters"
    # How it runs
    n_jobs: int = 1
    backend: str = "threading"

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch, epochs=self.epochs, elites=self.elites, pool=self.pool)
        at_least(16, points=self.points)
        at_least(0, acting=self.acting, restart=self.restart, spatial=self.spatial, rate=self.rate)
        at_least(0, entropy=self.entropy, clip=self.clip)
        share(full=self.full, moves=self.moves, redraw=self.redraw, both=self.full + self.moves)
        share(explore=self.explore, explore_moves=self.explore_moves, away=self.away, exchange=self.exchange)
        one_of("clusters", self.clusters, (INTERACTION, *GROUPINGS))
        one_of("backend", self.backend, BACKENDS)
        for part in filter(None, self.inherit.split(",")):
            one_of("inherit", part, HERITABLE)
        if self.n_jobs == 0:
            raise UsageError("option n_jobs must not be 0: 1 = this thread, -1 = all cores")


_NEAR = 0.5  # share of choices that a row may differ in from the elite that it is compared with


@dataclass(frozen=True)
class Candidates:
    """Repaired rows and where they come from: the row they were moved from (itself if none) and its log cost (nan)."""

    rows: Rows
    origin: Rows
    before: Float64[ndarray, "n"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Int64[ndarray, "k"]) -> Candidates:
        return Candidates(self.rows[index], self.origin[index], self.before[index])


def whole(rows: Rows) -> Candidates:
    """Rows that were not moved from others."""
    return Candidates(rows, rows, np.full(len(rows), np.nan))


def joined(parts: list[Candidates]) -> Candidates:
    """All candidates, in the order of the parts."""
    return Candidates(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.before for part in parts]),
    )


def traced(rows: Rows, elites: Rows, logs: Float64[ndarray, "elites"]) -> Candidates:
    """Rows as moves from the elite that they differ least from (the better of equals); whole ones if all are far."""
    if not len(rows) or not len(elites):
        return whole(rows)
    nearest, different = np.zeros((2, len(rows)), np.int64)
    _compare(np.ascontiguousarray(rows), np.ascontiguousarray(elites), nearest, different)
    near = different <= _NEAR * rows.shape[1]
    return Candidates(
        rows, np.where(near[:, None], elites[nearest], rows), np.where(near, logs[nearest], np.nan)
    )


@kernel
def _compare(rows: ndarray, elites: ndarray, nearest: ndarray, different: ndarray) -> None:
    """Which elite every row differs least from (the first of equals), and in how many choices."""
    for i in range(rows.shape[0]):
        different[i] = rows.shape[1] + 1
        for e in range(elites.shape[0]):
            count = 0
            for a in range(rows.shape[1]):
                count += rows[i, a] != elites[e, a]
            if count < different[i]:
                different[i], nearest[i] = count, e


_CONDITIONING = "pairs"  # within an agent: none, chain, pairs
_FIRST_CLUSTERING = 64  # samples
_EARLY = 512  # samples; then batches grow twofold, for speed
_REMEMBERED = 4096  # newest samples that clusters are computed from
_RECENT = 64  # log costs that ranks are taken among
_TOURNAMENT = 2
_SETTLED = 16  # samples from which on prices are good enough to rehearse elsewhere
_NEWCOMERS = 2  # proposals of the agents that join a rehearsal after each lesson, per sample
_LESSON = (16, 64)  # fewest and most samples that the agents learn from at once: a sixteenth of all
_SCOUTED = 8  # one of so many samples goes to the best of the other island
_HANDED_ON = 8  # best rows of an epoch that later ones may start from


def _blended(table: Float64[ndarray, "m metrics"]) -> Float64[ndarray, "m"]:
    """One smooth cost for the critic: later metrics at a small weight, else it would be blind to them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = (np.log(np.maximum(table, 1e-300)) * LESSER ** np.arange(table.shape[1])).sum(axis=1)
    return np.where(np.isfinite(table).all(axis=1), np.exp(logs), np.inf)


@searcher("marl", "clustered agents, credit by agent, and a critic that screens", MarlOptions)
class MarlSearcher(LearnerSearcher):
    """Rounds of: the team proposes many candidates, the critic picks a batch, its costs teach team and critic."""

    knowledge = "traffic"
    kernels = 206

    def __init__(
        self, space: LearnersMapspace, objective: Objective, seed: int, options: MarlOptions
    ) -> None:
        super().__init__(space, objective, seed)
        self.options, self.batch = options, options.batch
        self._workers = AgentWorkers(options.n_jobs, options.backend)
        self._how = Learning(options.rate, options.clip, options.entropy, options.epochs)
        self._groups: Groups = fixed_groups(
            space, options.clusters, 0, options.groups, np.random.default_rng(seed)
        )
        self.critic = Critic(space, objective.metrics, options.points) if options.critic else None
        self.knowledge = "none" if self.critic is None else "traffic"
        self._told, self._next_clustering = 0, _FIRST_CLUSTERING
        self._rows: Rows = np.zeros((0, space.axes), np.int64)
        self._logs: Float64[ndarray, "n"] = np.zeros(0)
        self._energies: Float64[ndarray, "n"] = np.zeros(0)
        self._cycles: Float64[ndarray, "n"] = np.zeros(0)
        self._past: Rows = np.zeros((0, space.axes), np.int64)  # best rows of the epochs that are over
        self._past_logs: Float64[ndarray, "past"] = np.zeros(0)
        self._asked: Candidates | None = None
        self._inherited: Rows = np.zeros((0, space.axes), np.int64)  # to be proposed first
        self._epoch = 0
        self._known = Known()  # what compiled code asks instead of ``_seen``
        self._diary = Diary([axis.name for axis in space.columns])
        self._diary.grouped(0, self._groups, None)
        self._begin()

    def warm_up(self) -> None:
        """Compile what the first batches would: of the agents, of the critic, of the clustering."""
        super().warm_up()
        warm_team(self.space, _CONDITIONING)
        if self.critic is not None:
            warm_critic(self.space)
            rows = self.space.sample(2, np.random.default_rng(0))
            traced(rows, rows, np.zeros(2))

    @property
    def judged(self) -> int:
        """Candidates that the critic judged by their words so far, beside the samples."""
        return 0 if self.critic is None else self.critic.count.judged

    @property
    def compiled(self) -> bool:
        """Whether drawing, repairing and, with the critic, rehearsing need no compiling."""
        return super().compiled and (self.critic is None or is_cached(climb))

    def inherit(self, knowledge: Knowledge) -> None:
        """Begin with what was learnt on other layers: loop nests, prices of words, policies, clusters.

        Raises ``UsageError`` after the first ``ask``.
        """
        if self._asked is not None:
            raise UsageError("knowledge is taken over before the first candidate is proposed, not later")
        parts, own = self.options.inherit, warm_start(self.space, knowledge, self.rng)
        if "clusters" in parts and own.groups is not None and self.options.clusters == INTERACTION:
            self._groups = own.groups
            self._diary.grouped(0, self._groups, None)
            self._begin()
        if "policies" in parts:
            self.team.prefer(own.logits)
        critic = self.critic
        if "critic" in parts and critic is not None and len(own.energy):
            critic.expect(own.words, own.energy)
        if "elites" in parts:
            foreseen = critic.foresee if critic is not None and critic.foresees else None
            self._inherited = first_candidates(self.space, own.rows, foreseen, self.rng)

    def account(self) -> Mapping[str, Any]:
        """Groups, entropy and credit of the agents over time (``diary``)."""
        return self._diary.account()

    def learnt(self, name: str = "") -> LayerKnowledge | None:
        """What the team has learnt so far, for other layers; ``None`` if it has seen nothing valid."""
        return knowledge_of(self.space, self._rows, self._logs, self._energies, self.team, name)

    def _begin(self) -> None:
        """An epoch: agents that know nothing, no elites, no recollections; clusters and what was proposed stay."""
        options = self.options
        self.team = Team(self.space, self._groups, _CONDITIONING, options.spatial, self._workers)
        self._elites: Rows = np.zeros((0, self.space.axes), np.int64)
        self._elite_logs: Float64[ndarray, "elites"] = np.zeros(0)
        self._recent: Float64[ndarray, "recent"] = np.zeros(0)
        self._best, self._stagnant = np.inf, 0
        self._untaught: list[
            tuple[Candidates, Float64[ndarray, "m"]]
        ] = []  # samples the agents are yet to learn from
        self._fresh_team = True  # whether the agents have learnt since they proposed last
        self._rehearsal: Rehearsal | None = None
        if self.critic is not None:
            self.critic.forget()
            self._rehearsal = Rehearsal(self.critic, self.rng, self._sampled, self._known, options.exchange)

    def _sampled(self, n: int) -> Rows:
        """Random feasible rows. (A method: what is put aside between rounds of a network has to be picklable.)"""
        return self.space.sample(n, self.rng)

    def _restart(self) -> None:
        """Epochs from scratch, which end in basins of their own, take turns with epochs that join what all found."""
        order = np.argsort(self._elite_logs, kind="stable")[:_HANDED_ON]
        self._past = np.concatenate([self._past, self._elites[order]])
        self._past_logs = np.concatenate([self._past_logs, self._elite_logs[order]])
        best = np.argsort(self._past_logs, kind="stable")[:_REMEMBERED]
        self._past, self._past_logs = self._past[best], self._past_logs[best]
        self._epoch += 1
        self._begin()
        if self._epoch % 2 == 0:
            self._update_elites(self._past, self._past_logs)
            self._best = float(self._past_logs[0]) if len(self._past_logs) else np.inf
        self._recall()

    def _recall(self) -> None:
        """The critic learns the best samples of all epochs anew, and some of the others."""
        if self.critic is None:
            return
        order = np.argsort(self._logs, kind="stable")
        best, others = np.split(order, [self.options.points // 2])
        some = self.rng.permutation(others)[: self.options.points // 4]
        index = np.sort(np.concatenate([best, some]))
        self.critic.learn(
            self._rows[index], np.exp(self._logs[index]), self._energies[index], self._cycles[index]
        )

    @property
    def _patience(self) -> int:
        """Samples without improvement that end the epoch; later epochs may take longer."""
        return self.options.restart * (1 + self._epoch // 4)

    # Proposing

    def _propose(self, n: int) -> Rows:
        chosen = self._screened(n)
        if len(chosen.rows) < n:
            chosen = joined([chosen, whole(self.fresh_random(n - len(chosen.rows)))])
        self._asked = chosen
        if self.critic is not None:
            self._known.add(chosen.rows)
        return chosen.rows

    def _screened(self, n: int) -> Candidates:
        """At most n new rows: the best of a rehearsal in the critic's eyes."""
        critic, rehearsal = self.critic, self._rehearsal
        if not self._told and len(self._inherited):
            return self._taken(self._unseen(whole(self._inherited)), np.arange(n))
        if critic is None or rehearsal is None or not critic.ready:
            return self._taken(self._unseen(self._pool(2 * n)), np.arange(n))
        count = int(n * self._pool_factor())
        away = int(count * self.options.away) if self._told >= _SETTLED else 0
        newcomers = self._pool(_NEWCOMERS * n).rows if self._fresh_team else self._elites[:0]
        self._fresh_team = False
        rehearsal.rehearse(newcomers, self._elites, self.team.owner, count - away, away)
        scouts = n // _SCOUTED if away else 0
        found = self._taken(self._traced(rehearsal.away.population[:scouts]), np.arange(scouts))
        pool = self._traced(rehearsal.home.population)
        index = self._unseen_index(pool)[: n - len(found)]
        return joined([found, self._taken(pool[index], np.arange(len(index)))])

    def _traced(self, rows: Rows) -> Candidates:
        return traced(rows, self._elites, self._elite_logs)

    def _pool_factor(self) -> float:
        """Candidates per sample: more while samples are few, when predictions are cheap and choices matter most."""
        return self.options.pool * float(np.clip(self.options.points / max(self._told, 1), 0.375, 24.0))

    def _taken(self, pool: Candidates, index: Int64[ndarray, "k"]) -> Candidates:
        chosen = pool[index[index < len(pool.rows)]]
        for key in self.space.keys(chosen.rows):
            self._remember(key)
        return chosen

    def _pool(self, count: int) -> Candidates:
        """Whole rows, block moves and local moves in the shares of the options; only whole rows without elites."""
        shares = np.array([self.options.full, self.options.moves, 1 - self.options.full - self.options.moves])
        if not len(self._elites) or not len(self.team):
            shares = np.array([1.0, 0.0, 0.0])
        kind = self.rng.choice(3, size=count, p=shares / shares.sum())
        full, block, local = (int((kind == k).sum()) for k in range(3))
        parts = []
        if full:
            rows = self._repaired(self.team.draw(full, self.rng, self.options.explore))
            parts.append(whole(rows))
        if block:
            parts.append(self._acted(self._parents(block)))
        if local:
            parts.append(self._moved(self._parents(local)))
        return joined(parts)

    def _parents(self, count: int) -> Candidates:
        """Elites, the better the likelier."""
        index = self.rng.integers(0, len(self._elites), (count, _TOURNAMENT)).min(axis=1)
        return Candidates(self._elites[index], self._elites[index], self._elite_logs[index])

    def _acted(self, parents: Candidates) -> Candidates:
        """Block moves: a few agents decide anew."""
        n, agents = len(parents.rows), len(self.team)
        number = np.minimum(1 + self.rng.poisson(self.options.acting, n), agents)
        turn = np.argsort(self.rng.random((n, agents)), axis=1, kind="stable").argsort(axis=1, kind="stable")
        rows = self.team.redraw(
            parents.rows, turn < number[:, None], self.options.redraw, self.rng, self.options.explore_moves
        )
        # One changed axis is served first by the repair: else the move would bounce off a full buffer.
        urgency = self.rng.random(rows.shape) * (rows != parents.rows)
        first = np.where(urgency.any(axis=1), urgency.argmax(axis=1), -1)
        return Candidates(self.space.repair(rows, self.rng, first)[0], parents.origin, parents.before)

    def _moved(self, parents: Candidates) -> Candidates:
        """One or two local moves away."""
        steps = 1 + self.rng.poisson(0.5, len(parents.rows))
        return Candidates(self.space.moved(parents.rows, self.rng, steps), parents.origin, parents.before)

    def _repaired(self, rows: Rows) -> Rows:
        return self.space.repair(rows, self.rng)[0]

    def _unseen(self, pool: Candidates) -> Candidates:
        """Without rows proposed before and repetitions."""
        return pool[self._unseen_index(pool)]

    def _unseen_index(self, pool: Candidates) -> Int64[ndarray, "k"]:
        known: set[bytes] = set()
        index = []
        for i, key in enumerate(self.space.keys(pool.rows)):
            if key not in known and key not in self._seen:
                known.add(key)
                index.append(i)
        return np.array(index, np.int64)

    # Learning

    def _learn(self, rows: Rows, costs: Float64[ndarray, "m"]) -> None:
        asked = self._asked
        if asked is None or self._outcome is None:
            return
        with np.errstate(divide="ignore"):
            logs = np.log(costs)
        if self.critic is not None:
            self.critic.learn(
                rows,
                _blended(self.objective.table(self._outcome)),
                self._outcome.energy_pj,
                self._outcome.cycles.astype(np.float64),
            )
        self._told += len(rows)
        self.batch = self.options.batch if self._told < _EARLY else 2 * self.options.batch
        self._rows = np.concatenate([self._rows, rows])[-_REMEMBERED:]
        self._logs = np.concatenate([self._logs, logs])[-_REMEMBERED:]
        self._energies = np.concatenate([self._energies, self._outcome.energy_pj])[-_REMEMBERED:]
        self._cycles = np.concatenate([self._cycles, self._outcome.cycles])[-_REMEMBERED:]
        self._recent = np.concatenate([self._recent, logs])[-_RECENT - len(logs) :]
        if self.options.learn and len(self.team):
            self._untaught.append((asked, logs))
            if sum(len(told) for _, told in self._untaught) >= np.clip(self._told // 16, *_LESSON):
                self._teach(
                    joined([part for part, _ in self._untaught]),
                    np.concatenate([told for _, told in self._untaught]),
                )
                self._untaught, self._fresh_team = [], True
        self._update_elites(rows, logs)
        self._regroup()
        low = float(logs.min())
        self._stagnant = 0 if low < self._best else self._stagnant + len(rows)
        self._best = min(self._best, low)
        if self.options.restart and self._stagnant >= self._patience:
            self._restart()

    def _teach(self, asked: Candidates, logs: Float64[ndarray, "m"]) -> None:
        is_move = ~np.isnan(asked.before)
        moved = np.zeros(len(logs))
        moved[is_move] = credit.gains(logs[is_move], asked.before[is_move])
        advantage = credit.shared_out(
            credit.ranked(logs, self._recent), moved, is_move, self.team.changed(asked.rows, asked.origin)
        )
        self.team.learn(asked.rows, advantage, self._how)
        self._diary.learnt(self._told, self.team, advantage)

    def _update_elites(self, rows: Rows, logs: Float64[ndarray, "m"]) -> None:
        every, all_logs = np.concatenate([self._elites, rows]), np.concatenate([self._elite_logs, logs])
        keep = np.argsort(all_logs, kind="stable")[: self.options.elites]
        keep = keep[np.isfinite(all_logs[keep])]
        self._elites, self._elite_logs = every[keep], all_logs[keep]

    def _regroup(self) -> None:
        """New clusters whenever the samples have doubled."""
        if self.options.clusters != INTERACTION or self._told < self._next_clustering:
            return
        self._next_clustering = 2 * self._told
        finite = np.isfinite(self._logs)
        if self.space.axes < 2 or not finite.any():
            return
        strength = strengths(INTERACTION, self._rows[finite], self._logs[finite], self.space.cardinalities)
        self._groups = clusters(strength, 0)
        self.team.regroup(self._groups)
        self._diary.grouped(self._told, self._groups, strength)

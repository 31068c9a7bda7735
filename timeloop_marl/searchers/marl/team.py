"""Agents at work side by side: each call concerns one agent alone, so that the order of finishing changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import TEMPORAL, AxisKind
from ...parallel.workers import Workers
from .agent import Agent, Learning
from .clustering import SIGNALS, by_dimension, strengths

Result = TypeVar("Result")
BACKENDS = ("threading", "loky")


class AgentWorkers:
    """Maps functions over agents; one job runs them in turn in this thread.

    ``backend``: ``threading`` (kernels release the interpreter lock) or ``loky`` (processes; tables travel both ways).
    Agents learn in fractions of a millisecond: a cluster is of no use to them.
    """

    def __init__(self, n_jobs: int, backend: str) -> None:
        self.n_jobs, self.backend = n_jobs, backend
        self._workers = Workers(n_jobs, backend)

    def map(self, function: Callable[..., Result], calls: Sequence[tuple[object, ...]]) -> list[Result]:
        """``function(*call)`` for every call, results in the order of the calls."""
        if self.n_jobs == 1 or len(calls) < 2:
            return [function(*call) for call in calls]
        return self._workers.map(_called, [(function, call) for call in calls])


def _called(task: tuple[Callable[..., Result], tuple[object, ...]]) -> Result:
    function, call = task
    return function(*call)


Rows = Int64[ndarray, "n axes"]
_WARM = 12  # rows that are thrown away, to compile kernels on


class Team:
    """Agents that together decide every axis of a row.

    Args:
        groups: axes of each agent; together every axis once.
        spatial: logits added at the start to slots in arrays, so that the arrays are used from the first sample on.
    """

    def __init__(
        self,
        space: LearnersMapspace,
        groups: Sequence[Sequence[int]],
        conditioning: str,
        spatial: float,
        workers: AgentWorkers,
    ) -> None:
        self.space, self.conditioning, self.workers = space, conditioning, workers
        self._start = initial_logits(space, spatial)
        self.agents = [self._hired(group, self._start) for group in groups]

    def _hired(self, group: Sequence[int], bias: Float64[ndarray, "axes values"]) -> Agent:
        axes = np.array(sorted(group), np.int64)
        counts = self.space.cardinalities[axes]
        return Agent(axes, counts, bias[axes, : int(counts.max(initial=1))].copy(), self.conditioning)

    def __len__(self) -> int:
        return len(self.agents)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Axes of each agent."""
        return tuple(tuple(agent.axes.tolist()) for agent in self.agents)

    @property
    def owner(self) -> Int64[ndarray, "axes"]:
        """Agent of every axis."""
        owner = np.zeros(self.space.axes, np.int64)
        for k, agent in enumerate(self.agents):
            owner[agent.axes] = k
        return owner

    @property
    def parameters(self) -> int:
        """Logits of all agents."""
        return sum(agent.parameters for agent in self.agents)

    def prefer(self, logits: Float64[ndarray, "axes values"]) -> None:
        """Add to every agent's logits."""
        for agent in self.agents:
            agent.bias += logits[agent.axes, : agent.bias.shape[1]]

    def preferences(self) -> Float64[ndarray, "axes values"]:
        """The logits of all axes."""
        logits = np.zeros_like(self._start)
        for agent in self.agents:
            logits[agent.axes, : agent.bias.shape[1]] = agent.bias
        return logits

    def draw(self, n: int, rng: np.random.Generator, explore: float) -> Rows:
        """n rows, every agent drawing for itself; not repaired."""
        uniform = rng.random((n, self.space.axes))
        drawn = self.workers.map(_draw, [(agent, uniform[:, agent.axes], explore) for agent in self.agents])
        rows = np.zeros((n, self.space.axes), np.int64)
        for agent, chosen in zip(self.agents, drawn):
            rows[:, agent.axes] = chosen
        return rows

    def redraw(
        self,
        rows: Rows,
        acting: Bool[ndarray, "n agents"],
        share: float,
        rng: np.random.Generator,
        explore: float,
    ) -> Rows:
        """``rows`` with the acting agents' choices drawn anew, each axis with chance ``share``; not repaired."""
        uniform = rng.random((len(rows), self.space.axes))
        stay = rng.random((len(rows), self.space.axes)) >= share
        calls = []
        who = [np.flatnonzero(acting[:, k]) for k in range(len(self.agents))]
        for agent, index in zip(self.agents, who):
            at = np.ix_(index, agent.axes)
            calls.append((agent, uniform[at], explore, rows[at], stay[at]))
        out = rows.copy()
        for agent, index, chosen in zip(self.agents, who, self.workers.map(_redraw, calls)):
            out[np.ix_(index, agent.axes)] = chosen
        return out

    def changed(self, rows: Rows, others: Rows) -> Bool[ndarray, "n agents"]:
        """Whose choices differ between two sets of rows."""
        different = rows != others
        return np.stack([different[:, agent.axes].any(axis=1) for agent in self.agents], axis=1)

    def learn(self, rows: Rows, advantage: Float64[ndarray, "n agents"], how: Learning) -> None:
        """Every agent learns from its own column of advantages, by itself; rows without an advantage stay here."""
        calls = []
        for agent, own in zip(self.agents, advantage.T):
            told = np.flatnonzero(own)
            calls.append((agent, np.ascontiguousarray(rows[np.ix_(told, agent.axes)]), own[told], how))
        self.agents = self.workers.map(_learn, calls)

    def regroup(self, groups: Sequence[Sequence[int]]) -> None:
        """New agents that keep what was learnt: logits of every axis, and pairs that stay in one agent."""
        bias = self._start.copy()
        pairs: dict[tuple[int, int], Float64[ndarray, "values values"]] = {}
        for agent in self.agents:
            bias[agent.axes, : agent.bias.shape[1]] = agent.bias
            for child in range(len(agent.axes)):
                for q in range(agent.first[child], agent.first[child + 1]):
                    pairs[int(agent.axes[agent.parent[q]]), int(agent.axes[child])] = agent.pair[q]
        self.agents = [self._hired(group, bias) for group in groups]
        for agent in self.agents:
            for child in range(len(agent.axes)):
                for q in range(agent.first[child], agent.first[child + 1]):
                    old = pairs.get((int(agent.axes[agent.parent[q]]), int(agent.axes[child])))
                    if old is not None:
                        size = min(len(old), agent.pair.shape[1])
                        agent.pair[q, :size, :size] = old[:size, :size]


def initial_logits(space: LearnersMapspace, spatial: float) -> Float64[ndarray, "axes values"]:
    """Uniform but for ``spatial`` more on the slots in arrays."""
    bias = np.zeros((space.axes, int(space.cardinalities.max(initial=1))))
    for a, axis in enumerate(space.columns):
        if axis.kind is AxisKind.FACTOR:
            sides = space.tables.slot_side[list(axis.slots)]
            bias[a, : axis.cardinality] = spatial * (sides != TEMPORAL)
    return bias


def _draw(agent: Agent, uniform: Float64[ndarray, "n k"], explore: float) -> Int64[ndarray, "n k"]:
    return agent.draw(uniform, explore)


def _redraw(
    agent: Agent,
    uniform: Float64[ndarray, "n k"],
    explore: float,
    rows: Int64[ndarray, "n k"],
    stay: Bool[ndarray, "n k"],
) -> Int64[ndarray, "n k"]:
    return agent.draw(uniform, explore, rows, stay)


def _learn(
    agent: Agent, rows: Int64[ndarray, "n k"], advantage: Float64[ndarray, "n"], how: Learning
) -> Agent:
    return agent.learn(rows, advantage, how)


_POINTS = 200  # of the history that is handed out


class Diary:
    """Entropy and credit of every agent after every batch, the groups, and what they were made of.

    Args:
        names: of the axes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._history: list[tuple[int, list[float], list[float]]] = []
        self._groups: list[tuple[int, list[list[int]]]] = []
        self._strength: Float64[ndarray, "axes axes"] | None = None

    def learnt(self, samples: int, team: Team, advantage: Float64[ndarray, "n agents"]) -> None:
        """After a batch: ``advantage`` is what each agent was told of each row."""
        entropy = [agent.entropy for agent in team.agents]
        credit = np.abs(advantage).mean(axis=0) if len(advantage) else np.zeros(len(entropy))
        self._history.append((samples, entropy, credit.tolist()))

    def grouped(
        self, samples: int, groups: Sequence[Sequence[int]], strength: Float64[ndarray, "axes axes"] | None
    ) -> None:
        """New groups; ``strength``: how strongly each pair of axes belongs together."""
        self._groups.append((samples, [list(map(int, group)) for group in groups]))
        self._strength = strength if strength is None else strength.copy()

    def account(self) -> dict[str, Any]:
        """Plain data: axes, groups over time, pairwise strengths, entropy (nats per axis) and credit by agent."""
        step = max(1, -(-len(self._history) // _POINTS))
        kept = self._history[::-1][::step][::-1]  # the last one is always among them
        return {
            "axes": self._names,
            "groups": [{"samples": samples, "groups": groups} for samples, groups in self._groups],
            "strength": None if self._strength is None else self._strength.round(6).tolist(),
            "history": [
                {"samples": samples, "entropy": _rounded(entropy), "credit": _rounded(credit)}
                for samples, entropy, credit in kept
            ],
        }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 6) for value in values]


def warm_team(space: LearnersMapspace, conditioning: str) -> None:
    """Compile (or load from the cache) drawing, drawing anew, learning, and every signal of the clustering."""
    if not space.axes:
        return
    rng = np.random.default_rng(0)
    team = Team(space, space.groups(by_dimension), conditioning, 1.0, AgentWorkers(1, "threading"))
    team.draw(2, rng, 0.1)
    rows = space.sample(_WARM, rng)
    everyone = np.ones((_WARM, len(team)), np.bool_)
    team.redraw(rows, everyone, 0.5, rng, 0.1)
    team.learn(rows, everyone.astype(np.float64), Learning(0.1, 0.2, 0.01, 1))
    for signal in SIGNALS:
        strengths(signal, rows, rng.random(_WARM), space.cardinalities)

"""Rehearsals on the critic: populations of candidates that the agents improve before any sample is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..learner import Rows
from .critic import Critic

_GENERATION = 32  # candidates predicted at once
_TOURNAMENT = 3
_PEOPLE = 32
_STALE = 2000  # candidates without improvement after which an island is left
_CHAINS = 4
_COOLING = 4000  # candidates of all chains together until they are cold
_HOT, _COLD = 0.5, 0.005  # log cost


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


Predict = Callable[[Rows], Float64[ndarray, "m"]]
Vary = Callable[[Candidates, Candidates], Candidates]  # parents and donors to children
New = Callable[[Candidates, Rows], Candidates]  # those that are neither known nor among the rows


@dataclass
class Island:
    """A population that lives on from batch to batch, best first by predicted log cost."""

    people: Candidates
    mean: Float64[ndarray, "people"] = field(default_factory=lambda: np.zeros(0))
    stale: int = 0  # candidates since the best improved

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self.stale >= _STALE

    def settle(self, newcomers: Candidates | None, predict: Predict, new: New) -> None:
        """Newcomers beside those who are still unknown; all predicted anew, for the critic has learnt since."""
        both = self.people if newcomers is None else joined([newcomers, self.people])
        people = new(both, both.rows[:0])
        self._keep(people, predict(people.rows))

    def live(self, candidates: int, rng: np.random.Generator, vary: Vary, predict: Predict, new: New) -> None:
        """Generations of children, ``candidates`` in all; the best of old and young survive."""
        for start in range(0, candidates, _GENERATION):
            people, count = self.people, min(_GENERATION, candidates - start)
            if len(people) < 2:
                return
            parent = rng.integers(0, len(people), (count, _TOURNAMENT)).min(axis=1)
            children = new(vary(people[parent], people), people.rows)
            best = self.mean[0]
            self._keep(joined([people, children]), np.concatenate([self.mean, predict(children.rows)]))
            self.stale = 0 if self.mean[0] < best else self.stale + count

    def _keep(self, people: Candidates, mean: Float64[ndarray, "k"]) -> None:
        order = np.argsort(mean, kind="stable")[:_PEOPLE]
        self.people, self.mean = people[order], mean[order]


@dataclass
class Climbers(Island):
    """A few chains that anneal side by side (Kirkpatrick et al., 1983); ``people`` are the best they came past.

    A population ends where most of it began to gather. Chains that still take steps uphill cross what lies between a
    mapping that keeps weights still and one that keeps sums still.
    """

    at: Candidates = field(default_factory=lambda: whole(np.zeros((0, 0), np.int64)))
    height: Float64[ndarray, "chains"] = field(default_factory=lambda: np.zeros(0))
    walked: int = 0  # candidates so far

    @property
    def over(self) -> bool:
        """Whether the chains are cold."""
        return self.walked >= _COOLING

    def settle(self, newcomers: Candidates | None, predict: Predict, new: New) -> None:
        """As an island's; the chains stay where they are."""
        if not len(self.at):
            self.at = self.people[np.arange(min(_CHAINS, len(self.people)))]
        self.height = predict(self.at.rows)
        super().settle(newcomers, predict, new)

    def live(self, candidates: int, rng: np.random.Generator, vary: Vary, predict: Predict, new: New) -> None:
        """Steps of every chain, ``candidates`` in all; uphill by chance, the colder the more rarely."""
        visited, heights = [self.people], [self.mean]
        for _ in range(0, candidates, max(1, len(self.at))):
            heat = _HOT * (_COLD / _HOT) ** min(1.0, self.walked / _COOLING)
            there = vary(self.at, self.at)
            height = predict(there.rows)
            uphill = np.maximum(height - self.height, 0.0)
            taken = rng.random(len(height)) < np.exp(-uphill / heat)
            rows = np.where(taken[:, None], there.rows, self.at.rows)
            self.at, self.height = whole(rows), np.where(taken, height, self.height)
            self.walked += len(height)
            visited.append(whole(there.rows[taken]))
            heights.append(height[taken])
        every, means = joined(visited), np.concatenate(heights)
        best = new(every[np.argsort(means, kind="stable")[: 2 * _PEOPLE]], every.rows[:0])
        self._keep(best, predict(best.rows))


class Imagination:
    """Where the team rehearses: a home island, and one that begins anew elsewhere whenever it stagnates.

    The home island begins where the samples are best and asks the critic; the other begins anywhere and asks its
    foresight, so that a critic led astray by its own samples, or a team settled in a poor basin, is found out. It is
    a few annealing chains and a population by turns: each finds basins that the other misses.

    Args:
        fresh: makes rows to begin with. vary: children of parents, with donors. new: filter of known rows.
        climbing: whether there are annealing chains.
    """

    def __init__(
        self,
        critic: Critic,
        rng: np.random.Generator,
        fresh: Callable[[int], Rows],
        vary: Vary,
        new: New,
        climbing: bool = True,
    ) -> None:
        self.critic, self.rng, self.fresh, self.vary, self.new = critic, rng, fresh, vary, new
        nobody = whole(fresh(0))
        self.home, self.away = Island(nobody), Island(nobody)
        self._climbing = climbing

    def rehearse(self, newcomers: Candidates, at_home: int, elsewhere: int) -> None:
        """One imagined evening: so many candidates on each island."""
        if elsewhere:
            if not len(self.away.people) or self.away.over:
                newcomers = joined([newcomers, self.away.people])
                kind = Climbers if self._climbing and not isinstance(self.away, Climbers) else Island
                self.away = kind(whole(self.fresh(_PEOPLE)))
            self.away.settle(None, self.critic.foresee, self.new)
            self.away.live(elsewhere, self.rng, self.vary, self.critic.foresee, self.new)
        self.home.settle(newcomers, self._predicted, self.new)
        self.home.live(at_home, self.rng, self.vary, self._predicted, self.new)

    def _predicted(self, rows: Rows) -> Float64[ndarray, "m"]:
        return self.critic.predict(rows, False)[0]

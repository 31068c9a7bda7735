"""Rehearsals on the critic: chains that improve imagined candidates before any sample is spent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

from ...mapspace.learners.tables import workspace
from ..base import Rows
from .chains import Chains, Shelf, assess, climb, enter, fingerprints, put_all
from .critic import Critic
from .words import fresh_loops

_CHAINS = 8
_SHELF = 32
_HOT, _COLD = 0.5, 0.003  # log cost
_LIFE = 12_000  # candidates after which the other island begins anew; each time twice as many
_ARRIVALS = _CHAINS // 2  # newcomers and elites that may displace a chain of the warmer half
_KINDS = np.array(
    [4, 2, 2, 1], np.int64
)  # chances of moving a factor, exchanging two, swapping loops, a bypass


class Known:
    """Rows that were proposed, as hashes of 64 bits in an open-addressed table that compiled code can ask."""

    def __init__(self) -> None:
        self.table: UInt64[ndarray, "size"] = np.zeros(1024, np.uint64)
        self.count = 0

    def add(self, rows: Rows) -> None:
        """Remember rows."""
        hashes = np.zeros(len(rows), np.uint64)
        fingerprints(np.ascontiguousarray(rows), hashes)
        self.count += len(rows)
        while 2 * self.count > len(self.table):
            old = self.table[self.table != 0]
            self.table = np.zeros(4 * len(self.table), np.uint64)
            enter(self.table, old)
        enter(self.table, hashes)


class Island:
    """Chains on a ladder of heats, and a shelf with the best unknown candidates that they came past.

    Args:
        even: asks the critic's foresight (the trend, all samples alike) instead of the whole critic.
        heated: whether chains take steps uphill; else all are as cold as the coldest.
    """

    def __init__(self, critic: Critic, known: Known, even: bool, heated: bool) -> None:
        space = critic.make.space
        self.critic, self.known, self.even = critic, known, even
        self.walked = 0  # candidates so far
        D = space.tables.base_factor.shape[1]
        self._work, self._loops = workspace(space.tables), fresh_loops(critic.make.shape, D)
        heats = np.geomspace(_COLD, _HOT if heated else _COLD, _CHAINS)
        self.chains = Chains(np.zeros((_CHAINS, space.axes), np.int64), np.full(_CHAINS, np.inf), heats)
        self.shelf = self._empty()
        self._judged = -1  # version of the critic that the heights are from

    def _empty(self) -> Shelf:
        return Shelf(
            np.zeros((_SHELF, self.critic.make.space.axes), np.int64),
            np.full(_SHELF, np.inf),
            np.zeros(_SHELF, np.int64),
            np.zeros(1, np.int64),
        )

    @property
    def begun(self) -> bool:
        """Whether the chains are anywhere."""
        return bool(np.isfinite(self.chains.heights[0]))

    @property
    def people(self) -> Rows:
        """The best candidates that are not known, best first."""
        return self.shelf.rows[self.shelf.order[: self.shelf.used[0]]]

    @property
    def heights(self) -> Float64[ndarray, "people"]:
        """Predicted log costs of ``people``."""
        return self.shelf.heights[self.shelf.order[: self.shelf.used[0]]]

    def begin(self, rows: Rows) -> None:
        """Chains start from the best of the rows, the coldest from the best."""
        heights = self._assessed(rows)
        order = np.argsort(heights, kind="stable")[np.arange(_CHAINS) % len(rows)]
        self.chains.rows[:], self.chains.heights[:] = rows[order], heights[order]
        self.walked, self._judged = 0, self.critic.version

    def settle(self, newcomers: Rows, elites: Rows) -> None:
        """All judged by what the critic knows now; the best of newcomers and elites displace warm chains."""
        people, heights = self.people, self.heights
        if self._judged != self.critic.version:
            self.chains.heights[:] = self._assessed(self.chains.rows)
            people, heights = people.copy(), self._assessed(people)
            self._judged = self.critic.version
        arriving = np.concatenate([newcomers, elites])
        reached = self._assessed(arriving)
        both = np.concatenate([people, newcomers])
        self.shelf = self._empty()
        put_all(self.shelf, both, np.concatenate([heights, reached[: len(newcomers)]]), self.known.table)
        for place, i in enumerate(np.argsort(reached, kind="stable")[:_ARRIVALS]):
            c = _CHAINS - _ARRIVALS + place
            if reached[i] < self.chains.heights[c]:
                self.chains.rows[c], self.chains.heights[c] = arriving[i], reached[i]

    def live(
        self,
        candidates: int,
        donors: Rows,
        owner: Int64[ndarray, "axes"],
        exchange: float,
        rng: np.random.Generator,
    ) -> None:
        """About ``candidates`` steps of all chains together. ``donors``: rows to exchange with, beside the shelf's."""
        steps = -(-candidates // _CHAINS)
        make = self.critic.make
        climb(
            make.space.tables,
            make.shape,
            self.critic.foresight(self.even),
            self.critic.residual(not self.even),
            self._work,
            self._loops,
            self.chains,
            self.shelf,
            self.known.table,
            np.ascontiguousarray(donors),
            owner,
            _KINDS,
            exchange,
            steps,
            int(rng.integers(0, 1 << 62)),
        )
        self.walked += steps * _CHAINS

    def _assessed(self, rows: Rows) -> Float64[ndarray, "m"]:
        heights, make = np.zeros(len(rows)), self.critic.make
        foresight, residual = self.critic.foresight(self.even), self.critic.residual(not self.even)
        rows = np.ascontiguousarray(rows)
        assess(make.space.tables, make.shape, foresight, residual, self._work, self._loops, rows, heights)
        return heights


class Imagination:
    """Where the team rehearses: a home island, and one that begins anew elsewhere again and again.

    The home island begins where the samples are best and asks the critic; the other begins anywhere and asks its
    foresight, so that a critic led astray by its own samples, or a team settled in a poor basin, is found out. On both,
    agents take over each other's joint choices (``exchange``) beside local moves.

    Args:
        fresh: makes rows to begin with.
        known: rows that were proposed already.
        heated: whether chains take steps uphill.
    """

    def __init__(
        self,
        critic: Critic,
        rng: np.random.Generator,
        fresh: Callable[[int], Rows],
        known: Known,
        exchange: float,
        heated: bool = True,
    ) -> None:
        self.critic, self.rng, self.fresh, self.known = critic, rng, fresh, known
        self.exchange, self._heated = exchange, heated
        self.home, self.away = self._island(False), self._island(True)
        self._life = _LIFE

    def _island(self, even: bool) -> Island:
        return Island(self.critic, self.known, even, self._heated)

    def rehearse(
        self, newcomers: Rows, elites: Rows, owner: Int64[ndarray, "axes"], at_home: int, elsewhere: int
    ) -> None:
        """One imagined evening: so many candidates on each island. ``owner``: agent of every axis."""
        if elsewhere:
            nobody = newcomers[:0]
            if not self.away.begun or self.away.walked >= self._life:
                newcomers = np.concatenate([newcomers, self.away.people])
                self._life *= 2 if self.away.begun else 1
                self.away = self._island(True)
                self.away.begin(self.fresh(_CHAINS))
            self.away.settle(nobody, nobody)
            self.away.live(elsewhere, nobody, owner, self.exchange, self.rng)
        if not self.home.begun:
            self.home.begin(np.concatenate([elites, newcomers]))
        self.home.settle(newcomers, elites[:_ARRIVALS])
        self.home.live(at_home, elites, owner, self.exchange, self.rng)

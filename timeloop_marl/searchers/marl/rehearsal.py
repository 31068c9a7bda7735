"""Rehearsals on the critic: annealing chains that improve imagined candidates before any sample is spent.

Metropolis et al. 1953, Kirkpatrick et al. 1983; neighbours on a ladder of heats change places as in parallel tempering
(Geyer 1991). Compiled, thousands of candidates a call: a step changes one candidate, asks the trend, and only if that
leaves a chance of being taken, the Gaussian process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

from ...kernels.compiling import allocating, inlined, kernel
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.decoding import place_literally
from ...mapspace.learners.drawing import draw
from ...mapspace.learners.moves import move_row
from ...mapspace.learners.repair import place_row, write_row
from ...mapspace.learners.tables import Tables, Work, workspace
from ..base import Rows
from .critic import Critic
from .features import Counted, Prices, Process, residual_of, trend_of

_CHAINS = 8
_WARM = 12  # rows that are thrown away, to compile kernels on
_SHELF = 32
_HOT, _COLD = 0.5, 0.003  # log cost
_LIFE = 12_000  # candidates after which the other island begins anew; each time twice as many
_ARRIVALS = _CHAINS // 2  # newcomers and elites that may displace a chain of the warmer half
_KINDS = np.array(
    [4, 2, 2, 1], np.int64
)  # chances of a factor moved, two exchanged, loops swapped, a bypass toggled
_SAME = 1e-9  # log cost
_HALF = 1 << 30  # draw() in two halves makes a uniform number
_REMEMBERED = 1 << 14  # candidates; a power of two
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


class Chains(NamedTuple):
    """Where the chains are: canonical feasible rows, their predicted log costs, and the heat of each, log cost."""

    rows: Int64[ndarray, "chains axes"]
    predicted: Float64[ndarray, "chains"]
    heats: Float64[ndarray, "chains"]


class Shelf(NamedTuple):
    """The best new candidates that were passed. ``order`` lists the ``used[0]`` places in use, lowest cost first."""

    rows: Int64[ndarray, "places axes"]
    predicted: Float64[ndarray, "places"]
    order: Int64[ndarray, "places"]
    used: Int64[ndarray, "1"]


class Memory(NamedTuple):
    """Candidates judged before, by hash, and what each costs at least: chains come past many of theirs again."""

    hashes: UInt64[ndarray, "places"]
    least: Float64[ndarray, "places"]


@kernel
def fingerprint(row: ndarray) -> np.uint64:
    """A hash of 64 bits (FNV-1a over the values, mixed at the end), never 0."""
    h = _BASIS
    for a in range(row.shape[0]):
        h = (h ^ np.uint64(row[a])) * _PRIME
    h = h ^ (h >> np.uint64(29))
    h = h * np.uint64(0xBF58476D1CE4E5B9)
    h = h ^ (h >> np.uint64(32))
    return h if h != np.uint64(0) else np.uint64(1)


@inlined
def _uniform(state: np.ndarray) -> float:
    """In (0, 1)."""
    return (draw(state, _HALF) + 0.5) / _HALF


@kernel
def is_known(known: np.ndarray, h: np.uint64) -> bool:
    """Whether the open-addressed table (a power of two of uint64) holds the hash."""
    mask = known.shape[0] - 1
    k = np.int64(h >> np.uint64(1)) & mask
    while known[k] != np.uint64(0):
        if known[k] == h:
            return True
        k = (k + 1) & mask
    return False


@kernel
def fingerprints(rows: np.ndarray, out: np.ndarray) -> None:
    """The hash of every row."""
    for i in range(rows.shape[0]):
        out[i] = fingerprint(rows[i])


@kernel
def enter(known: np.ndarray, hashes: np.ndarray) -> None:
    """Add hashes; the table must stay less than full."""
    mask = known.shape[0] - 1
    for i in range(hashes.shape[0]):
        h = hashes[i]
        k = np.int64(h >> np.uint64(1)) & mask
        while known[k] != np.uint64(0) and known[k] != h:
            k = (k + 1) & mask
        known[k] = h


@kernel
def put_up(shelf: Shelf, row: np.ndarray, cost: float, known: np.ndarray) -> None:
    """Keep the row if it is among the lowest, new, and nothing of its cost is on the shelf.

    Rows of one cost are nearly always one mapping in the critic's eyes: a batch of them would teach it nothing.
    """
    places, count = shelf.predicted.shape[0], shelf.used[0]
    if count == places and cost >= shelf.predicted[shelf.order[count - 1]]:
        return
    at = count
    while at > 0 and shelf.predicted[shelf.order[at - 1]] > cost + _SAME:
        at -= 1
    if at > 0 and shelf.predicted[shelf.order[at - 1]] > cost - _SAME:
        return
    if is_known(known, fingerprint(row)):
        return
    place = count if count < places else shelf.order[count - 1]
    last = count if count < places else count - 1
    for k in range(last, at, -1):
        shelf.order[k] = shelf.order[k - 1]
    shelf.order[at] = place
    shelf.predicted[place] = cost
    for a in range(row.shape[0]):
        shelf.rows[place, a] = row[a]
    shelf.used[0] = min(places, count + 1)


@kernel
def put_all(shelf: Shelf, rows: np.ndarray, predicted: np.ndarray, known: np.ndarray) -> None:
    """``put_up`` of every row."""
    for i in range(rows.shape[0]):
        put_up(shelf, rows[i], predicted[i], known)


@inlined
def _adopt(state: np.ndarray, row: np.ndarray, donor: np.ndarray, owner: np.ndarray) -> int:
    """One block of the donor's choices, among those that differ; returns a changed column, -1 if none differs."""
    axes = row.shape[0]
    start = draw(state, axes)
    for k in range(axes):
        a = (start + k) % axes
        if row[a] != donor[a]:
            for b in range(axes):
                if owner[b] == owner[a]:
                    row[b] = donor[b]
            return a
    return -1


@allocating
def assess(
    tables: Tables,
    counted: Counted,
    prices: Prices,
    process: Process,
    work: Work,
    least: np.ndarray,
    rows: np.ndarray,
    predicted: np.ndarray,
) -> None:
    """Predicted log costs of canonical rows."""
    asked = process.number[0] > 0
    for i in range(rows.shape[0]):
        place_literally(tables, work, rows[i])
        predicted[i] = trend_of(tables, work, rows[i], counted, prices, least, np.inf, asked)
        if asked and predicted[i] < np.inf:
            predicted[i] += residual_of(counted, process)


@allocating
def climb(
    tables: Tables,
    counted: Counted,
    prices: Prices,
    process: Process,
    work: Work,
    least: np.ndarray,
    memory: Memory,
    chains: Chains,
    shelf: Shelf,
    known: np.ndarray,
    donors: np.ndarray,
    owner: np.ndarray,
    exchange: float,
    steps: int,
    seed: int,
    salt: int,
) -> None:
    """``steps`` candidates on every chain; after each, two neighbouring chains may change places.

    Args:
        least: as for ``trend_of``.
        memory: emptied whenever prices change, as ``salt`` does, which repairs are drawn with.
        known: hashes of the rows that are not to be put on the shelf.
        owner: agent of every axis.
        exchange: chance that an agent takes over its choices from a donor or a row on the shelf; else a local move.
    """
    count, axes = chains.rows.shape
    asked = process.number[0] > 0
    trial = np.empty(axes, np.int64)
    work.state[0] = seed
    for _ in range(steps):
        for c in range(count):
            trial[:] = chains.rows[c]
            first = -1
            others = shelf.used[0] + donors.shape[0]
            if others > 0 and _uniform(work.state) < exchange:
                k = draw(work.state, others)
                donor = shelf.rows[shelf.order[k]] if k < shelf.used[0] else donors[k - shelf.used[0]]
                first = _adopt(work.state, trial, donor, owner)
            if first < 0:
                number = 1
                while number < 4 and draw(work.state, 3) == 0:
                    number += 1
                first = move_row(tables, work, trial, number, _KINDS)
            limit = chains.predicted[c] - chains.heats[c] * np.log(_uniform(work.state))
            h = fingerprint(trial)
            place = np.int64(h >> np.uint64(1)) & (_REMEMBERED - 1)
            again = memory.hashes[place] == h
            if again and memory.least[place] > limit:
                continue
            # While prices stay, the repair of a candidate depends on nothing else: it need not be made twice.
            state = work.state[0]
            work.state[0] = h ^ np.uint64(salt)
            cost = np.inf
            if place_literally(tables, work, trial) or place_row(tables, work, trial, first):
                cost = trend_of(tables, work, trial, counted, prices, least, limit + process.slack[0], asked)
                if asked and cost < np.inf:
                    cost += residual_of(counted, process)
            work.state[0] = state
            memory.hashes[place] = h
            memory.least[place] = limit if cost == np.inf else cost
            if cost <= limit:
                write_row(tables, work, trial)
                chains.rows[c] = trial
                chains.predicted[c] = cost
                put_up(shelf, trial, cost, known)
        if count > 1:
            c = draw(work.state, count - 1)
            gain = (1.0 / chains.heats[c] - 1.0 / chains.heats[c + 1]) * (
                chains.predicted[c] - chains.predicted[c + 1]
            )
            if gain >= 0.0 or _uniform(work.state) < np.exp(gain):
                trial[:] = chains.rows[c]
                cost = chains.predicted[c]
                chains.rows[c], chains.predicted[c] = chains.rows[c + 1], chains.predicted[c + 1]
                chains.rows[c + 1], chains.predicted[c + 1] = trial, cost


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
    """

    def __init__(self, critic: Critic, known: Known, even: bool) -> None:
        space = critic.count.space
        self.critic, self.known, self.even = critic, known, even
        self.walked = 0  # candidates so far
        self._memory = Memory(np.zeros(_REMEMBERED, np.uint64), np.zeros(_REMEMBERED))
        self._work, self._least = workspace(space.tables), np.full(space.tables.keep.shape[1], -1.0)
        heats = np.geomspace(_COLD, _HOT, _CHAINS)
        self.chains = Chains(np.zeros((_CHAINS, space.axes), np.int64), np.full(_CHAINS, np.inf), heats)
        self.shelf = self._empty()
        self._judged = -1  # version of the critic that the predicted are from

    def _empty(self) -> Shelf:
        return Shelf(
            np.zeros((_SHELF, self.critic.count.space.axes), np.int64),
            np.full(_SHELF, np.inf),
            np.zeros(_SHELF, np.int64),
            np.zeros(1, np.int64),
        )

    @property
    def begun(self) -> bool:
        """Whether the chains are anywhere."""
        return bool(np.isfinite(self.chains.predicted[0]))

    @property
    def population(self) -> Rows:
        """The best candidates that are not known, best first."""
        return self.shelf.rows[self.shelf.order[: self.shelf.used[0]]]

    @property
    def predicted(self) -> Float64[ndarray, "population"]:
        """Predicted log costs of ``population``."""
        return self.shelf.predicted[self.shelf.order[: self.shelf.used[0]]]

    def begin(self, rows: Rows) -> None:
        """Chains start from the best of the rows, the coldest from the best."""
        predicted = self._assessed(rows)
        order = np.argsort(predicted, kind="stable")[np.arange(_CHAINS) % len(rows)]
        self.chains.rows[:], self.chains.predicted[:] = rows[order], predicted[order]
        self.walked, self._judged = 0, self.critic.version

    def settle(self, newcomers: Rows, elites: Rows) -> None:
        """All judged by what the critic knows now; the best of newcomers and elites displace warm chains."""
        population, predicted = self.population, self.predicted
        if self._judged != self.critic.version:
            self._least[:] = -1.0
            self._memory.hashes[:] = 0
            self.chains.predicted[:] = self._assessed(self.chains.rows)
            population, predicted = population.copy(), self._assessed(population)
            self._judged = self.critic.version
        arriving = np.concatenate([newcomers, elites])
        reached = self._assessed(arriving)
        both = np.concatenate([population, newcomers])
        self.shelf = self._empty()
        put_all(self.shelf, both, np.concatenate([predicted, reached[: len(newcomers)]]), self.known.table)
        for place, i in enumerate(np.argsort(reached, kind="stable")[:_ARRIVALS]):
            c = _CHAINS - _ARRIVALS + place
            if reached[i] < self.chains.predicted[c]:
                self.chains.rows[c], self.chains.predicted[c] = arriving[i], reached[i]

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
        climb(
            *self._asked(),
            self._memory,
            self.chains,
            self.shelf,
            self.known.table,
            np.ascontiguousarray(donors),
            owner,
            exchange,
            steps,
            int(rng.integers(0, 1 << 62)),
            self.critic.version,
        )
        self.walked += steps * _CHAINS
        self.critic.count.judged += steps * _CHAINS

    def _assessed(self, rows: Rows) -> Float64[ndarray, "m"]:
        predicted = np.zeros(len(rows))
        assess(*self._asked(), np.ascontiguousarray(rows), predicted)
        self.critic.count.judged += len(rows)
        return predicted

    def _asked(self) -> tuple[Tables, Counted, Prices, Process, Work, Float64[ndarray, "P"]]:
        critic, even = self.critic, self.even
        return (
            critic.count.space.tables,
            critic.counted(even),
            critic.prices(even),
            critic.process(not even),
            self._work,
            self._least,
        )


class Rehearsal:
    """Where the team rehearses: a home island, and one that begins anew elsewhere again and again.

    The home island begins where the samples are best and asks the critic; the other begins anywhere and asks its
    foresight, so that a critic led astray by its own samples, or a team settled in a poor basin, is found out. On both,
    agents take over each other's joint choices (``exchange``) beside local moves.

    Args:
        fresh: makes rows to begin with.
        known: rows that were proposed already.
    """

    def __init__(
        self,
        critic: Critic,
        rng: np.random.Generator,
        fresh: Callable[[int], Rows],
        known: Known,
        exchange: float,
    ) -> None:
        self.critic, self.rng, self.fresh, self.known = critic, rng, fresh, known
        self.exchange = exchange
        self.home, self.away = self._island(False), self._island(True)
        self._life = _LIFE

    def _island(self, even: bool) -> Island:
        return Island(self.critic, self.known, even)

    def rehearse(
        self, newcomers: Rows, elites: Rows, owner: Int64[ndarray, "axes"], at_home: int, elsewhere: int
    ) -> None:
        """One imagined evening: so many candidates on each island. ``owner``: agent of every axis."""
        if elsewhere:
            nobody = newcomers[:0]
            if not self.away.begun or self.away.walked >= self._life:
                newcomers = np.concatenate([newcomers, self.away.population])
                self._life *= 2 if self.away.begun else 1
                self.away = self._island(True)
                self.away.begin(self.fresh(_CHAINS))
            self.away.settle(nobody, nobody)
            self.away.live(elsewhere, nobody, owner, self.exchange, self.rng)
        if not self.home.begun:
            self.home.begin(np.concatenate([elites, newcomers]))
        self.home.settle(newcomers, elites[:_ARRIVALS])
        self.home.live(at_home, elites, owner, self.exchange, self.rng)


def warm_critic(space: LearnersMapspace) -> None:
    """Compile (or load from the cache) features, prices, the process, its predictions and the rehearsals on it."""
    rng = np.random.default_rng(0)
    rows, costs = space.sample(_WARM, rng), 1.0 + rng.random(_WARM)
    critic = Critic(space, ["edp"], 16)
    critic.learn(rows, costs, costs, costs)
    critic.predict(rows)
    known = Known()
    rehearsal = Rehearsal(critic, rng, lambda n: space.sample(n, rng), known, 0.5)
    rehearsal.rehearse(rows[:2], rows, np.zeros(space.axes, np.int64), 1, 1)
    known.add(rows)

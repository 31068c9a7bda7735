"""What the critic sees of a mapping: the words that ``traffic`` counts, and what follows from them at given prices.

Counts alone, no energy, bandwidth or block size: what these do to the cost is learnt from samples. Two readers share
one text: ``Features`` of whole batches, which prices are learnt from, and ``trend_of`` of one candidate, for the
rehearsals, which stops counting as soon as the candidate cannot be taken any more.

Parts of ``words``, all instances together, per multiply-accumulate: reads (S), writes (S), a constant 1, fills (S P),
words taken by children (S P), words times hops (S) and times routers (S) in the network below each level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64
from numpy import ndarray

from ...kernels.compiling import allocating, inlined, kernel
from ...kernels.record import Box, boxed
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.decoding import bounds, order_key
from ...mapspace.learners.tables import Tables, Work, Y
from ...specs.mapping import MappingBatch
from ...traffic.count import begin_words, move_space, settle_space
from ...traffic.geometry import Geometry, asking, geometry_of
from ...traffic.workspace import Workspace, workspace
from .gaussian import covariances

_TINY = 1e-300
_KEPT = 4.0  # of the flag of a bypass, which counts as much as a factor of 16
_SURPRISE = 0.7  # of the least energy seen of each data space: less than that is not expected


@dataclass(frozen=True)
class Features:
    """Of m mappings. ``words``: moved words by part; ``flows``: words read, written and both per instance of each
    storage level; ``logs``: inputs of the Gaussian process, base-2 logarithms and 0/1 flags; ``steps``: natural
    logarithm of the temporal iterations.
    """

    words: Float64[ndarray, "m parts"]
    flows: Float64[ndarray, "m 3*S"]
    logs: Float64[ndarray, "m features"]
    steps: Float64[ndarray, "m"]

    def __getitem__(self, index: Int64[ndarray, "k"]) -> Features:
        return Features(self.words[index], self.flows[index], self.logs[index], self.steps[index])

    def joined(self, more: Features) -> Features:
        """These and more mappings."""
        return Features(
            np.concatenate([self.words, more.words]),
            np.concatenate([self.flows, more.flows]),
            np.concatenate([self.logs, more.logs]),
            np.concatenate([self.steps, more.steps]),
        )


class Prices(NamedTuple):
    """``words``: of a word of each part; ``delay``: cycles per word, 0 where a path never limits; ``matter``: weights
    of log words and of log iterations."""

    words: Float64[ndarray, "parts"]
    delay: Float64[ndarray, "3*S"]
    matter: Float64[ndarray, "2"]


class Process(NamedTuple):
    """The Gaussian process as the rehearsals ask it; ``number[0]`` = 0: not asked.

    ``input_of``: which input every feature is, -1 none; ``shift`` and ``stretch`` by input. ``slack[0]``: how far below
    the trend the process is expected to go at most, log cost.
    """

    number: Int64[ndarray, "1"]
    points: Float64[ndarray, "inputs capacity"]
    weights: Float64[ndarray, "capacity"]
    input_of: Int64[ndarray, "features"]
    shift: Float64[ndarray, "inputs"]
    stretch: Float64[ndarray, "inputs"]
    length: Float64[ndarray, "1"]
    centre: Float64[ndarray, "1"]
    slack: Float64[ndarray, "1"]


def no_process() -> Process:
    """A process that is not asked."""
    none, nothing = np.zeros(1), np.zeros(0, np.int64)
    return Process(np.zeros(1, np.int64), np.zeros((1, 1)), none, nothing, none, none, none, none, none)


class Counted(NamedTuple):
    """Scratch: the mapping at hand as ``traffic`` reads it, and what was counted of it."""

    geometry: Box[Geometry]
    traffic: Box[Workspace]
    factors: Int64[ndarray, "1 T D"]
    residuals: Int64[ndarray, "T D"]
    order: Int8[ndarray, "1 T D"]
    split: Int8[ndarray, "1 T"]
    keep: Bool[ndarray, "1 S P"]
    computations: Float64[ndarray, "1"]  # of the whole problem
    words: Float64[ndarray, "parts"]
    flows: Float64[ndarray, "3*S"]
    spent: Float64[ndarray, "P"]  # on each data space
    handed: Float64[ndarray, "S P"]  # words handed to each level if it held the data space, all instances
    sent: Float64[ndarray, "S P"]  # and sent on by it
    shorter: Bool[ndarray, "1"]  # last rounds are counted shorter than the others
    moved: Float64[
        ndarray, "S+1 P"
    ]  # what residuals leave of the words that come to compute (0) or level s (s + 1)


class WordCounter:
    """Counts the words of the rows of one mapspace. ``judged``: candidates whose cost followed from these so far."""

    def __init__(self, space: LearnersMapspace) -> None:
        self.space, self.judged = space, 0
        self._scratch: dict[bool, Counted] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without scratch, which is made again."""
        return {**self.__dict__, "_scratch": {}}

    @property
    def parts(self) -> int:
        """Number of parts of ``words``."""
        levels, spaces = self.space.tables.keep.shape
        return 4 * levels + 1 + 2 * levels * spaces

    def counted(self, hops: bool) -> Counted:
        """Scratch. ``hops``: whether they are counted, too; for packed arrays that takes long."""
        if hops not in self._scratch:
            T, D = self.space.tables.base_factor.shape
            S, P = self.space.tables.keep.shape
            geometry = asking(geometry_of(self.space.spec), hops)
            self._scratch[hops] = Counted(
                geometry=boxed(geometry),
                traffic=boxed(workspace(geometry)),
                factors=np.ones((1, T, D), np.int64),
                residuals=np.ones((T, D), np.int64),
                order=np.zeros((1, T, D), np.int8),
                split=np.zeros((1, T), np.int8),
                keep=np.zeros((1, S, P), np.bool_),
                computations=np.array([np.prod(np.asarray(self.space.spec.problem.bounds, np.float64))]),
                words=np.zeros(self.parts),
                flows=np.zeros(3 * S),
                spent=np.zeros(P),
                handed=np.zeros((S, P)),
                sent=np.zeros((S, P)),
                shorter=np.array(
                    [(self.space.tables.absorber >= 0).any() and self.space.spec.mapper.count != "padded"]
                ),
                moved=np.ones((S + 1, P)),
            )
        return self._scratch[hops]

    def __call__(self, rows: Int64[ndarray, "m axes"]) -> Features:
        """Features of canonical rows."""
        return self.of(self.space.decode(rows))

    def of(self, batch: MappingBatch) -> Features:
        """Features of mappings."""
        m, S, P = batch.keep.shape
        T = batch.factors.shape[1]
        words, logs = np.zeros((m, self.parts)), np.zeros((m, 4 * S * P + 2 * T))
        flows, steps = np.zeros((m, 3 * S)), np.empty(m)
        everything = no_process()._replace(
            input_of=np.arange(logs.shape[1]), shift=np.zeros(logs.shape[1]), stretch=np.ones(logs.shape[1])
        )
        describe(
            self.counted(True), everything, batch.factors, batch.order, batch.split, batch.keep,
            words, flows, logs, steps,
        )  # fmt: skip
        return Features(words, flows, logs, steps)


@kernel
def describe(
    counted: Counted,
    process: Process,
    factors: ndarray,
    order: ndarray,
    split: ndarray,
    keep: ndarray,
    words: ndarray,
    flows: ndarray,
    logs: ndarray,
    steps: ndarray,
) -> None:
    """Fill the features of m mappings. ``process``: one to which every feature is an input as it is."""
    geometry, work = counted.geometry[0], counted.traffic[0]
    for i in range(factors.shape[0]):
        steps[i] = np.log(_steps(geometry, factors[i]))
        counted.words[:], counted.flows[:] = 0.0, 0.0
        _note_residuals(counted, factors[i])
        if begin_words(geometry, factors, order, split, keep, i, work):
            for p in range(keep.shape[2]):
                _count(counted, p, words[i], True)  # words are zeros: nothing costs anything
        counted.words[2 * keep.shape[1]] = 1.0
        for k in range(words.shape[1]):
            words[i, k] = counted.words[k]
        for k in range(flows.shape[1]):
            flows[i, k] = counted.flows[k]
        _inputs(counted, process, factors[i], keep[i], logs[i])


@inlined
def _steps(geometry: Geometry, factors: ndarray) -> float:
    """Temporal iterations."""
    steps = 1.0
    for t in range(factors.shape[0]):
        if not geometry.tile_spatial[t]:
            for d in range(factors.shape[1]):
                steps *= factors[t, d]
    return steps


@inlined
def _count(counted: Counted, p: int, prices: ndarray, noted: bool) -> float:
    """Count the words of data space p; returns what they cost. ``noted``: fill ``handed`` and ``sent``, too."""
    geometry, work = counted.geometry[0], counted.traffic[0]
    S = geometry.levels
    own = 2 * S + 1
    move_space(geometry, work, p)
    if noted:
        for s in range(S):
            instances = float(work.rep[s])
            counted.handed[s, p] = work.tile[s, p] if s == S - 1 else work.share[s, p] * instances
            counted.sent[s, p] = work.content[s, p] * instances
    if not settle_space(geometry, work, p):
        return np.inf
    cost = 0.0
    for s in range(S):
        instances = float(work.rep[s])
        each = instances / counted.computations[0]
        share = _share_below(counted, s, p)
        if geometry.hops_needed:
            hops, routers = _carried(work, s, p)
            hops, routers = hops * share, routers * share
            cost += _add(counted, prices, own + 2 * S * geometry.spaces + s, hops * each)
            cost += _add(counted, prices, own + 2 * S * geometry.spaces + S + s, routers * each)
        if work.held[s, p] == 0:
            continue
        read, filled = float(work.reads[s, p]) * share, float(work.fills[s, p]) * counted.moved[s + 1, p]
        updated = float(work.updates[s, p]) * share
        written = filled + updated
        taken = updated if geometry.read_write[p] else read
        cost += _add(counted, prices, s, read * each)
        cost += _add(counted, prices, S + s, written * each)
        cost += _add(counted, prices, own + s * geometry.spaces + p, filled * each)
        cost += _add(counted, prices, own + (S + s) * geometry.spaces + p, taken * each)
        counted.flows[s] += read
        counted.flows[S + s] += written
        counted.flows[2 * S + s] += read + written
    return cost


@inlined
def _note_residuals(counted: Counted, factors: ndarray) -> None:
    """Fill ``moved``: a dim that a data space uses moves its bound, not what loop bounds cover; of any other the rounds
    outside count, and there are fewer of them. Exact for residuals in time where every round moves the tile."""
    if not counted.shorter[0]:
        return
    geometry = counted.geometry[0]
    counted.moved[:] = 1.0
    for d in range(geometry.dims):
        cover, bound = 1.0, float(geometry.bounds[d])
        for t in range(geometry.tiles):
            cover *= factors[t, d]
        if cover == bound:
            continue
        for p in range(geometry.spaces):
            counted.moved[0, p] *= bound / cover
        inside = 1.0
        for t in range(geometry.tiles):
            inside *= factors[t, d]
            s = geometry.tile_storage[t]
            if geometry.tile_spatial[t]:
                continue
            for p in range(geometry.spaces):
                rounds = np.ceil(bound / inside) * inside
                counted.moved[s + 1, p] *= (bound if geometry.used[p, d] else rounds) / cover


@inlined
def _share_below(counted: Counted, s: int, p: int) -> float:
    """``moved`` of the level that takes data space p from level s, or of compute."""
    work = counted.traffic[0]
    child = s - 1
    while child >= 0 and work.held[child, p] == 0:
        child -= 1
    return counted.moved[child + 1, p]


@inlined
def _add(counted: Counted, prices: ndarray, part: int, words: float) -> float:
    """More words of a part; returns what they cost."""
    counted.words[part] += words
    return prices[part] * words


@inlined
def _carried(work: Workspace, s: int, p: int) -> tuple[float, float]:
    """Words of data space p times hops, and times routers, in the network below an instance of level s.

    A word comes through one router more than it makes whole hops; from neighbour to neighbour it is one hop and two
    routers.
    """
    hops, routers = 0.0, 0.0
    for e in range(work.entries[s, p]):
        if work.accesses[s, p, e] > 0.0:
            hops += work.hops[s, p, e]
            routers += (1.0 + np.floor(work.hops[s, p, e] / work.accesses[s, p, e])) * work.accesses[s, p, e]
    return hops + work.links[s, p], routers + 2.0 * work.links[s, p]


@inlined
def _note_nest(tables: Tables, work: Work, row: ndarray, counted: Counted) -> float:
    """The mapping placed in ``work`` and ranked in ``row``, as arrays of a batch; returns the temporal iterations."""
    geometry = counted.geometry[0]
    T, D = work.factor.shape
    exact = True
    for d in range(D):
        iterations = 1
        for t in range(T):
            counted.factors[0, t, d] = work.factor[t, d]
            iterations *= work.factor[t, d]
        exact = exact and iterations == geometry.bounds[d]
    if not exact:
        bounds(tables, work, counted.factors[0], counted.residuals)
    for t in range(T):
        count, across = 0, 0
        for d in range(D):
            if counted.factors[0, t, d] == 1:
                continue
            across += 1 if work.side[t, d] != Y else 0
            # ``extent`` is scratch by now: its first row holds the keys of the loops so far.
            key, k = order_key(tables, work, row, t, d), count
            while k > 0 and work.extent[0, k - 1] > key:
                work.extent[0, k], counted.order[0, t, k] = work.extent[0, k - 1], counted.order[0, t, k - 1]
                k -= 1
            work.extent[0, k], counted.order[0, t, k] = key, d
            count += 1
        counted.split[0, t] = across
        for d in range(D):
            if counted.factors[0, t, d] == 1:
                counted.order[0, t, count] = d
                count += 1
    for s in range(work.keep.shape[0]):
        for p in range(work.keep.shape[1]):
            counted.keep[0, s, p] = work.keep[s, p] == 1
    return _steps(geometry, counted.factors[0])


@inlined
def _log_cost(prices: Prices, energy: float, steps: float) -> float:
    """Log cost of energy per computation and cycles."""
    cost = 0.0
    if prices.matter[0] > 0.0:
        cost += prices.matter[0] * np.log(max(energy, _TINY))
    if prices.matter[1] > 0.0:
        cost += prices.matter[1] * np.log(steps)
    return cost


@kernel
def trend_of(
    tables: Tables,
    work: Work,
    row: ndarray,
    counted: Counted,
    prices: Prices,
    least: Float64[ndarray, "P"],
    limit: float,
    noted: bool,
) -> float:
    """Log cost by the trend, of the candidate placed in ``work`` and ranked in ``row``; +inf if above ``limit``.

    Args:
        least: least energy seen of each data space so far, -1 none; lowered here. A candidate that would need less than
            ``_SURPRISE`` of it to stay below the limit is not counted further.
        noted: as for ``_count``.
    """
    P, S = work.keep.shape[1], work.keep.shape[0]
    steps = _note_nest(tables, work, row, counted)
    _note_residuals(counted, counted.factors[0])
    energy, rest = prices.words[2 * S], 0.0
    for p in range(P):
        rest += max(0.0, least[p]) * _SURPRISE
    budget = _budget(prices, steps, limit)
    if energy + rest > budget:
        return np.inf
    if not begin_words(
        counted.geometry[0],
        counted.factors,
        counted.order,
        counted.split,
        counted.keep,
        0,
        counted.traffic[0],
    ):
        return np.inf
    counted.flows[:] = 0.0
    for p in range(P):
        counted.spent[p] = _count(counted, p, prices.words, noted)
        energy += counted.spent[p]
        rest -= max(0.0, least[p]) * _SURPRISE
        if energy + rest > budget:
            return np.inf
    for p in range(P):
        if least[p] < 0.0 or counted.spent[p] < least[p]:
            least[p] = counted.spent[p]
    for k in range(3 * S):
        if prices.delay[k] > 0.0:
            steps = max(steps, counted.flows[k] * prices.delay[k])
    cost = _log_cost(prices, energy, steps)
    return cost if cost <= limit else np.inf


@inlined
def _budget(prices: Prices, steps: float, limit: float) -> float:
    """Energy per computation above which a mapping of so many iterations costs more than the limit."""
    if prices.matter[0] == 0.0 or limit == np.inf:
        return np.inf
    left = limit - (prices.matter[1] * np.log(steps) if prices.matter[1] > 0.0 else 0.0)
    # A little more, for rounding: the cost itself is compared in the end.
    return np.exp(left / prices.matter[0]) * (1.0 + 1e-9)


@inlined
def _enter(process: Process, feature: int, log: float, x: ndarray) -> None:
    """A feature as an input, scaled, if it is one."""
    f = process.input_of[feature]
    if f >= 0:
        x[f] = (log - process.shift[f]) * process.stretch[f]


@inlined
def _inputs(counted: Counted, process: Process, factors: ndarray, keep: ndarray, x: ndarray) -> None:
    """Inputs of the process: words handed to each level and sent on by it, its tile, whether it is bypassed, by data
    space; and of every tiling level all its iterations and its largest loop."""
    work = counted.traffic[0]
    S, P = keep.shape
    for s in range(S):
        for p in range(P):
            own = s * P + p
            _enter(process, own, np.log2(max(1.0, counted.handed[s, p])), x)
            _enter(process, S * P + own, np.log2(max(1.0, counted.sent[s, p])), x)
            _enter(process, 2 * S * P + own, np.log2(max(1.0, float(work.tile[s, p]))), x)
            _enter(process, 3 * S * P + own, _KEPT if keep[s, p] else 0.0, x)
    for t in range(factors.shape[0]):
        level, widest = 1.0, 1.0
        for d in range(factors.shape[1]):
            level *= factors[t, d]
            widest = max(widest, float(factors[t, d]))
        _enter(process, 4 * S * P + 2 * t, np.log2(level), x)
        _enter(process, 4 * S * P + 2 * t + 1, np.log2(widest), x)


@allocating
def residual_of(counted: Counted, process: Process) -> float:
    """What the process adds to the trend of the candidate that was counted last, ``noted``."""
    n = process.number[0]
    x, column = np.empty(process.shift.shape[0]), np.empty(n)
    _inputs(counted, process, counted.factors[0], counted.keep[0], x)
    covariances(process.points, n, x, process.length[0], column)
    total = process.centre[0]
    for j in range(n):
        total += column[j] * process.weights[j]
    return total

"""What the critic sees of a mapping: words moved per level and data space, tile sizes, spatial use, bypasses.

The counts are those of ``walking.py``; of partial sums nothing is read the first time. Nothing here knows energies,
bandwidths, block sizes or networks: what these do to the cost is learnt from samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from ...compiling import allocating, inlined
from ...mapping import MappingBatch
from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import X, Y
from ...specs.problem import Problem
from ...specs.spec import Spec
from .hops import hop_words
from .walking import look_outside, walk
from .words import Loops, Shape, add_loop, fresh_loops, note_tile, volume

KEPT = 4.0  # of the flag of a bypass, which counts as much as a factor of 16


@dataclass(frozen=True)
class Features:
    """Of m mappings. ``words``: moved words per part of the machine, all linear parts of energy; ``flows``: words read,
    written and both per instance of each storage level; ``logs``: inputs of the Gaussian process, base-2 logarithms
    and 0/1 flags; ``steps``: natural logarithm of the temporal iterations.
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


class FeatureMaker:
    """Features of the rows of one mapspace."""

    def __init__(self, space: LearnersMapspace) -> None:
        self.space = space
        tables = space.tables
        levels = space.spec.architecture.tiling_levels
        spaces = space.spec.problem.data_spaces
        relevant = np.zeros((len(spaces), len(space.spec.problem.dims)), np.bool_)
        for p in range(len(spaces)):
            relevant[p, list(spaces[p].dims)] = True
        geometry = space.tables.geometry[0]
        space_rank = geometry.rank_start[: len(spaces) + 1]
        rank_term = geometry.term_start[: space_rank[-1] + 1]
        term_dim, term_weight = geometry.term_dim[: rank_term[-1]], geometry.term_distance[: rank_term[-1]]
        ranks, weights = _motions(space_rank, rank_term, term_dim, term_weight, relevant)
        self.shape = Shape(
            spatial=np.array([level.spatial for level in levels], np.bool_),
            grid=np.ascontiguousarray(tables.fan[:, [X, Y]]),
            temporal_of=tables.temporal_of,
            relevant=relevant,
            written=np.array([space.read_write for space in spaces], np.bool_),
            rank_of=ranks,
            weight=weights,
            sliding=_sliding(space.spec.problem),
            passing=_passing(space.spec),
            space_rank=space_rank,
            rank_term=rank_term,
            term_dim=term_dim,
            term_weight=term_weight,
        )

    @property
    def parts(self) -> int:
        """Number of parts of ``words``."""
        levels = len(self.shape.temporal_of)
        return 4 * levels + 1 + 2 * levels * len(self.shape.relevant)

    def __call__(self, rows: Int64[ndarray, "m axes"]) -> Features:
        """Features of canonical rows."""
        return self.of(self.space.decode(rows))

    def of(self, batch: MappingBatch) -> Features:
        """Features of mappings."""
        m, S, P = batch.keep.shape
        T = len(self.shape.spatial)
        words = np.zeros((m, self.parts))
        logs = np.empty((m, 4 * S * P + 2 * T))
        flows, steps = np.zeros((m, 3 * S)), np.empty(m)
        describe(self.shape, batch.factors, batch.order, batch.split, batch.keep, words, flows, logs, steps)
        return Features(words, flows, logs, steps)


def _motions(
    space_rank: Int64[ndarray, "P+1"],
    rank_term: Int64[ndarray, "ranks+1"],
    term_dim: Int64[ndarray, "terms"],
    term_weight: Int64[ndarray, "terms"],
    relevant: Bool[ndarray, "P D"],
) -> tuple[Int64[ndarray, "P D"], Float64[ndarray, "P D"]]:
    """Rank that a dim moves a data space along (-1 none, -2 several), and by how much."""
    ranks, weights = np.full(relevant.shape, -1), np.zeros(relevant.shape)
    for p in range(len(relevant)):
        for r in range(space_rank[p], space_rank[p + 1]):
            for m in range(rank_term[r], rank_term[r + 1]):
                d = term_dim[m]
                ranks[p, d] = r if ranks[p, d] in (-1, r) else -2
                weights[p, d] += term_weight[m]
    return ranks, weights


def _sliding(problem: Problem) -> Bool[ndarray, "P"]:
    """Whether several dims move a data space along the same rank."""
    several = [
        any(sum(problem.bounds[term.dim] > 1 for term in rank) > 1 for rank in space.ranks)
        for space in problem.data_spaces
    ]
    return np.array(several, np.bool_)


def _passing(spec: Spec) -> Bool[ndarray, "S P"]:
    """Where neighbours in an array may pass words on."""
    passing = np.full(
        (len(spec.architecture.storage), len(spec.problem.data_spaces)), spec.options.link_transfers
    )
    for place in spec.constraints.switches.no_link_transfer:
        passing[place] = False
    return passing


@allocating
def describe(
    shape: Shape,
    factors: ndarray,
    order: ndarray,
    split: ndarray,
    keep: ndarray,
    words: ndarray,
    flows: ndarray,
    logs: ndarray,
    steps: ndarray,
) -> None:
    """Fill the features of m mappings.

    Parts of ``words``: reads (S), writes (S), one constant, fills (S P), reads (S P), words times hops (S) and
    times routers (S).
    """
    m, S, P = keep.shape
    D = factors.shape[2]
    loops = fresh_loops(shape, D)
    for i in range(m):
        total = _collect(shape, factors[i], order[i], split[i], loops)
        steps[i] = _level_logs(shape, factors[i], logs[i, 4 * S * P :])
        for p in range(P):
            look_outside(shape, loops, p)
            crossing, inside = 0.0, 1.0
            child = -1  # nearest inner level that keeps the data space, -1 = compute
            for s in range(S):
                own = s * P + p
                # Fills of s: what s would be handed if it kept the data space.
                fill, _, _, instances, copies = walk(shape, loops, p, s, s)
                # Reads of s: what the child takes from s, copies over the array made on the way counted once.
                _, read, passed, _, _ = walk(shape, loops, p, child, s)
                moved, kept = walk(shape, loops, p, s - 1, s), s == 0 or keep[i, s - 1, p]
                hops, routers, crossing = hop_words(shape, loops, p, s, moved, kept, crossing)
                words[i, 2 * S + 1 + 2 * S * P + s] += hops / total
                words[i, 3 * S + 1 + 2 * S * P + s] += routers / total
                kept = keep[i, s, p]
                logs[i, own] = np.log2(fill)
                logs[i, S * P + own] = np.log2(read)
                logs[i, 2 * S * P + own] = np.log2(volume(shape, loops.extent, p, s))
                logs[i, 3 * S * P + own] = KEPT if kept else 0.0
                if kept:
                    if child >= 0 and child == s - 1:
                        words[i, child] += passed / total
                        flows[i, child] += passed / inside
                        flows[i, 2 * S + child] += passed / inside
                    child, inside = s, instances
                    words[i, 2 * S + 1 + own] = fill / total
                    words[i, 2 * S + 1 + S * P + own] = read / total
                    written = fill if s < S - 1 else 0.0
                    if shape.written[p]:
                        # The first time that a partial sum is updated there is nothing to read.
                        fresh = volume(shape, loops.extent, p, S - 1) * copies
                        written = max(0.0, written - fresh) + read
                        read = max(0.0, read - fresh)
                    words[i, s] += read / total
                    words[i, S + s] += written / total
                    flows[i, s] += read / instances
                    flows[i, S + s] += written / instances
                    flows[i, 2 * S + s] += (read + written) / instances
        words[i, 2 * S] = 1.0


@inlined
def _collect(shape: Shape, factors: ndarray, order: ndarray, split: ndarray, loops: Loops) -> float:
    """Loops and tiles of one mapping; returns the iterations of the whole problem."""
    T, D = factors.shape
    count, s = 0, 0
    loops.inside[:] = 1.0
    for t in range(T):
        loops.first[t] = count
        for k in range(D):
            d = order[t, k]
            if factors[t, d] > 1:
                add_loop(shape, loops, count, t, d, float(factors[t, d]), k >= split[t])
                count += 1
        note_tile(shape, loops, s, t)
        if t == shape.temporal_of[s]:
            s += 1
    loops.first[T] = count
    total = 1.0
    for d in range(D):
        total *= loops.inside[d]
    return total


@inlined
def _level_logs(shape: Shape, factors: ndarray, out: ndarray) -> float:
    """Two per tiling level: logarithm of all its iterations and of its largest loop; returns ln of temporal ones."""
    T, D = factors.shape
    time = 1.0
    for t in range(T):
        level, widest = 1.0, 1.0
        for d in range(D):
            f = float(factors[t, d])
            level *= f
            widest = max(widest, f)
        out[2 * t], out[2 * t + 1] = np.log2(level), np.log2(widest)
        if not shape.spatial[t]:
            time *= level
    return np.log(time)

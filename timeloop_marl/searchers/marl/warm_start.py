"""What a team hands on to other layers, and what earlier layers' knowledge means in one mapspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from ...mapspace.learners.tables import Axis, AxisKind
from ..knowledge import (
    SIDES,
    TIME,
    Choice,
    Knowledge,
    LayerKnowledge,
    Nest,
    access_of,
    bounds_of,
    choice_of,
    level_names,
    machine_of,
    nest_of,
    parts_of,
)
from .features import WordCounter
from .team import Team

Rows = Int64[ndarray, "n axes"]
Groups = tuple[tuple[int, ...], ...]

NEAREST = 3  # layers whose loop nests and policies are taken over
_ELITES = 8  # nests of each of these, and handed on
_BEST = 64  # samples handed on for the prices: the best …
_OTHERS = 64  # … and some of all kinds
_VARIANTS = 12  # rows fitted to each nest
_SPREAD = 0.5  # of their factors, natural logarithm
_AHEAD = 64  # rows that each imagined round moves on from
_IMAGINED = 256  # rows of each imagined round
_ROUNDS = 6
_REORDERED = 0.1  # chance that a loop's rank is drawn anew in a variant
_TOGGLED = 0.05  # chance that a bypass is toggled in a variant
_WORTH = 0.5  # share of a prime's logarithm that has to fit what a place still lacks

Place = tuple[str, str]  # level, and ``time`` or the side of an array


@dataclass(frozen=True)
class WarmStart:
    """Knowledge translated into one mapspace.

    Attributes:
        rows: fitted loop nests, the best of the nearest layer first.
        words: samples of other layers as the critic sees them, per computation; empty on another machine.
        energy: of these, pJ per computation.
        logits: what is added to the policies' logits at the start.
        groups: axes that one agent decides, ``None`` = unknown.
    """

    rows: Rows
    words: Float64[ndarray, "n parts"]
    energy: Float64[ndarray, "n"]
    logits: Float64[ndarray, "axes values"]
    groups: Groups | None


def warm_start(space: LearnersMapspace, knowledge: Knowledge, rng: np.random.Generator) -> WarmStart:
    """What of the knowledge means something here; the rest is left out."""
    near = knowledge.nearest(space.spec, NEAREST)
    words, energy = _samples(space, knowledge)
    return WarmStart(_fitted(space, near, rng), words, energy, _logits(space, near), _groups(space, near))


def first_candidates(
    space: LearnersMapspace,
    fitted: Rows,
    foreseen: Callable[[Rows], Float64[ndarray, "n"]] | None,
    rng: np.random.Generator,
) -> Rows:
    """Rows to begin with, the most promising first; among them the nearest layer's best nest as it is, first or second.

    Args:
        foreseen: log cost as far as it is known before the first sample; none = the order of ``fitted``.
    """
    if foreseen is None or not len(fitted):
        return fitted
    pool = np.unique(np.concatenate([fitted, space.sample(_AHEAD, rng)]), axis=0)
    costs = foreseen(pool)
    for _ in range(_ROUNDS):
        ahead = pool[np.argsort(costs, kind="stable")[:_AHEAD]]
        moved = space.moved(
            ahead[rng.integers(0, len(ahead), _IMAGINED)], rng, 1 + rng.poisson(0.5, _IMAGINED)
        )
        pool = np.unique(np.concatenate([pool, moved]), axis=0)
        costs = foreseen(pool)
    best = pool[np.argsort(costs, kind="stable")[:_AHEAD]]
    return np.concatenate([best[:1], fitted[:1], best[1:]])


def _fitted(space: LearnersMapspace, near: Sequence[LayerKnowledge], rng: np.random.Generator) -> Rows:
    fit, here = Fitter(space), level_names(space)
    found = [np.zeros((0, space.axes), np.int64)]
    for layer in near:
        names = translation(layer.levels, here)
        found += [fit(nest.renamed(names), rng, _VARIANTS, _SPREAD) for nest in layer.elites[:_ELITES]]
    return np.concatenate(found)


def _samples(
    space: LearnersMapspace, knowledge: Knowledge
) -> tuple[Float64[ndarray, "n parts"], Float64[ndarray, "n"]]:
    """The critic's samples of layers on this very machine with the same tensors: there a word has the same price."""
    machine, tensors = machine_of(space.spec), tuple(p.name for p in space.spec.problem.data_spaces)
    parts = parts_of(level_names(space), tensors)
    same = [k for k in knowledge.layers if k.machine == machine and parts_of(k.levels, k.tensors) == parts]
    if not same:
        return np.zeros((0, len(parts))), np.zeros(0)
    return np.concatenate([k.words for k in same]), np.concatenate([k.energy for k in same])


def _logits(space: LearnersMapspace, near: Sequence[LayerKnowledge]) -> Float64[ndarray, "axes values"]:
    """Preferences of the nearest layers for values of the same name, nearer ones counting more."""
    logits = np.zeros((space.axes, int(space.cardinalities.max(initial=1))))
    names = [translation(layer.levels, level_names(space)) for layer in near]
    for a, axis in enumerate(space.columns):
        choice, weight = choice_of(space, axis), 0.0
        for rank, (layer, known) in enumerate(zip(near, names)):
            preferred = _renamed(layer, known).get(choice)
            if preferred is None or not set(axis.labels) <= set(preferred):
                continue
            logits[a, : axis.cardinality] += [preferred[label] / (rank + 1) for label in axis.labels]
            weight += 1 / (rank + 1)
        if weight:
            logits[a] /= weight
    return logits


def _renamed(layer: LayerKnowledge, names: dict[str, str]) -> dict[Choice, dict[str, float]]:
    """The preferences with the level names of the machine at hand."""
    found: dict[Choice, dict[str, float]] = {}
    for choice, values in layer.preferences.items():
        mine = _named(choice, names)
        if mine is not None:
            found[mine] = {_label(label, names): value for label, value in values.items()}
    return found


def _named(choice: Choice, names: dict[str, str]) -> Choice | None:
    if choice[0] not in ("order", "bypass"):
        return choice
    return (choice[0], names[choice[1]], *choice[2:]) if choice[1] in names else None


def _label(label: str, names: dict[str, str]) -> str:
    """A place such as ``GLB`` or ``GLB.X`` with its new name; ranks and bypasses stay."""
    level, dot, side = label.rpartition(".")
    if dot and side in ("X", "Y"):
        return f"{names.get(level, level)}.{side}"
    return names.get(label, label)


def _groups(space: LearnersMapspace, near: Sequence[LayerKnowledge]) -> Groups | None:
    """The nearest layer's clusters; a choice it does not know joins those of its dimension or level."""
    if not near or not near[0].clusters:
        return None
    names = translation(near[0].levels, level_names(space))
    owner = {
        mine: number
        for number, cluster in enumerate(near[0].clusters)
        for choice in sorted(cluster)
        if (mine := _named(choice, names)) is not None
    }
    members: dict[object, list[int]] = {}
    for a, axis in enumerate(space.columns):
        choice = choice_of(space, axis)
        members.setdefault(owner.get(choice, choice[:2]), []).append(a)
    return tuple(tuple(group) for group in members.values())


class Fitter:
    """Fits nests into one mapspace: inner factors as they were, as near as the primes allow; the rest outermost."""

    def __init__(self, space: LearnersMapspace) -> None:
        self.space = space
        self._levels = level_names(space)
        tables, tiling = space.tables, space.spec.architecture.tiling_levels
        self._places: list[Place] = [
            (self._levels[tiling[t].storage], SIDES[side])
            for t, side in zip(tables.slot_level.tolist(), tables.slot_side.tolist(), strict=True)
        ]
        self._factors: dict[str, list[tuple[int, Axis]]] = {}
        for a, axis in enumerate(space.columns):
            if axis.kind is AxisKind.FACTOR and axis.dim is not None:
                self._factors.setdefault(space.spec.problem.dims[axis.dim], []).append((a, axis))
        for axes in self._factors.values():
            axes.sort(key=lambda entry: -entry[1].factor)

    def __call__(
        self, nest: Nest, rng: np.random.Generator, n: int, spread: float
    ) -> Int64[ndarray, "m axes"]:
        """At most n feasible rows: the nest itself, then variants.

        Args:
            spread: standard deviation of a variant's factors, natural logarithm.
        """
        rows = np.zeros((n, self.space.axes), np.int64)
        for dim, axes in self._factors.items():
            factors = [self._wanted(nest, dim, k) for k in range(len(self._places))]
            wanted = np.log(factors)
            for i in range(n):
                left = list(factors) if i == 0 else [1.0] * len(factors)
                noise = rng.normal(0.0, spread, len(factors)) if i else 0.0
                lacking = np.where(wanted > 0, wanted + noise, 0.0)
                self._place(axes, left, lacking.tolist(), rows[i])
        self._arrange(nest, rows, rng)
        fitted, feasible = self.space.repair(rows, rng)
        return fitted[feasible]

    def _wanted(self, nest: Nest, dim: str, k: int) -> float:
        """The factor that the nest has at place k, beyond what constraints put there anyway."""
        level, side = self._places[k]
        factor = 1.0
        for loop in nest.loops:
            if (loop.level, loop.side, loop.dim) == (level, side, dim):
                factor *= loop.factor
        tables, d = self.space.tables, self.space.spec.problem.dims.index(dim)
        t = int(tables.slot_level[k])
        given = int(tables.base_factor[t, d]) if tables.base_side[t, d] == tables.slot_side[k] else 1
        return max(1.0, factor / given)

    def _place(
        self, axes: Sequence[tuple[int, Axis]], left: list[float], lacking: list[float], row: ndarray
    ) -> None:
        """Every prime of a dim to a place, largest primes first.

        Where it divides what is ``left`` there; else where most is ``lacking`` (natural logarithms); else as far out
        as possible.
        """
        for a, axis in axes:
            size = float(np.log(axis.factor))
            inner = axis.slots[:-1] if axis.slots[-1] == len(self._places) - 1 else axis.slots
            dividing = [v for v, k in enumerate(axis.slots) if left[k] > 1 and left[k] % axis.factor == 0]
            best = max(range(len(inner)), key=lambda v: lacking[inner[v]], default=-1)
            if dividing:
                best = dividing[0]
                left[axis.slots[best]] /= axis.factor
            elif best < 0 or lacking[inner[best]] < _WORTH * size:
                best = len(axis.slots) - 1
            row[a] = best
            lacking[axis.slots[best]] -= size

    def _arrange(self, nest: Nest, rows: ndarray, rng: np.random.Generator) -> None:
        """Loop orders and bypasses."""
        problem, tiling = self.space.spec.problem, self.space.spec.architecture.tiling_levels
        for a, axis in enumerate(self.space.columns):
            if axis.kind is AxisKind.ORDER and axis.tiling is not None and axis.dim is not None:
                level = tiling[axis.tiling]
                place = self._levels[level.storage]
                order = [x.dim for x in nest.loops if x.level == place and (x.side != TIME) == level.spatial]
                dim = problem.dims[axis.dim]
                value = min(order.index(dim) if dim in order else len(order), axis.cardinality - 1)
                chance = _REORDERED
            elif axis.kind is AxisKind.BYPASS and axis.storage is not None and axis.data_space is not None:
                tensor = problem.data_spaces[axis.data_space].name
                value = int((self._levels[axis.storage], tensor) in nest.kept)
                chance = _TOGGLED
            else:
                continue
            rows[:, a] = value
            anew = np.flatnonzero(rng.random(len(rows)) < chance)
            anew = anew[anew > 0]  # the first row is the nest itself
            rows[anew, a] = rng.integers(0, axis.cardinality, len(anew))


def translation(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """Which level of another machine is which: by name; what has another name by position, if the depth is the same."""
    names = {name: name for name in source if name in target}
    if len(source) == len(target):
        for old, new in zip(source, target):
            if old not in names and new not in names.values():
                names[old] = new
    return names


def knowledge_of(
    space: LearnersMapspace,
    rows: Rows,
    logs: Float64[ndarray, "n"],
    energies: Float64[ndarray, "n"],
    team: Team,
    name: str,
) -> LayerKnowledge | None:
    """What a team has learnt, from its searcher's samples (log costs, energies in pJ); ``None`` without a valid one."""
    order = np.argsort(logs, kind="stable")
    order = order[np.isfinite(logs[order])]
    if not len(order):
        return None
    spread = order[np.linspace(0, len(order) - 1, min(_OTHERS, len(order))).astype(np.int64)]
    told = np.unique(np.concatenate([order[:_BEST], spread]))
    computations = float(np.prod(np.asarray(space.spec.problem.bounds, np.float64)))
    return LayerKnowledge(
        name=name,
        machine=machine_of(space.spec),
        levels=level_names(space),
        tensors=tuple(tensor.name for tensor in space.spec.problem.data_spaces),
        bounds=bounds_of(space.spec),
        access=access_of(space.spec),
        elites=tuple(nest_of(space, rows[i]) for i in order[:_ELITES]),
        words=WordCounter(space)(rows[told]).words,
        energy=energies[told] / computations,
        preferences=_handed_preferences(space, team),
        clusters=_handed_clusters(space, team),
    )


def _handed_preferences(space: LearnersMapspace, team: Team) -> dict[Choice, dict[str, float]]:
    """Mean logits of each value of each choice, less the mean over all values."""
    logits = team.preferences()
    found: dict[Choice, dict[str, list[float]]] = {}
    for a, axis in enumerate(space.columns):
        own = logits[a, : axis.cardinality] - logits[a, : axis.cardinality].mean()
        values = found.setdefault(choice_of(space, axis), {})
        for label, value in zip(axis.labels, own.tolist(), strict=True):
            values.setdefault(label, []).append(value)
    return {
        choice: {label: sum(listed) / len(listed) for label, listed in values.items()}
        for choice, values in found.items()
    }


def _handed_clusters(space: LearnersMapspace, team: Team) -> tuple[frozenset[Choice], ...]:
    """Choices of each agent; one whose axes are spread over agents belongs to the one that has most of them."""
    votes: dict[Choice, Counter[int]] = {}
    for number, group in enumerate(team.groups):
        for a in group:
            votes.setdefault(choice_of(space, space.columns[a]), Counter())[number] += 1
    owner = {choice: max(sorted(count), key=count.__getitem__) for choice, count in votes.items()}
    clusters = [frozenset(c for c, n in owner.items() if n == number) for number in range(len(team.groups))]
    return tuple(cluster for cluster in clusters if cluster)

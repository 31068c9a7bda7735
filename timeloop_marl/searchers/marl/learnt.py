"""What a team has learnt, by name: the other end of ``heritage``."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ...mapspace.axes import LearnersMapspace
from .features import FeatureMaker
from .knowledge import Choice, LayerKnowledge, access_of, bounds_of, choice_of, machine_of
from .nests import level_names, nest_of
from .team import Team

Rows = Int64[ndarray, "n axes"]
_ELITES = 8
_BEST = 64  # samples for the prices: the best …
_OTHERS = 64  # … and some of all kinds


def knowledge_of(
    space: LearnersMapspace,
    rows: Rows,
    logs: Float64[ndarray, "n"],
    energies: Float64[ndarray, "n"],
    team: Team,
    name: str,
) -> LayerKnowledge | None:
    """From a searcher's samples (log costs, energies in pJ) and its team; ``None`` without a valid sample."""
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
        words=FeatureMaker(space)(rows[told]).words,
        energy=energies[told] / computations,
        preferences=_preferences(space, team),
        clusters=_clusters(space, team),
    )


def _preferences(space: LearnersMapspace, team: Team) -> dict[Choice, dict[str, float]]:
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


def _clusters(space: LearnersMapspace, team: Team) -> tuple[frozenset[Choice], ...]:
    """Choices of each agent; one whose axes are spread over agents belongs to the one that has most of them."""
    votes: dict[Choice, Counter[int]] = {}
    for number, group in enumerate(team.groups):
        for a in group:
            votes.setdefault(choice_of(space, space.columns[a]), Counter())[number] += 1
    owner = {choice: max(sorted(count), key=count.__getitem__) for choice, count in votes.items()}
    clusters = [frozenset(c for c, n in owner.items() if n == number) for number in range(len(team.groups))]
    return tuple(cluster for cluster in clusters if cluster)

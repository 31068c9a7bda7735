"""Which choices of a mapping belong together, found from random feasible mappings: what ``cluster`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.objective import parse_objective
from ..cost.outcome import Failure
from ..errors import UsageError
from ..evaluators.counting import counting
from ..evaluators.native import NativeEvaluator
from ..mapspace.axes import LearnersMapspace
from ..searchers.marl.clustering import Merge, chosen_cut, strengths
from ..specs.spec import Spec

_CHUNK = 4096


@dataclass(frozen=True)
class Clusters:
    """The result of an analysis.

    Attributes:
        names: of the choices.
        strength: of every pair, zero diagonal; what it measures depends on ``signal``.
        groups: choices of each agent, as indices.
        merges: the tree that was cut.
        samples, valid: mappings drawn, and those that told something.
    """

    signal: str
    names: tuple[str, ...]
    strength: Float64[ndarray, "axes axes"]
    groups: tuple[tuple[int, ...], ...]
    merges: tuple[Merge, ...]
    samples: int
    valid: int

    def as_json(self) -> dict[str, Any]:
        """Plain data: ``cluster.json``."""
        return {
            "schema": "timeloop-marl/cluster",
            "version": 1,
            "signal": self.signal,
            "samples": self.samples,
            "valid": self.valid,
            "axes": list(self.names),
            "groups": [[self.names[a] for a in group] for group in self.groups],
            "strength": self.strength.tolist(),
            "tree": [merge._asdict() for merge in self.merges],
            "option": ";".join(",".join(self.names[a] for a in group) for group in self.groups),
        }


def find_clusters(
    spec: Spec,
    *,
    signal: str = "interaction",
    samples: int = 1000,
    agents: int = 0,
    objective: str = "edp",
    seed: int = 1,
) -> Clusters:
    """Draw mappings, evaluate them with the native model, group the choices.

    Args:
        signal: one of ``searchers.marl.clustering.SIGNALS``.
        agents: number of groups, 0 = chosen by silhouette.

    Raises:
        UsageError: no mapping drawn was valid, or there is nothing to group. InfeasibleError: there is no mapping.
    """
    space, goal = LearnersMapspace(spec), parse_objective(objective, len(spec.architecture.storage))
    if space.axes < 2:
        raise UsageError(f"the constraints leave {space.axes} choice(s): there is nothing to group")
    rows = space.sample(samples, np.random.default_rng(seed))
    evaluator = counting(NativeEvaluator(spec, accesses=goal.needs_accesses), spec)
    parts = [evaluator(space.decode(rows[i : i + _CHUNK])) for i in range(0, samples, _CHUNK)]
    costs = np.concatenate([goal.costs(part) for part in parts])
    good = np.concatenate([part.failure == Failure.OK for part in parts]) & (costs > 0)
    if good.sum() < 2:
        raise UsageError(
            f"{int(good.sum())} of {samples} random mappings have a cost above 0: raise --samples"
        )
    strength = strengths(signal, rows[good], np.log(costs[good]), space.cardinalities)
    groups, merges = chosen_cut(strength, agents)
    names = tuple(axis.name for axis in space.columns)
    return Clusters(signal, names, strength, groups, merges, samples, int(good.sum()))

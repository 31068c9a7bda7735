"""What all environments share: choices to candidates, costs to rewards, observations. Needs no RL library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from ...errors import UsageError
from ...mapspace.axes import LearnersMapspace, LiteralSpace

Rows = Int64[ndarray, "m axes"]
Costs = Callable[[Rows], Float64[ndarray, "m"]]  # +inf = invalid
INFEASIBLE = ("repair", "penalise")


@dataclass(frozen=True)
class RewardScale:
    """A valid mapping earns ``ln(reference / cost)``, an invalid one ``penalty``.

    Costs span decades, so their logarithm is what is learnt: +0.69 for half the cost. Without a ``reference`` the first
    valid mapping that is evaluated becomes it; give one to compare rewards between runs.
    """

    reference: float | None = None
    penalty: float = -10.0

    def __post_init__(self) -> None:
        if self.reference is not None and not (np.isfinite(self.reference) and self.reference > 0):
            raise UsageError(f"reference must be a cost above 0, got {self.reference}")


@dataclass(frozen=True)
class Scored:
    """Evaluated rows: as evaluated (after repair), their costs (+inf = invalid) and rewards."""

    rows: Rows
    costs: Float64[ndarray, "m"]
    rewards: Float64[ndarray, "m"]


class MappingTask:
    """Candidate rows to rewards.

    Args:
        space: axes, masks, repair.
        costs: evaluates rows; one row is one sample. Rows are feasible if ``infeasible`` is ``repair``; otherwise they
            are to be decoded by ``decoder``.
        infeasible: ``repair`` evaluates the feasible row next to the one chosen, ``penalise`` the row itself.
    """

    def __init__(
        self,
        space: LearnersMapspace,
        costs: Costs,
        *,
        infeasible: str = "repair",
        scale: RewardScale | None = None,
    ) -> None:
        if infeasible not in INFEASIBLE:
            raise UsageError(f"infeasible must be one of {', '.join(INFEASIBLE)}, got {infeasible!r}")
        if space.axes == 0:
            raise UsageError("the constraints leave one mapping only: there is nothing to decide")
        self.space, self._costs, self.infeasible = space, costs, infeasible
        self.scale = scale or RewardScale()
        self.reference = self.scale.reference
        self.context = context(space)

    def score(self, rows: Rows, rng: np.random.Generator) -> Scored:
        """Evaluate rows (all axes decided); ``rng`` orders the repair."""
        if self.infeasible == "repair":
            rows = self.space.repair(rows, rng)[0]
        costs = self._costs(rows)
        valid = np.isfinite(costs)
        if self.reference is None and valid.any():
            self.reference = float(costs[valid][0])
        rewards = np.full(len(rows), self.scale.penalty)
        if self.reference is not None:
            # A cost of 0 (no energy given) is as good as can be; the smallest number keeps the reward finite.
            rewards[valid] = np.log(self.reference) - np.log(np.maximum(costs[valid], 1e-300))
        return Scored(rows, costs, rewards)


def decoder(space: LearnersMapspace, infeasible: str) -> LearnersMapspace:
    """What turns a task's rows into mappings."""
    return LiteralSpace(space) if infeasible == "penalise" else space


def context(space: LearnersMapspace) -> Float32[ndarray, "features"]:
    """Layer and machine in numbers within 0 .. 1: log2 of bounds (over 32) and capacities (over 64; 1 = unlimited)."""
    bounds = np.log2(space.spec.problem.bounds) / 32
    sizes = [level.effective_size for level in space.spec.architecture.storage]
    capacities = np.array([1.0 if size is None else np.log2(max(size, 1)) / 64 for size in sizes])
    return np.clip(np.concatenate([bounds, capacities]), 0.0, 1.0).astype(np.float32)


def scaled(space: LearnersMapspace, rows: Rows) -> Float32[ndarray, "m axes"]:
    """Values as (value + 1) / cardinality: 0 = undecided, 1 = the last one."""
    return ((rows + 1) / space.cardinalities).astype(np.float32)


class Episodes:
    """m episodes in step: each decides the axes of a row one after the other.

    Observation: the context, the decisions so far (``scaled``) and which axis is next (one-hot), all within 0 .. 1.
    """

    def __init__(self, task: MappingTask, episodes: int) -> None:
        self.task, self._episodes = task, episodes
        self.values = int(task.space.cardinalities.max())
        self.reset()

    @property
    def features(self) -> int:
        """Length of an observation."""
        return len(self.task.context) + 2 * self.task.space.axes

    @property
    def complete(self) -> bool:
        """Whether every axis is decided."""
        return self.position == self.task.space.axes

    def reset(self) -> None:
        """All axes undecided."""
        self.rows: Rows = np.full((self._episodes, self.task.space.axes), -1, np.int64)
        self.position = 0

    def observations(self) -> Float32[ndarray, "m features"]:
        """What the policy sees."""
        space = self.task.space
        following = np.zeros((self._episodes, space.axes), np.float32)
        if not self.complete:
            following[:, self.position] = 1.0
        known = np.broadcast_to(self.task.context, (self._episodes, len(self.task.context)))
        return np.concatenate([known, scaled(space, self.rows), following], axis=1)

    def masks(self) -> Bool[ndarray, "m values"]:
        """Values that the next axis may take.

        Where nothing fits beside the earlier decisions, all values of the axis: repair or penalty follow.
        """
        masks = np.zeros((self._episodes, self.values), np.bool_)
        if self.complete:
            masks[:, 0] = True
            return masks
        allowed = self.task.space.mask(self.rows, self.position)
        allowed[~allowed.any(axis=1)] = True
        masks[:, : allowed.shape[1]] = allowed
        return masks

    def choose(self, actions: Int64[ndarray, "m"]) -> None:
        """Decide the next axis. An action beyond its values counts modulo their number (masks prevent that)."""
        if self.complete:
            raise UsageError("every axis is decided: reset() before the next step")
        self.rows[:, self.position] = actions % self.task.space.cardinalities[self.position]
        self.position += 1

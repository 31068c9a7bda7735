"""What a team notes down about itself while it learns, for the report; nothing is decided by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from .team import Team

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

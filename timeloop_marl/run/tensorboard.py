"""Scalars of a run for TensorBoard (extra ``tensorboard``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .result import Progress

_EVERY = 20  # batches without an improvement between two points


class TensorBoard:
    """``update`` is a search's ``on_progress``: best, cycles, energy, valid share and samples/s against samples.

    Args:
        entropy: that of the agents, nats per choice, where the searcher has any.

    Raises:
        UsageError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path, entropy: Callable[[], float | None] | None = None) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UsageError(
                "--tensorboard needs tensorboardX: pip install 'timeloop-marl[tensorboard]'"
            ) from None
        self._writer: Any = SummaryWriter(str(folder))
        self._quiet, self._entropy = 0, entropy

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def update(self, progress: Progress) -> None:
        """Add a point, if there is something new or it is time for one."""
        self._quiet = 0 if progress.improved else self._quiet + 1
        if self._quiet % _EVERY:
            return
        figures = {
            "search/valid_share": progress.valid_share,
            "search/samples_per_second": progress.samples_per_second,
        }
        if math.isfinite(progress.cost):
            figures["best/cost"] = progress.cost
            figures["best/cycles"], figures["best/energy_pj"] = float(progress.cycles), progress.energy_pj
        entropy = self._entropy() if self._entropy is not None else None
        if entropy is not None:
            figures["agents/entropy"] = entropy
        self.add(figures, progress.samples)

    def add(self, figures: Mapping[str, float], samples: int) -> None:
        """Scalars by name, after so many samples."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, samples)

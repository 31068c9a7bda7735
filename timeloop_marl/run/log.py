"""What a run leaves while it goes on: a log, one JSON object a line, and scalars for TensorBoard."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .result import Progress


def mean_entropy(account: Mapping[str, Any] | None) -> float | None:
    """Mean entropy of the agents that have learnt, nats per choice; ``None`` where there are none.

    Args:
        account: what ``Searcher.account`` returned.
    """
    history = (account or {}).get("history") or ()
    values = [value for value in history[-1]["entropy"] if value > 0] if history else []
    return round(sum(values) / len(values), 6) if values else None


LOG = "log.jsonl"
_SECONDS = 1.0  # between entries about progress


class EventLog:
    """Appends entries with time, ``event`` and figures. A resumed run goes on in the same file.

    A log that cannot be written ends silently: the trace, which must not be lost, complains about a full disk itself.

    Args:
        file: ``None`` = write nothing.
    """

    def __init__(self, file: str | Path | None) -> None:
        self._start, self._descriptor = time.monotonic(), -1
        if file is None:
            return
        try:
            self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError:
            return

    def write(self, event: str, **figures: Any) -> None:
        """One entry; on return it is with the operating system, whatever happens to this process."""
        if self._descriptor < 0:
            return
        entry = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._start, 3),
            "event": event,
            **figures,
        }
        try:
            os.write(self._descriptor, (json.dumps(entry) + "\n").encode())
        except OSError:
            self.close()

    def close(self) -> None:
        """End it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SearchLog:
    """``update`` is a search's ``on_progress``: entries resumed, progress, best.

    Args:
        entropy: that of the agents, nats per choice, where the searcher has any.
    """

    def __init__(self, log: EventLog, entropy: Callable[[], float | None] | None = None) -> None:
        self._log, self._entropy = log, entropy
        self._next, self._replayed = 0.0, False

    def update(self, progress: Progress) -> None:
        """A batch: every improvement, and now and then how far it is."""
        if progress.replayed:
            self._replayed = True
            return
        if self._replayed:
            self._log.write("resumed", samples=progress.samples)
            self._replayed = False
        if progress.improved:
            self._log.write("best", **self._figures(progress))
        elif time.monotonic() >= self._next:
            self._log.write("progress", **self._figures(progress))
        else:
            return
        self._next = time.monotonic() + _SECONDS

    def _figures(self, progress: Progress) -> dict[str, Any]:
        entropy = self._entropy() if self._entropy is not None else None
        return _figures(progress) | ({} if entropy is None else {"entropy": entropy})


def _figures(progress: Progress) -> dict[str, Any]:
    return {
        "samples": progress.samples,
        "valid": progress.valid,
        "cost": progress.cost if progress.valid else None,
        "cycles": progress.cycles,
        "energy_pj": progress.energy_pj,
        "samples_per_second": round(progress.samples_per_second, 1),
    }


_EVERY = 20  # batches without an improvement between two points


class TensorBoard:
    """``update`` is a search's ``on_progress``: best, cycles, energy, valid share and samples/s against samples.

    Attributes:
        entropy: that of the agents, nats per choice, where the searcher has any.

    Raises:
        UsageError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UsageError(
                "--tensorboard needs tensorboardX: pip install 'timeloop-marl[tensorboard]'"
            ) from None
        self._writer: Any = SummaryWriter(str(folder))
        self._quiet = 0
        self.entropy: Callable[[], float | None] | None = None

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
        entropy = self.entropy() if self.entropy is not None else None
        if entropy is not None:
            figures["agents/entropy"] = entropy
        self.add(figures, progress.samples)

    def add(self, figures: Mapping[str, float], samples: int) -> None:
        """Scalars by name, after so many samples."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, samples)

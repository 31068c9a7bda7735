"""A running search at one moment, as any display shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..report.units import cost_text
from .options import Settings
from .result import Progress


@dataclass(frozen=True)
class Row:
    """One layer of several: a text per column, the share of its samples done, whether it has just moved."""

    cells: tuple[str, ...]
    share: float
    active: bool


@dataclass(frozen=True)
class Snapshot:
    """``share``: part of the budget spent, ``None`` if it cannot be told; ``facts``: the most telling first."""

    title: str
    share: float | None
    facts: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def line(self) -> str:
        """All facts in one line."""
        return " · ".join(self.facts)

    def fitting(self, width: int) -> str:
        """The facts that fit a line of ``width`` characters, the first of them in any case."""
        facts = list(self.facts)
        while len(facts) > 1 and len(" · ".join(facts)) > width:
            facts.pop()
        return " · ".join(facts)


def search_snapshot(progress: Progress, settings: Settings) -> Snapshot:
    """A search: samples, best so far, time left, samples/s, valid share."""
    best = f"best {cost_text(settings.objective, progress.cost)}" if progress.valid else "nothing valid yet"
    done = f"{progress.samples:,} samples"
    share = spent(settings.limits, progress)
    if progress.replayed:
        return Snapshot("replaying", share, (f"replaying what was recorded: {done}", best))
    if share == 1.0:
        return Snapshot("done", share, (done, best, "writing the results"))
    left = [f"{duration(progress.seconds * (1 - share) / share)} left"] if share > 0.0 else []
    rate = f"{progress.samples_per_second:,.0f}/s"
    return Snapshot("searching", share, (done, best, *left, rate, f"{progress.valid_share:.0%} valid"))


def spent(limits: Mapping[str, Any], progress: Progress) -> float:
    """The largest share of any limit that is used up, 0 to 1."""
    done = {"samples": progress.samples, "valid_samples": progress.valid, "seconds": progress.seconds}
    shares = [done[name] / limit for name, limit in limits.items() if name in done and limit is not None]
    return min(1.0, max(shares, default=0.0))


def duration(seconds: float) -> str:
    """``95 s``, ``12 min``, ``3.4 h``, ``2.1 days``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 100 * 3600 else f"{seconds / 86400:.1f} days"

"""What Timeloop's mappers report while they run, as data: the report room words the lines of timeloop-mapper."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...specs.mapping import Mapping


@dataclass(frozen=True)
class Counters:
    """One thread's account (mapspace section 3). ``total`` counts every mapping drawn, failures included."""

    total: int
    valid: int
    invalid_fanout: int  # construction failures, all of them
    invalid_capacity: int  # pre-check and evaluation failures, all of them
    fanout_since_valid: int  # as Timeloop counts towards its timeout: since the last valid mapping
    capacity_since_valid: int
    suboptimal_since_best: int


@dataclass(frozen=True)
class ValidMapping:
    """A valid mapping was found. Emitted for improvements, and for all if the log options ask for it.

    ``improved``: it replaced the thread's best. ``invalid_since_valid``, ``suboptimal_since_best``: the counters as
    printed by log_stats (before their reset). ``energy_pj`` in pJ. ``first``: the thread's first valid mapping.
    """

    thread: int
    total: int  # mappings drawn so far by this thread, this one included
    valid: int  # valid ones so far, this one included
    invalid_since_valid: int
    suboptimal_since_best: int
    improved: bool
    mapping: Mapping
    cycles: int
    energy_pj: float
    utilization: float

    @property
    def first(self) -> bool:
        """Whether this is the thread's first valid mapping."""
        return self.valid == 1


class StopReason(IntEnum):
    """Why a thread ended, in the order in which Timeloop tests and prints (mapspace section 3)."""

    INTERRUPTED = 0
    SEARCH_SIZE = 1
    VICTORY = 2
    TIMEOUT = 3
    DONE = 4


@dataclass(frozen=True)
class ThreadEnd:
    """A thread has terminated: ``reasons`` and ``statements`` (the texts after ``STATEMENT: ``) in printing order."""

    thread: int
    reasons: tuple[StopReason, ...]
    statements: tuple[str, ...]
    counters: Counters


Event = ValidMapping | ThreadEnd


class FailClass(IntEnum):
    """Failure classes of the diagnostics block, in printing order."""

    FANOUT = 0
    CAPACITY = 1


@dataclass(frozen=True)
class FailureStatistic:
    """Option ``diagnostics``: how often one storage level failed, the sample mapping shown and its reason.

    ``level`` is the storage index. Statistics are summed over the threads; order: by class, then level.
    """

    fail_class: FailClass
    level: int
    level_name: str
    count: int
    sample: Mapping
    reason: str

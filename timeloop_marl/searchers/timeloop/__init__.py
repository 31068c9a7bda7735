"""Timeloop's five mappers, sample for sample."""

from .events import Counters, Event, FailClass, FailureStatistic, StopReason, ThreadEnd, ValidMapping
from .searcher import ALGORITHMS, BestMapping, TimeloopSearcher, run_mapper

__all__ = [
    "ALGORITHMS",
    "BestMapping",
    "Counters",
    "Event",
    "FailClass",
    "FailureStatistic",
    "StopReason",
    "ThreadEnd",
    "TimeloopSearcher",
    "ValidMapping",
    "run_mapper",
]

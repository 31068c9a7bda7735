"""Run a Timeloop mapper to its end: the loop behind the drop-in for timeloop-mapper."""

from __future__ import annotations

from collections.abc import Callable

from ...cost.outcome import Outcome
from ...mapping import MappingBatch
from .events import Event
from .searcher import BestMapping, TimeloopSearcher

BATCH = 1 << 13


def run_mapper(
    searcher: TimeloopSearcher,
    evaluate: Callable[[MappingBatch], Outcome],
    on_event: Callable[[Event], None] = lambda event: None,
    batch: int = BATCH,
) -> BestMapping | None:
    """Search until every thread has ended; returns the winner, ``None`` without a valid mapping.

    Ctrl-C ends the search as it ends Timeloop's: with the best so far.
    """
    while True:
        try:
            candidates = searcher.ask(batch)
            if len(candidates):
                outcome = evaluate(searcher.space.decode(candidates))
                searcher.tell(candidates, outcome)
        except KeyboardInterrupt:
            searcher.interrupt()
            continue
        for event in searcher.drain_events():
            on_event(event)
        if not len(candidates):
            return searcher.best

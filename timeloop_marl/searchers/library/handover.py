"""Turns a loop that evaluates (a library's ``learn``) into one that can be asked and told: it runs in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float64
from numpy import ndarray

from ..learner import Rows
from .globals import GlobalState

Costs: TypeAlias = Float64[ndarray, "m"]
Evaluate = Callable[[Rows], Costs]


class _Closed(BaseException):
    """Unwinds the library's loop. No ``Exception``: a library must not catch it and go on."""


class Handover:
    """Runs ``body(evaluate)`` by turns with its owner: when one runs, the other waits, so nothing depends on timing.

    Args:
        body: the loop; gets a function that hands rows out and returns their costs.
        state: the global random state in force while the body runs.
    """

    def __init__(self, body: Callable[[Evaluate], None], state: GlobalState) -> None:
        self._state = state
        self._rows: queue.SimpleQueue[Rows | BaseException | None] = queue.SimpleQueue()
        self._costs: queue.SimpleQueue[Costs | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_run, args=(body, self._rows, self._costs), daemon=True, name="library loop"
        )
        self._reply: Costs | None = None

    def rows(self) -> Rows:
        """Let the loop run until it wants rows evaluated.

        Raises:
            RuntimeError: the loop ended, or failed (with its own exception as the cause).
        """
        with self._state.active():
            if self._thread.ident is None:
                self._thread.start()
            elif self._reply is not None:
                self._costs.put(self._reply)
                self._reply = None
            found = self._rows.get()
        if found is None or isinstance(found, BaseException):
            raise RuntimeError("the library's loop ended before the search did") from found
        return found

    def told(self, costs: Costs) -> None:
        """The costs of the rows; the loop goes on when the next ones are wanted."""
        self._reply = costs

    def close(self) -> None:
        """End the loop. May be called at any time, also twice."""
        if self._thread.is_alive():
            self._costs.put(None)
            self._thread.join(timeout=10)


def _run(
    body: Callable[[Evaluate], None],
    rows: queue.SimpleQueue[Rows | BaseException | None],
    costs: queue.SimpleQueue[Costs | None],
) -> None:
    def evaluate(wanted: Rows) -> Costs:
        rows.put(wanted.copy())
        reply = costs.get()
        if reply is None:
            raise _Closed
        return reply

    try:
        body(evaluate)
    except _Closed:
        return
    except BaseException as error:  # handed to the owner, whatever it is
        rows.put(error)
    else:
        rows.put(None)

"""The folders of a network's run: one for each layer, held by one task at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ..errors import UsageError
from ..run.folder import RunFolder

LAYERS = "layers"
"""Where the run folders of the layers are."""

TURN = ".run"
"""In the network's folder: which run it belongs to. Tasks of any other run end after the running batch."""

_PATIENCE = 30.0  # seconds


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    """Hold a layer's folder. An orphaned task of a killed run leaves it within a batch: wait that long.

    Raises:
        UsageError: another run holds it for good, or it cannot be written.
    """
    end = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(folder.locked())
                break
            except UsageError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield

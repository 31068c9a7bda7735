"""Failure class and level from the messages of timeloop-model (cost-model section 11)."""

from __future__ import annotations

import re

from ...cost.outcome import Failure, Rejection
from ...specs.spec import Spec
from .program import Run

_UNMAPPED = re.compile(r"^ERROR: couldn't map level (.*)$", re.MULTILINE)
# In the order of the program's own checks: a message may carry several reasons, the first is the class.
_CLASSES = (
    ("bypassed in all storage levels", Failure.BYPASS),
    ("exceeds buffer capacity", Failure.CAPACITY),
    ("less than constrained minimum utilization", Failure.UTILIZATION),
    ("exceeds hardware instances", Failure.FANOUT),
    ("exceeds available hardware instances", Failure.FANOUT),
)
_ABORTED = -6  # SIGABRT


def read_failure(run: Run, spec: Spec) -> Rejection | None:
    """Why the mapping is invalid; ``None`` if the program failed for another reason.

    A failed assertion of the program is a verdict on the mapping, too (``Failure.OTHER``): it always comes again.
    """
    found = _UNMAPPED.search(run.stderr)
    if found and run.exit == 1:
        return _unmapped(found[1], spec)
    assertion = re.search(r"^.*Assertion `.*$", run.stderr, re.MULTILINE)
    if run.exit == _ABORTED and assertion:
        return Rejection(Failure.OTHER, 0, spec.architecture.compute.name, assertion[0].strip())
    return None


def _unmapped(text: str, spec: Spec) -> Rejection | None:
    names = [spec.architecture.compute.name, *(level.name for level in spec.architecture.storage)]
    # The longest name that fits: names may hold a colon.
    fitting = [index for index, name in enumerate(names) if text.startswith(f"{name}: ")]
    if not fitting:
        return None
    level = max(fitting, key=lambda index: len(names[index]))
    message = text.removeprefix(f"{names[level]}: ").rstrip()
    failure = next((kind for words, kind in _CLASSES if words in message), None)
    return None if failure is None else Rejection(failure, level, names[level], message)

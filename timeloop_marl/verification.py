"""The real timeloop-model against the native model: every figure of given or randomly drawn mappings."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .cost.outcome import Rejection, Statistics
from .errors import BackendError
from .evaluators.cache import mapping_key
from .evaluators.native import NativeEvaluator
from .evaluators.timeloop import OnCrash, TimeloopEvaluator
from .evaluators.timeloop.figures import Measured
from .mapping import Mapping, MappingBatch
from .mapspace.axes import LearnersMapspace
from .parallel import Workers
from .rows.agreement import disagreements
from .rows.figures import Difference, computed, figures
from .specs.spec import Spec

_PLACE = re.compile(r"^(levels|nets)\.([^.]*)")
_DRAWS = 20  # tries per mapping that is wanted


@dataclass(frozen=True)
class Check:
    """One mapping evaluated by both: how many figures were compared, and which differ."""

    mapping: Mapping
    valid: bool
    figures: int
    full: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Verification:
    """The outcome of a comparison.

    Attributes:
        program, native: the names of the two.
        checks: one per mapping that both evaluated.
        unanswered: why the program gave no figures, for the others (crashes and hangs that are to be skipped).
    """

    program: str
    native: str
    checks: tuple[Check, ...]
    unanswered: tuple[str, ...] = ()

    @property
    def agree(self) -> bool:
        """Whether no figure of any mapping differs."""
        return not any(check.differences for check in self.checks)

    @property
    def figures(self) -> int:
        """How many figures were compared."""
        return sum(check.figures for check in self.checks)

    def places(self) -> dict[str, int]:
        """Differing figures by level, network or ``total``."""
        return dict(Counter(place(d.path) for check in self.checks for d in check.differences))

    def summary(self) -> str:
        """One line."""
        valid = sum(check.valid for check in self.checks)
        digits = "every digit" if all(c.full for c in self.checks if c.valid) else "doubles in two decimals"
        differing = sum(len(check.differences) for check in self.checks)
        return (
            f"{len(self.checks):,} mappings ({valid:,} valid), {self.figures:,} figures ({digits}): "
            f"{differing:,} differ"
            + (f", {len(self.unanswered):,} mappings without an answer" if self.unanswered else "")
            + f"; {self.program} against {self.native}"
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "program": self.program,
            "native": self.native,
            "mappings": len(self.checks),
            "valid": sum(check.valid for check in self.checks),
            "figures": self.figures,
            "full_precision": all(check.full for check in self.checks if check.valid),
            "unanswered": list(self.unanswered),
            "differing_by_place": self.places(),
            "differences": [
                {"mapping": number, "figure": d.path, "real": d.expected, "native": d.got}
                for number, check in enumerate(self.checks, 1)
                for d in check.differences
            ],
        }


def place(path: str) -> str:
    """The level or network that a figure belongs to, or ``total``."""
    found = _PLACE.match(path)
    return found[2] if found else path.split(".")[0] if path.startswith("compute.") else "total"


def verify_mappings(
    spec: Spec, mappings: Sequence[Mapping], real: TimeloopEvaluator, *, jobs: int = 1
) -> Verification:
    """Evaluate every mapping with both and compare every figure.

    Raises:
        BackendError: the program crashed or hung, and ``real`` is not to skip that.
    """
    native = NativeEvaluator(spec)
    mine = [native.statistics(mapping) for mapping in mappings]
    measured = Workers(jobs, "threading").map(partial(_measured, real), mappings)
    checks, unanswered = [], []
    for mapping, own, found in zip(mappings, mine, measured, strict=True):
        if isinstance(found, BackendError):
            unanswered.append(str(found))
        else:
            checks.append(_check(spec, mapping, own, found))
    return Verification(real.name, native.name, tuple(checks), tuple(unanswered))


def _measured(real: TimeloopEvaluator, mapping: Mapping) -> Measured | Rejection | BackendError:
    try:
        return real.measure(mapping)
    except BackendError as error:
        if real.on_crash is OnCrash.STOP:
            raise
        return error


def _check(spec: Spec, mapping: Mapping, own: Statistics | Rejection, found: Measured | Rejection) -> Check:
    valid = isinstance(found, Measured)
    statistics = found.statistics if isinstance(found, Measured) else found
    return Check(
        mapping,
        valid,
        figures(computed(statistics, spec)),
        isinstance(found, Measured) and found.full,
        tuple(disagreements(own, found, spec)),
    )


def draw_mappings(spec: Spec, count: int, seed: int) -> list[Mapping]:
    """Up to ``count`` different random mappings of the mapspace, constraints kept; fewer where it has not so many."""
    space = LearnersMapspace(spec)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn: dict[bytes, Mapping] = {}
    for _ in range(_DRAWS):
        batch = space.decode(space.sample(count, rng))
        drawn.update((key, batch[i]) for i, key in _keys(batch) if key not in drawn)
        if len(drawn) >= count:
            break
    return list(drawn.values())[:count]


def _keys(batch: MappingBatch) -> Iterable[tuple[int, bytes]]:
    return ((i, mapping_key("", batch, i)) for i in range(len(batch)))


def with_rules(spec: Spec, rules: str) -> Spec:
    """The same Spec under another rule set."""
    return dataclasses.replace(spec, options=dataclasses.replace(spec.options, rules=rules))

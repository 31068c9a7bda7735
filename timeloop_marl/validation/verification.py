"""Native against real: mappings drawn and evaluated by both, figure by figure, and which rules the program follows."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..cost.outcome import Rejection, Statistics
from ..errors import BackendError, UsageError
from ..evaluators.cache import mapping_key
from ..evaluators.native import NativeEvaluator
from ..evaluators.timeloop import OnCrash, TimeloopEvaluator
from ..evaluators.timeloop.figures import Measured
from ..mapspace.axes import LearnersMapspace
from ..mapspace.timeloop import TimeloopMapspace
from ..parallel.workers import Workers
from ..specs.architecture import Architecture, ComputeLevel, StorageLevel
from ..specs.constraints import Constraints
from ..specs.energy import Energies, LevelEnergy
from ..specs.mapping import Mapping, MappingBatch, TilingLoops
from ..specs.problem import DataSpace, Problem, Term
from ..specs.spec import Spec
from .rows.figures import Difference, computed, disagreements, figures

_PLACE = re.compile(r"^(levels|nets)\.([^.]*)")
_TRIES = 20  # tries per mapping that is wanted


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
    for _ in range(_TRIES):
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


# Mappings may be wider than the machine, but few times only: timeloop-model looks at every instance before it says so,
# which takes minutes where there are ten thousands.
_TOO_WIDE = 4


def drawn(spec: Spec, kind: str, count: int, seed: int) -> list[Mapping]:
    """Up to ``count`` different random mappings; fewer where there are not so many.

    Args:
        spec: machine, problem, constraints.
        kind: one of ``KINDS``: ``feasible`` (of the mapspace, drawn to be valid), ``any`` (of Timeloop's whole
            mapspace, most of them invalid), ``unconstrained`` (drawn to be valid, constraints left out: any bypass,
            order and factor), ``imperfect`` (those with factors that do not divide), ``mixed`` (some of each).
        count: how many.
        seed: of the draw.

    Raises:
        UsageError: an unknown kind.
    """
    if kind == "mixed":
        return _mixed(spec, count, seed)
    if kind not in _DRAWN_BY:
        raise UsageError(f"unknown kind of draw {kind!r}: expected one of {', '.join(KINDS)}")
    return _DRAWN_BY[kind](spec, count, seed)


def _mixed(spec: Spec, count: int, seed: int) -> list[Mapping]:
    """Of every kind the same number, as far as there are so many; the rest is drawn to be valid."""
    found: dict[Mapping, None] = {}
    for kind in _DRAWN_BY:
        found.update(dict.fromkeys(drawn(spec, kind, count // len(_DRAWN_BY), seed)))
    found.update(dict.fromkeys(draw_mappings(spec, count, seed)))
    return list(found)[:count]


def _any(spec: Spec, count: int, seed: int) -> list[Mapping]:
    space, rng = TimeloopMapspace(spec, "uber"), np.random.Generator(np.random.PCG64(seed))
    found: dict[bytes, Mapping] = {}
    spatial = list(space.spatial_levels)
    widest = _TOO_WIDE * spec.architecture.compute.instances
    for _ in range(_TRIES):
        batch = space.decode(space.sample(rng, count))
        width = batch.factors[:, spatial, :].astype(float).prod(axis=(1, 2))
        fitting = batch.take(np.flatnonzero(width <= widest))
        found.update((mapping_key("", fitting, i), fitting[i]) for i in range(len(fitting)))
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _unconstrained(spec: Spec, count: int, seed: int) -> list[Mapping]:
    free = Constraints(switches=spec.constraints.switches)
    return draw_mappings(dataclasses.replace(spec, constraints=free), count, seed)


def _imperfect(spec: Spec, count: int, seed: int) -> list[Mapping]:
    rng = np.random.Generator(np.random.PCG64(seed))
    found: dict[bytes, Mapping] = {}
    for attempt in range(_TRIES):
        for mapping in _unconstrained(spec, count, seed + attempt):
            changed = _with_remainders(mapping, spec, rng)
            if changed is not None:
                found[mapping_key("", MappingBatch.of([changed]), 0)] = changed
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _with_remainders(mapping: Mapping, spec: Spec, rng: np.random.Generator) -> Mapping | None:
    """One loop made a little shorter, the outermost loop of its dimension as long as it then has to be.

    Inside-out every loop but the last takes its factor of what is left, a remainder being the length of its last pass.
    """
    places = [
        (t, d) for t, level in enumerate(mapping.loops[:-1]) for d, n in enumerate(level.factors) if n > 2
    ]
    if not places:
        return None
    t, d = places[int(rng.integers(len(places)))]
    factors = [level.factors[d] for level in mapping.loops]
    factors[t] = int(rng.integers(2, factors[t]))
    left, residuals = spec.problem.bounds[d], []
    for index, factor in enumerate(factors[:-1]):
        factors[index] = factor = min(factor, left)
        residuals.append(left % factor or factor)
        left = -(-left // factor)
    factors[-1] = left
    residuals.append(left)
    if factors == residuals:
        return None
    loops = [_replaced(level, d, *pair) for level, *pair in zip(mapping.loops, factors, residuals)]
    return Mapping(tuple(loops), mapping.keep)


def _replaced(level: TilingLoops, dim: int, factor: int, residual: int) -> TilingLoops:
    factors, residuals = list(level.factors), list(level.residuals)
    factors[dim], residuals[dim] = factor, residual
    return dataclasses.replace(level, factors=tuple(factors), residuals=tuple(residuals))


_DRAWN_BY: dict[str, Callable[[Spec, int, int], list[Mapping]]] = {
    "feasible": draw_mappings,
    "any": _any,
    "unconstrained": _unconstrained,
    "imperfect": _imperfect,
}
KINDS = (*_DRAWN_BY, "mixed")


RULES = ("2025", "2022")
_CANDIDATES, _PROBES, _SEED = 60, 4, 1


@dataclass(frozen=True)
class RulesFound:
    """``rules``: the set that fits all probes, or ``None``; then ``first`` is where today's set differs first."""

    rules: str | None
    first: Difference | None

    def sentence(self, program: str) -> str:
        """What was found, for people."""
        if self.rules is not None:
            return f"{program} follows the rules of {self.rules}"
        return f"{program} follows neither rule set; with those of 2025 it differs first in {self.first}"


def recognise_rules(make_real: Callable[[Spec], TimeloopEvaluator]) -> RulesFound:
    """Evaluate the probes with the installed program.

    Args:
        make_real: the evaluator of a Spec.

    Raises:
        BackendError: the program crashed or hung.
    """
    spec = probe_spec()
    real = make_real(spec)
    natives = {rules: NativeEvaluator(with_rules(spec, rules), compiled=False) for rules in RULES}
    fitting, first = list(RULES), None
    for mapping in probes():
        measured = real.measure(mapping)
        for rules in RULES:
            found = disagreements(natives[rules].statistics(mapping), measured, spec)
            if found and rules in fitting:
                fitting.remove(rules)
            if found and rules == RULES[0] and first is None:
                first = found[0]
    # Probes tell the two apart, so at most one is left.
    return RulesFound(fitting[0], None) if fitting else RulesFound(None, first)


def probes() -> list[Mapping]:
    """A few mappings of ``probe_spec`` whose figures differ between the rule sets."""
    spec = probe_spec()
    new, old = (NativeEvaluator(with_rules(spec, rules), compiled=False) for rules in RULES)
    candidates = draw_mappings(spec, _CANDIDATES, _SEED)
    telling = [mapping for mapping in candidates if new.statistics(mapping) != old.statistics(mapping)]
    return telling[:_PROBES]


def probe_spec() -> Spec:
    """A convolution with a halo on three levels with room for everything, two processing elements."""
    spaces = (
        DataSpace("Weights", ((Term(0, 1),), (Term(1, 1),), (Term(2, 1),)), False),
        DataSpace("Inputs", ((Term(0, 1),), (Term(2, 1), Term(3, 1))), False),
        DataSpace("Outputs", ((Term(1, 1),), (Term(3, 1),)), True),
    )
    problem = Problem("probe", ("C", "M", "R", "P"), (2, 2, 3, 4), spaces)
    storage = tuple(
        StorageLevel(name, kind, kind, instances, instances, 1, size=size)
        for name, kind, instances, size in (
            ("RF", "SRAM", 2, 64),
            ("BUF", "SRAM", 1, 1024),
            ("MEM", "DRAM", 1, None),
        )
    )
    energies = tuple(
        LevelEnergy(read=float(e), fill=e + 0.25, update=e + 0.5, source="ERT") for e in (1, 4, 64)
    )
    return Spec(
        problem,
        Architecture(storage, ComputeLevel("MAC", "compute", 2, 2, 1)),
        Energies(energies, compute=1.0),
    )

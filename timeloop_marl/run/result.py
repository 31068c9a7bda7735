"""What a search found: counts, the trajectory of improvements, the best mappings."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Mapping as Map
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, TypedDict

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from ..cost.objective import Objective
from ..cost.outcome import Failure, Outcome
from ..searchers.base import Proof, Space
from ..specs.mapping import Mapping
from ..specs.spec import Spec
from .options import Settings
from .tables import Tabular, columns_of
from .units import edp_text


class StopReason(Enum):
    """Why a search ended."""

    SAMPLES = "sample budget spent"
    VALID_SAMPLES = "enough valid mappings"
    SECONDS = "time is up"
    TARGET = "target reached"
    STAGNATION = "no improvement for long enough"
    PROVEN = "proven optimal"
    EXHAUSTED = "searcher exhausted"
    ASKED = "stopped by its caller"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Found:
    """A mapping and what it costs. ``sample``: 1-based number of the sample; energy in pJ."""

    mapping: Mapping
    candidate: tuple[int, ...]
    sample: int
    cost: float
    cycles: int
    energy_pj: float
    utilization: float

    @property
    def edp(self) -> float:
        """Energy times cycles, pJ·cycles."""
        return self.energy_pj * self.cycles


@dataclass(frozen=True)
class Improvement:
    """A step of the best-so-far curve, after ``samples`` samples of which ``valid`` were valid."""

    samples: int
    valid: int
    seconds: float
    cost: float
    cycles: int
    energy_pj: float


@dataclass(frozen=True)
class Progress:
    """A snapshot for display. ``cost`` is +inf until a valid mapping was found."""

    samples: int
    valid: int
    seconds: float
    cost: float
    cycles: int
    energy_pj: float
    improved: bool
    replayed: bool

    @property
    def valid_share(self) -> float:
        """Valid samples among all, 0 before the first."""
        return self.valid / self.samples if self.samples else 0.0

    @property
    def samples_per_second(self) -> float:
        """Average over the whole search."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, repr=False)
class SearchResult(Tabular):
    """The outcome of a search.

    Attributes:
        best: sorted, best first, distinct loop nests; empty if nothing was valid.
        dropped_bytes: half-written ones that a killed run left at the end of its trace.
        knowledge: what the searcher knows of the cost model: ``traffic`` (how many words move) or ``none``.
        judged: candidates that it judged by such knowledge, beside the samples.
        proof: what was proven beside the search; ``None`` if nothing was tried.
    """

    best: tuple[Found, ...]
    trajectory: tuple[Improvement, ...]
    samples: int
    valid: int
    failures: Map[Failure, int]
    seconds: float
    reason: StopReason
    dropped_bytes: int = 0
    knowledge: str = "none"
    judged: int = 0
    proof: Proof | None = None

    @property
    def proven(self) -> bool:
        """The best mapping is the optimum, or there is no valid one."""
        return self.proof is not None and self.proof.proven

    @property
    def gap(self) -> float | None:
        """By what share of its cost the best mapping could be beaten at most; ``None`` if nothing is known."""
        if self.proof is None or not self.best:
            return None
        return 0.0 if self.proven else max(0.0, 1.0 - self.proof.bound / self.best[0].cost)

    def headline(self) -> str:
        """How it ended."""
        best = f"best EDP {edp_text(self.best[0].edp)} J·cycle" if self.best else "nothing valid"
        return f"{self.samples:,} samples, {self.valid:,} valid, {self.reason.value}; {best}"

    def columns(self) -> dict[str, list[Any]]:
        """The best-so-far curve: a row for every improvement."""
        return columns_of([{**asdict(step), "edp": step.energy_pj * step.cycles} for step in self.trajectory])


def nest_key(mapping: Mapping) -> tuple[object, ...]:
    """Equal for mappings that differ only in where unit loops stand."""
    nest = []
    for level in mapping.loops:
        loops = [(d, k < level.split) for k, d in enumerate(level.order) if level.factors[d] > 1]
        nest.append(tuple((d, level.factors[d], level.residuals[d], x) for d, x in loops))
    return (*nest, mapping.keep)


class Tally:
    """Keeps the books of a running search, batch by batch."""

    def __init__(self, space: Space, objective: Objective, top: int) -> None:
        self._space, self._objective, self._top = space, objective, top
        self.samples = self.valid = self.dropped_bytes = 0
        self.seconds = 0.0
        self.cost = float("inf")
        self._failures: Counter[Failure] = Counter()
        self._trajectory: list[Improvement] = []
        self._incumbent: list[float] | None = None  # all metrics of the best mapping
        self._best: Found | None = None
        self._kept: list[Found] = []  # the best by scalar cost, ascending
        self._keys: dict[tuple[object, ...], Found] = {}

    @property
    def stagnant(self) -> int:
        """Samples since the last improvement."""
        return self.samples - (self._trajectory[-1].samples if self._trajectory else 0)

    def add(self, rows: Int64[ndarray, "m axes"], outcome: Outcome, seconds: float) -> bool:
        """Count a batch; whether it brought an improvement."""
        self.seconds = seconds
        ok = outcome.failure == Failure.OK
        costs = self._objective.costs(outcome)
        improved = self._improve(rows, outcome, costs, np.cumsum(ok))
        self._keep_top(rows, outcome, costs)
        self.samples += len(rows)
        self.valid += int(ok.sum())
        for code, count in zip(*np.unique(outcome.failure[~ok], return_counts=True)):
            self._failures[Failure(int(code))] += int(count)
        return improved

    def _improve(
        self, rows: Int64[ndarray, "m axes"], outcome: Outcome, costs: ndarray, valid: ndarray
    ) -> bool:
        table = self._objective.table(outcome)
        if len(self._objective.metrics) == 1:
            before = np.minimum.accumulate(np.concatenate([[self.cost], costs[:-1]]))
            chosen = np.flatnonzero(costs < before)
        else:
            chosen = self._by_priority(table)
        for i in (int(index) for index in chosen):
            self.cost, self._incumbent = float(costs[i]), [float(x) for x in table[i]]
            self._trajectory.append(
                Improvement(
                    samples=self.samples + i + 1,
                    valid=self.valid + int(valid[i]),
                    seconds=self.seconds,
                    cost=self.cost,
                    cycles=int(outcome.cycles[i]),
                    energy_pj=float(outcome.energy_pj[i]),
                )
            )
        if len(chosen):
            self._best = self._found(rows, outcome, costs, int(chosen[-1]))
        return len(chosen) > 0

    def _by_priority(self, table: ndarray) -> Int64[ndarray, "k"]:
        incumbent, chosen = self._incumbent, []
        for i in np.flatnonzero(np.isfinite(table[:, 0])):
            metrics = [float(x) for x in table[i]]
            if incumbent is None or self._objective.better(metrics, incumbent):
                incumbent = metrics
                chosen.append(int(i))
        return np.array(chosen, np.int64)

    def _keep_top(self, rows: Int64[ndarray, "m axes"], outcome: Outcome, costs: ndarray) -> None:
        if self._top == 1:
            return
        for i in np.argsort(costs, kind="stable"):
            worst = self._kept[-1].cost if len(self._kept) == self._top else float("inf")
            if not costs[i] < worst:
                break
            found = self._found(rows, outcome, costs, int(i))
            key = nest_key(found.mapping)
            if key in self._keys:
                continue
            self._keys[key] = found
            bisect.insort(self._kept, found, key=lambda f: (f.cost, f.sample))
            if len(self._kept) > self._top:
                del self._keys[nest_key(self._kept.pop().mapping)]

    def _found(self, rows: Int64[ndarray, "m axes"], outcome: Outcome, costs: ndarray, i: int) -> Found:
        return Found(
            mapping=self._space.decode(rows[i : i + 1])[0],
            candidate=tuple(int(x) for x in rows[i]),
            sample=self.samples + i + 1,
            cost=float(costs[i]),
            cycles=int(outcome.cycles[i]),
            energy_pj=float(outcome.energy_pj[i]),
            utilization=float(outcome.utilization[i]),
        )

    def progress(self, *, improved: bool, replayed: bool) -> Progress:
        """The state for display."""
        return Progress(
            samples=self.samples,
            valid=self.valid,
            seconds=self.seconds,
            cost=self.cost,
            cycles=self._best.cycles if self._best else 0,
            energy_pj=self._best.energy_pj if self._best else 0.0,
            improved=improved,
            replayed=replayed,
        )

    def result(self, reason: StopReason) -> SearchResult:
        """Everything, at the end."""
        best: list[Found] = [] if self._best is None else [self._best]
        keys = {nest_key(found.mapping) for found in best}
        best += [found for found in self._kept if nest_key(found.mapping) not in keys]
        return SearchResult(
            best=tuple(best[: self._top]),
            trajectory=tuple(self._trajectory),
            samples=self.samples,
            valid=self.valid,
            failures=dict(self._failures),
            seconds=self.seconds,
            reason=reason,
            dropped_bytes=self.dropped_bytes,
        )


class _Problem(TypedDict):
    name: str
    bounds: dict[str, int]


class _Evaluated(TypedDict):
    sample: int
    cost: float
    cycles: int
    energy_pj: float
    edp: float
    utilization: float


class _Ranked(_Evaluated, total=False):
    computes_share: float  # of imperfect mappings


class _Step(TypedDict):
    samples: int
    cost: float
    cycles: int
    energy_pj: float


class _Counted(_Step, total=False):
    valid: int  # folders of older versions do not say


class _Searched(TypedDict):
    problem: _Problem
    evaluator: str
    searcher: str
    objective: str
    seed: int
    samples: int
    valid: int
    seconds: float
    stopped: str
    best: list[_Ranked]
    trajectory: list[_Counted]


class _Course(TypedDict):
    seconds: list[float]
    cost: list[float]
    bound: list[float]


class _Proven(TypedDict):
    proven: bool
    bound: float | None
    gap: float | None


class ProofNote(_Proven, total=False):
    """What is proven of the best mapping: ``course`` of an optimum, ``tiles`` and ``evaluated`` of a search."""

    course: _Course
    tiles: int
    evaluated: int


class Summary(_Searched, total=False):
    """``summary.json``; what older versions did not write may be missing."""

    proof: ProofNote | None

    energies: str | None
    failures: dict[str, int]
    knowledge: str
    judged: int


def computes_share(spec: Spec, utilization: float, cycles: int) -> float:
    """Computes over the multiply-accumulates of the layer: 1 but for imperfect mappings."""
    return utilization * spec.architecture.compute.instances * cycles / spec.problem.operations


def _undercounted(spec: Spec, found: Found) -> dict[str, float]:
    if not found.mapping.imperfect:
        return {}
    return {"computes_share": computes_share(spec, found.utilization, found.cycles)}


def proof_note(proven: bool, bound: float, gap: float | None) -> ProofNote:
    """For ``summary.json``, which has no infinity."""
    return {"proven": proven, "bound": bound if math.isfinite(bound) else None, "gap": gap}


def _proof(search: SearchResult, proof: Proof) -> ProofNote:
    note = proof_note(proof.proven, proof.bound, search.gap)
    return {**note, "tiles": proof.tiles, "evaluated": proof.evaluated}


def summary(spec: Spec, settings: Settings, search: SearchResult, evaluator: str) -> dict[str, Any]:
    """``summary.json``: the search in figures; energies pJ, EDP pJ·cycles."""
    return {
        "problem": {"name": spec.problem.name, "bounds": dict(zip(spec.problem.dims, spec.problem.bounds))},
        "evaluator": evaluator,
        "energies": spec.energies.origin,
        "searcher": settings.searcher,
        "objective": settings.objective,
        "seed": settings.seed,
        "samples": search.samples,
        "valid": search.valid,
        "failures": {failure.name.lower(): count for failure, count in search.failures.items()},
        "seconds": search.seconds,
        "stopped": search.reason.value,
        "knowledge": search.knowledge,
        "judged": search.judged,
        "proof": None if search.proof is None else _proof(search, search.proof),
        "best": [
            {
                "sample": found.sample,
                "cost": found.cost,
                "cycles": found.cycles,
                "energy_pj": found.energy_pj,
                "edp": found.edp,
                "utilization": found.utilization,
                **_undercounted(spec, found),
            }
            for found in search.best
        ],
        "trajectory": [
            {
                "samples": step.samples,
                "valid": step.valid,
                "cost": step.cost,
                "cycles": step.cycles,
                "energy_pj": step.energy_pj,
            }
            for step in search.trajectory
        ],
    }

"""The optimum of a mapspace: proof, certificate, result files. The Python API behind ``timeloop-marl optimum``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from ..cost.noc import LEGACY
from ..cost.objective import Objective, parse_objective, powers
from ..cost.outcome import Rejection, Statistics
from ..cost.rates import Rates, rates_of
from ..errors import UnsupportedFeatureError, UsageError
from ..evaluators.choice import native_evaluator
from ..evaluators.native import NativeEvaluator
from ..kernels.record import views
from ..mapspace.awkward import imperfect_dims
from ..mapspace.axes import LearnersMapspace
from ..mapspace.diagnosis import require_feasible
from ..optimal.choices import make_lattice
from ..optimal.frontier import Frontier as Frontier
from ..optimal.frontier import Queue
from ..optimal.leaves import Incumbent
from ..optimal.orders import tensors_of
from ..optimal.prices import DELAY, EDP, ENERGY, Bandwidth, Prices
from ..optimal.problem import SLACK
from ..optimal.proof import Prover, rounds
from ..parallel.interruption import ended, watched
from ..parallel.versions import versions
from ..report.charts.courses import GapCourse, gap_plot
from ..report.drawing import beside, png
from ..report.results import write_results
from ..run.folder import RunFolder
from ..run.loop import Budget
from ..run.loop import search as run_search
from ..run.options import RunOptions, Settings
from ..run.result import Found, Improvement, SearchResult, StopReason, proof_note
from ..run.run import Run
from ..run.tables import Tabular, columns_of
from ..searchers.base import LearnerSearcher, Searcher
from ..searchers.proving import BEGIN, Proving
from ..searchers.registry import make_searcher
from ..specs.fingerprint import spec_fingerprint
from ..specs.mapping import Mapping as LoopNest
from ..specs.mapping import MappingBatch, TilingLoops
from ..specs.spec import Spec
from ..traffic.geometry import geometry_of
from .inputs import Source, load

CERTIFICATE, PICTURE = "certificate.json", "gap.png"
METHOD = "branch and bound"
_WIDTH = 620.0  # px of the picture
STATE = "frontier.npz"
"""File of a run folder from which a proof goes on."""
SAVE_SECONDS = 10.0
"""Time between two records of the frontier: what a killed process loses at most, beside the running round."""

FORMAT = 1
RULES = {
    "R1": "loops of one iteration have no place in an order",
    "R2": "of two orders that leave the same loops inside the first loop that moves each data space, one is tried",
    "R3": "an order that only repeats more words than another is left out, unless networks charge for routers",
    "R4": "layouts of spatial loops are tried once, unless networks charge for hops or neighbours may pass words on",
}
"""How mappings are collapsed; proofs in docs/optimal.md."""


@dataclass(frozen=True)
class Start:
    """The search that finds a first good mapping. It only helps pruning: the optimum does not depend on it.

    ``device``: where its mappings are evaluated, as in ``EvaluatorChoice``; the descent itself stays on the CPU.
    """

    searcher: str = "genetic"
    samples: int = 4000
    seed: int = 1
    device: str = "cpu"


OnRound = Callable[[Frontier], None]


@dataclass(frozen=True, repr=False)
class OptimumResult(Tabular):
    """A mapspace gone through as far as the limits let."""

    spec: Spec
    objective: Objective
    start: Start
    frontier: Frontier
    reason: StopReason
    jobs: int = 1

    def headline(self) -> str:
        """Optimal, or the gap."""
        if not self.found:
            return "there is no valid mapping" if self.proven else "no valid mapping yet"
        state = "proven optimal" if self.proven else f"gap {self.gap:.2%}"
        return f"{self.objective.name} {self.cost:.6g}, {state}, {self.frontier.seconds:.1f} s"

    def columns(self) -> dict[str, list[Any]]:
        """How best cost and bound came together."""
        return columns_of(
            [{"seconds": m.seconds, "cost": m.cost, "bound": m.bound} for m in self.frontier.course]
        )

    @property
    def proven(self) -> bool:
        """The mapping is the optimum, or there is no valid mapping."""
        return self.frontier.proven

    @property
    def found(self) -> bool:
        """Whether there is a valid mapping."""
        return self.frontier.best is not None

    @property
    def cost(self) -> float:
        """Objective of the best mapping; infinite if there is none."""
        return self.frontier.cost

    @property
    def bound(self) -> float:
        """No mapping costs less; equals ``cost`` if proven."""
        return self.frontier.bound

    @property
    def gap(self) -> float:
        """Share of the cost that is still open: 0 if proven."""
        return self.frontier.gap

    @property
    def mapping(self) -> LoopNest:
        """The best mapping; ``UsageError`` if there is none."""
        best = self.frontier.best
        if best is None:
            raise UsageError("no valid mapping was found" + (": there is none" if self.proven else ""))
        return best.mapping

    @cached_property
    def best(self) -> Statistics:
        """Every figure of the best mapping; ``UsageError`` if there is none."""
        figures = NativeEvaluator(self.spec).statistics(self.mapping)
        if isinstance(figures, Rejection):
            raise AssertionError(f"a mapping counted as valid is rejected: {figures.message}")
        return figures

    def certificate(self) -> dict[str, Any]:
        """What is proven, as plain data (docs/optimal.md says what the keys are). Costs in the objective's unit."""
        frontier, best = self.frontier, self.frontier.best
        found = {}
        if best is not None:
            found = {
                "cost": best.cost, "cycles": best.cycles, "energy_pj": best.energy_pj,
                "mapping": mapping_data(best.mapping),
            }  # fmt: skip
        return {
            "format": FORMAT,
            "problem": {
                "name": self.spec.problem.name,
                "bounds": dict(zip(self.spec.problem.dims, self.spec.problem.bounds)),
            },
            "spec": spec_fingerprint(self.spec),
            "rules_of": self.spec.options.rules,
            "objective": self.objective.name,
            "status": self.status(),
            "bound": frontier.bound if np.isfinite(frontier.bound) else None,
            "gap": frontier.gap,
            **found,
            "open": len(frontier.nodes),
            "counts": dict(frontier.counts),
            "seconds": round(frontier.seconds, 2),
            "jobs": self.jobs,
            "stopped": self.reason.value,
            "start": {
                "searcher": self.start.searcher, "samples": self.start.samples, "seed": self.start.seed,
            },
            "slack": SLACK,
            "collapsed": dict(RULES),
            "versions": versions(),
        }  # fmt: skip

    def status(self) -> str:
        """``optimal``, ``infeasible`` (both proven) or ``open``."""
        if not self.proven:
            return "open"
        return "optimal" if self.found else "infeasible"

    def write(self, folder: str | Path) -> list[Path]:
        """Write certificate and gap curve and, if there is a mapping, the files of a search."""
        target = RunFolder(folder)
        target.create()
        written = [target.write(CERTIFICATE, json.dumps(self.certificate(), indent=2) + "\n")]
        if not self.found:
            return written
        written += write_results(
            target,
            self.spec,
            self._settings(),
            self._as_search(),
            (self.best,),
            NativeEvaluator(self.spec).name,
            proof={**proof_note(self.proven, self.bound, self.gap), "course": self._finite_course()},
        )
        drawing = gap_plot(GapCourse(**self.columns()), self.objective.name, self.proven, _WIDTH)
        return [*written, target.write(PICTURE, png(beside([drawing])))]

    def _finite_course(self) -> Any:
        """The course from the first mapping on: JSON has no infinity."""
        found = [math.isfinite(moment.cost) for moment in self.frontier.course]
        return {name: list(compress(values, found)) for name, values in self.columns().items()}

    def _settings(self) -> Settings:
        return Settings(searcher=METHOD, objective=self.objective.name, seed=self.start.seed)

    def _as_search(self) -> SearchResult:
        """The proof as the files of a search have it: samples are the mappings evaluated, leaves of the descent."""
        frontier, figures = self.frontier, self.best
        row = LearnersMapspace(self.spec.with_factors("perfect")).encode(self.mapping)
        found = Found(
            mapping=self.mapping,
            candidate=tuple(int(x) for x in row),
            sample=frontier.counts["evaluated"],
            cost=frontier.cost,
            cycles=figures.cycles,
            energy_pj=figures.energy_pj,
            utilization=figures.utilization,
        )
        return SearchResult(
            best=(found,),
            trajectory=_improvements(frontier),
            samples=frontier.counts["evaluated"],
            valid=frontier.counts["valid"],
            failures={},
            seconds=frontier.seconds,
            reason=self.reason,
        )


def optimum(
    spec: Spec | Source,
    *,
    objective: str = "edp",
    seconds: float | None = None,
    gap: float = 0.0,
    jobs: int = 1,
    start: Start | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    known: Incumbent | None = None,
    on_round: OnRound | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> OptimumResult:
    """Find the optimum of a mapspace, and prove it.

    Args:
        spec: what ``load`` returned, or files.
        objective: one metric: edp, energy, delay, last_level_accesses or accesses-k.
        seconds: stop after so long, with the gap that is open then.
        gap: stop when so small a share of the cost is open, e.g. 0.01.
        jobs: threads; the result does not depend on it. -1 = one per processor.
        start: the search for a first mapping, which only helps pruning.
        output: folder for results, certificate and the state from which a killed proof goes on.
        resume: go on with the proof in ``output``; overwrite: begin anew there.
        known: a mapping to begin with instead of a search; it is believed, so it must have been evaluated.
        on_round: called with the state after every round.
        arguments: as in ``RunOptions``.

    Raises:
        UsageError: several objectives, or a folder that cannot be used.
        UnsupportedFeatureError: imperfect factors, or something for which there is no bound.
        InfeasibleError: the constraints leave no mapping.
        Interrupted: as ``search``.
    """
    if seconds is not None and not seconds > 0:
        raise UsageError(f"seconds must be above 0, got {seconds}")
    if not 0 <= gap < 1:
        raise UsageError(f"gap must be from 0 to below 1 (a share of the best cost), got {gap}")
    if jobs == 0:
        raise UsageError("jobs must not be 0: a number of threads, or -1 for one per processor")
    spec = spec if isinstance(spec, Spec) else load(spec)
    spec.require_native()
    require_feasible(spec, "uber")
    goal, start = parse_objective(objective, len(spec.architecture.storage)), start or Start()
    prover = make_prover(spec, goal)
    with Run("optimum", RunOptions(output, resume, arguments=arguments or {}, overwrite=overwrite)) as run:
        if not run.resumed:
            asked = Settings(start.searcher, objective, start.samples, seed=start.seed).as_arguments()
            run.describe({"files": list(spec.files), "rules": spec.options.rules, **asked}, spec)
        prover.warm_up()
        run.start(problem=spec.problem.name, objective=objective, searcher=start.searcher, seed=start.seed)
        identity = _identity(spec, goal, start)
        frontier = _recall(run.folder, resume, identity, prover)
        if frontier is None:
            frontier = Frontier(Queue(prover.roots()), known)
            if known is None:
                _begin(frontier, spec, goal, start)
        reason = _run(prover, frontier, (seconds, gap), jobs, _Keeper(run.folder, identity), on_round)
        result = OptimumResult(spec, goal, start, frontier, reason, jobs)
        run.end(reason.value, cost=result.cost if result.found else None, bound=result.bound)
        if run.folder is not None:
            result.write(run.folder.path)
    return ended(result, interrupted=reason is StopReason.INTERRUPTED)


def _identity(spec: Spec, objective: Objective, start: Start) -> dict[str, Any]:
    """What a resumed proof must agree in."""
    return {
        "spec": spec_fingerprint(spec),
        "objective": objective.name,
        "start": [start.searcher, start.samples, start.seed],
        "slack": SLACK,
        "version": versions()["timeloop-marl"],
    }


def _recall(
    folder: RunFolder | None, resume: bool, identity: dict[str, Any], prover: Prover
) -> Frontier | None:
    if folder is None:
        return None
    file = folder.path / STATE
    if not file.exists():
        return None
    if not resume:
        raise UsageError(
            f"{folder.path}: holds a proof already; go on with it by --resume, or choose another folder"
        )
    try:
        return Frontier.unpack(file.read_bytes(), identity, prover.choices.S, prover.choices.D)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _begin(frontier: Frontier, spec: Spec, objective: Objective, start: Start) -> None:
    """Let a short search find the first mapping; its samples count as evaluated."""
    searcher = make_searcher(start.searcher, spec.with_factors("perfect"), start.seed, objective)
    evaluator = native_evaluator(
        spec, start.device, accesses=objective.needs_accesses, precheck=searcher.precheck
    )
    found = run_search(searcher.space, searcher, evaluator, objective, Budget(samples=start.samples))
    if found.reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt  # there is nothing to go on with yet
    frontier.seconds += found.seconds
    frontier.counts["evaluated"] += found.samples
    frontier.counts["valid"] += found.valid
    if found.best:
        best = found.best[0]
        frontier.best = Incumbent(best.cost, best.mapping, best.cycles, best.energy_pj)


def make_prover(spec: Spec, objective: Objective) -> Prover:
    """Proves with the true prices of a machine and evaluates on the native model.

    Raises:
        UsageError: several objectives.
        UnsupportedFeatureError: imperfect factors, a sparse design, or something for which there is no bound.
    """
    spec.require_dense("proofs, whose bounds do not know what zeros save,")
    if len(objective.metrics) != 1:
        raise UsageError(f"an optimum has one objective, not {objective.name}: a tolerance is no order")
    if powers(objective.metrics[0]) is not None and objective.metrics[0] not in _GOALS:
        raise UnsupportedFeatureError(
            "there is no bound for this product of powers",
            path="objective",
            value=objective.name,
            remedy=f"prove {', '.join(_GOALS)} or accesses; 'timeloop-marl search' takes any product",
        )
    evaluator = NativeEvaluator(spec, accesses=objective.needs_accesses)
    return Prover(spec, true_prices(spec, objective), evaluator, objective)


LARGEST_BESIDE = 250_000
"""Most tile shapes of a problem for which a search tries the proof beside it: tables over more take too long."""


def with_proof(
    spec: Spec, searcher: Searcher, objective: Objective, *, samples: int | None, ends: bool
) -> Searcher:
    """The searcher with a proof beside it; as it is if there is no bound, or it ends before a proof would begin."""
    if (samples is not None and samples <= BEGIN) or not isinstance(searcher, LearnerSearcher):
        return searcher
    if imperfect_dims(spec):  # the bounds are those of perfect factors
        return searcher
    try:
        if make_lattice(spec.problem).size > LARGEST_BESIDE:
            return searcher
        return Proving(searcher, make_prover(spec, objective), ends=ends)
    except UnsupportedFeatureError:
        return searcher


_GOALS = {"edp": EDP, "energy": ENERGY, "delay": DELAY}


def true_prices(spec: Spec, objective: Objective) -> Prices:
    """The rates of a machine as prices (sections 12 to 14); for accesses, 1 at the level that is counted."""
    rates, storage = views(rates_of(spec)), spec.architecture.storage
    S, P, metric = len(storage), len(spec.problem.data_spaces), objective.metrics[0]
    kinds, hops, routers = (
        array[: rates.networks] for array in (rates.net_kind, rates.net_hop, rates.net_router)
    )
    shared: dict[str, Any] = {
        "clusters": rates.clusters[:S],
        "gate": rates.gate[:S],
        "routed": bool((routers != 0).any()),
        "placed": bool(((kinds == LEGACY) & ((hops != 0) | (routers != 0))).any()),
        "latency": float(rates.latency),
        "bandwidths": _bandwidths(rates, S),
        "bandwidth_scale": rates.bandwidth_scale[:S, :P],
    }
    if metric not in _GOALS:
        level = S - 1 if metric == "last_level_accesses" else int(metric.split("-")[1])
        one, none = (np.arange(S) == level).astype(np.float64), np.zeros(S)
        return Prices(
            goal=ENERGY, read=one, fill=one, update=one, address=none, compute=0.0, leak=none, ingress=none, hop=none,
            **shared,
        )  # fmt: skip
    block = rates.block[:S].astype(np.float64)
    ingress, hop = _network_prices(spec, rates)
    return Prices(
        goal=_GOALS[metric],
        read=rates.read_energy[:S] / block,
        fill=rates.fill_energy[:S] / block,
        update=rates.update_energy[:S] / block,
        address=rates.address_energy[:S],
        compute=float(rates.compute_energy),
        leak=rates.leak[:S],
        ingress=ingress,
        hop=hop,
        **shared,
    )


def _network_prices(spec: Spec, rates: Rates) -> tuple[Float64[ndarray, "S"], Float64[ndarray, "S"]]:
    """What each word that a level sends costs on its network at least, and each of its hops.

    Where tiles of a read-write data space overlap, a network that reads, modifies and writes may be passed less often.
    """
    levels = len(spec.architecture.storage)
    tensors = tensors_of(views(geometry_of(spec)))
    unsure = any(
        space.read_write and tensor.coupled for space, tensor in zip(spec.problem.data_spaces, tensors)
    )
    ingress, hop = np.zeros(levels), np.zeros(levels)
    for n in range(rates.networks):
        if rates.net_kind[n] == LEGACY:
            hop[rates.net_outer[n]] += rates.net_hop[n]
            if not (unsure and rates.net_doubles[n]):
                ingress[rates.net_outer[n]] += rates.net_ingress[n]
    return ingress, hop


def _bandwidths(rates: Rates, levels: int) -> tuple[Bandwidth, ...]:
    """Finite bandwidths (section 12). One of 0 words is none: its quotient is not finite, and counts as 0 cycles."""
    return tuple(
        Bandwidth(s, float(words), reads, writes)
        for s in range(levels)
        for words, reads, writes in (
            (rates.read_bandwidth[s], True, False),
            (rates.write_bandwidth[s], False, True),
            (rates.shared_bandwidth[s], True, True),
        )
        if 1e-6 < words < np.inf
    )


class _Keeper:
    """Writes the frontier now and then."""

    def __init__(self, folder: RunFolder | None, identity: dict[str, Any]) -> None:
        self._folder, self._identity, self._last = folder, identity, 0.0

    def save(self, frontier: Frontier, *, now: bool = False) -> Path | None:
        if self._folder is None or (not now and time.monotonic() - self._last < SAVE_SECONDS):
            return None
        self._last = time.monotonic()
        return self._folder.write(STATE, frontier.pack(self._identity))


def _run(
    prover: Prover,
    frontier: Frontier,
    limits: tuple[float | None, float],
    jobs: int,
    keeper: _Keeper,
    on_round: OnRound | None,
) -> StopReason:
    """Rounds until the proof is complete or a limit is reached. Resumed runs take the same rounds."""
    before, begun = frontier.seconds, time.monotonic()
    with watched() as interrupted, closing(rounds(prover, frontier, jobs)) as steps:
        for _ in steps:
            frontier.seconds = before + time.monotonic() - begun
            frontier.note()
            if on_round is not None:
                on_round(frontier)
            reason = _reason(frontier, *limits, interrupted())
            keeper.save(frontier, now=reason is not None)
            if reason is not None:
                return reason
    raise AssertionError("a frontier is gone through without being proven")


def _reason(frontier: Frontier, seconds: float | None, gap: float, interrupted: bool) -> StopReason | None:
    if frontier.proven:
        return StopReason.PROVEN
    if interrupted:
        return StopReason.INTERRUPTED
    if gap > 0 and frontier.gap <= gap:
        return StopReason.TARGET
    if seconds is not None and frontier.seconds >= seconds:
        return StopReason.SECONDS
    return None


def mapping_data(mapping: LoopNest) -> dict[str, Any]:
    """A perfect mapping as lists: factors and orders of the tiling levels inside-out, splits, who keeps what."""
    return {
        "factors": [list(level.factors) for level in mapping.loops],
        "order": [list(level.order) for level in mapping.loops],
        "split": [level.split for level in mapping.loops],
        "keep": [[int(kept) for kept in row] for row in mapping.keep],
    }


def mapping_of(data: Mapping[str, Any]) -> LoopNest:
    """The mapping that ``mapping_data`` wrote."""
    loops = tuple(
        TilingLoops(tuple(factors), tuple(factors), tuple(order), split)
        for factors, order, split in zip(data["factors"], data["order"], data["split"], strict=True)
    )
    return LoopNest(loops, tuple(tuple(bool(kept) for kept in row) for row in data["keep"]))


def check(spec: Spec, record: Mapping[str, Any]) -> list[str]:
    """What is wrong with a certificate, without proving it anew: inputs, mapping, its cost, and the bound."""
    wrong = []
    if record["spec"] != spec_fingerprint(spec):
        wrong.append("it is about other inputs (fingerprint)")
    if "mapping" in record:
        objective = parse_objective(record["objective"], len(spec.architecture.storage))
        evaluator = NativeEvaluator(spec, accesses=objective.needs_accesses)
        cost = float(objective.costs(evaluator(MappingBatch.of([mapping_of(record["mapping"])])))[0])
        if cost != record["cost"]:
            wrong.append(f"its mapping costs {cost!r}, not {record['cost']!r}")
        if record["bound"] > record["cost"]:
            wrong.append("its bound is above the cost of its mapping")
        if record["status"] == "optimal" and record["bound"] != record["cost"]:
            wrong.append("it is called optimal, but bound and cost differ")
    return wrong


def _improvements(frontier: Frontier) -> tuple[Improvement, ...]:
    """Points of the gap curve at which the best mapping changed."""
    steps: list[Improvement] = []
    for moment in frontier.course:
        if moment.cost < (steps[-1].cost if steps else float("inf")):
            steps.append(
                Improvement(
                    samples=moment.evaluated,
                    valid=moment.valid,
                    seconds=moment.seconds,
                    cost=moment.cost,
                    cycles=moment.cycles,
                    energy_pj=moment.energy_pj,
                )
            )
    return tuple(steps)

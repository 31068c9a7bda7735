"""The optimum of a mapspace, with its proof or the gap that is still open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from ..errors import UsageError
from ..evaluators.choice import native_evaluator
from ..interruption import watched
from ..mapspace.diagnosis import require_feasible
from ..objective import Objective, parse_objective
from ..run.folder import RunFolder
from ..run.loop import Budget
from ..run.loop import search as run_search
from ..run.result import StopReason
from ..searchers.registry import make_searcher
from ..specs.fingerprint import spec_fingerprint
from ..specs.spec import Spec
from ..versions import versions
from .frontier import Frontier, Queue
from .leaves import Best
from .program import SLACK
from .work import Piece, Report, Worker

STATE = "frontier.npz"
"""File of a run folder from which a proof goes on."""
ROUND = 16
"""Pieces that are gone through between two looks at results and clock; the same for any number of jobs."""
SAVE_SECONDS = 10.0
"""Time between two records of the frontier: what a killed process loses at most, beside the running round."""


@dataclass(frozen=True)
class Limits:
    """When to stop before the proof is complete; ``None`` = not. ``gap``: share of the best cost, e.g. 0.01."""

    seconds: float | None = None
    gap: float = 0.0

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds must be above 0, got {self.seconds}")
        if not 0 <= self.gap < 1:
            raise UsageError(f"gap must be from 0 to below 1 (a share of the best cost), got {self.gap}")


@dataclass(frozen=True)
class Start:
    """The search that finds a first good mapping. It only helps pruning: the optimum does not depend on it.

    ``device``: where its mappings are evaluated, as in ``EvaluatorChoice``; the descent itself stays on the CPU.
    """

    searcher: str = "genetic"
    samples: int = 4000
    seed: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Optimum:
    """What is proven. ``frontier.best`` is none if no valid mapping was found."""

    spec: Spec
    objective: Objective
    start: Start
    frontier: Frontier
    reason: StopReason

    @property
    def proven(self) -> bool:
        """The best mapping is the optimum (or: there is no valid mapping)."""
        return self.frontier.proven


OnRound = Callable[[Frontier], None]


def find_optimum(
    spec: Spec,
    objective: str = "edp",
    *,
    limits: Limits | None = None,
    start: Start | None = None,
    jobs: int = 1,
    folder: RunFolder | None = None,
    resume: bool = False,
    known: Best | None = None,
    on_round: OnRound | None = None,
) -> Optimum:
    """Search the whole mapspace of the learners' view by branch and bound.

    Args:
        objective: one metric: edp, energy, delay, last_level_accesses or accesses-k.
        jobs: threads; the result does not depend on it.
        folder: keeps the frontier, so that the proof can go on after kill -9.
        resume: go on with the proof in ``folder``.
        known: a mapping to begin with instead of a search; it is believed, so it must have been evaluated.
        on_round: called after every round.

    Raises:
        UsageError: several objectives, a folder that cannot be used, or one of another proof.
        UnsupportedFeatureError: imperfect factors, or something for which there is no bound.
        InfeasibleError: the constraints leave no mapping.
    """
    spec.require_native()
    require_feasible(spec, "uber")
    if jobs == 0:
        raise UsageError("jobs must not be 0: a number of threads, or -1 for one per processor")
    goal = parse_objective(objective, len(spec.architecture.storage))
    worker = Worker(spec, goal)
    worker.warm_up()
    start = start or Start()
    identity = proof_identity(spec, goal, start)
    frontier = _recall(folder, resume, identity, worker)
    if frontier is None:
        frontier = Frontier(Queue(worker.roots()), known)
        if known is None:
            _begin(frontier, spec, goal, start)
    reason = _run(worker, frontier, limits or Limits(), jobs, _Keeper(folder, identity), on_round)
    return Optimum(spec, goal, start, frontier, reason)


def proof_identity(spec: Spec, objective: Objective, start: Start) -> dict[str, Any]:
    """What a resumed proof must agree in."""
    return {
        "spec": spec_fingerprint(spec),
        "objective": objective.name,
        "start": [start.searcher, start.samples, start.seed],
        "slack": SLACK,
        "version": versions()["timeloop-marl"],
    }


def _recall(
    folder: RunFolder | None, resume: bool, identity: dict[str, Any], worker: Worker
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
        return Frontier.unpack(file.read_bytes(), identity, worker.choices.S, worker.choices.D)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _begin(frontier: Frontier, spec: Spec, objective: Objective, start: Start) -> None:
    """Let a short search find the first mapping; its samples count as evaluated."""
    searcher = make_searcher(start.searcher, spec, start.seed, objective)
    evaluator = native_evaluator(
        spec, start.device, accesses=objective.needs_accesses, precheck=searcher.precheck
    )
    found = run_search(searcher.space, searcher, evaluator, objective, Budget(samples=start.samples))
    frontier.seconds += found.seconds
    frontier.counts["evaluated"] += found.samples
    frontier.counts["valid"] += found.valid
    if found.best:
        best = found.best[0]
        frontier.best = Best(best.cost, best.mapping, best.cycles, best.energy_pj)


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
    worker: Worker, frontier: Frontier, limits: Limits, jobs: int, keeper: _Keeper, on_round: OnRound | None
) -> StopReason:
    """Rounds until the proof is complete or a limit is reached. Resumed runs take the same rounds."""
    before, begun = frontier.seconds, time.monotonic()
    frontier.merge(())
    with watched() as interrupted, _mapper(jobs) as run:
        while True:
            frontier.note()
            if on_round is not None:
                on_round(frontier)
            reason = _reason(frontier, limits, interrupted())
            keeper.save(frontier, now=reason is not None)
            if reason is not None:
                return reason
            cost = frontier.cost
            frontier.merge(run(worker, frontier.take(ROUND), cost))
            frontier.seconds = before + time.monotonic() - begun


def _reason(frontier: Frontier, limits: Limits, interrupted: bool) -> StopReason | None:
    if frontier.proven:
        return StopReason.EXHAUSTED
    if interrupted:
        return StopReason.INTERRUPTED
    if limits.gap > 0 and frontier.gap <= limits.gap:
        return StopReason.TARGET
    if limits.seconds is not None and frontier.seconds >= limits.seconds:
        return StopReason.SECONDS
    return None


@contextmanager
def _mapper(jobs: int) -> Iterator[Callable[[Worker, list[Piece], float], list[Report]]]:
    """Runs the pieces of a round: kernels release the GIL, so threads do."""
    if jobs == 1:
        yield lambda worker, pieces, cost: [worker.do(piece, cost) for piece in pieces]
        return
    with joblib.Parallel(n_jobs=jobs, backend="threading", batch_size=1) as pool:

        def run(worker: Worker, pieces: list[Piece], cost: float) -> list[Report]:
            return list(pool(joblib.delayed(worker.do)(piece, cost) for piece in pieces))

        yield run

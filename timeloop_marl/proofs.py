"""The optimum of a mapspace: proof, result files, certificate. The Python API behind ``timeloop-marl optimum``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .api import load
from .errors import UsageError
from .evaluators.native import NativeEvaluator
from .mapping import Mapping
from .mapspace.axes import LearnersMapspace
from .model.outcome import Rejection, Statistics
from .optimal.certificate import certificate, status
from .optimal.frontier import Frontier
from .optimal.proof import Limits, OnRound, Optimum, Start, find_optimum
from .report.charts.courses import GapCourse, gap_plot
from .report.drawing import beside, png
from .report.results import write_results
from .run_folder import RunFolder
from .search_result import Found, Improvement, SearchResult
from .settings import Settings
from .specs.spec import Spec

CERTIFICATE, PICTURE = "certificate.json", "gap.png"
METHOD = "branch and bound"
_WIDTH = 620.0  # px of the picture


@dataclass(frozen=True)
class OptimumResult:
    """A mapspace gone through as far as the limits let."""

    proof: Optimum
    jobs: int = 1

    @property
    def spec(self) -> Spec:
        """What was searched."""
        return self.proof.spec

    @property
    def proven(self) -> bool:
        """The mapping is the optimum, or there is no valid mapping."""
        return self.proof.proven

    @property
    def found(self) -> bool:
        """Whether there is a valid mapping."""
        return self.proof.frontier.best is not None

    @property
    def cost(self) -> float:
        """Objective of the best mapping; infinite if there is none."""
        return self.proof.frontier.cost

    @property
    def bound(self) -> float:
        """No mapping costs less; equals ``cost`` if proven."""
        return self.proof.frontier.bound

    @property
    def gap(self) -> float:
        """Share of the cost that is still open: 0 if proven."""
        return self.proof.frontier.gap

    @property
    def mapping(self) -> Mapping:
        """The best mapping; ``UsageError`` if there is none."""
        best = self.proof.frontier.best
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
        """What is proven, as plain data (docs/optimal.md says what the keys are)."""
        return certificate(self.proof, self.jobs)

    def status(self) -> str:
        """``optimal``, ``infeasible`` or ``open``."""
        return status(self.proof)

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
        )
        course = self.proof.frontier.course
        steps = GapCourse([m.seconds for m in course], [m.cost for m in course], [m.bound for m in course])
        drawing = gap_plot(steps, self.proof.objective.name, self.proven, _WIDTH)
        return [*written, target.write(PICTURE, png(beside([drawing])))]

    def _settings(self) -> Settings:
        return Settings(searcher=METHOD, objective=self.proof.objective.name, seed=self.proof.start.seed)

    def _as_search(self) -> SearchResult:
        """The proof as the files of a search have it: samples are the mappings evaluated, leaves of the descent."""
        frontier, proof, figures = self.proof.frontier, self.proof, self.best
        row = LearnersMapspace(self.spec).encode(self.mapping)
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
            reason=proof.reason,
        )


def optimum(
    spec: Spec | str | Path | Sequence[str | Path],
    *,
    objective: str = "edp",
    seconds: float | None = None,
    gap: float = 0.0,
    jobs: int = 1,
    start: Start | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    on_round: OnRound | None = None,
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
        resume: go on with the proof in ``output``.
        on_round: called with the state after every round.

    Raises:
        UsageError: several objectives, or a folder that cannot be used.
        UnsupportedFeatureError: imperfect factors, or something for which there is no bound.
        InfeasibleError: the constraints leave no mapping.
    """
    if not isinstance(spec, Spec):
        spec = load(spec)
    folder = None
    if output is not None:
        folder = RunFolder(output)
        folder.create()
    proof = find_optimum(
        spec, objective, limits=Limits(seconds, gap), start=start, jobs=jobs, folder=folder, resume=resume,
        on_round=on_round,
    )  # fmt: skip
    result = OptimumResult(proof, jobs)
    if output is not None:
        result.write(output)
    return result


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

"""Search for the best mapping, and evaluate one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cost.outcome import Rejection, Statistics
from ..errors import UsageError
from ..evaluators.base import Evaluator
from ..evaluators.choice import EvaluatorChoice, timeloop_evaluator
from ..evaluators.native import NativeEvaluator
from ..mapspace.diagnosis import require_feasible
from ..parallel.interruption import ended
from ..report.results import write_results
from ..run.folder import TRACE, RunFolder
from ..run.knowledge import Source as KnowledgeSource
from ..run.knowledge import begin_with, load_knowledge
from ..run.options import RunOptions, Settings
from ..run.result import Progress, SearchResult, StopReason
from ..run.run import Run
from ..run.search import run_search
from ..run.tables import Tabular, columns_of
from ..run.units import edp_text, energy_text
from ..searchers.base import Searcher
from ..searchers.knowledge import Knowledge
from ..specs.front_end import specification
from ..specs.mapping import Mapping as LoopNest
from ..specs.objects import is_specification
from ..specs.spec import Spec
from .choices import AnyEvaluator, AnyObjective, AnySearcher, Chosen, arguments_of, choose, evaluator_of
from .inputs import Source, load
from .optimum import with_proof


@dataclass(frozen=True, repr=False)
class Result(Tabular):
    """A finished search. ``statistics[i]`` belongs to ``search.best[i]``; both are empty if nothing valid was found.

    ``texts[i]``: the real program's own output files (by the end of their names) where only it covers the design.
    ``original``: the ``Specification`` that was searched, if it was one.
    ``knowledge``: what the search began with and what it has learnt, for other layers; empty if the searcher does not
    teach.
    """

    spec: Spec
    settings: Settings
    search: SearchResult
    statistics: tuple[Statistics, ...]
    evaluator: str
    texts: tuple[Mapping[str, str], ...] = ()
    original: Any = None
    knowledge: Knowledge = Knowledge()

    @property
    def found(self) -> bool:
        """Whether a valid mapping was found."""
        return bool(self.statistics)

    @property
    def mapping(self) -> LoopNest:
        """The best mapping; ``UsageError`` if there is none."""
        return self.search.best[self._first()].mapping

    @property
    def best(self) -> Statistics:
        """Every figure of the best mapping; ``UsageError`` if there is none."""
        return self.statistics[self._first()]

    def headline(self) -> str:
        """What was found."""
        if not self.found:
            return f"nothing valid in {self.search.samples:,} samples"
        best = self.best
        return (
            f"{best.cycles:,} cycles, {energy_text(best.energy_pj)}, EDP {edp_text(best.energy_pj * best.cycles)} "
            f"J·cycle, utilisation {best.utilization:.1%}; {self.search.samples:,} samples, {self.settings.searcher}"
        )

    def columns(self) -> dict[str, list[Any]]:
        """What the best mapping moves: a row for every data space that a storage level keeps.

        Words are those of all utilised instances, energies in pJ without leakage.
        """
        tensors = [space.name for space in self.spec.problem.data_spaces]
        return columns_of(
            [
                {
                    "level": level.name,
                    "tensor": name,
                    "reads": tensor.reads * tensor.instances,
                    "fills": tensor.fills * tensor.instances,
                    "updates": tensor.updates * tensor.instances,
                    "energy_pj": tensor.energy_total,
                }
                for level in (reversed(self.best.levels) if self.found else ())
                for name, tensor in zip(tensors, level.tensors, strict=True)
                if tensor.kept
            ]
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write statistics, mappings (also as timeloop-model takes them), summary and picture into a folder."""
        target = RunFolder(folder)
        target.create()
        return write_results(
            target, self.spec, self.settings, self.search, self.statistics, self.evaluator, self.texts
        )

    def specification(self, original: Any = None, *, rank: int = 1) -> Any:
        """A ``Specification`` with a mapping set, for ``call_model`` of Timeloop's Python front end.

        Args:
            original: the v4 ``Specification`` to set the mapping in (a copy of it); default: the one that was searched.
                It gives back a v4 ``Specification``, whose ``call_model`` returns its ``OutputStats``. Without one, and
                for imperfect factors, which v4 cannot say, it is a v3 one with everything timeloop-model needs.
            rank: which mapping, 1 = the best.

        Raises:
            UsageError: there is no such mapping, or no timeloopfe is installed.
        """
        if not 1 <= rank <= len(self.statistics):
            raise UsageError(f"there is no mapping of rank {rank}: the search kept {len(self.statistics)}")
        mapping = self.search.best[rank - 1].mapping
        return specification(self.spec, mapping, self.original if original is None else original)

    def _first(self) -> int:
        if not self.statistics:
            raise UsageError(
                "no valid mapping was found: give the search more samples, or see 'timeloop-marl info'"
            )
        return 0


def search(
    spec: Spec | Source,
    *,
    searcher: AnySearcher | None = None,
    objective: AnyObjective | None = None,
    samples: int | None = None,
    valid_samples: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    stagnation: int | None = None,
    stop: Callable[[Progress], bool] | None = None,
    seed: int | None = None,
    options: Mapping[str, object] | None = None,
    factors: str | None = None,
    count: str | None = None,
    settings: Settings | None = None,
    evaluator: AnyEvaluator | None = None,
    threads: int = 1,
    top: int = 1,
    proof: bool = True,
    knowledge: KnowledgeSource | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    live: bool = False,
    tensorboard: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Result:
    """Search for the best mapping.

    Args:
        spec: what ``load`` returned, or what it takes: files, or a ``Specification`` of timeloopfe.
        searcher: name, class or instance, by default ``marl``.
        objective: metrics (by default ``edp``), or a function from an ``Outcome`` to a cost for each mapping.
        samples, valid_samples, seconds, target, stagnation: when to stop (``Budget``); by default after 2000 samples.
        stop, on_progress: called before (true ends the search) and after every batch.
        options: of the searcher.
        factors, count: as in the section ``mapper`` (docs/searchers.md, Imperfect factors).
        settings: all of these in one, as input files have them; what is given besides comes first.
        evaluator: ``native``, ``timeloop`` (also for designs outside the native model), how, or an object.
        threads, top: of the native model (results do not depend on it); how many distinct best mappings to keep.
        proof: ``marl`` tries the proof beside its agents, where there is one (``Result.search.gap``; docs/optimal.md).
        knowledge: of other layers' searches: a file, the folder of a network, or ``Result.knowledge``.
        output, resume, overwrite, live, tensorboard, on_compile, arguments: as in ``RunOptions``.

    Objects go by their qualified names on record: such a search is resumed by giving the same ones again.

    Raises:
        UsageError: unknown searcher or objective, a folder that cannot be used, or no timeloop-model where it is asked.
        UnsupportedFeatureError: the native model does not cover the design, and there is no timeloop-model.
        BackendError: timeloop-model crashed or hung; what was evaluated until then is in the trace and the cache.
        InfeasibleError: the constraints leave no mapping.
        Interrupted: Ctrl-C, SIGTERM (a ``KeyboardInterrupt``); all is written, ``result`` has what was found.
    """
    original = spec if is_specification(spec) else None
    spec = (spec if isinstance(spec, Spec) else load(spec)).with_factors(factors, count)
    require_feasible(spec)
    chosen = choose(
        spec, settings, searcher=searcher, objective=objective, evaluator=evaluator, samples=samples, seed=seed,
        valid_samples=valid_samples, seconds=seconds, target=target, stagnation=stagnation, options=options,
    )  # fmt: skip
    how = RunOptions(output, resume, live, tensorboard, on_compile, arguments or {}, overwrite)
    with Run("search", how, mark=TRACE) as run:
        if not run.resumed:
            asked = {"top": top, "knowledge": knowledge if isinstance(knowledge, str) else None}
            run.describe({**arguments_of(spec, chosen.settings), **asked}, spec)
        begun, team = begin_with(chosen.searcher, knowledge, output), chosen.searcher
        if proof:
            team = _proving(spec, chosen, top, begun)
        found, judge = run_search(
            run, spec, chosen.settings, team, chosen.objective, chosen.evaluator,
            threads=threads, top=top, identity=begun, on_progress=on_progress, stop=stop,
        )  # fmt: skip
        known = load_knowledge(knowledge or Knowledge())
        result = _result(spec, chosen, found, judge, known, original)
        if output is not None:
            result.write(output)
    return ended(result, interrupted=found.reason is StopReason.INTERRUPTED)


def _result(
    spec: Spec, chosen: Chosen, found: SearchResult, judge: Evaluator, known: Knowledge, original: Any
) -> Result:
    """Every figure of the best mappings, and what the searcher knows now."""
    figures = chosen.judged(spec, judge, [best.mapping for best in found.best])
    learnt = chosen.searcher.learnt(spec.problem.name)
    knowledge = Knowledge(() if learnt is None else (learnt,)) + known
    return Result(
        spec, chosen.settings, found, figures.statistics, figures.name, figures.texts, original, knowledge
    )


def _proving(spec: Spec, chosen: Chosen, top: int, identity: dict[str, Any]) -> Searcher:
    """The searcher, with a proof of one metric on the native model beside it if it is the default one."""
    searcher, objective = chosen.searcher, chosen.objective
    native = isinstance(chosen.evaluator, EvaluatorChoice) and chosen.evaluator.kind == "native"
    one = len(objective.metrics) == 1 and objective.function is None
    if not (native and one and chosen.settings.searcher == Settings().searcher):
        return searcher
    identity["proof"] = True
    return with_proof(spec, searcher, objective, samples=chosen.settings.limits["samples"], ends=top == 1)


def evaluate(
    spec: Spec | Source, mapping: LoopNest, *, evaluator: AnyEvaluator | None = None
) -> Statistics | Rejection:
    """Every figure of one mapping, or why it is invalid.

    Args:
        spec: as in ``search``.
        mapping: e.g. that of a ``Result``.
        evaluator: as in ``search``.

    Raises:
        MappingError: the mapping does not fit the problem and the machine.
        UsageError, BackendError: as ``search``.
    """
    spec = spec if isinstance(spec, Spec) else load(spec)
    chosen = evaluator_of(spec, evaluator)
    if not isinstance(chosen, EvaluatorChoice):
        return chosen.statistics(mapping)
    if chosen.kind == "native":
        return NativeEvaluator(spec).statistics(mapping)
    return timeloop_evaluator(spec, chosen).statistics(mapping)

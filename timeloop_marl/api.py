"""The Python API: load, search, evaluate; the command line is a thin layer on top of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UsageError
from .evaluation import EvaluatorChoice, fitting_choice, judged, timeloop_evaluator
from .evaluators.native import NativeEvaluator
from .front_end import specification
from .knowledge_file import Source as KnowledgeSource
from .knowledge_file import begin_with, learnt_by, load_knowledge
from .mapping import Mapping as LoopNest
from .mapspace.diagnosis import require_feasible
from .model.outcome import Rejection, Statistics
from .objective import parse_objective
from .recorded import Conditions, recorded_search
from .report.results import write_results
from .run_folder import RunFolder
from .search_result import Progress, SearchResult
from .searchers.marl.knowledge import Knowledge
from .searchers.registry import make_searcher
from .settings import Settings
from .specs.loading import IGNORED_INPUT
from .specs.objects import is_specification
from .specs.reading import load as load_files
from .specs.reading import load_object
from .specs.spec import ModelOptions, Spec

Source = str | Path | Sequence[str | Path] | Mapping[str, Any]
"""A design: files, or a ``Specification`` of timeloopfe, or a dict of its sections."""


@dataclass(frozen=True)
class Result:
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


def load(files: Source, *, values: Mapping[str, Any] | None = None, rules: str = "2025") -> Spec:
    """Read a design: files, or a ``Specification`` of Timeloop's Python front end.

    Args:
        files: architecture, problem, tables, constraints, mapper (v0.2 to v0.4, in any order; a folder stands for its
            YAML files); or a v4 or v3 ``Specification``, or a dict with the same sections.
        values: variables for Jinja2 templates, and values to set by their path.
        rules: ``2025`` or ``2022``: the Timeloop version to equal.

    Raises:
        SpecError: anything wrong in the design.
        UsageError: no such file, or an object that is no design.
    """
    if isinstance(files, Mapping):
        return load_object(files, jinja_data=values, options=model_options(rules))
    return load_files(expand(files), jinja_data=values, options=model_options(rules))


def search(
    spec: Spec | Source,
    *,
    settings: Settings | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    threads: int = 1,
    top: int = 1,
    evaluator: EvaluatorChoice | None = None,
    knowledge: KnowledgeSource | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
    live: bool = False,
    tensorboard: str | Path | None = None,
    **choices: Any,
) -> Result:
    """Search for the best mapping.

    Args:
        spec: what ``load`` returned, or what it takes: files, or a ``Specification`` of timeloopfe.
        settings: searcher, objective, budget, seed; the defaults of ``Settings`` if there are none.
        output: folder for the trace (every sample, kept through kill -9) and the results; none = nothing is written.
        resume: go on with the search in ``output``.
        threads: evaluate on so many threads; results do not depend on it.
        top: how many distinct best mappings to keep.
        evaluator: the native model if there is none, or the real timeloop-model, which also evaluates designs outside
            the native model (``spec.beyond``).
        knowledge: what other layers' searches have learnt: a file, the folder of a network, or ``Result.knowledge``.
        on_progress: called after every batch.
        on_compile: told in one line when the cost model is compiled first; that takes tens of seconds.
        live: show how it goes, in a notebook or on a terminal.
        tensorboard: folder for scalars (extra ``tensorboard``).
        choices: settings by name, e.g. ``samples=500, searcher="annealing"``.

    Raises:
        UsageError: unknown searcher or objective, a folder that cannot be used, or no timeloop-model where it is asked.
        UnsupportedFeatureError: the native model does not cover the design, and there is no timeloop-model.
        BackendError: timeloop-model crashed or hung; what was evaluated until then is in the trace and the cache.
        InfeasibleError: the constraints leave no mapping.
    """
    original = spec if is_specification(spec) else None
    spec = spec if isinstance(spec, Spec) else load(spec)
    unknown = set(choices) - {entry.name for entry in dataclasses.fields(Settings)}
    if unknown:
        raise UsageError(f"unknown setting {sorted(unknown)[0]!r}")
    settings = (settings or Settings()).updated(choices)
    require_feasible(spec)
    objective = parse_objective(settings.objective, len(spec.architecture.storage))
    searcher = make_searcher(settings.searcher, spec, settings.seed, objective, settings.options)
    choice = fitting_choice(spec, evaluator or EvaluatorChoice())
    conditions = Conditions(choice, output, resume, threads, on_progress, on_compile, live, tensorboard)
    begun = begin_with(searcher, knowledge, output)
    found, judge = recorded_search(spec, settings, searcher, objective, conditions, top=top, identity=begun)
    figures = judged(spec, choice, judge, [best.mapping for best in found.best])
    learnt = learnt_by(searcher, spec.problem.name)
    known = Knowledge(() if learnt is None else (learnt,)) + load_knowledge(knowledge or Knowledge())
    result = Result(spec, settings, found, figures.statistics, figures.name, figures.texts, original, known)
    if output is not None:
        result.write(output)
    return result


def evaluate(
    spec: Spec | Source, mapping: LoopNest, *, evaluator: EvaluatorChoice | None = None
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
    choice = fitting_choice(spec, evaluator or EvaluatorChoice())
    if choice.kind == "native":
        return NativeEvaluator(spec).statistics(mapping)
    return timeloop_evaluator(spec, choice).statistics(mapping)


def model_options(rules: str) -> ModelOptions:
    """Choices of the cost model: the rule set, and Timeloop's own environment variables."""
    if rules not in ("2025", "2022"):
        raise UsageError(f"unknown rules {rules!r}: expected 2025 or 2022")
    return ModelOptions.from_environment(os.environ, rules)


def expand(files: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files themselves, and for a folder the YAML files directly in it, sorted by name."""
    found: list[Path] = []
    for name in [files] if isinstance(files, (str, Path)) else files:
        path = Path(name)
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix in (".yaml", ".yml") and file.name != IGNORED_INPUT and file.is_file()
            )
            if not inside:
                raise UsageError(f"{path}: no .yaml or .yml file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return found

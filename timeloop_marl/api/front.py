"""Search for a front instead of a single best: the mappings that nothing found beats in every figure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from ..cost.nondominated import Archive, hypervolume
from ..cost.objective import Objective, parse_objective
from ..cost.outcome import Outcome, Statistics
from ..errors import UsageError
from ..evaluators.choice import Judged
from ..mapspace.diagnosis import require_feasible
from ..parallel.interruption import ended
from ..report.html import REPORT, page_of, pictures_png, render
from ..report.results import write_mapping
from ..run.folder import TRACE, RunFolder
from ..run.options import RunOptions, Settings
from ..run.result import Found, Progress, SearchResult, StopReason
from ..run.run import Run
from ..run.search import run_search
from ..run.tables import Tabular
from ..searchers.base import Searcher
from ..searchers.fronts import UNITS, Figures, ScalarisedSearcher, figure_names, weightings
from ..searchers.registry import make_searcher
from ..specs.mapping import Mapping
from ..specs.spec import Spec
from .choices import AnyEvaluator, Chosen, arguments_of, evaluator_of, settings_of
from .inputs import Source, load

FRONT_SEARCHER = "marl"  # by default
_WHOLE = "nsga2"  # seeks a whole front by itself; any other is run once per weighting


@dataclass(frozen=True)
class Member:
    """A mapping on the front: its figures (in the order of ``Front.figures``) and all its statistics.

    ``texts``: the real program's own output files where only it covers the design.
    """

    found: Found
    figures: tuple[float, ...]
    statistics: Statistics
    texts: Map[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Front(Tabular):
    """A finished search for a front; members sorted by the first figure."""

    spec: Spec
    settings: Settings
    figures: tuple[str, ...]
    members: tuple[Member, ...]
    search: SearchResult
    evaluator: str

    def headline(self) -> str:
        """How many, of what."""
        return (
            f"{len(self.members)} mappings, none better in every one of {', '.join(self.figures)}; "
            f"{self.search.samples:,} samples, {self.settings.searcher}"
        )

    def columns(self) -> dict[str, list[Any]]:
        """A row for every member."""
        figures = {
            name: [member.figures[k] for member in self.members] for k, name in enumerate(self.figures)
        }
        found = [member.found for member in self.members]
        names = ("cycles", "energy_pj", "edp", "utilization", "sample")
        return {**figures, **{name: [getattr(one, name) for one in found] for name in names}}

    @property
    def points(self) -> ndarray:
        """The figures of all members, (members, figures)."""
        return np.array([member.figures for member in self.members]).reshape(-1, len(self.figures))

    @property
    def reference(self) -> tuple[float, ...]:
        """Corner of the hypervolume, the same for every front of this machine and layer (``reference_point``)."""
        return reference_point(self.spec, self.figures)

    def hypervolume(self, reference: Sequence[float] | None = None) -> float:
        """Exact volume between the front and a reference point (default ``reference``), in decades of every figure.

        Figures count by their logarithms, so that a halving is worth the same everywhere. Two of them compare only if
        the reference is the same.
        """
        corner = self.reference if reference is None else reference
        return hypervolume(_decades(self.points), _decades(np.asarray(corner, np.float64)).tolist())

    def write(self, folder: str | Path) -> list[Path]:
        """``front.json``, ``front.png`` and under ``front/`` the result files of every member, numbered as there."""
        target = RunFolder(folder)
        target.create()
        inside = RunFolder(target.path / "front")
        inside.create()
        digits = len(str(len(self.members)))
        written = [target.write("front.json", json.dumps(self._summary(digits), indent=2) + "\n")]
        for number, member in enumerate(self.members, 1):
            name = f"{number:0{digits}}"
            written += write_mapping(
                inside, self.spec, member.found.mapping, member.statistics, name, member.texts
            )
        page = page_of(target.path)
        if self.members:
            written.append(target.write("front.png", pictures_png(page, "front-")))
        written.append(target.write(REPORT, render(page)))
        return written

    def _summary(self, digits: int) -> dict[str, Any]:
        return {
            "problem": self.spec.problem.name,
            "energies": self.spec.energies.origin,
            "figures": {name: UNITS[name] for name in self.figures},
            "searcher": self.settings.searcher,
            "seed": self.settings.seed,
            "evaluator": self.evaluator,
            "samples": self.search.samples,
            "valid": self.search.valid,
            "knowledge": self.search.knowledge,
            "judged": self.search.judged,
            "stopped": self.search.reason.value,
            "hypervolume": self.hypervolume(),
            "reference": list(self.reference),
            "members": [
                {
                    "files": f"front/{number:0{digits}}",
                    "sample": member.found.sample,
                    **dict(zip(self.figures, member.figures)),
                    "edp": member.found.edp,
                    "utilization": member.found.utilization,
                }
                for number, member in enumerate(self.members, 1)
            ],
        }


def reference_point(spec: Spec, figures: Sequence[str]) -> tuple[float, ...]:
    """What a mapping without any reuse costs: one compute a cycle, every word moved to and from the outermost level.

    ``buffer``: every word of every level of limited size.
    """
    storage, energies, work = spec.architecture.storage, spec.energies, spec.problem.operations
    block = storage[-1].block_size
    outermost = energies.storage[-1]
    moved = len(spec.problem.data_spaces) * outermost.read + outermost.update
    table = {
        "cycles": float(work),
        "energy": work * (energies.compute + moved / block),
        "buffer": float(
            sum(level.effective_size * level.instances for level in storage if level.effective_size)
        ),
    }
    return tuple(table[name] for name in figures)


def _decades(figures: Float64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    return np.log1p(figures) / np.log(10.0)


def search_front(
    spec: Spec | Source,
    *,
    figures: str | Sequence[str] = ("cycles", "energy"),
    searcher: str | None = None,
    samples: int | None = None,
    valid_samples: int | None = None,
    seconds: float | None = None,
    stop: Callable[[Progress], bool] | None = None,
    seed: int | None = None,
    options: Map[str, object] | None = None,
    settings: Settings | None = None,
    runs: int | None = None,
    evaluator: AnyEvaluator | None = None,
    threads: int = 1,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    live: bool = False,
    tensorboard: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
    arguments: Map[str, Any] | None = None,
) -> Front:
    """Search for the mappings that are best in several figures at once, within one budget.

    Args:
        figures: two or three of ``cycles``, ``energy``, ``buffer`` (on-chip words needed).
        searcher: by default ``FRONT_SEARCHER``.
        runs: weightings among which any searcher but ``nsga2`` shares the budget out; default 3 for two figures, 6 for
            three (docs/searchers.md: more of them leave each too few samples).

    The other arguments are those of ``search``; the objective of ``settings`` only matters for the progress shown.

    Raises:
        UsageError: unknown figures or searcher, or a folder that cannot be used.
        InfeasibleError: the constraints leave no mapping.
        BackendError: timeloop-model crashed or hung.
        Interrupted: as ``search``.
    """
    spec = spec if isinstance(spec, Spec) else load(spec)
    names = figure_names(figures)
    settings = settings_of(
        settings or Settings(searcher=FRONT_SEARCHER), searcher=searcher, samples=samples, seconds=seconds,
        valid_samples=valid_samples, seed=seed, options=options,
    )  # fmt: skip
    runs = {2: 3, 3: 6}[len(names)] if runs is None else runs
    if runs < 2:
        raise UsageError(f"runs must be at least 2, got {runs}")
    require_feasible(spec)
    objective = parse_objective(settings.objective, len(spec.architecture.storage))
    keeper = _Keeper(spec, _searcher(spec, settings, names, runs, objective), names)
    chosen = Chosen(settings, keeper, objective, evaluator_of(spec, evaluator))
    how = RunOptions(output, resume, live, tensorboard, on_compile, arguments or {}, overwrite)
    with Run("front", how, mark=TRACE) as run:
        if not run.resumed:
            asked = {"pareto": True, "figures": ",".join(names)}
            run.describe({**arguments_of(spec, settings), **asked}, spec)
        found, judge = run_search(
            run, spec, settings, keeper, objective, chosen.evaluator, threads=threads, on_progress=on_progress,
            stop=stop, identity={"front": list(names), "runs": runs},
        )  # fmt: skip
        rows = keeper.archive.tags[np.lexsort(keeper.archive.points.T[::-1])]
        mappings = [keeper.space.decode(row[None, 1:])[0] for row in rows]
        figured = chosen.judged(spec, judge, mappings)
        front = Front(spec, settings, names, _members(keeper, mappings, figured), found, figured.name)
        if output is not None:
            front.write(output)
    return ended(front, interrupted=found.reason is StopReason.INTERRUPTED)


def _searcher(
    spec: Spec, settings: Settings, names: Sequence[str], runs: int, objective: Objective
) -> Searcher:
    if settings.searcher == _WHOLE:
        options = {**settings.options, "figures": ",".join(names)}
        return make_searcher(_WHOLE, spec, settings.seed, objective, options)
    energy = dataclasses.replace(objective, metrics=("energy",))
    weights = weightings(runs, len(names))
    return ScalarisedSearcher(
        lambda i: make_searcher(settings.searcher, spec, settings.seed + i, energy, settings.options),
        weights,
        lambda first: Figures(spec, first.space, names),
    )


class _Keeper(Searcher):
    """Keeps the front of everything that its searcher is told, also when a recorded search is replayed."""

    def __init__(self, spec: Spec, searcher: Searcher, names: Sequence[str]) -> None:
        self._searcher = searcher
        self.space, self.batch, self.precheck = searcher.space, searcher.batch, searcher.precheck
        self.copyable, self.knowledge = searcher.copyable, searcher.knowledge
        self._figures = Figures(spec, searcher.space, names)
        self._samples = 0
        self.archive = Archive(len(names), 1 + searcher.space.axes)

    @property
    def judged(self) -> int:
        """By the searcher."""
        return self._searcher.judged

    def _propose(self, n: int) -> Int64[ndarray, "m axes"]:
        """What the searcher proposes."""
        return self._searcher.ask(n)

    def _observe(self, candidates: Int64[ndarray, "m axes"], outcome: Outcome) -> None:
        """Keep what is on the front, and tell the searcher."""
        numbers = np.arange(self._samples + 1, self._samples + len(candidates) + 1)
        self._samples += len(candidates)
        self.archive.add(self._figures(candidates, outcome), np.column_stack([numbers, candidates]))
        self._searcher.tell(candidates, outcome)


def _members(keeper: _Keeper, mappings: Sequence[Mapping], judged: Judged) -> tuple[Member, ...]:
    archive = keeper.archive
    order = np.lexsort(archive.points.T[::-1])
    texts: Sequence[Map[str, str]] = judged.texts or [{}] * len(mappings)
    members = []
    for i, mapping, statistics, text in zip(order, mappings, judged.statistics, texts, strict=True):
        found = Found(
            mapping=mapping,
            candidate=tuple(int(x) for x in archive.tags[i, 1:]),
            sample=int(archive.tags[i, 0]),
            cost=statistics.energy_pj * statistics.cycles,
            cycles=statistics.cycles,
            energy_pj=statistics.energy_pj,
            utilization=statistics.utilization,
        )
        members.append(Member(found, tuple(float(x) for x in archive.points[i]), statistics, text))
    return tuple(members)

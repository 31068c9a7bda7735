"""``timeloop_marl.sweep``: a network, or a single layer, on many machines."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..cost.nondominated import non_dominated
from ..cost.objective import cost_of
from ..errors import SpecError, UsageError
from ..evaluators.choice import EvaluatorChoice
from ..mapspace.diagnosis import require_feasible
from ..parallel.engine import Engine
from ..parallel.interruption import watched
from ..parallel.versions import versions
from ..parallel.workers import Workers
from ..run.folder import RunFolder
from ..run.knowledge import Source, load_knowledge, save_knowledge
from ..run.options import RunOptions, Settings
from ..run.result import StopReason
from ..run.run import Run
from ..run.view import all_of
from ..searchers.knowledge import Knowledge
from ..searchers.registry import inherits
from ..specs.fingerprint import spec_fingerprint
from ..specs.reading import load
from ..specs.spec import ModelOptions, Spec
from .layers import sort_sources
from .result import FILE as NETWORK_FILE
from .result import NetworkResult, Pages, read_network
from .rounds import NetworkProgress
from .run import search_network
from .sweep_plan import Plan, PlannedPoint, machine_area, make_plan
from .sweep_result import CSV, DONE, FAILED, FIGURES, FILE, STOPPED, SweepPoint, SweepResult, as_csv, as_json
from .transfer import choose_teachers, machine_features, taught_by, teaching_order
from .watching import SweepProgress, Within, logged, sweep_snapshot

TAUGHT = "taught.npz"
"""In a point's folder: what it began with from other points and from elsewhere."""


@dataclass(frozen=True)
class PointTask:
    """What a point needs; see ``networks.run.network``.

    Attributes:
        teachers: folders of the points that it learns from; all that will ever be there is there when it begins.
    """

    files: tuple[Path, ...]
    values: Mapping[str, str]
    rules: str
    settings: Settings
    evaluator: EvaluatorChoice
    folder: Path
    transfer: bool = True
    knowledge: str | None = None
    teachers: tuple[Path, ...] = ()
    pages: Pages = field(default_factory=Pages)


@dataclass(frozen=True)
class PointDone:
    """What came of it: the network's result as far as there is one, and why there is none."""

    status: str
    message: str = ""
    result: NetworkResult | None = None


def run_point(
    task: PointTask,
    workers: Workers | None = None,
    on_progress: Callable[[NetworkProgress], None] | None = None,
) -> PointDone:
    """Search the network, or go on with it. Wrong input is a point that failed; anything else ends the sweep.

    Args:
        task: the point.
        workers: for its layers; none = one after the other, here.
        on_progress: called whenever a layer's task is done.

    Raises:
        UsageError: the folder cannot be used. BackendError: the real program crashed, or workers were lost.
    """
    known = finished(task)
    if known is not None:
        return judged(known)
    try:
        result = search_network(
            list(task.files),
            RunOptions(task.folder, resume=True),
            task.settings,
            task.evaluator,
            workers=workers or Workers(1),
            values=task.values,
            rules=task.rules,
            transfer=task.transfer,
            knowledge=_taught(task),
            pages=task.pages,
            on_progress=on_progress,
        )
    except SpecError as error:
        return PointDone(FAILED, str(error))
    return judged(result)


def _taught(task: PointTask) -> Source | None:
    """What the point begins with, written down so that it goes on with the same after an interruption."""
    if not task.teachers:
        return task.knowledge
    file = task.folder / TAUGHT
    if not file.exists():
        given = Knowledge() if task.knowledge is None else load_knowledge(task.knowledge)
        save_knowledge(taught_by(task.teachers) + given, file)
    return file


def finished(task: PointTask) -> NetworkResult | None:
    """The result that is there already, if its budget was the same and it was not interrupted."""
    if not (task.folder / NETWORK_FILE).exists():
        return None
    found = read_network(task.folder)
    if task.pages.network is not None and not _is_later(
        task.folder / task.pages.last, task.folder / NETWORK_FILE
    ):
        return None  # killed between its files: going on evaluates nothing anew, and writes what is missing
    same = found.budget.get("samples") == task.settings.samples or task.settings.samples is None
    same = same and found.budget.get("seconds") == task.settings.seconds
    return found if same and found.stopped != StopReason.INTERRUPTED.value else None


def judged(result: NetworkResult) -> PointDone:
    """The result with its status."""
    if result.stopped == StopReason.INTERRUPTED.value:
        return PointDone(STOPPED, "", result)
    if result.totals is None:
        missing = ", ".join(layer.name for layer in result.layers if not layer.found)
        return PointDone(FAILED, f"no valid mapping of {missing} within the budget", result)
    return PointDone(DONE, "", result)


POINTS = "points"
"""Where the run folders of the points are."""
PICTURE = "sweep.png"


def search_sweep(
    files: str | Path | Sequence[str | Path],
    options: RunOptions,
    settings: Settings,
    evaluator: EvaluatorChoice,
    *,
    engine: Engine | None = None,
    values: Mapping[str, Any] | None = None,
    paired: bool = False,
    rules: str = "2025",
    transfer: bool = True,
    share: bool = True,
    knowledge: str | Path | None = None,
    pages: Pages | None = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> SweepResult:
    """Search a network on every machine and with every choice of values; data in ``options.output``.

    Args:
        engine: where points (or, with few points, layers) are searched.
        pages: what is written for people, of each point.

    The rest and errors as ``api.networks.sweep``.
    """
    texts = {
        name: value if isinstance(value, str) else _listed(value) for name, value in (values or {}).items()
    }
    plan = make_plan([files] if isinstance(files, (str, Path)) else files, texts, paired=paired)
    named = None if knowledge is None else str(knowledge)
    conditions = _Conditions(settings, evaluator, rules, transfer, share, named, pages or Pages())
    lifetime = Run("sweep", options)
    points = _Sweep(plan, conditions, Path(options.output or ""))
    points.check(on_notice or (lambda text: None))
    with lifetime as run:
        points.prepare(run)
        with (engine or Engine()).open() as workers:
            return points.search(run, workers, on_progress)


@dataclass(frozen=True)
class _Conditions:
    """What is the same for all points; see ``sweep``."""

    settings: Settings
    evaluator: EvaluatorChoice
    rules: str
    transfer: bool
    share: bool
    knowledge: str | None
    pages: Pages

    @property
    def teaching(self) -> bool:
        """Whether points learn from each other."""
        return self.share and self.transfer and inherits(self.settings.searcher)


class _Sweep:
    """One sweep in one folder."""

    def __init__(self, plan: Plan, conditions: _Conditions, root: Path) -> None:
        self.plan, self.conditions, self.settings = plan, conditions, conditions.settings
        self.folder = RunFolder(root)
        self.sources = sort_sources([*plan.machines[0].files, *plan.layers])
        self.points = [_planned(point) for point in plan.points]
        self.fingerprints: dict[str, str] = {}
        self.teachers: dict[str, tuple[str, ...]] = {}
        self._features: dict[str, dict[str, float]] = {}
        self._warm: Spec | None = None

    def check(self, on_notice: Callable[[str], None]) -> None:
        """Read every point with the first layer, before anything runs: area, fingerprint, what is wrong.

        Raises:
            SpecError: all points are wrong; that of the first.
        """
        first_error: SpecError | None = None
        told: set[str] = set()
        for i, planned in enumerate(self.plan.points):
            try:
                spec = self._read(planned)
                require_feasible(spec)
            except SpecError as error:
                first_error = first_error or error
                self.points[i] = dataclasses.replace(self.points[i], status=FAILED, message=str(error))
                continue
            self._warm = self._warm or spec
            self.fingerprints[planned.name] = spec_fingerprint(spec)
            self._features[planned.name] = machine_features(spec)
            area, note = machine_area(spec)
            self.points[i] = dataclasses.replace(
                self.points[i], area_um2=area, area_note=note, energies=spec.energies.origin
            )
            for notice in spec.notices:
                if notice not in told:
                    told.add(notice)
                    on_notice(notice)
        if first_error is not None and self._warm is None:
            raise first_error
        self._tell_equal_points(on_notice)

    def _read(self, planned: PlannedPoint) -> Spec:
        layer = self.sources.layers[0].file
        files = [*planned.machine.files, *([layer] if layer and layer not in planned.machine.files else [])]
        options = ModelOptions.from_environment(os.environ, self.conditions.rules)
        return load(files, options=options, jinja_data=planned.values)

    def _tell_equal_points(self, on_notice: Callable[[str], None]) -> None:
        """A value that changes nothing is most likely not what was meant."""
        seen: dict[str, str] = {}
        for name, fingerprint in self.fingerprints.items():
            if fingerprint in seen:
                on_notice(f"{name} is the same machine and layer as {seen[fingerprint]}, to the last figure")
            seen.setdefault(fingerprint, name)

    def prepare(self, run: Run) -> None:
        """Write down what is to be run, or check that an interrupted sweep there is this one."""
        manifest = self.folder.read_manifest() if self.folder.started else {}
        recorded = manifest.get("points", {})
        for name, fingerprint in self.fingerprints.items():
            if recorded.get(name, fingerprint) != fingerprint:
                raise UsageError(
                    f"{self.folder.path}: cannot resume: point {name} is not what it was when the sweep began; "
                    "give the same machines and layers, or start anew in another folder"
                )
        taught = {name: () for name in self._features if name in recorded or not self.conditions.teaching}
        self.teachers = choose_teachers(self._features, {**taught, **manifest.get("teachers", {})})
        machines = [str(file) for machine in self.plan.machines for file in machine.files]
        asked = {
            "files": machines + [str(file) for file in self.plan.layers],
            "values": [f"{name}={','.join(entries)}" for name, entries in self.plan.axes.items()],
            "rules": self.conditions.rules,
            "transfer": self.conditions.transfer,
            "share": self.conditions.share,
            "knowledge": self.conditions.knowledge,
            "paired": self.plan.paired,
        }
        run.describe(
            {**asked, **self.settings.as_arguments()},
            points={**recorded, **self.fingerprints},
            teachers={**manifest.get("teachers", {}), **self.teachers},
        )

    def search(
        self, run: Run, workers: Workers, on_progress: Callable[[SweepProgress], None] | None
    ) -> SweepResult:
        """All points that are left, group by group: who teaches comes before who learns."""
        if self._warm is not None:
            run.warm_up_for(self._warm, self.settings, self.conditions.evaluator)
        start = time.monotonic()
        run.start(points=len(self.points), machines=len(self.plan.machines), seed=self.settings.seed)

        def show(progress: SweepProgress) -> None:
            run.show(sweep_snapshot(progress))

        def inside(i: int, progress: NetworkProgress) -> None:
            within = Within(i, progress.samples, progress.budget)
            show(SweepProgress(self.points[i], tuple(self.points), time.monotonic() - start, within))

        with watched() as interrupted:
            try:
                for i, done in self._runs(workers, interrupted, inside):
                    self.points[i] = _taken(self.points[i], done)
                    result = self._write()
                    progress = SweepProgress(result.points[i], result.points, time.monotonic() - start)
                    run.log.write("point", **logged(progress))
                    all_of(show, on_progress)(progress)
            except KeyboardInterrupt:  # what workers had begun is in their folders
                self.points = [
                    dataclasses.replace(point, status=STOPPED)
                    if point.status not in (DONE, FAILED)
                    else point
                    for point in self.points
                ]
        result = self._write()
        run.end(
            "all points searched" if result.complete else StopReason.INTERRUPTED.value,
            points=len(result.points),
            done=len(result.done),
            failed=sum(point.status == FAILED for point in result.points),
            samples=sum(point.samples for point in result.points),
        )
        return result

    def _runs(
        self,
        workers: Workers,
        interrupted: Callable[[], bool],
        inside: Callable[[int, NetworkProgress], None],
    ) -> Iterator[tuple[int, PointDone]]:
        place = {point.name: i for i, point in enumerate(self.points)}
        teachers = {name: self.teachers[name] for name in place if name in self._features}
        for group in teaching_order(teachers):
            yield from self._group([place[name] for name in group], workers, interrupted, inside)

    def _group(
        self,
        todo: Sequence[int],
        workers: Workers,
        interrupted: Callable[[], bool],
        inside: Callable[[int, NetworkProgress], None],
    ) -> Iterator[tuple[int, PointDone]]:
        """By points or by layers, whichever keeps the workers busy."""
        tasks = [self._task(self.plan.points[i]) for i in todo]
        if not workers.here and (len(self.sources.layers) == 1 or len(todo) >= 2 * workers.jobs):
            for index, done in workers.run(run_point, tasks):
                yield todo[index], done
                if done.status == STOPPED:
                    raise KeyboardInterrupt
            return
        for i, task in zip(todo, tasks):
            done = run_point(task, workers, partial(inside, i))
            yield i, done
            if done.status == STOPPED or interrupted():
                raise KeyboardInterrupt

    def _task(self, planned: PlannedPoint) -> PointTask:
        return PointTask(
            # Workers may live on from a call that was made in another working directory.
            files=tuple(_absolute(file) for file in (*planned.machine.files, *self.plan.layers)),
            values=planned.values,
            rules=self.conditions.rules,
            settings=self.settings,
            evaluator=self.conditions.evaluator,
            folder=(self.folder.path / POINTS / planned.name).absolute(),
            transfer=self.conditions.transfer,
            knowledge=None
            if self.conditions.knowledge is None
            else str(_absolute(self.conditions.knowledge)),
            teachers=tuple(
                (self.folder.path / POINTS / name).absolute() for name in self.teachers[planned.name]
            ),
            pages=self.conditions.pages,
        )

    def _write(self) -> SweepResult:
        figures = known_figures(self.points)
        self.points = marked(self.points, figures, self.settings.objective)
        result = SweepResult(
            network=self.sources.name if len(self.sources.layers) > 1 else self.sources.layers[0].name,
            axes=dict(self.plan.axes),
            machines=tuple(machine.name for machine in self.plan.machines),
            objective=self.settings.objective,
            searcher=self.settings.searcher,
            seed=self.settings.seed,
            samples=self.settings.samples,
            points=tuple(self.points),
            figures=figures,
            versions=versions(),
        )
        self.folder.write(CSV, as_csv(result))
        self.folder.write(FILE, as_json(result))
        return result


def _absolute(file: str | Path) -> Path:
    """Where a file lies; what names none (a pattern, a model in Python) stays as it is."""
    return Path(file).absolute() if Path(file).exists() else Path(file)


def _is_later(file: Path, other: Path) -> bool:
    try:
        return file.stat().st_mtime_ns >= other.stat().st_mtime_ns
    except OSError:
        return False


def known_figures(points: Sequence[SweepPoint]) -> tuple[str, ...]:
    """Figures known of every point that is done: area is left out as soon as one point lacks it."""
    done = [point for point in points if point.status == DONE]
    return tuple(name for name in FIGURES if done and all(getattr(point, name) is not None for point in done))


def marked(points: Sequence[SweepPoint], figures: Sequence[str], objective: str) -> list[SweepPoint]:
    """The points with the front and the best by the (first) objective marked."""
    done = [i for i, point in enumerate(points) if point.status == DONE]
    table = np.array([[getattr(points[i], name) for name in figures] for i in done], np.float64)
    front = {i for i, kept in zip(done, non_dominated(table) if done else []) if kept}
    best = min(done, key=lambda i: cost_of(objective, points[i].energy_pj, points[i].cycles), default=-1)
    return [dataclasses.replace(point, front=i in front, best=i == best) for i, point in enumerate(points)]


def _planned(point: PlannedPoint) -> SweepPoint:
    return SweepPoint(point.name, point.machine.name, dict(point.values), f"{POINTS}/{point.name}")


def _taken(point: SweepPoint, done: PointDone) -> SweepPoint:
    result = done.result
    if result is None:
        return dataclasses.replace(point, status=done.status, message=done.message)
    totals = result.totals if done.status == DONE else None
    return dataclasses.replace(
        point,
        status=done.status,
        message=done.message,
        cycles=None if totals is None else totals.cycles,
        energy_pj=None if totals is None else totals.energy_pj,
        edp=None if totals is None else totals.edp,
        utilization=None if totals is None else totals.utilization,
        samples=result.samples,
        seconds=result.seconds,
    )


def _listed(value: Any) -> str:
    entries = value if isinstance(value, (list, tuple)) else [value]
    return ",".join(str(entry) for entry in entries)

"""``timeloop_marl.sweep``: a network, or a single layer, on many machines."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SpecError, UsageError
from ..evaluation import EvaluatorChoice, make_evaluator
from ..interruption import watched
from ..live.log import LOG, EventLog
from ..live.view import View, all_of, live_view
from ..mapspace.diagnosis import require_feasible
from ..networks.rounds import NetworkProgress
from ..networks.run import INHERITS
from ..networks.sources import sort_sources
from ..nondominated import non_dominated
from ..objective import parse_objective
from ..parallel import Engine, Workers
from ..report.html import REPORT, page_of, pictures_png, render
from ..run_folder import RunFolder
from ..run_identity import spec_fingerprint
from ..searchers.base import warm_up
from ..searchers.registry import make_searcher
from ..settings import Settings
from ..specs.reading import load
from ..specs.spec import ModelOptions, Spec
from ..versions import versions
from .area import machine_area
from .plan import Plan, PlannedPoint, make_plan
from .result import CSV, DONE, FAILED, FIGURES, FILE, STOPPED, SweepPoint, SweepResult, as_csv, as_json
from .task import PointDone, PointTask, run_point
from .teachers import choose_teachers, machine_features, teaching_order
from .watching import SweepLog, SweepProgress, Within, sweep_snapshot

POINTS = "points"
"""Where the run folders of the points are."""
PICTURE = "sweep.png"


def sweep(
    files: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    values: Mapping[str, Any] | None = None,
    paired: bool = False,
    settings: Settings | None = None,
    resume: bool = False,
    jobs: int | None = None,
    backend: str | None = None,
    scheduler: str | None = None,
    evaluator: EvaluatorChoice | None = None,
    rules: str = "2025",
    transfer: bool = True,
    share: bool = True,
    knowledge: str | Path | None = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    live: bool = False,
    **choices: Any,
) -> SweepResult:
    """Search a network on every machine and with every choice of values.

    Args:
        files: machines and layers: files, folders, patterns, lists of layers.
        values: path or template variable -> values with commas between them, or a list of values.
        output: folder for the results; each point has a run folder of its own under ``points``.
        paired: take the lists of values side by side in place of every combination.
        settings: searcher, objective, seed; ``samples`` and ``seconds`` are budgets of each point.
        resume: go on with the sweep in ``output``; more values may be given.
        jobs: points (or, with few points, layers) searched at the same time; the result does not depend on it.
        backend: ``loky``, ``threading``, ``dask`` or ``ray``.
        scheduler: address of a running Dask or Ray cluster.
        evaluator: the native model if there is none.
        rules: ``2025`` or ``2022``: the Timeloop version to equal.
        transfer: layers of a point learn from those searched before them (searcher ``marl``).
        share: points learn from the nearest machines that are searched before them, too (with ``transfer``).
        knowledge: what every point begins with: a file, or the folder of a network's run.
        on_progress: called whenever a point is done.
        on_notice: told once what the user should know about the input.
        live: show how it goes, point by point, in a notebook or on a terminal.
        choices: settings by name.

    Raises:
        SpecError: no point can be read; one that cannot among others that can is a point that failed.
        UsageError: no machine, wrong settings, or a folder that cannot be used.
    """
    texts = {
        name: value if isinstance(value, str) else _listed(value) for name, value in (values or {}).items()
    }
    plan = make_plan([files] if isinstance(files, (str, Path)) else files, texts, paired=paired)
    chosen = (settings or Settings()).updated(choices)
    conditions = _Conditions(
        chosen,
        evaluator or EvaluatorChoice(),
        rules,
        transfer,
        share,
        None if knowledge is None else str(knowledge),
    )
    run = _Sweep(plan, conditions, Path(output))
    run.check(on_notice or (lambda text: None))
    run.prepare(resume)
    with (
        RunFolder(output).locked(),
        live_view(live) as view,
        Engine.chosen(jobs, backend, scheduler).open() as workers,
    ):
        return run.search(workers, on_progress, view)


@dataclass(frozen=True)
class _Conditions:
    """What is the same for all points; see ``sweep``."""

    settings: Settings
    evaluator: EvaluatorChoice
    rules: str
    transfer: bool
    share: bool
    knowledge: str | None

    @property
    def teaching(self) -> bool:
        """Whether points learn from each other."""
        return self.share and self.transfer and self.settings.searcher == INHERITS


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
            for notice in (*spec.notices, *spec.constraints.warnings):
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

    def prepare(self, resume: bool) -> None:
        """Make the folder, or check that an interrupted sweep there is this one."""
        if self.folder.started and not resume:
            raise UsageError(
                f"{self.folder.path}: holds a run already; go on with it by --resume, or choose another -o folder"
            )
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
        self.folder.create()
        settings = dataclasses.asdict(self.settings)
        self.folder.write_manifest(
            {
                "kind": "sweep",
                "arguments": {
                    "files": [str(file) for machine in self.plan.machines for file in machine.files]
                    + [str(file) for file in self.plan.layers],
                    "values": [f"{name}={','.join(entries)}" for name, entries in self.plan.axes.items()],
                    "rules": self.conditions.rules,
                    "transfer": self.conditions.transfer,
                    "share": self.conditions.share,
                    "knowledge": self.conditions.knowledge,
                    "paired": self.plan.paired,
                    **{
                        name: settings[name]
                        for name in ("searcher", "objective", "samples", "seconds", "seed")
                    },
                    "option": [f"{key}={value}" for key, value in self.settings.options.items()],
                },
                "points": {**recorded, **self.fingerprints},
                "teachers": {**manifest.get("teachers", {}), **self.teachers},
            }
        )

    def search(
        self, workers: Workers, on_progress: Callable[[SweepProgress], None] | None, view: View
    ) -> SweepResult:
        """All points that are left, group by group: who teaches comes before who learns."""
        self._warm_up(view.announce)
        start = time.monotonic()
        log = SweepLog(EventLog(self.folder.path / LOG))
        log.start(
            {"points": len(self.points), "machines": len(self.plan.machines), "seed": self.settings.seed}
        )

        def show(progress: SweepProgress) -> None:
            view.show(sweep_snapshot(progress))

        def inside(i: int, progress: NetworkProgress) -> None:
            within = Within(i, progress.samples, progress.budget)
            show(SweepProgress(self.points[i], tuple(self.points), time.monotonic() - start, within))

        with watched() as interrupted:
            try:
                for i, done in self._runs(workers, interrupted, inside):
                    self.points[i] = _taken(self.points[i], done)
                    result = self._write()
                    progress = SweepProgress(result.points[i], result.points, time.monotonic() - start)
                    all_of(log.update, show, on_progress)(progress)
            except KeyboardInterrupt:  # what workers had begun is in their folders
                self.points = [
                    dataclasses.replace(point, status=STOPPED)
                    if point.status not in (DONE, FAILED)
                    else point
                    for point in self.points
                ]
        result = self._write()
        log.end(result)
        page = page_of(self.folder.path)
        if len(result.done) > 0:
            self.folder.write(PICTURE, pictures_png(page, "area-", "cycles-"))
        self.folder.write(REPORT, render(page))
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
            files=(*planned.machine.files, *self.plan.layers),
            values=planned.values,
            rules=self.conditions.rules,
            settings=self.settings,
            evaluator=self.conditions.evaluator,
            folder=self.folder.path / POINTS / planned.name,
            transfer=self.conditions.transfer,
            knowledge=self.conditions.knowledge,
            teachers=tuple(self.folder.path / POINTS / name for name in self.teachers[planned.name]),
        )

    def _warm_up(self, on_compile: Callable[[str], None]) -> None:
        """Compile once, here, what all workers would otherwise compile at the same time."""
        spec, settings = self._warm, self.settings
        if spec is None:
            return
        make_evaluator(spec, self.conditions.evaluator, on_compile=on_compile)
        objective = parse_objective(settings.objective, len(spec.architecture.storage))
        warm_up(make_searcher(settings.searcher, spec, 0, objective, settings.options), on_compile)

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


def known_figures(points: Sequence[SweepPoint]) -> tuple[str, ...]:
    """Figures known of every point that is done: area is left out as soon as one point lacks it."""
    done = [point for point in points if point.status == DONE]
    return tuple(name for name in FIGURES if done and all(getattr(point, name) is not None for point in done))


def marked(points: Sequence[SweepPoint], figures: Sequence[str], objective: str) -> list[SweepPoint]:
    """The points with the front and the best by the (first) objective marked."""
    done = [i for i, point in enumerate(points) if point.status == DONE]
    table = np.array([[getattr(points[i], name) for name in figures] for i in done], np.float64)
    front = {i for i, kept in zip(done, non_dominated(table) if done else []) if kept}
    figure = {"energy": "energy_pj", "delay": "cycles"}.get(objective.split(",")[0], "edp")
    best = min(done, key=lambda i: getattr(points[i], figure), default=-1)
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

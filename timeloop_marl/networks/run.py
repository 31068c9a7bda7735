"""``timeloop_marl.network``: search all layers of a network on one machine, within one budget."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..evaluation import EvaluatorChoice, make_evaluator
from ..knowledge_file import BEFORE, Source, load_knowledge, save_knowledge
from ..live.log import LOG, EventLog
from ..live.tensorboard import TensorBoard
from ..live.view import View, all_of, live_view
from ..objective import parse_objective
from ..parallel import Engine, Workers
from ..report.html import REPORT, network_page, render
from ..report.network_record import read_network_record
from ..run_folder import INPUTS, TRACE, RunFolder
from ..search_result import StopReason
from ..searchers.base import warm_up
from ..searchers.marl.knowledge import Knowledge
from ..searchers.registry import make_searcher
from ..settings import Settings
from ..specs.spec import ModelOptions
from ..specs.writing import document, yaml_text
from ..versions import versions
from .choice import Point, best_product
from .figures import FigureTask, HullTask, layer_figures, layer_hull
from .folders import LAYERS
from .layers import Layer, problem_fingerprint, read_layers
from .models import layer_folders
from .result import FILE, LayerResult, NetworkResult, as_json
from .rounds import NetworkProgress, Rounds
from .sources import Sources, sort_sources
from .tables import layers_csv
from .totals import totals
from .transfer import Transfer
from .watching import NetworkBoard, NetworkLog, network_snapshot

CSV = "layers.csv"
INHERITS = "marl"
PER_LAYER = 500
"""Samples per distinct layer where no budget is given."""


def network(
    files: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    settings: Settings | None = None,
    resume: bool = False,
    jobs: int | None = None,
    backend: str | None = None,
    scheduler: str | None = None,
    workers: Workers | None = None,
    transfer: bool = True,
    knowledge: Source | None = None,
    evaluator: EvaluatorChoice | None = None,
    values: Mapping[str, Any] | None = None,
    rules: str = "2025",
    on_progress: Callable[[NetworkProgress], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    live: bool = False,
    tensorboard: str | Path | None = None,
    **choices: Any,
) -> NetworkResult:
    """Search for the mappings of all layers that make the network's total the least.

    Args:
        files: machine and layers: files, folders, patterns, lists of layers (``network.yaml``), models to be converted
            (a ``.onnx`` file, ``module:function`` for torch).
        output: folder for the result; each layer has a run folder of its own under ``layers``.
        settings: searcher, objective, seed; ``samples`` and ``seconds`` are budgets of the whole network.
        resume: go on with the run in ``output``.
        jobs: layers searched at the same time; the result does not depend on it (but with ``seconds``).
        backend: ``loky``, ``threading``, ``dask`` or ``ray``.
        scheduler: address of a running Dask or Ray cluster.
        workers: such as are open already, in place of the three.
        transfer: layers learn from those searched before them (searcher ``marl``).
        knowledge: what other networks' layers have learnt: a file, or the folder of a network.
        evaluator: the native model if there is none.
        values: variables of Jinja2 templates.
        rules: ``2025`` or ``2022``: the Timeloop version to equal.
        on_progress: called whenever a layer's task is done.
        on_compile: told in one line when the cost model is compiled first.
        on_notice: told what the user should know about the input, once each.
        live: show how it goes, layer by layer, in a notebook or on a terminal.
        tensorboard: folder for scalars of the layers and the whole (extra ``tensorboard``).
        choices: settings by name.

    Raises:
        SpecError: a file is wrong. InfeasibleError: a layer has no mapping. Both before anything runs.
        UsageError: wrong settings, or a folder that cannot be used.
    """
    listed = [files] if isinstance(files, (str, Path)) else list(files)
    _check_unused(RunFolder(output), resume)
    sources = sort_sources(layer_folders(listed, Path(output), on_notice))
    layers = read_layers(sources, options=ModelOptions.from_environment(os.environ, rules), values=values)
    for notice in _notices(sources, layers):
        if on_notice is not None:
            on_notice(notice)
    chosen = (settings or Settings()).updated(choices)
    run = _Run(sources.name, layers, chosen, Path(output), evaluator or EvaluatorChoice())
    run.teach(transfer, knowledge)
    given = {"files": list(map(str, listed)), "values": [f"{k}={v}" for k, v in (values or {}).items()]}
    named = knowledge if knowledge is None or isinstance(knowledge, (str, Path)) else "given"
    arguments = {**given, "rules": rules, "transfer": transfer, "knowledge": named and str(named)}
    with ExitStack() as stack:
        if tensorboard is not None:
            board = stack.enter_context(TensorBoard(tensorboard))
            counts = tuple(layer.count for layer in layers)
            on_progress = all_of(NetworkBoard(board, counts).update, on_progress)
        view = stack.enter_context(live_view(live))
        run.warm_up(all_of(view.announce, on_compile))
        run.prepare(resume, arguments)
        if workers is None:
            workers = stack.enter_context(Engine.chosen(jobs, backend, scheduler).open())
        return run.search(workers, on_progress, view)


class _Run:
    """One network in one folder."""

    def __init__(
        self, name: str, layers: tuple[Layer, ...], settings: Settings, root: Path, evaluator: EvaluatorChoice
    ) -> None:
        self.name, self.layers, self.settings, self.root = name, layers, settings, root
        self.evaluator = evaluator
        self.folders = [f"{LAYERS}/{layer.name}" for layer in layers]
        self.samples = settings.samples
        if settings.samples is None and settings.seconds is None:
            self.samples = PER_LAYER * len(layers)
        self._transfer: Transfer | None = None
        _check(settings, self.samples, len(layers))

    def teach(self, transfer: bool, knowledge: Source | None) -> None:
        """Let layers learn from each other, and from a file."""
        if knowledge is not None and not (transfer and self.settings.searcher == INHERITS):
            raise UsageError(f"knowledge goes with searcher {INHERITS}, and with transfer")
        if transfer and self.settings.searcher == INHERITS:
            given = Knowledge() if knowledge is None else load_knowledge(knowledge)
            self._transfer = Transfer(self.layers, [self.root / f for f in self.folders], self.name, given)

    def prepare(self, resume: bool, arguments: Mapping[str, Any]) -> None:
        """Make the folders, or check that those of an interrupted run are the same run's."""
        folder = RunFolder(self.root)
        _check_unused(folder, resume)
        layers = {layer.name: problem_fingerprint(layer.spec) for layer in self.layers}
        if folder.started:
            _check_layers(folder, layers)
        folder.create()
        folder.write_manifest(
            {"kind": "network", "arguments": {**arguments, **_settings(self.settings)}, "layers": layers}
        )
        for layer, name in zip(self.layers, self.folders):
            inside = RunFolder(self.root / name)
            if not inside.started:
                inside.create()
                inside.write(INPUTS, yaml_text(document(layer.spec)))
                inside.write_manifest(
                    {
                        "arguments": {"files": list(layer.files), **_settings(self.settings)},
                        "kind": "layer",
                        "network": self.name,
                    }
                )

    def warm_up(self, on_compile: Callable[[str], None] | None) -> None:
        """Compile once, here, what all workers would otherwise compile at the same time."""
        spec = self.layers[0].spec
        make_evaluator(spec, self.evaluator, on_compile=on_compile)
        objective = parse_objective(self.settings.objective, len(spec.architecture.storage))
        searcher = make_searcher(self.settings.searcher, spec, 0, objective, self.settings.options)
        warm_up(searcher, on_compile)

    def search(
        self,
        workers: Workers,
        on_progress: Callable[[NetworkProgress], None] | None,
        view: View,
    ) -> NetworkResult:
        """All rounds, then the choice, figures and files."""
        start, before = time.monotonic(), self._seconds_before()

        def show(progress: NetworkProgress) -> None:
            counts = tuple(layer.count for layer in self.layers)
            view.show(network_snapshot(progress, counts, self.settings.objective))

        with RunFolder(self.root).locked():
            log = NetworkLog(EventLog(self.root / LOG))
            log.start({"network": self.name, "layers": len(self.layers), **_settings(self.settings)})
            rounds = Rounds(
                layers=self.layers,
                folders=[self.root / name for name in self.folders],
                root=self.root,
                settings=self.settings,
                evaluator=self.evaluator,
                workers=workers,
                samples=self.samples,
                seconds=self.settings.seconds,
                transfer=self._transfer,
                on_progress=all_of(log.update, show, on_progress),
            )
            reason = rounds.run()
            results = self._results(rounds, workers)
            seconds = before + time.monotonic() - start
            result = self._result(results, rounds, reason, seconds)
            self._write(result)
            log.end(result)
            if self._transfer is not None:
                save_knowledge(self._transfer.all_learnt(), self.root / BEFORE)
        return result

    def _results(self, rounds: Rounds, workers: Workers) -> list[LayerResult]:
        chosen = self._chosen(rounds, workers)
        tasks = [
            FigureTask(
                layer=layer,
                settings=self.settings,
                evaluator=self.evaluator,
                root=self.root,
                folder=self.folders[i],
                sample=chosen[i],
                reason=rounds.reasons[i],
                knowledge=self._transfer.teacher(i) if self._transfer else "",
            )
            for i, layer in enumerate(self.layers)
        ]
        done = dict(workers.run(layer_figures, tasks))
        return [done[i] for i in range(len(tasks))]

    def _chosen(self, rounds: Rounds, workers: Workers) -> list[int]:
        """Number of each layer's sample that makes the total the least; 0 where nothing was valid."""
        steps = [course.best for course in rounds.courses]
        best = [None if s is None else Point(s.samples, s.cycles, s.energy_pj) for s in steps]
        tasks = [
            HullTask(self.settings.objective, self.root / folder / TRACE, point)
            for folder, point in zip(self.folders, best)
        ]
        hulls = dict(workers.run(layer_hull, tasks))
        found = [i for i in range(len(tasks)) if hulls[i]]
        points = best_product([hulls[i] for i in found], [self.layers[i].count for i in found])
        sample = dict(zip(found, points))
        return [sample[i].sample if i in sample else 0 for i in range(len(tasks))]

    def _result(
        self, results: Sequence[LayerResult], rounds: Rounds, reason: StopReason, seconds: float
    ) -> NetworkResult:
        spec, settings = self.layers[0].spec, self.settings
        evaluator = make_evaluator(spec, self.evaluator).name
        return NetworkResult(
            name=self.name,
            objective=settings.objective,
            searcher=settings.searcher,
            options={key: str(value) for key, value in sorted(settings.options.items())},
            seed=settings.seed,
            evaluator=evaluator,
            energies=spec.energies.origin,
            samples=sum(layer.samples for layer in results),
            valid=sum(layer.valid for layer in results),
            seconds=seconds,
            search_seconds=math.fsum(layer.seconds for layer in results),
            stopped=reason.value,
            budget={"samples": self.samples, "seconds": settings.seconds},
            layers=tuple(results),
            totals=totals(results),
            rounds=tuple(rounds.targets),
            files=tuple(dict.fromkeys(file for layer in self.layers for file in layer.files)),
            versions=versions(),
        )

    def _write(self, result: NetworkResult) -> None:
        folder = RunFolder(self.root)
        folder.write(CSV, layers_csv(result))
        folder.write(FILE, as_json(result))
        folder.write(REPORT, render(network_page(read_network_record(self.root))))

    def _seconds_before(self) -> float:
        """Wall clock of the interrupted runs that this one goes on with, where they got as far as writing it."""
        try:
            return float(json.loads((self.root / FILE).read_text())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0


def _notices(sources: Sources, layers: Sequence[Layer]) -> list[str]:
    """What is to be said about the input, once each."""
    found = [*sources.notices]
    for layer in layers:
        found += layer.spec.notices
    return list(dict.fromkeys(found))


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "searcher": settings.searcher,
        "objective": settings.objective,
        "samples": settings.samples,
        "seconds": settings.seconds,
        "seed": settings.seed,
        "option": [f"{key}={value}" for key, value in settings.options.items()],
    }


def _check_unused(folder: RunFolder, resume: bool) -> None:
    if folder.started and not resume:
        raise UsageError(
            f"{folder.path}: holds a run already; go on with it by --resume, or choose another -o folder"
        )


def _check_layers(folder: RunFolder, layers: Mapping[str, str]) -> None:
    recorded = folder.read_manifest().get("layers", {})
    differing = sorted(name for name in {*layers, *recorded} if layers.get(name) != recorded.get(name))
    if differing:
        raise UsageError(
            f"{folder.path}: cannot resume: layer {differing[0]} is not what it was when the run began; "
            "give the same machine and layers, or start anew in another folder"
        )


def _check(settings: Settings, samples: int | None, layers: int) -> None:
    for name in ("valid_samples", "target", "stagnation"):
        if getattr(settings, name) is not None:
            raise UsageError(f"{name} is a limit of a single search; a network has samples and seconds")
    if samples is not None and samples < layers:
        raise UsageError(f"{samples} samples for {layers} distinct layers: give each of them at least one")

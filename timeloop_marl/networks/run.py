"""All layers of a network on one machine, searched within one budget."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..cost.objective import parse_objective
from ..errors import UsageError
from ..evaluators.choice import EvaluatorChoice, make_evaluator
from ..parallel.engine import Engine
from ..parallel.versions import versions
from ..parallel.workers import Workers
from ..run.folder import INPUTS, TRACE, RunFolder
from ..run.knowledge import BEFORE, Source, load_knowledge, save_knowledge
from ..run.options import RunOptions, Settings
from ..run.result import StopReason
from ..run.run import Run
from ..run.view import all_of
from ..searchers.knowledge import Knowledge
from ..searchers.registry import all_searchers, inherits, make_searcher
from ..specs.spec import ModelOptions
from ..specs.writing import document
from ..specs.yaml_text import yaml_text
from .choice import FigureTask, HullTask, Point, best_product, layer_figures, layer_hull
from .layers import LAYERS, Layer, Sources, layer_folders, problem_fingerprint, read_layers, sort_sources
from .result import FILE, LayerResult, NetworkResult, Pages, as_json, layers_csv, totals
from .rounds import NetworkProgress, Rounds
from .transfer import Transfer
from .watching import NetworkBoard, NetworkLog, network_snapshot

CSV = "layers.csv"
PER_LAYER = 500
"""Samples per distinct layer where no budget is given."""


def search_network(
    files: str | Path | Sequence[str | Path],
    options: RunOptions,
    settings: Settings,
    evaluator: EvaluatorChoice,
    *,
    engine: Engine | None = None,
    workers: Workers | None = None,
    transfer: bool = True,
    knowledge: Source | None = None,
    values: Mapping[str, Any] | None = None,
    rules: str = "2025",
    pages: Pages | None = None,
    on_progress: Callable[[NetworkProgress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> NetworkResult:
    """Search for the mappings of all layers that make the network's total the least; data in ``options.output``.

    Args:
        engine: where layers are searched, if no ``workers`` are open already.
        pages: what is written for people.

    The rest and errors as ``api.networks.network``.
    """
    listed = [files] if isinstance(files, (str, Path)) else list(files)
    root = Path(options.output or "")
    lifetime = Run("network", options)
    sources = sort_sources(layer_folders(listed, root, on_notice))
    layers = read_layers(sources, options=ModelOptions.from_environment(os.environ, rules), values=values)
    for notice in _notices(sources, layers):
        if on_notice is not None:
            on_notice(notice)
    network = _Network(sources.name, layers, settings, root, evaluator, pages or Pages())
    network.teach(transfer, knowledge)
    network.check_choices()
    with lifetime as run:
        run.warm_up_for(layers[0].spec, settings, evaluator)
        named = knowledge if knowledge is None or isinstance(knowledge, (str, Path)) else "given"
        given = {"files": list(map(str, listed)), "values": [f"{k}={v}" for k, v in (values or {}).items()]}
        taught = {"rules": rules, "transfer": transfer, "knowledge": named and str(named)}
        network.prepare(run, {**given, **taught, **settings.as_arguments()})
        with ExitStack() as stack:
            workers = workers or stack.enter_context((engine or Engine()).open())
            return network.search(run, workers, on_progress)


class _Network:
    """One network in one folder."""

    def __init__(
        self,
        name: str,
        layers: tuple[Layer, ...],
        settings: Settings,
        root: Path,
        evaluator: EvaluatorChoice,
        pages: Pages,
    ) -> None:
        self.name, self.layers, self.settings, self.root = name, layers, settings, root
        self.evaluator, self.pages = evaluator, pages
        self.folders = [f"{LAYERS}/{layer.name}" for layer in layers]
        self.samples = settings.samples
        if settings.samples is None and settings.seconds is None:
            self.samples = PER_LAYER * len(layers)
        self._transfer: Transfer | None = None
        _check(settings, self.samples, len(layers))

    def teach(self, transfer: bool, knowledge: Source | None) -> None:
        """Let layers learn from each other, and from a file."""
        transfer = transfer and inherits(self.settings.searcher)
        if knowledge is not None and not transfer:
            able = ", ".join(name for name in all_searchers() if inherits(name))
            raise UsageError(f"knowledge goes with searcher {able}, and with transfer")
        if transfer:
            given = Knowledge() if knowledge is None else load_knowledge(knowledge)
            self._transfer = Transfer(self.layers, [self.root / f for f in self.folders], self.name, given)

    def check_choices(self) -> None:
        """Refuse a searcher, an option or an objective that is not known before anything is written."""
        spec = self.layers[0].spec
        objective = parse_objective(self.settings.objective, len(spec.architecture.storage))
        make_searcher(self.settings.searcher, spec, self.settings.seed, objective, self.settings.options)

    def prepare(self, run: Run, arguments: Mapping[str, Any]) -> None:
        """Make the layers' folders, or check that those of an interrupted run are the same run's."""
        layers = {layer.name: problem_fingerprint(layer.spec) for layer in self.layers}
        if run.folder is not None and run.folder.started:
            _check_layers(run.folder, layers)
        run.describe(arguments, layers=layers)
        for layer, name in zip(self.layers, self.folders):
            inside = RunFolder(self.root / name)
            if not inside.started:
                inside.create()
                inside.write(INPUTS, yaml_text(document(layer.spec)))
                asked = {"files": list(layer.files), **self.settings.as_arguments()}
                inside.write_manifest({"arguments": asked, "kind": "layer", "network": self.name})

    def search(
        self, run: Run, workers: Workers, on_progress: Callable[[NetworkProgress], None] | None
    ) -> NetworkResult:
        """All rounds, then the choice, figures and files."""
        start, before = time.monotonic(), self._seconds_before()
        counts = tuple(layer.count for layer in self.layers)

        def show(progress: NetworkProgress) -> None:
            run.show(network_snapshot(progress, counts, self.settings.objective))

        run.start(network=self.name, layers=len(self.layers), **self.settings.as_arguments())
        rounds = Rounds(
            layers=self.layers,
            # Workers may live on from a call that was made in another working directory.
            folders=[(self.root / name).absolute() for name in self.folders],
            root=self.root,
            settings=self.settings,
            evaluator=self.evaluator,
            workers=workers,
            samples=self.samples,
            seconds=self.settings.seconds,
            transfer=self._transfer,
            on_progress=all_of(
                NetworkLog(run.log).update,
                None if run.board is None else NetworkBoard(run.board, counts).update,
                show,
                on_progress,
            ),
        )
        reason = rounds.run()
        results = self._results(rounds, workers)
        result = self._result(results, rounds, reason, before + time.monotonic() - start)
        if self._transfer is not None:
            save_knowledge(self._transfer.all_learnt(), self.root / BEFORE)
        self._write(result)
        sums = result.totals
        run.end(
            result.stopped,
            samples=result.samples,
            valid=result.valid,
            edp=sums.edp if sums else None,
            cycles=sums.cycles if sums else None,
            energy_pj=sums.energy_pj if sums else None,
        )
        return result

    def _results(self, rounds: Rounds, workers: Workers) -> list[LayerResult]:
        chosen = self._chosen(rounds, workers)
        tasks = [
            FigureTask(
                layer=layer,
                settings=self.settings,
                evaluator=self.evaluator,
                root=self.root.absolute(),
                folder=self.folders[i],
                sample=chosen[i],
                reason=rounds.reasons[i],
                knowledge=self._transfer.teacher(i) if self._transfer else "",
                write=self.pages.mapping,
                judged=rounds.judged[i],
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
            HullTask(self.settings.objective, (self.root / folder / TRACE).absolute(), point)
            for folder, point in zip(self.folders, best)
        ]
        hulls = dict(workers.run(layer_hull, tasks))
        found = [i for i in range(len(tasks)) if hulls[i]]
        counts = [self.layers[i].count for i in found]
        points = best_product([hulls[i] for i in found], counts, self.settings.objective)
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
            judged=sum(layer.judged for layer in results),
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
        if self.pages.network is not None:
            self.pages.network(self.root)

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

"""Many layers as one, and many machines: search, and write pages and pictures of what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluators.choice import EvaluatorChoice
from ..networks.result import NetworkResult, Pages
from ..networks.rounds import NetworkProgress
from ..networks.run import search_network
from ..networks.sweep import search_sweep
from ..networks.sweep_result import SweepResult
from ..networks.watching import SweepProgress
from ..parallel.engine import Engine
from ..parallel.interruption import ended
from ..report.html import REPORT, page_of, pictures_png, render
from ..report.results import write_layer
from ..run.folder import RunFolder
from ..run.knowledge import Source
from ..run.options import RunOptions, Settings
from ..run.result import StopReason
from .choices import named_choice, settings_of

PICTURE = "sweep.png"


def network(
    files: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    searcher: str | None = None,
    objective: str | None = None,
    samples: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    options: Mapping[str, object] | None = None,
    settings: Settings | None = None,
    evaluator: str | EvaluatorChoice | None = None,
    transfer: bool = True,
    knowledge: Source | None = None,
    values: Mapping[str, Any] | None = None,
    rules: str = "2025",
    jobs: int | None = None,
    backend: str | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    live: bool = False,
    tensorboard: str | Path | None = None,
    on_progress: Callable[[NetworkProgress], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> NetworkResult:
    """Search for the mappings of all layers that make the network's total the least.

    Args:
        files: machine and layers: files, folders, patterns, lists of layers (``network.yaml``), models to be converted
            (a ``.onnx`` file, ``module:function`` for torch).
        output: folder for the result; each layer has a run folder of its own under ``layers``.
        searcher, objective, seed, options: by name, as in ``search``: every worker makes its own.
        samples, seconds: budgets of the whole network, by default 500 samples for every distinct layer.
        settings: all of these in one; what is given besides comes first.
        evaluator: ``native`` or ``timeloop``, or how one of them is to work.
        transfer: layers learn from those searched before them (searcher ``marl``).
        knowledge: what other networks' layers have learnt: a file, or the folder of a network.
        values: variables of Jinja2 templates, and values to set by their path.
        rules: ``2025`` or ``2022``: the Timeloop version to equal.
        jobs: layers searched at the same time; the result does not depend on it (but with ``seconds``).
        backend, scheduler: ``loky``, ``threading``, ``dask`` or ``ray``; address of a running Dask or Ray cluster.
        resume, overwrite, live, tensorboard, on_compile: as in ``RunOptions``.
        on_progress: called whenever a layer's task is done.
        on_notice: told what the user should know about the input, once each.

    Raises:
        SpecError: a file is wrong. InfeasibleError: a layer has no mapping. Both before anything runs.
        UsageError: wrong settings, or a folder that cannot be used.
        Interrupted: as ``search``.
    """
    given = {"samples": samples, "seconds": seconds, "seed": seed, "options": options}
    result = search_network(
        files,
        RunOptions(output, resume, live, tensorboard, on_compile, overwrite=overwrite),
        settings_of(settings, searcher=searcher, objective=objective, **given),
        named_choice(evaluator),
        engine=Engine.chosen(jobs, backend, scheduler),
        transfer=transfer,
        knowledge=knowledge,
        values=values,
        rules=rules,
        pages=Pages(write_layer, write_page),
        on_progress=on_progress,
        on_notice=on_notice,
    )
    return ended(result, interrupted=result.stopped == StopReason.INTERRUPTED.value)


def sweep(
    files: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    values: Mapping[str, Any] | None = None,
    paired: bool = False,
    searcher: str | None = None,
    objective: str | None = None,
    samples: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    options: Mapping[str, object] | None = None,
    settings: Settings | None = None,
    evaluator: str | EvaluatorChoice | None = None,
    transfer: bool = True,
    share: bool = True,
    knowledge: str | Path | None = None,
    rules: str = "2025",
    jobs: int | None = None,
    backend: str | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    live: bool = False,
    on_progress: Callable[[SweepProgress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> SweepResult:
    """Search a network on every machine and with every choice of values.

    Args:
        files: machines and layers: files, folders, patterns, lists of layers.
        output: folder for the results; each point has a run folder of its own under ``points``.
        values: path or template variable -> values with commas between them, or a list of values.
        paired: take the lists of values side by side in place of every combination.
        samples, seconds: budgets of each point.
        transfer: layers of a point learn from those searched before them (searcher ``marl``).
        share: points learn from the nearest machines that are searched before them, too (with ``transfer``).
        knowledge: what every point begins with: a file, or the folder of a network's run.
        jobs: points (or, with few points, layers) searched at the same time; the result does not depend on it.
        resume: go on with the sweep in ``output``; more values may be given.
        on_progress: called whenever a point is done.

    The rest as in ``network``.

    Raises:
        SpecError: no point can be read; one that cannot among others that can is a point that failed.
        UsageError: no machine, wrong settings, or a folder that cannot be used.
        Interrupted: as ``search``.
    """
    given = {"samples": samples, "seconds": seconds, "seed": seed, "options": options}
    result = search_sweep(
        files,
        RunOptions(output, resume, live, overwrite=overwrite),
        settings_of(settings, searcher=searcher, objective=objective, **given),
        named_choice(evaluator),
        engine=Engine.chosen(jobs, backend, scheduler),
        values=values,
        paired=paired,
        rules=rules,
        transfer=transfer,
        share=share,
        knowledge=knowledge,
        pages=Pages(write_layer, write_page),
        on_progress=on_progress,
        on_notice=on_notice,
    )
    page, folder = page_of(output), RunFolder(output)
    if result.done:
        folder.write(PICTURE, pictures_png(page, "area-", "cycles-"))
    folder.write(REPORT, render(page))
    return ended(result, interrupted=not result.complete)


def write_page(folder: str | Path) -> Path:
    """Write ``report.html`` of the finished run in a folder.

    Raises:
        UsageError: nothing that a report could be made of is in the folder.
    """
    return RunFolder(folder).write(REPORT, render(page_of(folder)))

"""The result files of a search: statistics, mappings, a document for timeloop-model, a summary, a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping as Map
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..mapping import Mapping
from ..mapping_yaml import model_document
from ..model.outcome import Statistics
from ..run_folder import RunFolder
from ..search_result import SearchResult
from ..settings import Settings
from ..specs.constraints import Switches
from ..specs.spec import Spec
from ..specs.writing import yaml_text
from .drawing import png
from .html import REPORT, render, run_page
from .map_text import map_text
from .map_yaml import map_yaml_text
from .run_record import PREFIX, SUMMARY, Ranked, RunRecord, read_agents
from .stats import stats_text
from .summary_picture import summary_picture

__all__ = ["PREFIX", "summary", "write_mapping", "write_results"]

_NONE: Map[str, str] = {}


def write_results(
    folder: RunFolder,
    spec: Spec,
    settings: Settings,
    search: SearchResult,
    statistics: Sequence[Statistics],
    evaluator: str,
    texts: Sequence[Map[str, str]] = (),
) -> list[Path]:
    """Write everything about the best mappings; the second and later ones carry their rank in the name.

    ``texts``: per mapping, files that the real program wrote and that stand in for ours.
    """
    content = summary(spec, settings, search, evaluator)
    written = [folder.write(SUMMARY, json.dumps(content, indent=2) + "\n")]
    for rank, (found, figures) in enumerate(zip(search.best, statistics, strict=True), 1):
        name = f"{PREFIX}.{rank}" if rank > 1 else PREFIX
        own = texts[rank - 1] if texts else {}
        written += write_mapping(folder, spec, found.mapping, figures, name, own)
    record = _record(folder, spec, search, statistics, content)
    if statistics:
        written.append(_write_picture(folder, record))
    written.append(folder.write(REPORT, render(run_page(record))))
    return written


def write_mapping(
    folder: RunFolder,
    spec: Spec,
    mapping: Mapping,
    statistics: Statistics,
    prefix: str,
    texts: Map[str, str] = _NONE,
) -> list[Path]:
    """``.stats.txt``, ``.map.txt``, ``.map.yaml`` and a complete input for timeloop-model, of one mapping.

    ``texts``: what the real program wrote, by the end of the name, where its figures are more than ours.
    """
    return [
        folder.write(f"{prefix}.stats.txt", texts.get("stats.txt") or stats_text(spec, statistics)),
        folder.write(f"{prefix}.map.txt", texts.get("map.txt") or map_text(spec, mapping, statistics)),
        folder.write(
            f"{prefix}.map.yaml", map_yaml_text(spec, mapping, complete=_needs_all(spec, mapping)) + "\n"
        ),
        # All in one, without the constraints that timeloop-model would hold against it: `timeloop-model FILE`.
        folder.write(f"{prefix}.model.yaml", yaml_text(model_document(spec, mapping))),
    ]


def _needs_all(spec: Spec, mapping: Mapping) -> bool:
    """Timeloop's own writer leaves residuals and reuse switches out; a mapping with any could not be replayed."""
    return mapping.imperfect or spec.constraints.switches != Switches()


def summary(spec: Spec, settings: Settings, search: SearchResult, evaluator: str) -> dict[str, Any]:
    """The search in figures: energies pJ, EDP pJ·cycles."""
    return {
        "problem": {"name": spec.problem.name, "bounds": dict(zip(spec.problem.dims, spec.problem.bounds))},
        "evaluator": evaluator,
        "energies": spec.energies.origin,
        "searcher": settings.searcher,
        "objective": settings.objective,
        "seed": settings.seed,
        "samples": search.samples,
        "valid": search.valid,
        "failures": {failure.name.lower(): count for failure, count in search.failures.items()},
        "seconds": search.seconds,
        "stopped": search.reason.value,
        "best": [
            {
                "sample": found.sample,
                "cost": found.cost,
                "cycles": found.cycles,
                "energy_pj": found.energy_pj,
                "edp": found.edp,
                "utilization": found.utilization,
            }
            for found in search.best
        ],
        "trajectory": [
            {
                "samples": step.samples,
                "valid": step.valid,
                "cost": step.cost,
                "cycles": step.cycles,
                "energy_pj": step.energy_pj,
            }
            for step in search.trajectory
        ],
    }


def _record(
    folder: RunFolder,
    spec: Spec,
    search: SearchResult,
    statistics: Sequence[Statistics],
    content: Map[str, Any],
) -> RunRecord:
    best = tuple(
        Ranked(found.mapping, figures, found.sample, found.cost)
        for found, figures in zip(search.best, statistics, strict=True)
    )
    manifest = folder.read_manifest() if folder.started else {}
    return RunRecord(spec, content, best, manifest, read_agents(folder.path))


def _write_picture(folder: RunFolder, record: RunRecord) -> Path:
    best = record.best[0]
    drawing = summary_picture(record.spec, best.mapping, best.statistics, [record.course], record.name)
    return folder.write(f"{PREFIX}.png", png(drawing))

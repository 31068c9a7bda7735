"""The result files of a search: statistics, mappings, a document for timeloop-model, a summary, a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping as Map
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cost.components import component_energies
from ..cost.outcome import Statistics
from ..run.folder import SUMMARY, RunFolder
from ..run.options import Settings
from ..run.result import SearchResult, summary
from ..run.units import edp_text, energy_text
from ..specs.constraints import Switches
from ..specs.mapping import Mapping
from ..specs.mapping_yaml import model_document
from ..specs.spec import Spec
from ..specs.yaml_text import yaml_text
from .charts.courses import Trajectory, convergence
from .charts.nest import nest_tiles
from .charts.shares import energy_bars
from .drawing import Drawing, below, beside, png
from .html import REPORT, render, run_page
from .maps import map_text, map_yaml_text
from .records import PREFIX, Ranked, RunRecord, read_agents
from .stats import stats_text
from .views import nest_view

__all__ = ["PREFIX", "write_layer", "write_mapping", "write_results"]

_NONE: Map[str, Any] = {}


def write_results(
    folder: RunFolder,
    spec: Spec,
    settings: Settings,
    search: SearchResult,
    statistics: Sequence[Statistics],
    evaluator: str,
    texts: Sequence[Map[str, str]] = (),
    proof: Map[str, Any] = _NONE,
) -> list[Path]:
    """Write everything about the best mappings; the second and later ones carry their rank in the name.

    Args:
        texts: per mapping, files that the real program wrote and that stand in for ours.
        proof: ``proven``, ``bound``, ``gap`` and ``course`` (seconds, cost, bound); kept in the summary.
    """
    content = {**summary(spec, settings, search, evaluator), **({"proof": dict(proof)} if proof else {})}
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


def write_layer(
    folder: RunFolder, spec: Spec, mapping: Mapping, statistics: Statistics, texts: Map[str, str]
) -> None:
    """The files of the mapping that was chosen for a layer of a network."""
    write_mapping(folder, spec, mapping, statistics, PREFIX, texts)


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


_HALF = 520.0  # of either half


def summary_picture(
    spec: Spec,
    mapping: Mapping,
    statistics: Statistics,
    courses: Sequence[Trajectory] = (),
    title: str = "",
) -> Drawing:
    """Left the mapping, right the courses of the search, if any are given, above the energy by level."""
    tensors = [space.name for space in spec.problem.data_spaces]
    right = [energy_bars(component_energies(spec, statistics), tensors, _HALF)]
    if courses:
        right.insert(0, convergence(courses, _HALF))
    nest = nest_tiles(nest_view(spec, mapping, statistics), _HALF)
    return beside([nest, below(right)], title or spec.problem.name, _headline(statistics))


def _headline(statistics: Statistics) -> str:
    return "   ·   ".join(
        (
            f"{statistics.cycles:,} cycles",
            energy_text(statistics.energy_pj),
            f"EDP {edp_text(statistics.energy_pj * statistics.cycles)} J·cycle",
            f"utilisation {statistics.utilization:.1%}",
            f"{statistics.energy_pj / statistics.computes:.4g} pJ/compute",
        )
    )

"""What a report shows of a finished search or network: as the search hands it over, or read from its folder."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ..cost.components import LEAKAGE, OPERATIONS
from ..cost.objective import cost_of
from ..cost.outcome import Statistics
from ..errors import TimeloopMarlError, UsageError
from ..evaluators.native import NativeEvaluator
from ..networks.result import LayerResult, NetworkResult, read_network
from ..run.folder import AGENTS, INPUTS, SUMMARY, RunFolder
from ..run.result import Summary
from ..run.schema import damaged, read_json
from ..run.units import objective_label
from ..specs.mapping import Mapping
from ..specs.mapping_yaml import read_mapping
from ..specs.reading import load_flat, read_spec
from ..specs.spec import ModelOptions, Spec
from .charts.courses import Trajectory
from .views import Roofline, roofline

PREFIX = "timeloop-marl"
RULES = "2025"
_FILES = 3  # of one folder that are named one by one


MISSING = "missing; there is no finished run in this folder"


class _Groups(TypedDict):
    samples: int
    groups: list[list[int]]


class _Learnt(TypedDict):
    samples: int
    entropy: list[float]
    credit: list[float]


class Agents(TypedDict, total=False):
    """``agents.json``: what a team says of itself. Groups are indices of ``axes``, ``strength`` is of pairs of them."""

    axes: list[str]
    groups: list[_Groups]
    strength: list[list[float]] | None
    history: list[_Learnt]


@dataclass(frozen=True)
class Ranked:
    """One of the best mappings with all its figures; ``sample``: when it was found."""

    mapping: Mapping
    statistics: Statistics
    sample: int
    cost: float


@dataclass(frozen=True)
class RunRecord:
    """``summary``, ``manifest``, ``agents``: contents of the files of that name; ``best`` sorted, best first."""

    spec: Spec
    summary: Map[str, Any]
    best: tuple[Ranked, ...] = ()
    manifest: Map[str, Any] = field(default_factory=dict)
    agents: Map[str, Any] | None = None

    @property
    def files(self) -> list[str]:
        """What the user named on the command line."""
        return [str(name) for name in self.manifest.get("arguments", {}).get("files", [])]

    @property
    def name(self) -> str:
        """The stems of the files named, else the name of the problem."""
        return title_of(self.files, self.spec.problem.name or "search")

    @property
    def course(self) -> Trajectory:
        """The best-so-far curve."""
        return course_of(self.summary)


def title_of(files: Sequence[str], otherwise: str) -> str:
    """The stems of a few files; ``otherwise`` if there are none or many."""
    stems = [Path(name).stem if Path(name).suffix else Path(name).name for name in files]
    stems = [stem for stem in dict.fromkeys(stems) if stem]
    return " · ".join(stems) if 0 < len(stems) <= 3 else otherwise


def files_text(files: Sequence[str]) -> str:
    """A few files by name; of many in one folder only their number."""
    folders: dict[str, list[str]] = {}
    for name in files:
        folders.setdefault(str(Path(name).parent), []).append(name)
    parts = [
        ", ".join(names) if len(names) <= _FILES else f"{folder} ({len(names)} files)"
        for folder, names in folders.items()
    ]
    return ", ".join(parts)


def course_of(summary: Map[str, Any]) -> Trajectory:
    """The best-so-far curve from ``summary.json``: a point at every improvement and one at the end."""
    points = list(summary.get("trajectory", []))
    samples = [int(point["samples"]) for point in points] + [int(summary["samples"])]
    best = [float(point["cost"]) for point in points]
    # Folders of older versions do not say how many samples were valid at an improvement: a straight line, then.
    share = summary["valid"] / summary["samples"] if summary["samples"] else 0.0
    valid = [float(point.get("valid", share * point["samples"])) for point in points] + [summary["valid"]]
    label = objective_label(str(summary["objective"]))
    return Trajectory(
        np.array(samples, np.int64),
        label.scale * np.array([*best, best[-1] if best else np.inf], np.float64),
        np.array(samples, np.int64) - np.array(np.round(valid), np.int64),
        label.name,
        label.unit,
        str(summary["searcher"]),
    )


def read_run(folder: str | Path) -> RunRecord:
    """The record of the run in a folder; mappings are evaluated anew by the native model.

    Raises:
        UsageError: no finished run there, or damaged files.
        SpecError, MappingError: the inputs or a mapping in it were changed by hand.
    """
    path = Path(folder)
    summary = read_json(path / SUMMARY, Summary, MISSING)
    proof = summary.get("proof")
    course = proof.get("course") if proof else None
    if course and len({len(course["seconds"]), len(course["cost"]), len(course["bound"])}) > 1:
        raise damaged(path / SUMMARY, "the course of the proof has columns of several lengths")
    manifest = read_manifest(path)
    document = load_flat([path / INPUTS])
    arguments = manifest.get("arguments", {})
    spec = read_spec(document, options=ModelOptions(rules=str(arguments.get("rules") or RULES)))
    best = [
        _ranked(spec, path / mapping_file(rank), found)
        for rank, found in enumerate(summary.get("best", []), 1)
    ]
    return RunRecord(spec, summary, tuple(best), manifest, read_agents(path))


def read_agents(folder: Path) -> dict[str, Any] | None:
    """What a team of agents left behind about itself; ``None`` if there is no such file."""
    file = folder / AGENTS
    if not file.exists():
        return None
    agents = read_json(file, Agents, MISSING)
    axes, history = len(agents.get("axes", ())), agents.get("history", [])
    for entry in agents.get("groups", []):
        if sorted(axis for group in entry["groups"] for axis in group) != list(range(axes)):
            raise damaged(file, "the groups do not have every axis once")
    strength = agents.get("strength") or []
    if any(len(row) != axes for row in strength) or len(strength) not in (0, axes):
        raise damaged(file, "strength is not a table of all pairs of axes")
    if any(len(entry["entropy"]) != len(entry["credit"]) for entry in history):
        raise damaged(file, "entropy and credit are not of the same agents")
    return dict(agents)


def read_manifest(path: Path) -> dict[str, Any]:
    """Of a run; empty in folders that ``Result.write`` has written."""
    folder = RunFolder(path)
    return folder.read_manifest() if folder.started else {}


def mapping_file(rank: int) -> str:
    """Name of the file of the ``rank``-th best mapping."""
    return f"{PREFIX}.{rank}.map.yaml" if rank > 1 else f"{PREFIX}.map.yaml"


def read_evaluated(file: Path, rules: str = RULES) -> tuple[Spec, Ranked]:
    """Machine, problem and mapping of a ``.model.yaml`` file, evaluated by the native model.

    Errors as ``read_run``.
    """
    document = load_flat([file])
    spec = read_spec(document, options=ModelOptions(rules=rules))
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
    figures = NativeEvaluator(spec, switches=switches).statistics(mapping)
    if not isinstance(figures, Statistics):
        raise UsageError(f"{file}: the mapping is not valid on the machine in it: {figures.message}")
    return spec, Ranked(mapping, figures, 0, figures.energy_pj * figures.cycles)


def _ranked(spec: Spec, file: Path, found: Map[str, Any]) -> Ranked:
    document = load_flat([file])
    mapping, switches, _ = read_mapping(document.root().child("mapping"), spec)
    figures = NativeEvaluator(spec, switches=switches).statistics(mapping)
    if not isinstance(figures, Statistics):
        raise UsageError(f"{file}: the mapping is not valid on the machine in {INPUTS}: {figures.message}")
    return Ranked(mapping, figures, int(found["sample"]), float(found["cost"]))


@dataclass(frozen=True)
class LayerRecord:
    """A distinct layer. ``mapped``: machine and layer, and the chosen mapping; ``None`` if there is none to show."""

    result: LayerResult
    mapped: tuple[Spec, Ranked] | None
    limits: Roofline | None

    @property
    def bound(self) -> str:
        """What sets the pace: the name of a level, or ``compute``; empty if it is not known."""
        if self.limits is None:
            return ""
        binding = self.limits.binding
        return binding.name if binding else "compute"


@dataclass(frozen=True)
class NetworkRecord:
    """The network and its layers, in the order of ``network.json``."""

    result: NetworkResult
    layers: tuple[LayerRecord, ...]

    @property
    def tensors(self) -> list[str]:
        """Names of all data spaces, in the order in which the layers declare them.

        Layers that only the real program models are not there to ask: those that cost energy are in the result.
        """
        declared = [
            space.name
            for layer in self.layers
            if layer.mapped
            for space in layer.mapped[0].problem.data_spaces
        ]
        priced = [part for layer in self.result.layers for parts in layer.energy.values() for part in parts]
        return [name for name in dict.fromkeys([*declared, *priced]) if name not in (LEAKAGE, OPERATIONS)]


def read_network_record(folder: str | Path) -> NetworkRecord:
    """The record of the network in a folder. Errors as ``read_network``."""
    path = Path(folder)
    result = read_network(path)
    rules = "2022" if "2022" in result.evaluator else RULES
    return NetworkRecord(result, tuple(_layer_record(path, layer, rules) for layer in result.layers))


def _layer_record(path: Path, layer: LayerResult, rules: str) -> LayerRecord:
    file = path / layer.folder / f"{PREFIX}.model.yaml"
    if not layer.found or not file.exists():
        return LayerRecord(layer, None, None)
    try:
        spec, ranked = read_evaluated(file, rules)
    except TimeloopMarlError:  # a design that only the real program evaluates: its totals are in the result
        return LayerRecord(layer, None, None)
    return LayerRecord(layer, (spec, ranked), roofline(spec, ranked.statistics))


def total_course(result: NetworkResult) -> Trajectory:
    """The network's total against samples of all layers, after every round; each layer at its own best by then.

    The last point is the total of the mappings that were chosen, which may be better than that.
    """
    label = objective_label(result.objective)
    places, totals, invalid = [], [], []
    for after in result.rounds:
        spent = sum(after.values())
        places.append(spent)
        totals.append(_total_after(result, after))
        invalid.append(round(spent * (1 - result.valid / result.samples)) if result.samples else 0)
    if result.totals is not None:
        places.append(result.samples)
        totals.append(float(cost_of(result.objective, result.totals.energy_pj, result.totals.cycles)))
        invalid.append(result.samples - result.valid)
    best = np.minimum.accumulate(np.array(totals, np.float64)) if totals else np.zeros(0)
    return Trajectory(
        np.array(places, np.int64),
        label.scale * best,
        np.array(invalid, np.int64),
        f"total {label.name}",
        label.unit,
        result.searcher,
    )


def _total_after(result: NetworkResult, after: object) -> float:
    """Of the layers' bests after a round; infinite if one has none."""
    assert isinstance(after, dict)
    cycles, energy = 0, 0.0
    for layer in result.layers:
        steps = [step for step in layer.trajectory if step["samples"] <= after.get(layer.name, 0)]
        if not steps:
            return float("inf")
        cycles += layer.count * int(steps[-1]["cycles"])
        energy += layer.count * float(steps[-1]["energy_pj"])
    return float(cost_of(result.objective, energy, cycles))

"""What the search of a network found, as plain data, and ``network.json`` (docs/outputs.md) both ways."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from ..cost.outcome import Statistics
from ..run.folder import RunFolder, read_result
from ..run.tables import Tabular
from ..run.units import edp_text, energy_text
from ..specs.mapping import Mapping
from ..specs.spec import Spec

SCHEMA = "timeloop-marl/network"
VERSION = 1
FILE = "network.json"


@dataclass(frozen=True)
class Pages:
    """What writes for people, beside the data: functions of modules, so that workers find them; ``None`` = nothing.

    Attributes:
        mapping: of a layer's folder, Spec, chosen mapping, its figures, and what the real program wrote of it.
        network: of the folder of a finished network; ``last``: the file by which it can be told that it was called.
    """

    mapping: Callable[[RunFolder, Spec, Mapping, Statistics, Map[str, str]], object] | None = None
    network: Callable[[Path], object] | None = None
    last: str = "report.html"


class Improved(TypedDict):
    """A step of a layer's best-so-far curve, after ``samples`` samples."""

    samples: int
    cost: float
    cycles: int
    energy_pj: float


@dataclass(frozen=True)
class Best:
    """A mapping in figures. ``sample``: 1-based number of the sample that it was; energies in pJ, EDP in pJ·cycles."""

    sample: int
    cycles: int
    energy_pj: float
    edp: float


@dataclass(frozen=True)
class Totals:
    """Sums over layers, each as often as it occurs.

    Attributes:
        cycles: latency of one inference, layer after layer.
        energy_pj: energy of one inference.
        edp: product of the two, pJ·cycles.
        utilization: share of the compute units in use, averaged over cycles.
        computes: multiply-accumulates.
        energy: pJ by component of the machine (levels outermost first, ``networks``, compute) and by tensor or other
            cause (``leakage``, ``operations``).
    """

    cycles: int
    energy_pj: float
    edp: float
    utilization: float
    computes: int
    energy: Map[str, Map[str, float]]


@dataclass(frozen=True)
class LayerResult:
    """One distinct layer. Figures are those of *one* such layer: the totals weigh them by ``count``.

    Attributes:
        name: unique within the network.
        count: how many layers of the network are this one.
        names: what the network calls them; may be empty.
        folder: the layer's run folder, relative to the network's.
        problem: name of the shape.
        bounds: dimension to size.
        samples: mappings evaluated, ``valid`` of them valid.
        failures: how many of the others failed, by class.
        seconds: search time.
        stopped: why its search ended.
        sample: number of the chosen sample; 0 if nothing valid was found (all figures are 0 then).
        utilization: share of the compute units in use.
        energy: as in ``Totals``, of one layer.
        best: the layer's best sample by itself, which need not be the one chosen for the network.
        trajectory: every improvement of the search: samples, cost, cycles, energy_pj.
        knowledge: name of the layer whose knowledge its search began with; empty if it began with none.
        judged: candidates that the searcher judged by its own knowledge, beside the samples.
    """

    name: str
    count: int
    names: tuple[str, ...]
    folder: str
    problem: str
    bounds: Map[str, int]
    samples: int
    valid: int
    failures: Map[str, int]
    seconds: float
    stopped: str
    sample: int
    cycles: int
    energy_pj: float
    edp: float
    utilization: float
    computes: int
    energy: Map[str, Map[str, float]]
    best: Best | None
    trajectory: tuple[Improved, ...] = ()
    knowledge: str = ""
    judged: int = 0

    @property
    def found(self) -> bool:
        """Whether a valid mapping was found."""
        return self.sample > 0


@dataclass(frozen=True, repr=False)
class NetworkResult(Tabular):
    """A network on one machine. ``totals`` is ``None`` as long as a layer has no valid mapping.

    Attributes:
        name: of the network.
        objective: what the total is minimised for.
        searcher: name of the searcher, with ``options``.
        seed: of all searches.
        evaluator: what evaluated the mappings.
        energies: where the energies come from.
        samples: evaluated mappings of all layers.
        judged: candidates of all layers that their searchers judged by their own knowledge, beside the samples.
        seconds: wall clock, summed over resumed runs.
        search_seconds: search time of all layers added up.
        stopped: why it ended.
        budget: ``samples`` and ``seconds`` as given, ``None`` = no such limit.
        rounds: samples that each layer had after each round, by name of the layer.
    """

    name: str
    objective: str
    searcher: str
    options: Map[str, str]
    seed: int
    evaluator: str
    energies: str
    samples: int
    valid: int
    seconds: float
    search_seconds: float
    stopped: str
    budget: Map[str, float | None]
    layers: tuple[LayerResult, ...]
    totals: Totals | None
    rounds: tuple[Map[str, int], ...] = ()
    files: tuple[str, ...] = ()
    versions: Map[str, str] = field(default_factory=dict)
    judged: int = 0

    @property
    def found(self) -> bool:
        """Whether every layer has a valid mapping."""
        return self.totals is not None

    def headline(self) -> str:
        """The totals."""
        if self.totals is None:
            return f"{self.name}: a layer has no valid mapping after {self.samples:,} samples"
        total = self.totals
        return (
            f"{self.name}: {self.layer_count} layers, {total.cycles:,} cycles, {energy_text(total.energy_pj)}, "
            f"EDP {edp_text(total.edp)} J·cycle; {self.samples:,} samples, {self.searcher}"
        )

    def columns(self) -> dict[str, list[Any]]:
        """A row for every distinct layer, figures of one of its ``count``."""
        names = ("name", "count", "samples", "cycles", "energy_pj", "edp", "utilization", "computes")
        return {name: [getattr(layer, name) for layer in self.layers] for name in names}

    @property
    def layer_count(self) -> int:
        """Layers of the network, equal ones counted one by one."""
        return sum(layer.count for layer in self.layers)


def as_json(result: NetworkResult) -> str:
    """The text of ``network.json``."""
    return json.dumps({"schema": SCHEMA, "version": VERSION, **dataclasses.asdict(result)}, indent=1) + "\n"


def read_network(path: str | Path) -> NetworkResult:
    """Read ``network.json``, or that of a folder.

    Raises:
        UsageError: there is none, it is damaged, or of another version.
    """
    return read_result(path, FILE, "network", VERSION, NetworkResult)


def totals(layers: Sequence[LayerResult]) -> Totals | None:
    """The sums; ``None`` if a layer has no valid mapping, because a sum without it would mislead."""
    if not layers or not all(layer.found for layer in layers):
        return None
    cycles = sum(layer.count * layer.cycles for layer in layers)
    energy = math.fsum(layer.count * layer.energy_pj for layer in layers)
    used = math.fsum(layer.count * layer.cycles * layer.utilization for layer in layers)
    return Totals(
        cycles=cycles,
        energy_pj=energy,
        edp=energy * cycles,
        utilization=used / cycles,
        computes=sum(layer.count * layer.computes for layer in layers),
        energy=_energies(layers),
    )


def _energies(layers: Sequence[LayerResult]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    for layer in layers:
        for component, parts in layer.energy.items():
            for part, pj in parts.items():
                found.setdefault(component, {}).setdefault(part, []).append(layer.count * pj)
    return {
        component: {part: math.fsum(values) for part, values in parts.items()}
        for component, parts in found.items()
    }


_CSV_COLUMNS = (
    "layer", "count", "names", "bounds", "computes", "cycles", "energy_pj", "edp", "utilization",
    "total_cycles", "total_energy_pj", "samples", "valid", "sample", "folder",
)  # fmt: skip


def layers_csv(result: NetworkResult) -> str:
    """One line per distinct layer; energy by component and tensor in columns ``energy_pj:COMPONENT:PART``."""
    parts = list(
        dict.fromkeys(
            (component, part)
            for layer in result.layers
            for component, energies in layer.energy.items()
            for part in energies
        )
    )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_CSV_COLUMNS, *(f"energy_pj:{component}:{part}" for component, part in parts)])
    for layer in result.layers:
        energies = [layer.energy.get(component, {}).get(part, 0.0) for component, part in parts]
        writer.writerow([*_cells(layer), *energies])
    return stream.getvalue()


def _cells(layer: LayerResult) -> list[object]:
    bounds = " ".join(f"{dim}={size}" for dim, size in layer.bounds.items())
    return [
        layer.name, layer.count, " ".join(layer.names), bounds, layer.computes, layer.cycles, layer.energy_pj,
        layer.edp, layer.utilization, layer.count * layer.cycles, layer.count * layer.energy_pj, layer.samples,
        layer.valid, layer.sample, layer.folder,
    ]  # fmt: skip

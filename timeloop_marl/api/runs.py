"""What a run folder says of itself, in a line."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..cost.objective import cost_of, powers
from ..cost.outcome import Failure, Outcome
from ..errors import UsageError
from ..networks.layers import LAYERS
from ..networks.result import FILE as NETWORK
from ..networks.result import read_network
from ..networks.sweep import POINTS
from ..networks.sweep_result import FILE as SWEEP
from ..networks.sweep_result import read_sweep
from ..report.html.compare_page import COMPARISON, read_compared
from ..report.html.front_page import FRONT, read_front_file
from ..report.records import MISSING
from ..run.folder import INPUTS, MANIFEST, SUMMARY, TRACE, RunFolder
from ..run.result import StopReason, Summary
from ..run.schema import read_json
from ..run.trace import read_trace, sample_count
from ..specs.document import format_path
from ..specs.loading import load_document

FINISHED, INTERRUPTED, RUNNING, BEGUN, DAMAGED = "finished", "interrupted", "running", "begun", "damaged"
DEEPEST = 8
"""Folders within folders that are looked into."""
_RESULT_FILES = {"network": NETWORK, "sweep": SWEEP, "front": FRONT, "compare": COMPARISON}
_NAMED = 5  # files that are named


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        folder: where it is.
        kind: ``search``, ``front``, ``network``, ``layer`` (of a network), ``sweep`` or ``compare``.
        what: the machine and the layer or network, as the files are called, and what was set.
        state: ``finished``, ``interrupted``, ``running``, ``begun`` (nothing evaluated yet) or ``damaged``.
        stopped: why it ended, in the words of the search.
        samples: mappings evaluated, ``valid`` of them valid where that is known.
        best: least value of the objective: pJ·cycles for edp, pJ for energy, cycles for delay.
        cycles: of the best mapping, or of the network, like ``energy_pj`` and ``edp``.
        parts: layers of a network or points of a sweep, ``done`` of them done.
        created: when the run began, ``changed``: when its trace or result last changed; UTC, ISO 8601.
    """

    folder: str
    kind: str
    what: str
    state: str
    searcher: str = ""
    objective: str = ""
    seed: int | None = None
    samples: int = 0
    valid: int | None = None
    best: float | None = None
    cycles: float | None = None
    energy_pj: float | None = None
    edp: float | None = None
    parts: int | None = None
    done: int | None = None
    stopped: str = ""
    evaluator: str = ""
    created: str = ""
    changed: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def find_runs(folders: Sequence[str | Path], *, inside: bool = False) -> list[RunEntry]:
    """All runs in and below the folders, sorted by path.

    Args:
        folders: where to look.
        inside: also the layers of networks and the points of sweeps.

    Raises:
        UsageError: a folder does not exist.
    """
    found: dict[Path, RunEntry] = {}
    for name in folders:
        path = Path(name)
        if not path.is_dir():
            raise UsageError(f"{path}: no such folder")
        for folder in _run_folders(path, inside, DEEPEST):
            found.setdefault(folder, read_entry(folder))
    return [found[folder] for folder in sorted(found)]


def _run_folders(path: Path, inside: bool, depth: int) -> Iterator[Path]:
    try:
        children = sorted(child for child in path.iterdir() if child.is_dir() and not child.is_symlink())
        here = (path / MANIFEST).is_file() or (path / COMPARISON).is_file()
    except OSError:  # not ours to read
        return
    if here:
        yield path
        children = [child for child in children if inside and child.name in (LAYERS, POINTS)]
    if depth:
        for child in children:
            if not child.name.startswith("."):
                yield from _run_folders(child, inside, depth - 1)


def read_entry(folder: str | Path) -> RunEntry:
    """The entry of one run folder; a folder that cannot be understood is ``damaged``, never an error."""
    path = Path(folder)
    manifest: Mapping[str, Any] = {}
    with contextlib.suppress(UsageError):
        manifest = RunFolder(path).read_manifest()
    kind = _kind(path, manifest)
    if not manifest and kind != "compare":
        return RunEntry(str(path), "search", "", DAMAGED)
    read = {"network": _network, "sweep": _sweep, "compare": _compare}.get(kind, _search)
    result = None
    try:
        result = _result(path, kind)
        figures = read(path, manifest, result)
    except (UsageError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        figures = {"state": DAMAGED}
    arguments = manifest.get("arguments", {})
    if RunFolder(path).busy:
        figures["state"] = RUNNING
    named = {"searcher": arguments.get("searcher"), "objective": arguments.get("objective"), **figures}
    return RunEntry(
        **{
            "folder": str(path),
            "kind": kind,
            "what": _what(manifest, result or {}),
            "seed": arguments.get("seed"),
            "created": str(manifest.get("created", "")),
            "changed": _changed(path),
            "versions": manifest.get("versions", {}),
            **{name: value for name, value in named.items() if value is not None},
        }
    )


_READ: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {
    "network": lambda path: dataclasses.asdict(read_network(path)),
    "sweep": lambda path: dataclasses.asdict(read_sweep(path)),
    "front": lambda path: read_front_file(path),
    "compare": lambda path: read_compared(path),
}


def _result(path: Path, kind: str) -> Mapping[str, Any] | None:
    """What the result file of a run says; ``None`` if there is none yet."""
    if not (path / _RESULT_FILES.get(kind, SUMMARY)).exists():
        return None
    read = _READ.get(kind)
    return read(path) if read else dict(read_json(path / SUMMARY, Summary, MISSING))


def _kind(path: Path, manifest: Mapping[str, Any]) -> str:
    if "kind" in manifest:
        return str(manifest["kind"])
    if not manifest and (path / COMPARISON).exists():
        return "compare"
    if "network" in manifest:
        return "layer"
    return "front" if manifest.get("arguments", {}).get("pareto") else "search"


def _what(manifest: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    arguments = manifest.get("arguments", {})
    files = [str(name) for name in arguments.get("files") or result.get("files") or []]
    named = list(dict.fromkeys(_telling(Path(name)) for name in files))
    shown = named if len(named) <= _NAMED else [*named[: _NAMED - 1], f"… {named[-1]}"]
    values = [str(value) for value in arguments.get("values") or []]
    return " · ".join([*shown, *values])


def _telling(path: Path) -> str:
    """``eyeriss_like`` of ``arch/eyeriss_like/ERT.yaml``: whichever of file and folder says more."""
    stem = path.stem if path.suffix else path.name
    return path.parent.name if stem in ("arch", "ERT", "ART", "architecture", "network") else stem


def _search(path: Path, manifest: Mapping[str, Any], summary: Mapping[str, Any] | None) -> dict[str, Any]:
    recorded = sample_count(path / TRACE)
    if summary is None or recorded > int(summary["samples"]):
        return _from_trace(path, recorded, str(manifest.get("arguments", {}).get("objective") or "edp"))
    best = (summary.get("best") or summary.get("members") or [{}])[0]
    return {
        "state": _state(str(summary["stopped"])),
        "stopped": str(summary["stopped"]),
        "searcher": summary["searcher"],
        "objective": summary.get("objective"),
        "seed": summary["seed"],
        "samples": int(summary["samples"]),
        "valid": int(summary["valid"]),
        "evaluator": summary.get("evaluator"),
        "best": best.get("cost"),
        "cycles": best.get("cycles"),
        "energy_pj": best.get("energy_pj"),
        "edp": best.get("edp"),
    }


def _from_trace(path: Path, recorded: int, objective: str) -> dict[str, Any]:
    """An interrupted search that wrote no summary, or went on since: what its trace says."""
    if not recorded:
        return {"state": BEGUN}
    batch = read_trace(path / TRACE)
    header = batch.header
    ok = batch.outcome.failure == Failure.OK
    figures = {
        "state": INTERRUPTED,
        "searcher": header.get("searcher"),
        "objective": header.get("objective", objective),
        "seed": header.get("seed"),
        "evaluator": header.get("evaluator"),
        "samples": recorded,
        "valid": int(ok.sum()),
    }
    return {**figures, **_best_of(batch.outcome, ok, str(figures["objective"]))}


def _best_of(outcome: Outcome, ok: np.ndarray, objective: str) -> dict[str, Any]:
    if powers(objective) is None or not ok.any():
        return {}
    cycles, energy = outcome.cycles.astype(np.float64), outcome.energy_pj
    costs = np.where(ok, cost_of(objective, energy, cycles), np.inf)
    i = int(np.argmin(costs))
    return {
        "best": float(costs[i]),
        "cycles": int(cycles[i]),
        "energy_pj": float(energy[i]),
        "edp": float(energy[i] * cycles[i]),
    }


def _network(path: Path, manifest: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    recorded = sum(sample_count(trace) for trace in sorted(path.glob(f"{LAYERS}/*/{TRACE}")))
    parts = len(manifest.get("layers", {}))
    if result is None or recorded > int(result["samples"]):
        return {"state": INTERRUPTED if recorded else BEGUN, "samples": recorded, "parts": parts}
    totals = result["totals"] or {}
    return {
        "state": _state(str(result["stopped"])),
        "stopped": str(result["stopped"]),
        **{name: result[name] for name in ("searcher", "objective", "seed", "samples", "valid", "evaluator")},
        "best": _cost(str(result["objective"]), totals),
        "cycles": totals.get("cycles"),
        "energy_pj": totals.get("energy_pj"),
        "edp": totals.get("edp"),
        "parts": len(result["layers"]),
        "done": sum(layer["sample"] > 0 for layer in result["layers"]),
    }


def _cost(objective: str, figures: Mapping[str, Any]) -> float | None:
    return float(cost_of(objective, figures["energy_pj"], figures["cycles"])) if figures else None


def _sweep(path: Path, manifest: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return {"state": BEGUN, "parts": len(manifest.get("points", {}))}
    points = result["points"]
    best: Mapping[str, Any] = next((point for point in points if point["best"]), {})
    ended = sum(point["status"] in ("done", "failed") for point in points)
    return {
        "state": FINISHED if ended == len(points) else INTERRUPTED,
        **{name: result[name] for name in ("searcher", "objective", "seed")},
        "samples": sum(point["samples"] for point in points),
        "best": _cost(str(result["objective"]), best),
        "cycles": best.get("cycles"),
        "energy_pj": best.get("energy_pj"),
        "edp": best.get("edp"),
        "parts": len(points),
        "done": sum(point["status"] == "done" for point in points),
    }


def _compare(path: Path, manifest: Mapping[str, Any], result: Mapping[str, Any] | None) -> dict[str, Any]:
    found = result or {}
    return {"state": FINISHED if result else BEGUN, "samples": int(found.get("samples") or 0)}


def _state(stopped: str) -> str:
    return INTERRUPTED if stopped == StopReason.INTERRUPTED.value else FINISHED


def _changed(path: Path) -> str:
    """Of the newest of its files that grow or are written at the end."""
    times = []
    for file in (TRACE, SUMMARY, NETWORK, SWEEP, FRONT, COMPARISON, MANIFEST):
        try:
            times.append((path / file).stat().st_mtime)
        except OSError:
            continue
    newest = datetime.fromtimestamp(max(times, default=0.0), timezone.utc)
    return newest.isoformat(timespec="seconds")


ABSENT = "-"
_RESULTS = (
    "state", "stopped", "samples", "valid", "best", "cycles", "energy_pj", "edp", "parts", "done", "evaluator",
)  # fmt: skip
_IDENTITY = ("files", "created", "changed", "folder")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same everywhere. ``values``: one for each run, ``-`` where it has none."""

    section: str
    path: str
    values: tuple[str, ...]


def differences(folders: Sequence[str | Path]) -> list[Difference]:
    """What differs between runs, in the sections ``results``, ``settings``, ``input`` and ``versions``.

    Raises:
        UsageError: fewer than two folders, or one that holds no run.
    """
    paths = [Path(folder) for folder in folders]
    if len(paths) < 2:
        raise UsageError("two runs at least are needed for a comparison")
    for path in paths:
        if not (path / MANIFEST).is_file():
            raise UsageError(f"{path}: there is no run here ({MANIFEST} is missing)")
    entries = [read_entry(path) for path in paths]
    sections: dict[str, list[dict[str, str]]] = {
        "results": [_results(entry) for entry in entries],
        "settings": [_settings(path) for path in paths],
        "input": [_inputs(path) for path in paths],
        "versions": [dict(entry.versions) for entry in entries],
    }
    return [difference for section, tables in sections.items() for difference in _differing(section, tables)]


def _differing(section: str, tables: Sequence[Mapping[str, str]]) -> Iterator[Difference]:
    for path in dict.fromkeys(key for table in tables for key in table):
        values = tuple(table.get(path, ABSENT) for table in tables)
        if len(set(values)) > 1:
            yield Difference(section, path, values)


def _settings(path: Path) -> dict[str, str]:
    manifest = RunFolder(path).read_manifest()
    arguments = {"kind": manifest.get("kind", "search"), **manifest.get("arguments", {})}
    return dict(_flat(arguments, ()))


def _inputs(path: Path) -> dict[str, str]:
    """Every value of the inputs of a run.

    What all layers of a network (or all points of a sweep) have in common, such as their machine, comes once; the rest
    goes by their folders.
    """
    inside = {
        file.parent.relative_to(path).parts[1:]: dict(_flat(load_document([file], style="timeloop").data, ()))
        for file in sorted(path.rglob(INPUTS))
    }
    tables = list(inside.values())
    common = dict(tables[0]) if tables else {}
    for table in tables[1:]:
        common = {key: value for key, value in common.items() if table.get(key) == value}
    found = dict(common)
    for folder, table in inside.items():
        prefix = format_path(folder) + "." if folder else ""
        found.update({prefix + key: value for key, value in table.items() if key not in common})
    return found


def _results(entry: RunEntry) -> dict[str, str]:
    values = dataclasses.asdict(entry)
    return {name: _text(values[name]) for name in _RESULTS if values[name] not in (None, "")}


def _flat(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, key))
    elif (
        isinstance(value, (list, tuple))
        and value
        and any(isinstance(e, (Mapping, list, tuple)) for e in value)
    ):
        for index, inner in enumerate(value):
            yield from _flat(inner, (*path, _called(inner, index)))
    elif value not in (None, [], {}):
        yield format_path(path), _text(value)


def _called(element: Any, index: int) -> str | int:
    """Elements of lists go by their names, so that one that was added does not shift the others."""
    if isinstance(element, Mapping):
        for key in ("name", "target"):
            if isinstance(element.get(key), str):
                kind = element.get("type")
                return f"{element[key]}/{kind}" if isinstance(kind, str) else str(element[key])
    return index


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return " ".join(_text(entry) for entry in value) if isinstance(value, (list, tuple)) else str(value)

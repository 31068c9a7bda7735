"""What differs between two mappings, in words: which reuse is won at which level."""

from __future__ import annotations

from collections.abc import Iterator

from ..cost.outcome import LevelStatistics, Statistics
from ..report.units import energy_text, short_count
from ..specs.spec import Spec

_LEAST = 0.02  # of the difference in energy: smaller contributions are not told
_MOST = 6


def differences_in_words(spec: Spec, ours: Statistics, theirs: Statistics, name: str = "theirs") -> list[str]:
    """Sentences, the largest savings of energy first; then cycles.

    Args:
        ours: of the mapping that the sentences are about.
        theirs: of the mapping that it is compared with, called ``name``.
    """
    gap = theirs.energy_pj - ours.energy_pj
    parts = sorted(_parts(spec, ours, theirs, name), key=lambda part: -abs(part[0]))
    told = [text for saved, text in parts if abs(saved) >= _LEAST * max(abs(gap), 1e-12)][:_MOST]
    return [*told, *_cycles(spec, ours, theirs, name)]


def _parts(spec: Spec, ours: Statistics, theirs: Statistics, name: str) -> Iterator[tuple[float, str]]:
    """Saved energy (pJ) and sentence, for every level and data space and every network."""
    for s, (a, b) in enumerate(zip(ours.levels, theirs.levels, strict=True)):
        for p, space in enumerate(spec.problem.data_spaces):
            saved = b.tensors[p].energy_total - a.tensors[p].energy_total
            if saved:
                yield saved, _level_sentence(spec, ours, theirs, s, p, space.name, saved, name)
    for mine, other in zip(ours.networks, theirs.networks, strict=True):
        saved = other.energy - mine.energy
        if saved:
            yield (
                saved,
                (
                    f"network {mine.name}: {energy_text(mine.energy)} instead of {energy_text(other.energy)} ({name})"
                ),
            )


def _level_sentence(
    spec: Spec, ours: Statistics, theirs: Statistics, s: int, p: int, space: str, saved: float, name: str
) -> str:
    a, b = ours.levels[s], theirs.levels[s]
    level = spec.architecture.storage[s].name
    word = f"saves {energy_text(saved)}" if saved > 0 else f"costs {energy_text(-saved)} more"
    if not (a.tensors[p].kept and b.tensors[p].kept):
        return f"{space} {'is kept' if a.tensors[p].kept else 'is not kept'} in {level}, unlike in {name}: {word}"
    mine, other = _moved(a, p), _moved(b, p)
    text = f"{space} at {level}: {short_count(mine)} accesses instead of {short_count(other)}"
    times = _times(spec, ours, s, p), _times(spec, theirs, s, p)
    if all(times):
        text += f", every word read {times[0]:.3g} times instead of {times[1]:.3g}"
    return f"{text}: {word}{_reason(ours, theirs, s, p)}"


def _moved(level: LevelStatistics, p: int) -> int:
    tensor = level.tensors[p]
    return (tensor.reads + tensor.fills + tensor.updates) * tensor.instances


def _times(spec: Spec, statistics: Statistics, s: int, p: int) -> float:
    """How often a word of the tensor is read from the level; 0 if it is unknown."""
    size = max(level.tensors[p].partition for level in statistics.levels if level.tensors[p].kept)
    tensor = statistics.levels[s].tensors[p]
    return tensor.reads * tensor.instances / size if size else 0.0


def _reason(ours: Statistics, theirs: Statistics, s: int, p: int) -> str:
    """The multicast of the network below explains it, or the tile that the next level in holds for longer."""
    a, b = (_multicast(statistics, s, p) for statistics in (ours, theirs))
    if a > b * 1.01:
        return f" (spatial reuse: each read feeds {a:.3g} children instead of {b:.3g})"
    inner = [_inner_tile(statistics, s, p) for statistics in (ours, theirs)]
    if inner[0] and inner[1] and inner[0] != inner[1]:
        return f" (tile held below: {short_count(inner[0])} words instead of {short_count(inner[1])})"
    return ""


def _multicast(statistics: Statistics, s: int, p: int) -> float:
    """Average children fed by a word that the level sends down."""
    for network in statistics.networks:
        entries = network.tensors[p].entries
        total = sum(entry.accesses for entry in entries)
        if network.outer_level == s and total:
            return sum(entry.multicast * entry.accesses for entry in entries) / total
    return 1.0


def _inner_tile(statistics: Statistics, s: int, p: int) -> int:
    """Words of the data space in all instances of the next level in that keeps it; 0 if none does."""
    for level in reversed(statistics.levels[:s]):
        if level.tensors[p].kept:
            return level.tensors[p].tile_shape * level.tensors[p].instances
    return 0


def _cycles(spec: Spec, ours: Statistics, theirs: Statistics, name: str) -> Iterator[str]:
    if ours.cycles == theirs.cycles:
        return
    units = spec.architecture.compute.instances
    yield (
        f"cycles: {ours.cycles:,} instead of {theirs.cycles:,} ({name}); "
        f"{ours.compute.utilized_instances} of {units} units busy instead of {theirs.compute.utilized_instances}, "
        + (_bound(ours) if _bound(ours) == _bound(theirs) else f"{_bound(ours)} instead of {_bound(theirs)}")
    )


def _bound(statistics: Statistics) -> str:
    """What sets the cycles."""
    slowest = min(statistics.levels, key=lambda level: level.throttle)
    return (
        f"bound by the bandwidth of {slowest.name}" if slowest.throttle < 1 else "bound by the compute units"
    )

"""What benchmarks/networks.py found, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

Run = Mapping[str, Any]


def table(done: Mapping[str, Run], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each network on each machine."""
    lines = [
        "| network | machine | layers (distinct) | seeds | wall time, s | EDP, J·cycle | over the best known | "
        "Timeloop, equal samples | Timeloop, equal time |",
        "|---|---|---:|---:|---:|---:|---:|---|---|",
    ]
    loads: list[float] = []
    for machine, network in pairs:
        mine = of(done, machine, network, "ours")
        if not mine:
            continue
        loads += [entry["load"] for entry in mine]
        edp = median(entry["edp"] for entry in mine)
        seconds = median(entry["seconds"] for entry in mine)
        cells = [theirs(done, machine, network, kind, edp) for kind in ("samples", "seconds")]
        over = edp / best_known(done, machine, network) - 1
        lines.append(
            f"| {network} | {machine} | {mine[0]['layers']} ({mine[0]['distinct']}) | {len(mine)} | {seconds:.1f} | "
            f"{edp * 1e-12:.5g} | {100 * over:.2f} % | {cells[0]} | {cells[1]} |"
        )
    if loads:
        lines += [
            "",
            f"Load of the machine when these runs began: {median(loads):.1f} in the median, {max(loads):.1f} at most.",
        ]
    return lines


def quick_table(done: Mapping[str, Run], machine: str, network: str) -> list[str]:
    """A line for each seed."""
    lines = [
        f"| {network} on {machine}, seed | samples | wall time, s | EDP, J·cycle | over the best known |",
        "|---:|---:|---:|---:|---:|",
    ]
    best = best_known(done, machine, network)
    for seed, entry in enumerate(of(done, machine, network, "quick"), start=1):
        lines.append(
            f"| {seed} | {entry['samples']:,} | {entry['seconds']:.1f} | {entry['edp'] * 1e-12:.6g} | "
            f"{100 * (entry['edp'] / best - 1):.2f} % |"
        )
    return lines


def of(done: Mapping[str, Run], machine: str, network: str, what: str) -> list[Run]:
    """Runs of ours, by seed."""
    found = (done.get(f"{machine}/{network}/{what}/{seed}") for seed in range(1, 100))
    return [entry for entry in found if entry is not None]


def best_known(done: Mapping[str, Run], machine: str, network: str) -> float:
    """The least total of all runs, Timeloop's mappers included."""
    found = [entry["edp"] for name, entry in done.items() if name.startswith(f"{machine}/{network}/")]
    return min((edp for edp in found if edp is not None), default=float("nan"))


def theirs(done: Mapping[str, Run], machine: str, network: str, kind: str, mine: float) -> str:
    """The best of Timeloop's mappers, in EDPs of ours; without any total, how many layers the best of them lacks."""
    known = {
        name.split("/")[2].split()[1]: entry
        for name, entry in done.items()
        if name.startswith(f"{machine}/{network}/{kind} ")
    }
    if not known:
        return "–"
    whole = {algorithm: entry["edp"] for algorithm, entry in known.items() if entry["edp"] is not None}
    if not whole:
        return f"none: {_least_missing(list(known.values()))} layers without a mapping at best"
    name = min(whole, key=lambda algorithm: whole[algorithm])
    return f"{whole[name] / mine:.2f}x ({name})"


def _least_missing(runs: Sequence[Run]) -> int:
    return min(entry["missing"] for entry in runs)

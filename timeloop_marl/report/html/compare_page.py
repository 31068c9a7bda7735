"""The page of a comparison with Timeloop's mappers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from ...cost.components import ComponentEnergy, component_energies
from ...run.schema import read_json
from ...run.units import ObjectiveLabel, energy_text, objective_label, plain_number, short_count
from ...specs.spec import Spec
from ...validation.comparison.runs import OURS, PROGRAM
from ..charts.courses import ContestLabels, ContestLine, contest_lines, contest_plot
from ..charts.shares import energy_bars
from ..records import MISSING, RULES, Ranked, read_evaluated, title_of
from .page import (
    HALF,
    Block,
    Bullets,
    Cell,
    Facts,
    Grid,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
)
from .sections import nest_picture

COMPARISON = "compare.json"
Winners = Mapping[str, tuple[Spec, Ranked]]
_BUDGETS = ("equal_samples", "equal_seconds")
_SIDES = (("ours", "Our winner"), ("timeloop", "Timeloop's best"))


class _Point(TypedDict):
    samples: int
    seconds: float
    cost: float


class _Course(TypedDict):
    searcher: str
    kind: str
    seed: int | None
    cost: float | None
    samples: int
    valid: int
    seconds: float
    ended: str
    trajectory: list[_Point]


class _Row(TypedDict):
    searcher: str
    kind: str
    runs: int
    quartiles: tuple[float | None, float | None, float | None]
    samples: float
    valid_share: float
    rate: float


class _JudgedRow(_Row, total=False):
    judged: float


class _Runs(TypedDict):
    budget: float
    runs: list[_Course]


class _Budget(_Runs, total=False):
    table: list[_JudgedRow]


class _Compared(TypedDict):
    objective: str
    equal_samples: _Budget
    equal_seconds: _Budget


class Compared(_Compared, total=False):
    """``compare.json``."""

    files: list[str]
    problem: str
    energies: str | None
    rules: str
    versions: dict[str, str]
    notices: list[str]
    words: list[str]


def read_compared(folder: Path) -> dict[str, Any]:
    """``compare.json``. Errors as ``read_run``."""
    return dict(read_json(folder / COMPARISON, Compared, MISSING))


def read_comparison(folder: Path) -> tuple[dict[str, Any], Winners]:
    """The content of ``compare.json``, and the winning mappings evaluated anew. Errors as ``read_run``."""
    data = read_compared(folder)
    files = {name: folder / f"{name}.model.yaml" for name, _ in _SIDES}
    rules = str(data.get("rules") or RULES)
    return data, {name: read_evaluated(file, rules) for name, file in files.items() if file.exists()}


def compare_page(data: Mapping[str, Any], winners: Winners) -> Page:
    """Who found what, at equal samples and in equal time; the two winning mappings side by side."""
    sections = [Section("totals", "In short", _short(data))]
    sections += [_budget_section(data, key) for key in _BUDGETS]
    sections.append(Section("figures", "Figures", [t for t in (_table(data, key) for key in _BUDGETS) if t]))
    if winners:
        sections.append(Section("mappings", "The winning mappings", [_mappings(winners)]))
        sections.append(Section("energies", "Their energy", [_energies(winners)]))
    sections.append(_origin(data))
    return Page(
        _title(data), "Our search against Timeloop's mappers on the same files", _marks(data), sections
    )


def _mappings(winners: Winners) -> Grid:
    return Grid(
        [
            (title, [nest_picture(*winners[name], f"nest-{name}")])
            for name, title in _SIDES
            if name in winners
        ],
        pairs=True,
    )


def _energies(winners: Winners) -> Grid:
    """On one scale, so that lengths can be compared."""
    components = {name: component_energies(spec, best.statistics) for name, (spec, best) in winners.items()}
    longest = max((each.total for found in components.values() for each in found), default=0.0)
    tensors = [space.name for spec, _ in winners.values() for space in spec.problem.data_spaces]
    return Grid(
        [
            (
                f"{title}: {energy_text(winners[name][1].statistics.energy_pj)}",
                [_bars(f"energy-{name}", components[name], tensors, longest)],
            )
            for name, title in _SIDES
            if name in winners
        ],
        pairs=True,
    )


def _bars(
    name: str, components: Sequence[ComponentEnergy], tensors: Sequence[str], longest: float
) -> Picture:
    return Picture(name, lambda width: energy_bars(components, list(dict.fromkeys(tensors)), width, longest))


def _title(data: Mapping[str, Any]) -> str:
    return (
        title_of(data.get("files", []), data.get("problem") or "comparison")
        + ": ours against Timeloop's mappers"
    )


def _marks(data: Mapping[str, Any]) -> list[str]:
    return [f"objective {data['objective']}", *data.get("notices", [])]


def _final(data: Mapping[str, Any], key: str, *, ours: bool) -> tuple[str, float] | None:
    """Searcher and median final cost of the best of ours or of Timeloop's; ``None`` if none found anything."""
    lines = _lines(data, key)
    found = [(line.searcher, line.final) for line in lines if line.ours == ours and line.final == line.final]
    return min(found, key=lambda pair: pair[1], default=None)


def _short(data: Mapping[str, Any]) -> list[Block]:
    """Who won by how much, and why."""
    tiles = [_verdict(data, "equal_samples", f"at {data['equal_samples']['budget']:,} samples")]
    tiles.append(_verdict(data, "equal_seconds", f"in {data['equal_seconds']['budget']:g} s on one thread"))
    words = list(data.get("words") or [])
    if not words:
        return [Tiles(tiles)]
    return [Tiles(tiles), Paragraph("What our winner does differently at equal samples:"), Bullets(words)]


def _verdict(data: Mapping[str, Any], key: str, where: str) -> Tile:
    mine, other = _final(data, key, ours=True), _final(data, key, ours=False)
    if mine is None:
        return Tile(
            where,
            "nothing found by ours",
            f"{other[0]} of Timeloop found one" if other else "nor by Timeloop",
        )
    if other is None:
        return Tile(where, "only ours found one", f"{mine[0]}: {_cost(data, mine[1])}")
    name = objective_label(data["objective"]).name
    if mine[1] <= other[1]:
        value = f"{other[1] / mine[1]:.3g}× lower {name}" if other[1] > mine[1] else f"equal {name}"
    else:
        value = f"{mine[1] / other[1]:.3g}× higher {name}"
    return Tile(
        where, value, f"{mine[0]} {_cost(data, mine[1])}, Timeloop {other[0]} {_cost(data, other[1])}"
    )


def _cost(data: Mapping[str, Any], cost: float) -> str:
    label = objective_label(data["objective"])
    return f"{plain_number(cost * label.scale)} {label.unit}".strip()


def _lines(data: Mapping[str, Any], key: str) -> list[ContestLine]:
    budget = data[key]["budget"]
    column, least = ("samples", 1.0) if key == "equal_samples" else ("seconds", min(1e-3, budget / 10))
    return contest_lines(data[key]["runs"], column, least, float(budget))


def _budget_section(data: Mapping[str, Any], key: str) -> Section:
    """One budget: the courses and the table."""
    by_samples = key == "equal_samples"
    label = objective_label(data["objective"])
    lines = _lines(data, key)
    labels = ContestLabels(
        title="Equal samples" if by_samples else "Equal time",
        across="samples, every mapping drawn (logarithmic)"
        if by_samples
        else "seconds, one thread each (logarithmic)",
        up=f"best {label.name} so far" + (f" [{label.unit}]" if label.unit else ""),
        place=short_count if by_samples else plain_number,
        cost=plain_number,
    )
    picture = Picture(
        key.replace("_", "-"), lambda width: contest_plot(lines, labels, width, label.scale), "", HALF
    )
    title = _budget_title(data, key)
    return Section(key.replace("_", "-") + "-section", title, [picture], half=True)


def _budget_title(data: Mapping[str, Any], key: str) -> str:
    budget = data[key]["budget"]
    return f"Equal samples: {budget:,}" if key == "equal_samples" else f"Equal time: {budget:g} s"


def _table(data: Mapping[str, Any], key: str) -> Table | None:
    """Medians and quartiles; folders of older versions have no such rows."""
    rows = data[key].get("table")
    if not rows:
        return None
    label = objective_label(data["objective"])
    best = min((row["quartiles"][1] for row in rows if row["quartiles"][1] is not None), default=None)
    unit = f" [{label.unit}]" if label.unit else ""
    return Table(
        f"{key.replace('_', '-')}-table",
        f"{_budget_title(data, key)}; median of the runs, quartiles where there are several; "
        "judged: candidates that a searcher looked at on traffic, without evaluating them",
        (
            "searcher",
            f"{label.name}{unit}",
            "quartiles",
            "to best",
            "valid",
            "samples",
            "judged",
            "samples/s",
        ),
        [_row(row, label, best) for row in rows],
        numeric=frozenset(range(1, 8)),
        sortable=True,
    )


def _row(row: Mapping[str, Any], label: ObjectiveLabel, best: float | None) -> Sequence[Cell]:
    low, middle, high = (None if cost is None else cost * label.scale for cost in row["quartiles"])
    name = row["searcher"] if row["kind"] == OURS else f"Timeloop {row['searcher']}"
    name += " (timeloop-mapper)" if row["kind"] == PROGRAM else ""
    ratio = row["quartiles"][1] / best if best and row["quartiles"][1] is not None else None
    spread = (
        ""
        if row["runs"] == 1 or low is None
        else f"{plain_number(low)} … {'none' if high is None else plain_number(high)}"
    )
    return (
        Cell(name),
        Cell("none" if middle is None else plain_number(middle), middle),
        Cell(spread),
        Cell("–" if ratio is None else f"{ratio:.3f}", ratio),
        Cell(f"{row['valid_share']:.1%}", row["valid_share"]),
        Cell(short_count(row["samples"]), row["samples"]),
        Cell(short_count(row["judged"]), row["judged"]) if row.get("judged") else Cell("–", 0.0),
        Cell(short_count(row["rate"]), row["rate"]),
    )


def _origin(data: Mapping[str, Any]) -> Section:
    facts = [("energies", str(data.get("energies") or "none")), ("rules", str(data.get("rules", "")))]
    facts += [(name, str(version)) for name, version in data.get("versions", {}).items()]
    return Section("origin", "Where this comes from", [Facts(facts)])

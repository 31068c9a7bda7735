"""The page of a sweep: one layer or network on several machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...networks.sweep_result import SweepPoint, SweepResult
from ...run.units import edp_text, energy_text, plain_number, short_count
from ..charts.scatter import ScatterLabels, ScatterPoint, scatter_plot
from .page import HALF, Block, Bullets, Cell, Facts, Page, Paragraph, Picture, Section, Table, Tile, Tiles

_AREA = 1e-6  # mm² per µm²


def sweep_page(result: SweepResult) -> Page:
    """Cycles, energy and area of every point: pictures and a table."""
    done = result.done
    sections = [Section("totals", "Totals", _totals(result))]
    if done:
        sections += [_picture(result, "energy", done), _picture(result, "cycles", done)]
        sections = [section for section in sections if section.blocks]
        pair = [(p, float(p.cycles or 0), float(p.energy_pj or 0)) for p in done]
        sections.append(
            _scatter(result, "cycles-energy", "Cycles against energy", pair, "cycles", short_count)
        )
    sections.append(_table(result))
    notes = list(dict.fromkeys(f"{p.name}: {p.area_note}" for p in result.points if p.area_note))
    sources: dict[str, list[str]] = {}
    for point in result.points:
        sources.setdefault(point.energies, []).append(point.name)
    facts = [
        ("energies", source if len(sources) == 1 else f"{source} ({_some(names)})")
        for source, names in sources.items()
        if source
    ]
    facts += [(name, str(version)) for name, version in result.versions.items()]
    origin: list[Block] = [Facts(facts)]
    if notes:
        origin.insert(0, Bullets(notes[:20]))
    sections.append(Section("origin", "Where this comes from", origin))
    marks = [f"searcher {result.searcher}", f"objective {result.objective}", f"seed {result.seed}"]
    return Page(f"{result.network} on {len(result.points)} machines", _axes(result), marks, sections)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _axes(result: SweepResult) -> str:
    swept = [f"{name} = {', '.join(values)}" for name, values in result.axes.items()]
    return " · ".join([", ".join(result.machines), *swept])


def _totals(result: SweepResult) -> list[Block]:
    tiles = [Tile("points", f"{len(result.done)} of {len(result.points)}", "done")]
    best = next((point for point in result.done if point.best), None)
    if best is not None and best.edp is not None and best.cycles is not None and best.energy_pj is not None:
        tiles += [
            Tile(f"least {result.objective}", best.name, f"EDP {edp_text(best.edp)} J·cycle"),
            Tile("its cycles", f"{best.cycles:,}"),
            Tile("its energy", energy_text(best.energy_pj)),
        ]
        if best.area_um2 is not None:
            tiles.append(Tile("its area", f"{plain_number(best.area_um2 * _AREA)} mm²"))
        return [Tiles(tiles)]
    return [Paragraph("No point is done yet.", warning=True), Tiles(tiles)]


def _picture(result: SweepResult, figure: str, done: Sequence[SweepPoint]) -> Section:
    """Area against cycles or energy, of the points whose area is known."""
    known = [point for point in done if point.area_um2 is not None]
    values = {"energy": "energy_pj", "cycles": "cycles"}
    points = [(p, (p.area_um2 or 0.0) * _AREA, float(getattr(p, values[figure]) or 0)) for p in known]
    title = f"Area against {figure}"
    if len(points) < 2:
        return Section(f"area-{figure}-section", title, [], half=True)
    return _scatter(result, f"area-{figure}", title, points, "area [mm²]", plain_number, figure)


def _scatter(
    result: SweepResult,
    name: str,
    title: str,
    found: Sequence[tuple[SweepPoint, float, float]],
    across: str,
    write: Callable[[float], str],
    up: str = "energy",
) -> Section:
    numbers = {point.name: number for number, point in enumerate(result.points, 1)}
    pairs = [(x, y) for _, x, y in found]
    points = [
        ScatterPoint(
            numbers[p.name], p.name, x, y, not any((a, b) != (x, y) and a <= x and b <= y for a, b in pairs)
        )
        for p, x, y in found
    ]
    texts = {"energy": energy_text, "cycles": short_count}
    labels = ScatterLabels(title, across, up, write, texts[up])
    picture = Picture(
        name, lambda width: scatter_plot(points, labels, width), "Numbered as in the table.", HALF
    )
    return Section(f"{name}-section", title, [picture], half=True)


def _table(result: SweepResult) -> Section:
    swept = [name for name, values in result.axes.items() if len(values) > 1]
    columns = ("#", "machine", *swept, "area [mm²]", "cycles", "energy", "EDP [J·cycle]", "utilised", "front")
    rows = [_row(number, point, swept) for number, point in enumerate(result.points, 1)]
    first = 2 + len(swept)
    table = Table(
        "points",
        "Front: no other point is at least as good in every figure known and better in one",
        columns,
        rows,
        numeric=frozenset(range(first, first + 5)),
        sortable=True,
        filterable=len(rows) > 8,
    )
    return Section("points-section", "All points", [table])


def _row(number: int, point: SweepPoint, swept: Sequence[str]) -> list[Cell]:
    head = [
        Cell(str(number), number),
        Cell(point.machine),
        *(Cell(point.values.get(name, "")) for name in swept),
    ]
    area = (
        Cell("unknown")
        if point.area_um2 is None
        else Cell(plain_number(point.area_um2 * _AREA), point.area_um2)
    )
    if point.cycles is None or point.energy_pj is None or point.edp is None:
        said = point.message.splitlines()[0] if point.message else ""
        return [*head, area, Cell(point.status), *(Cell("") for _ in range(3)), Cell(said)]
    used = point.utilization or 0.0
    mark = " ".join(word for word, holds in (("front", point.front), ("best", point.best)) if holds)
    return [
        *head, area, Cell(f"{point.cycles:,}", point.cycles), Cell(energy_text(point.energy_pj), point.energy_pj),
        Cell(edp_text(point.edp), point.edp), Cell(f"{used:.0%}", used, min(used, 1.0)), Cell(mark),
    ]  # fmt: skip

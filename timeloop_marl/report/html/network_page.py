"""The page of a network."""

from __future__ import annotations

from collections.abc import Sequence

from ...cost.components import ComponentEnergy
from ...networks.result import LayerResult, NetworkResult, Totals
from ...run.units import edp_text, energy_text, share_text, short_count
from ..charts.courses import convergence
from ..charts.roofline import NetworkPoint, network_roofline
from ..charts.shares import LayerShare, energy_bars, layer_shares
from ..records import LayerRecord, NetworkRecord, files_text, total_course
from .page import (
    HALF,
    LONG,
    Block,
    Cell,
    Facts,
    Fold,
    Grid,
    Page,
    Paragraph,
    Picture,
    Scroll,
    Section,
    Table,
    Tile,
    Tiles,
)
from .sections import NEST_CAPTION, judged_tiles, knowledge_facts, nest_picture, per_compute, verdict

_NARROW = (334.0,)


def network_page(record: NetworkRecord) -> Page:
    """Totals, where they come from, and every layer with its mapping."""
    result = record.result
    sections = [Section("totals", "Totals", _totals(result))]
    if result.totals is not None:
        sections += [_shares(result), _energy(record, result.totals)]
    sections += [_convergence(result), *_roofline(record), _layer_table(record)]
    mapped = [(number, layer) for number, layer in enumerate(record.layers) if layer.mapped]
    if mapped:
        title = "The mapping of every layer"
        folds = [_layer(n, layer, record.tensors, is_open=len(mapped) == 1) for n, layer in mapped]
        blocks: list[Block] = [Paragraph(NEST_CAPTION), *folds]
        if len(folds) > LONG:
            blocks[1:] = [Scroll(title, folds)]
        sections.append(Section("mappings", title, blocks))
    sections.append(_origin(result))
    return Page(result.name, _subtitle(result), _marks(result), sections)


def _subtitle(result: NetworkResult) -> str:
    layers = f"{result.layer_count:,} layers" if result.layer_count != 1 else "1 layer"
    return f"{layers}, {len(result.layers):,} distinct"


def _marks(result: NetworkResult) -> list[str]:
    options = [f"{name}={value}" for name, value in result.options.items()]
    return [
        " ".join((f"searcher {result.searcher}", *options)),
        f"objective {result.objective}",
        f"seed {result.seed}",
        result.stopped,
        result.evaluator,
    ]


def _totals(result: NetworkResult) -> list[Block]:
    rate = f", {short_count(result.samples / result.seconds)}/s" if result.seconds > 0 else ""
    searched = Tile("samples", f"{result.samples:,}", f"{result.valid:,} valid, {result.seconds:.1f} s{rate}")
    totals = result.totals
    if totals is None:
        lacking = [layer.name for layer in result.layers if not layer.found]
        names = ", ".join(lacking[:8]) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
        return [
            Paragraph(f"No totals: no valid mapping was found for {names}.", warning=True),
            Tiles([searched, *judged_tiles(result.judged)]),
        ]
    return [
        Tiles(
            [
                Tile("energy-delay product", edp_text(totals.edp), "J·cycle, one inference"),
                Tile("cycles", f"{totals.cycles:,}", f"{totals.computes:,} computes"),
                Tile("energy", energy_text(totals.energy_pj), per_compute(totals.energy_pj, totals.computes)),
                Tile("utilisation", f"{totals.utilization:.1%}", "of the compute units, by cycles"),
                searched,
                *judged_tiles(result.judged),
            ]
        )
    ]


def _shares(result: NetworkResult) -> Section:
    layers = [
        LayerShare(layer.name, layer.count, layer.count * layer.cycles, layer.count * layer.energy_pj)
        for layer in result.layers
    ]
    picture = Picture(
        "layer-shares", lambda width: layer_shares(layers, width), "×: how often a layer occurs.", HALF
    )
    return Section("shares", "Where cycles and energy go", [picture], half=True)


def _energy(record: NetworkRecord, totals: Totals) -> Section:
    components = _components(totals.energy)
    picture = Picture("energy", lambda width: energy_bars(components, record.tensors, width), "", HALF)
    return Section("energy-section", "Energy by level and data space", [picture], half=True)


def _components(energy: object) -> list[ComponentEnergy]:
    assert isinstance(energy, dict)
    return [ComponentEnergy(name, dict(parts)) for name, parts in energy.items()]


def _convergence(result: NetworkResult) -> Section:
    course = total_course(result)
    if not len(course.samples):
        return Section("course", "Convergence", [Paragraph("No round was finished.")], half=True)
    caption = (
        "After every round, each layer at its best by then; the last point is the choice of mappings made."
    )
    picture = Picture("convergence", lambda width: convergence([course], width), caption, HALF)
    return Section("course", "Convergence of the total", [picture], half=True)


def _roofline(record: NetworkRecord) -> list[Section]:
    points = [
        NetworkPoint(layer.result.name, layer.limits) for layer in record.layers if layer.limits is not None
    ]
    if not points:
        return []
    caption = (
        "Each point a layer, at the level that leaves it least room (+2: two more lie there); on a slanted roof that "
        "level sets the pace."
    )
    picture = Picture("roofline", lambda width: network_roofline(points, width), caption, HALF)
    return [Section("roofline-section", "Roofline of all layers", [picture], half=True)]


def _layer_table(record: NetworkRecord) -> Section:
    columns = (
        "layer", "×", "dimensions", "cycles", "of all", "energy", "of all", "EDP [J·cycle]", "utilised", "bound by",
        "samples",
    )  # fmt: skip
    table = Table(
        "layers",
        "Figures of one such layer; shares with all its occurrences",
        columns,
        [_layer_row(layer, record.result.totals) for layer in record.layers],
        numeric=frozenset((1, 3, 4, 5, 6, 7, 8, 10)),
        sortable=True,
        filterable=len(record.layers) > 1,
        targets=[
            f"layer-{number}" if layer.mapped else "layers" for number, layer in enumerate(record.layers)
        ],
    )
    return Section("layers-section", "Layers", [table])


def _layer_row(layer: LayerRecord, totals: Totals | None) -> Sequence[Cell]:
    found = layer.result
    dimensions = " ".join(f"{dim}{size}" for dim, size in found.bounds.items() if size > 1) or "all 1"
    head = (Cell(found.name), Cell(f"{found.count}", found.count), Cell(dimensions))
    tail = Cell(f"{found.samples:,}", found.samples)
    if not found.found:
        return (*head, Cell("no valid mapping"), *(Cell("") for _ in range(6)), tail)
    return (
        *head,
        Cell(f"{found.cycles:,}", found.cycles),
        _share(found.count * found.cycles, totals.cycles if totals else 0),
        Cell(energy_text(found.energy_pj), found.energy_pj),
        _share(found.count * found.energy_pj, totals.energy_pj if totals else 0),
        Cell(edp_text(found.edp), found.edp),
        Cell(f"{found.utilization:.1%}", found.utilization, min(found.utilization, 1.0)),
        Cell(layer.bound),
        tail,
    )


def _share(part: float, whole: float) -> Cell:
    return Cell(share_text(part, whole), part, min(part / whole, 1.0)) if whole else Cell("")


def _layer(number: int, layer: LayerRecord, tensors: Sequence[str], *, is_open: bool) -> Fold:
    """The mapping of one layer, its energy, and what sets its pace."""
    assert layer.mapped is not None and layer.limits is not None
    found = layer.result
    spec, ranked = layer.mapped
    components = _components(found.energy)
    bars = Picture(
        f"energy-{number}", lambda width: energy_bars(components, list(tensors), width), "Energy", _NARROW
    )
    cells: list[tuple[str, Sequence[Block]]] = [
        ("", [nest_picture(spec, ranked, f"nest-{number}", _NARROW, caption="")]),
        ("", [Paragraph(verdict(layer.limits)), bars, Facts(_layer_facts(found))]),
    ]
    return Fold(_fold_title(found), [Grid(cells, pairs=True)], f"layer-{number}", is_open)


def _fold_title(found: LayerResult) -> str:
    count = f" ×{found.count}" if found.count > 1 else ""
    figures = f"{found.cycles:,} cycles, {energy_text(found.energy_pj)}, {found.utilization:.0%} utilised"
    return f"{found.name}{count}: {figures}"


def _layer_facts(found: LayerResult) -> list[tuple[str, str]]:
    names = ", ".join(found.names[:12]) + (
        f" and {len(found.names) - 12} more" if len(found.names) > 12 else ""
    )
    facts = [
        ("occurs as", names or found.name),
        ("dimensions", " ".join(f"{dim} {size}" for dim, size in found.bounds.items())),
        ("EDP", f"{edp_text(found.edp)} J·cycle"),
        ("found at", f"sample {found.sample:,} of {found.samples:,} ({found.valid:,} valid)"),
        ("folder", found.folder),
    ]
    if found.knowledge:
        facts.append(("began with", f"what was learnt on {found.knowledge}"))
    if found.best is not None and found.best.sample != found.sample:
        facts.append(
            (
                "by itself",
                f"{edp_text(found.best.edp)} J·cycle would be its best; this one is better for the total",
            )
        )
    return facts


def _origin(result: NetworkResult) -> Section:
    facts = [
        ("inputs", files_text(result.files)),
        ("energies", result.energies or "none"),
        ("evaluator", result.evaluator),
        *knowledge_facts("traffic" if result.judged else None),
    ]
    facts += [(name, str(version)) for name, version in result.versions.items()]
    return Section("origin", "Where this comes from", [Facts(facts)])

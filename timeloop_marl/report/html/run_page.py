"""The page of one search."""

from __future__ import annotations

from collections.abc import Sequence

from ...run.units import cost_text, edp_text, energy_text, short_count
from ..charts.agents import decisions
from ..charts.courses import GapCourse, gap_plot
from ..maps import map_text
from ..records import Ranked, RunRecord, files_text
from ..views import stands_for_fanout
from .page import (
    HALF,
    Block,
    Bullets,
    Cell,
    Facts,
    Fold,
    Listing,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
)
from .sections import (
    agents_section,
    convergence_section,
    energy_section,
    judged_tiles,
    knowledge_facts,
    levels_section,
    nest_picture,
    nest_section,
    per_compute,
    roofline_section,
)


def run_page(record: RunRecord) -> Page:
    """Totals, the best mapping, what it costs and where, how it was found."""
    sections = [Section("totals", "Totals", _totals(record))]
    if record.best:
        best = record.best[0]
        sections += [
            *_proof(record),
            nest_section(record.spec, best),
            convergence_section(record),
            energy_section(record.spec, best.statistics),
            roofline_section(record.spec, best.statistics),
            levels_section(record.spec, best.statistics),
        ]
    else:
        sections.append(convergence_section(record, half=False))
    decided = decisions(record.spec, record.best[0].mapping, record.agents) if record.best else None
    sections += agents_section(record.agents, decided)
    if len(record.best) > 1:
        sections.append(_others(record))
    sections.append(_origin(record))
    return Page(record.name, _subtitle(record), _marks(record), sections)


def _subtitle(record: RunRecord) -> str:
    problem = record.spec.problem
    bounds = " · ".join(f"{dim} {bound}" for dim, bound in zip(problem.dims, problem.bounds, strict=True))
    storage = record.spec.architecture.storage
    machine = " ▸ ".join(level.name for level in reversed(storage) if not stands_for_fanout(level.name))
    return f"{bounds}  —  {machine} ▸ {record.spec.architecture.compute.name}"


def _marks(record: RunRecord) -> list[str]:
    summary = record.summary
    return [
        f"searcher {summary['searcher']}",
        f"objective {summary['objective']}",
        f"seed {summary['seed']}",
        str(summary["stopped"]),
        str(summary["evaluator"]),
    ]


def _totals(record: RunRecord) -> list[Tiles | Paragraph]:
    summary = record.summary
    samples, valid, seconds = int(summary["samples"]), int(summary["valid"]), float(summary["seconds"])
    speed = f"{short_count(samples / seconds)}/s" if seconds > 0 else ""
    searched = Tile(
        "samples", f"{samples:,}", f"{valid:,} valid, {seconds:.1f} s{', ' + speed if speed else ''}"
    )
    judged = judged_tiles(int(summary.get("judged", 0)))
    if not record.best:
        return [
            Paragraph("No valid mapping was found.", warning=True),
            Tiles([searched, *judged]),
        ]
    statistics = record.best[0].statistics
    compute = record.spec.architecture.compute
    tiles = [
        Tile("energy-delay product", f"{edp_text(statistics.energy_pj * statistics.cycles)}", "J·cycle"),
        Tile("cycles", f"{statistics.cycles:,}", f"{statistics.computes:,} computes"),
        Tile(
            "energy",
            energy_text(statistics.energy_pj),
            f"{per_compute(statistics.energy_pj, statistics.computes)}",
        ),
        Tile(
            "utilisation",
            f"{statistics.utilization:.1%}",
            f"{statistics.compute.utilized_instances:,} of {compute.instances:,} units",
        ),
        searched,
        *judged,
        Tile("best found at", f"sample {record.best[0].sample:,}", _gain(record)),
    ]
    return [Tiles(tiles)]


def _proof(record: RunRecord) -> list[Section]:
    """What is proven of the best mapping, and of ``optimum`` how cost and bound came together."""
    proof = record.summary.get("proof")
    if not proof or proof["bound"] is None or proof["gap"] is None:
        return []
    objective = str(record.summary["objective"])
    proven, bound = bool(proof["proven"]), cost_text(objective, float(proof["bound"]))
    verdict = (
        "Optimal: it is proven that no mapping of this mapspace costs less."
        if proven
        else f"Not proven: no mapping costs less than {bound}; {float(proof['gap']):.2%} of the cost are still open."
    )
    content: list[Block] = [Paragraph(verdict)]
    if "course" in proof:
        course = GapCourse(*(proof["course"][name] for name in ("seconds", "cost", "bound")))
        content.append(Picture("gap", lambda width: gap_plot(course, objective, proven, width), "", HALF))
    return [Section("proof", "The proof", content, half=True)]


def _gain(record: RunRecord) -> str:
    """How much the search gained on its first valid mapping."""
    steps = list(record.summary.get("trajectory", []))
    if len(steps) < 2 or not steps[-1]["cost"]:
        return "the first valid one"
    return f"{steps[0]['cost'] / steps[-1]['cost']:.3g}× better than its first"


def _others(record: RunRecord) -> Section:
    """The other distinct mappings that were kept."""
    rows = [_other_row(rank, ranked) for rank, ranked in enumerate(record.best, 1)]
    table = Table(
        "ranks",
        "Distinct mappings, best first",
        ("mapping", "EDP [J·cycle]", "cycles", "energy", "utilisation", "found at sample"),
        rows,
        numeric=frozenset(range(1, 6)),
        sortable=True,
        targets=["mapping", *(f"rank-{rank}" for rank in range(2, len(rows) + 1))],
    )
    folds = [
        Fold(f"Mapping {rank}", [nest_picture(record.spec, ranked, f"mapping-{rank}")], f"rank-{rank}")
        for rank, ranked in enumerate(record.best[1:], 2)
    ]
    return Section("others", f"The {len(record.best)} best mappings", [table, *folds])


def _other_row(rank: int, ranked: Ranked) -> Sequence[Cell]:
    statistics = ranked.statistics
    edp = statistics.energy_pj * statistics.cycles
    return (
        Cell(str(rank), rank),
        Cell(edp_text(edp), edp),
        Cell(f"{statistics.cycles:,}", statistics.cycles),
        Cell(energy_text(statistics.energy_pj), statistics.energy_pj),
        Cell(f"{statistics.utilization:.1%}", statistics.utilization),
        Cell(f"{ranked.sample:,}", ranked.sample),
    )


def _origin(record: RunRecord) -> Section:
    """Where the figures come from: inputs, versions, notices."""
    facts = [
        ("inputs", files_text(record.files) or "see inputs.yaml"),
        ("energies", str(record.summary.get("energies") or "none")),
        ("evaluator", str(record.summary["evaluator"])),
        *knowledge_facts(record.summary.get("knowledge")),
        *((f"{name}", str(version)) for name, version in record.manifest.get("versions", {}).items()),
    ]
    blocks: list[Facts | Bullets | Fold] = [Facts(facts)]
    if record.spec.notices:
        blocks.append(Bullets(record.spec.notices))
    if record.best:
        best = record.best[0]
        text = map_text(record.spec, best.mapping, best.statistics)
        blocks.append(Fold("The loop nest as text (map.txt)", [listing(text)]))
    return Section("origin", "Where this comes from", blocks)


def listing(text: str) -> Listing:
    """A text as it is, without empty lines at its ends."""
    return Listing(text.strip("\n"))
